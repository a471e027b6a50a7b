"""Arguments of the constructors of small networks, as `ltr.models.tracking.arguments` has those of others."""

from collections.abc import Sequence
from dataclasses import dataclass

from ltr.models.tracking.arguments import (
    DiMP18Arguments,
    DiMP50SimpleArguments,
    NetworkArguments,
    PrDiMP50Arguments,
)

__all__ = [
    "DiMPLiteArguments",
    "DiMPSmallArguments",
    "DiMPSmallSimpleArguments",
    "PrDiMPSmallArguments",
    "SmallArguments",
]

_SMALL = "backbone_width bb_regressor_layer iou_hidden_dim"


@dataclass(frozen=True, kw_only=True)
class SmallArguments(NetworkArguments):
    """What the small networks have instead of a ResNet, and how they differ by default."""

    filter_size: int = 4
    optim_init_reg: float = 0.1
    feat_stride: int = 8
    backbone_pretrained: bool = False
    clf_feat_blocks: int = 0
    out_feature_dim: int = 64
    iou_input_dim: Sequence[int] = (32, 64)
    backbone_width: int = 16
    """Channels of the first backbone stage; the others double it."""
    bb_regressor_layer: Sequence[str] = ("layer1", "layer3")
    """Backbone layers that the box branch reads, the finer first: strides 4 and 8."""
    iou_hidden_dim: Sequence[int] = (32, 64)
    """Channels inside the box branch's two levels."""


@dataclass(frozen=True, kw_only=True)
class DiMPSmallArguments(SmallArguments, DiMP18Arguments):
    """Arguments of ``dimpnet_small``."""

    order = f"{DiMP18Arguments.order} {_SMALL}"

    optim_init_step: float = 0.9
    init_gauss_sigma: float = 0.9
    num_dist_bins: int = 100
    bin_displacement: float = 0.1
    mask_init_factor: float = 3.0


@dataclass(frozen=True, kw_only=True)
class DiMPSmallSimpleArguments(SmallArguments, DiMP50SimpleArguments):
    """Arguments of ``dimpnet_small_simple``."""

    order = f"{DiMP50SimpleArguments.order} {_SMALL}"

    activation_leak: float = 0.1


@dataclass(frozen=True, kw_only=True)
class PrDiMPSmallArguments(SmallArguments, PrDiMP50Arguments):
    """Arguments of ``klcedimpnet_small``."""

    order = f"{PrDiMP50Arguments.order} {_SMALL}"

    optim_init_reg: float = 0.05
    optim_min_reg: float = 0.05
    gauss_sigma: float = 0.9
    alpha_eps: float = 0.05
    normalize_label: bool = True
    init_initializer: str = "zero"


@dataclass(frozen=True, kw_only=True)
class DiMPLiteArguments(DiMP18Arguments):
    """Arguments of ``dimpnet_lite``; layers are named by their strides, whatever the backbone calls them."""

    order = (
        "filter_size optim_iter optim_init_step optim_init_reg backbone backbone_pretrained "
        "classification_strides classification_weights out_feature_dim init_gauss_sigma num_dist_bins "
        "bin_displacement mask_init_factor box_strides iou_input_dim iou_inter_dim iou_hidden_dim "
        "detach_length frozen_backbone_layers"
    )

    filter_size: int = 5
    optim_init_step: float = 0.9
    optim_init_reg: float = 0.1
    backbone: str = "efficientnet_lite0"
    """See `ltr.models.backbone.named.make_backbone`."""
    classification_strides: Sequence[int] = (8, 16)
    """Of the backbone layers that the classifier reads, the finest first, which its map is as large as."""
    classification_weights: Sequence[float] = (1.0, 1.5)
    """Length of each of them in a cell, see `join_levels`."""
    out_feature_dim: int = 128
    init_gauss_sigma: float = 1.8
    num_dist_bins: int = 100
    bin_displacement: float = 0.2
    mask_init_factor: float = 3.0
    box_strides: Sequence[int] = (8, 16)
    """Of the two backbone layers that the box branch reads, the finer first."""
    iou_input_dim: Sequence[int] = (96, 128)
    iou_hidden_dim: Sequence[int] = (96, 128)
    """Channels inside the box branch's two levels."""
    frozen_backbone_layers: Sequence[str] | str = "all"
