"""Backbones by the name that a recipe or a constructor gives."""

from collections.abc import Callable, Mapping, Sequence

from ebm.exceptions import DomainError
from ebm.lookup import unknown_name
from ebm.nn.backbone import Backbone
from ebm.nn.efficientnet_lite import EfficientNetLite0
from ltr.models.backbone.resnet import resnet18, resnet50

__all__ = ["BACKBONES", "layers_of_strides", "make_backbone"]

TIMM = "timm:"
BACKBONES: Mapping[str, Callable[..., Backbone]] = {
    "efficientnet_lite0": EfficientNetLite0,
    "resnet18": resnet18,
    "resnet50": resnet50,
}


def make_backbone(name: str, frozen: Sequence[str] | str = ()) -> Backbone:
    """A backbone with random weights.

    Args:
        name: a key of `BACKBONES`, or ``"timm:NAME"`` for a feature extractor of timm.
        frozen: its parts to freeze, see `Backbone.freeze`.

    Raises:
        UnknownNameError: if there is no such backbone, with the nearest.
        MissingPackageError: for one of timm's, where timm is not installed.
    """
    if name.startswith(TIMM):
        from ebm.nn.timm_backbone import TimmBackbone

        return TimmBackbone(name.removeprefix(TIMM), frozen_layers=frozen)
    if name not in BACKBONES:
        raise unknown_name("backbone", name, BACKBONES, f"Networks of timm: {TIMM}NAME.")
    return BACKBONES[name](frozen_layers=frozen)


def layers_of_strides(backbone: Backbone, strides: Sequence[int]) -> tuple[str, ...]:
    """The deepest layer of each stride.

    Raises:
        DomainError: if the backbone has none of a stride.
    """
    layers = {stride: name for name, stride in backbone.strides.items()}
    for stride in strides:
        if stride not in layers:
            known = ", ".join(str(s) for s in sorted(layers))
            raise DomainError(f"This backbone has no layer of stride {stride}; it has {known}.")
    return tuple(layers[stride] for stride in strides)
