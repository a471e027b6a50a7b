"""Backbones and box branches as the networks of all families use them."""

from collections.abc import Callable, Sequence
from typing import NamedTuple

from ebm.nn.backbone import Backbone
from ltr.admin.backbone_weights import require_imagenet_weights
from ltr.models.backbone.named import layers_of_strides, make_backbone
from ltr.models.backbone.resnet import ResNet, resnet_baby
from ltr.models.bbreg.atom_iou_net import AtomIoUNet

__all__ = ["BBREG_LAYERS", "SMALL_BBREG_LAYERS", "Body", "light_body", "published_body", "small_body"]

BBREG_LAYERS = ("layer2", "layer3")
SMALL_BBREG_LAYERS = ("layer1", "layer3")


class Body(NamedTuple):
    """A backbone and the box branch on it."""

    backbone: Backbone
    bb_regressor: AtomIoUNet
    bb_regressor_layer: Sequence[str]
    """The backbone layers that the box branch reads, the finer first."""


def published_body(
    make: Callable[..., ResNet],
    *,
    pretrained: bool,
    frozen: Sequence[str] | str,
    iou_input_dim: Sequence[int],
    iou_inter_dim: Sequence[int],
) -> Body:
    """A backbone with the box branch of the published networks, on its layers 2 and 3.

    Args:
        make: the backbone, `resnet18` or `resnet50`.
        pretrained: whether it gets ImageNet weights.
        frozen: its layers to freeze, see `Backbone.freeze`.
        iou_input_dim: channels of the box branch's two levels.
        iou_inter_dim: outputs of its two layers before the last.
    """
    backbone = make(frozen_layers=frozen)
    if pretrained:
        require_imagenet_weights(backbone)
    channels, strides = _levels(backbone, BBREG_LAYERS)
    box_branch = AtomIoUNet(channels, iou_input_dim, iou_inter_dim, strides=strides)
    return Body(backbone, box_branch, BBREG_LAYERS)


def small_body(
    width: int,
    *,
    pretrained: bool,
    frozen: Sequence[str] | str,
    iou_input_dim: Sequence[int],
    iou_inter_dim: Sequence[int],
    iou_hidden_dim: Sequence[int],
    layers: Sequence[str] = SMALL_BBREG_LAYERS,
) -> Body:
    """A narrow backbone of three stages, read at strides 4 and 8.

    A target is only about 30 px wide in a crop of 128 px: boxes need cells of 4 px, places need 8 px.

    Args:
        width: channels of the first stage; the others double it.
        pretrained: asks for ImageNet weights, which do not exist for it: an error says so.
        frozen: its layers to freeze, see `Backbone.freeze`.
        iou_input_dim: channels of the box branch's two levels.
        iou_inter_dim: outputs of its two layers before the last.
        iou_hidden_dim: channels inside the two levels.
        layers: the backbone layers that the box branch reads, the finer first.
    """
    backbone = resnet_baby(
        inplanes=width, layers=(2, 2, 2), num_classes=None, dilation_factor=4, frozen_layers=frozen
    )
    channels, strides = _levels(backbone, layers)
    box_branch = _narrow_branch(channels, strides, iou_input_dim, iou_inter_dim, iou_hidden_dim)
    if pretrained:
        require_imagenet_weights(backbone)
    return Body(backbone, box_branch, layers)


def light_body(
    backbone: str,
    *,
    pretrained: bool,
    frozen: Sequence[str] | str,
    iou_input_dim: Sequence[int],
    iou_inter_dim: Sequence[int],
    iou_hidden_dim: Sequence[int],
    strides: Sequence[int],
) -> Body:
    """A backbone by its name, with a narrow box branch on the layers of two strides.

    Args:
        backbone: see `make_backbone`.
        pretrained: whether it gets ImageNet weights.
        frozen: its parts to freeze, see `Backbone.freeze`.
        iou_input_dim: channels of the box branch's two levels.
        iou_inter_dim: outputs of its two layers before the last.
        iou_hidden_dim: channels inside the two levels.
        strides: of the layers that the box branch reads, the finer first.
    """
    network = make_backbone(backbone, frozen)
    layers = layers_of_strides(network, strides)
    channels, _ = _levels(network, layers)
    box_branch = _narrow_branch(channels, strides, iou_input_dim, iou_inter_dim, iou_hidden_dim)
    if pretrained:
        require_imagenet_weights(network)
    return Body(network, box_branch, layers)


def _narrow_branch(
    channels: Sequence[int],
    strides: Sequence[int],
    iou_input_dim: Sequence[int],
    iou_inter_dim: Sequence[int],
    iou_hidden_dim: Sequence[int],
) -> AtomIoUNet:
    """A box branch whose reference side is as narrow as its test side."""
    return AtomIoUNet(
        channels,
        iou_input_dim,
        iou_inter_dim,
        reference_dim=iou_hidden_dim,
        reference_fc_dim=iou_hidden_dim[1],
        test_dim=iou_hidden_dim,
        strides=strides,
    )


def _levels(backbone: Backbone, layers: Sequence[str]) -> tuple[list[int], list[int]]:
    """Channels and strides of the layers."""
    return (
        [backbone.out_feature_channels(layer) for layer in layers],
        [backbone.out_feature_strides(layer) for layer in layers],
    )
