"""The residual networks of torchvision as backbones."""

import importlib
from collections import OrderedDict
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from ebm.exceptions import InputError
from ebm.extras import explain_missing
from ebm.integrity.torch_files import read_torch_file
from ebm.lookup import lookup
from ebm.nn.backbone import Backbone

__all__ = ["RESNETS", "TorchvisionResNet"]

RESNETS = {
    name: f"ResNet{name.removeprefix('resnet')}_Weights" for name in ("resnet18", "resnet34", "resnet50")
}
STAGES = {"stride4": "layer1", "stride8": "layer2", "stride16": "layer3", "stride32": "layer4"}


class TorchvisionResNet(Backbone):
    """A residual network of torchvision up to its last feature map, with the names of its weights.

    Args:
        name: ``"resnet18"``, ``"resnet34"`` or ``"resnet50"``.
        frozen_layers: see `Backbone.freeze`.

    Raises:
        MissingPackageError: if torchvision is not installed.
        UnknownNameError: (a ValueError) for another name.

    Source: He et al., CVPR 2016, arXiv:1512.03385.
    """

    def __init__(self, name: str, *, frozen_layers: Sequence[str] | str = ()) -> None:
        super().__init__()
        self.imagenet = lookup("residual network", name, RESNETS)
        whole: Any = getattr(_models(), name)(weights=None)
        for part in ("conv1", "bn1", "relu", "maxpool", *STAGES.values()):
            self.add_module(part, getattr(whole, part))
        first = whole.fc.in_features // 8
        self.strides: dict[str, int] = {layer: int(layer.removeprefix("stride")) for layer in STAGES}
        self.channels: dict[str, int] = {layer: first * 2**k for k, layer in enumerate(STAGES)}
        self.freeze(frozen_layers)

    def forward(self, x: Tensor, output_layers: Sequence[str]) -> dict[str, Tensor]:
        """Features of the named layers by name, ordered by depth, ``(N, C, H / stride, W / stride)``.

        Raises:
            UnknownNameError: if a layer does not exist.
        """
        self._check_outputs(output_layers, STAGES)
        x = self.get_submodule("relu")(self.get_submodule("bn1")(self.get_submodule("conv1")(x)))
        x, found = self.get_submodule("maxpool")(x), OrderedDict[str, Tensor]()
        for layer, stage in STAGES.items():
            x = self.get_submodule(stage)(x)
            if layer in output_layers:
                found[layer] = x
        return found

    def parts(self) -> dict[str, nn.Module]:
        """Stem and stages, those that have weights."""
        return {name: part for name, part in super().parts().items() if any(True for _ in part.parameters())}

    def imagenet_state(self) -> tuple[dict[str, Tensor], str]:
        """torchvision's weights, from its cache alone: nothing is downloaded.

        Raises:
            InputError: if they are not there; says where they would be.
        """
        weights: Any = getattr(_models(), str(self.imagenet)).IMAGENET1K_V1
        file = Path(torch.hub.get_dir()) / "checkpoints" / Path(weights.url).name
        if not file.is_file():
            raise InputError(f"torchvision's weights are not in its cache: download {weights.url} to {file}")
        return dict(self.renamed(read_torch_file(file))), f"torchvision's {weights}"

    def renamed(self, state: Mapping[str, Tensor]) -> Mapping[str, Tensor]:
        """torchvision's state dicts hold the classifier as well."""
        own = self.state_dict()
        return {key: state[key] for key in own} if own.keys() <= state.keys() else state


def _models() -> Any:
    try:
        return importlib.import_module("torchvision.models")
    except ModuleNotFoundError as error:
        raise explain_missing("the backbones of torchvision", "torchvision") from error
