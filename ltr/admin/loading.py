"""Networks from checkpoints, and starting weights for backbones."""

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from torch import nn

from ebm.exceptions import InputError
from ebm.files import expanded
from ebm.input_statistics import input_statistics
from ltr.admin.backbone_weights import BackboneWeights, load_backbone_weights
from ltr.admin.budget import MemoryBudget
from ltr.admin.checkpoint_io import read_checkpoint, write_checkpoint
from ltr.admin.exported import Weights, chosen_weights
from ltr.admin.model_constructor import NetConstructor
from ltr.admin.state_dicts import load_strictly

__all__ = [
    "BackboneWeights",
    "check_normalisation",
    "latest_checkpoint",
    "load_backbone_weights",
    "load_network",
    "read_checkpoint",
    "write_checkpoint",
]

# Building may make so many times the numbers of the weights that stay, and some: for their first values.
_TIMES, _SPARE = 8, 1 << 24
_EPOCH = re.compile(r"_ep(\d+)\.(?:pth\.tar|safetensors)$")


def load_network(
    path: Path, *, weights: Weights = "net", **constructor_overrides: Any
) -> tuple[nn.Module, dict[str, Any]]:
    """Build the network that a checkpoint describes and fill it with its weights.

    Args:
        path: a checkpoint or an export (``.safetensors``), or a folder of them (`latest_checkpoint`).
        weights: those of the last step (``"net"``), those averaged over the run (``"net_ema"``), or averaged
            ones if there are any (``"auto"``).
        **constructor_overrides: arguments of the network's constructor that replace the recorded ones.

    Returns:
        The network in evaluation mode on the CPU, its ``info`` from the field ``net_info``; and the
        checkpoint's fields.

    Raises:
        InputError: if the file cannot be read, names a network that is not known, or does not fit it, or has
            no averaged weights and these are asked for.
        UnknownNameError: if an override is no parameter of the constructor.
    """
    path = expanded(path)
    path = latest_checkpoint(path) if path.is_dir() else path
    fields = read_checkpoint(path)
    constructor = fields.get("constructor")
    if not isinstance(constructor, NetConstructor):
        raise InputError(
            f"{path} does not say how its network is built (field 'constructor'); build it yourself and use "
            "load_strictly."
        )
    for name, kind in (("fun_name", str), ("fun_module", str), ("args", object), ("kwds", object)):
        if not (hasattr(constructor, name) and isinstance(getattr(constructor, name), kind)):
            raise InputError(f"The field 'constructor' of {path} lacks {name!r}; the file is damaged.")
    # The weights come from the file: never fetch others first.
    arguments = {**_without_download(constructor), **constructor_overrides}
    state = fields[chosen_weights(fields, weights, path)]
    # A changed file must not have the network built larger than its weights.
    with MemoryBudget(_SPARE + _TIMES * sum(tensor.numel() for tensor in state.values())):
        net = constructor.get(arguments)
    load_strictly(net, state, f"Checkpoint {path}")
    net.constructor = constructor  # type: ignore[assignment]
    info = fields.get("net_info")
    if isinstance(info, dict):
        check_normalisation(net, info, path)
        net.info = info  # type: ignore[assignment]
    return net.eval(), fields


def check_normalisation(net: nn.Module, info: Mapping[str, Any], path: Path) -> None:
    """Refuse weights that were trained on images of another normalisation than the network's backbone has.

    Args:
        net: the network.
        info: of the weights, with ``input_mean`` and ``input_std`` if they are known.
        path: of the weights.

    Raises:
        InputError: naming both.
    """
    for key, own in zip(("input_mean", "input_std"), input_statistics(net)):
        stated = info.get(key, own)
        try:
            same = len(stated) == len(own) and all(abs(a - b) < 1e-4 for a, b in zip(stated, own))
        except TypeError:
            same = False
        if not same:
            raise InputError(
                f"{path} was trained on images of another normalisation: its net_info has {key} {stated}, "
                f"and the backbone of this {type(net).__name__} takes {[round(v, 4) for v in own]}. Take the "
                "weights of a training with this backbone."
            )


def latest_checkpoint(folder: Path) -> Path:
    """The checkpoint of the highest epoch in `folder`, the newest file among equals.

    Raises:
        InputError: if there is no folder, or none of its files is called ``*_ep0001.pth.tar`` or the like.
    """
    if not folder.is_dir():
        raise InputError(f"No folder {folder} to look for checkpoints in.")
    found = [(int(match[1]), file) for file in folder.iterdir() if (match := _EPOCH.search(file.name))]
    if not found:
        raise InputError(f"No checkpoint (*_ep0001.pth.tar) in {folder}; name a file, or train first.")
    return max(found, key=lambda item: (item[0], item[1].stat().st_mtime))[1]


def _without_download(constructor: NetConstructor) -> dict[str, Any]:
    return {"backbone_pretrained": False} if constructor.takes("backbone_pretrained") else {}
