"""Backbones by name, with the weights that they start from."""

import hashlib
from collections.abc import Mapping
from importlib import import_module
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from ebm.exceptions import InputError
from ebm.files import expanded
from ebm.integrity.torch_files import read_torch_file
from ebm.lookup import lookup
from ebm.nn.backbone import Backbone

__all__ = ["BACKBONES", "RANDOM", "build_backbone", "load_weights", "weights_digest"]

# Without pretrained weights: for tests, and to train from nothing.
RANDOM = "random"
BACKBONES = ("efficientnet_lite0", "resnet18", "resnet34", "resnet50", "timm:NAME")


def build_backbone(name: str, weights: str | Path | None = None) -> tuple[Backbone, str]:
    """A backbone in evaluation mode, and where its weights are from.

    Args:
        name: of `BACKBONES`.
        weights: a state dict of it (``.pth`` or ``.safetensors``); None takes ImageNet weights that an
            installed package or a cache has, "random" fresh ones.

    Raises:
        UnknownNameError: (a ValueError) for another name.
        InputError: if weights cannot be had or are of another network; says what to do.
        MissingPackageError: if the package of the backbone is not installed.
    """
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)  # the same random weights every time: features are found by them
        backbone = _built(name)
    if weights == RANDOM:
        return backbone.eval(), "random weights"
    try:
        if weights is None:
            state, origin = backbone.imagenet_state()
        else:
            state, origin = dict(_read(expanded(str(weights)))), str(weights)
    except InputError as error:
        raise InputError(
            f"the backbone {name} has no weights: {str(error).removesuffix('.')}. Or give a state dict: "
            "weights=FILE (--weights)."
        ) from error
    load_weights(backbone, state, origin)
    return backbone.eval(), origin


def load_weights(backbone: Backbone, state: Mapping[str, Tensor], origin: str) -> None:
    """Load a state dict, all of it and nothing else.

    Raises:
        InputError: if it is one of another network; names what differs.
    """
    state = backbone.renamed(state)
    own = backbone.state_dict()
    wrong = [key for key in own if key not in state or state[key].shape != own[key].shape]
    extra = [key for key in state if key not in own]
    if wrong or extra:
        found = f"{len(wrong)} tensors are missing or of another shape" * bool(wrong)
        found += ", " * bool(wrong and extra) + f"{len(extra)} belong elsewhere" * bool(extra)
        raise InputError(
            f"{origin} is no state dict of this backbone: {found} ({(wrong + extra)[0]!r} first)."
        )
    backbone.load_state_dict(dict(state))


def weights_digest(backbone: Backbone) -> str:
    """SHA-256 of all weights and statistics, by their names."""
    digest = hashlib.sha256()
    for name, tensor in sorted(backbone.state_dict().items()):
        digest.update(f"{name} {tuple(tensor.shape)} {tensor.dtype}".encode())
        digest.update(tensor.detach().cpu().contiguous().reshape(-1).view(torch.uint8).numpy().data)
    return digest.hexdigest()


def _built(name: str) -> Backbone:
    if name.startswith("timm:"):
        from ebm.nn.timm_backbone import TimmBackbone

        return TimmBackbone(name.removeprefix("timm:"))
    lookup("backbone", name, dict.fromkeys(BACKBONES))
    if name == "efficientnet_lite0":
        from ebm.nn.efficientnet_lite import EfficientNetLite0

        return EfficientNetLite0(last="stride32")
    from ebm.nn.torchvision_backbone import TorchvisionResNet

    return TorchvisionResNet(name)


def _read(path: Path) -> Mapping[str, Tensor]:
    if path.suffix == ".safetensors":
        state: Any = import_module("safetensors.torch").load_file(path) if path.is_file() else None
        if state is None:
            raise InputError(f"there is no file {path}")
    else:
        state = read_torch_file(path)
    for key in ("state_dict", "model", "net"):
        if isinstance(state, Mapping) and isinstance(state.get(key), Mapping):
            state = state[key]
    if not isinstance(state, Mapping) or not all(isinstance(part, Tensor) for part in state.values()):
        raise InputError(f"{path} holds no state dict")
    return state
