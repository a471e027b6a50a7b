"""Arguments of the network constructors: order, names and defaults that checkpoints rely on."""

import functools
import inspect
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

__all__ = ["DiMP18Arguments", "DiMP50Arguments", "DiMPSmallArguments", "takes"]

A = TypeVar("A")
N = TypeVar("N")


@dataclass(frozen=True)
class DiMP18Arguments:
    """Arguments of ``dimpnet18``. Checkpoints store only what was passed: order and defaults never change."""

    filter_size: int = 1
    """Height and width of the target filter, cells."""
    optim_iter: int = 5
    """Iterations of the filter optimiser."""
    optim_init_step: float = 1.0
    """Initial step factor of the filter optimiser."""
    optim_init_reg: float = 0.01
    """Initial root of the filter's regularisation."""
    classification_layer: str = "layer3"
    """Backbone layer that the classifier reads."""
    feat_stride: int = 16
    """Image pixels per cell of that layer; must be the layer's own."""
    backbone_pretrained: bool = True
    """Fetch ImageNet weights for the backbone."""
    clf_feat_blocks: int = 1
    """Residual blocks of the classifier features."""
    clf_feat_norm: bool = True
    """Normalise the classifier features."""
    init_filter_norm: bool = False
    """Divide the first filter by its number of weights."""
    final_conv: bool = True
    """Close the classifier features with a 3x3 convolution."""
    out_feature_dim: int = 256
    """Channels of the classifier features."""
    init_gauss_sigma: float = 1.0
    """Width of the initial label, cells."""
    num_dist_bins: int = 5
    """Values that describe each learned function of the distance."""
    bin_displacement: float = 1.0
    """Their spacing, cells."""
    mask_init_factor: float = 4.0
    """Steepness of the initial target mask."""
    iou_input_dim: Sequence[int] = (256, 256)
    """Channels of the box branch's two levels."""
    iou_inter_dim: Sequence[int] = (256, 256)
    """Outputs of its two layers before the last."""
    score_act: str = "relu"
    """Activation of the scores in the filter's loss."""
    act_param: float | None = None
    """Parameter of that activation."""
    target_mask_act: str = "sigmoid"
    """Activation of the target mask."""
    detach_length: float = math.inf
    """Cut the graph before every so many filter iterations."""
    frozen_backbone_layers: Sequence[str] | str = ()
    """Backbone layers to freeze."""


@dataclass(frozen=True)
class DiMP50Arguments(DiMP18Arguments):
    """Arguments of ``dimpnet50``."""

    clf_feat_blocks: int = 0
    out_feature_dim: int = 512


@dataclass(frozen=True)
class DiMPSmallArguments(DiMP18Arguments):
    """Arguments of ``dimpnet_small``."""

    filter_size: int = 4
    optim_init_step: float = 0.9
    optim_init_reg: float = 0.1
    feat_stride: int = 8
    backbone_pretrained: bool = False
    clf_feat_blocks: int = 0
    out_feature_dim: int = 64
    init_gauss_sigma: float = 0.9
    num_dist_bins: int = 100
    bin_displacement: float = 0.1
    mask_init_factor: float = 3.0
    iou_input_dim: Sequence[int] = (32, 64)
    iou_inter_dim: Sequence[int] = (256, 256)
    backbone_width: int = 16
    """Channels of the first backbone stage; the others double it."""
    bb_regressor_layer: Sequence[str] = ("layer1", "layer3")
    """Backbone layers that the box branch reads, the finer first: strides 4 and 8."""
    iou_hidden_dim: Sequence[int] = (32, 64)
    """Channels inside the box branch's two levels."""


def takes(arguments: type[A]) -> Callable[[Callable[[A], N]], Callable[..., N]]:
    """Turn ``f(arguments)`` into a function whose parameters are the fields of the dataclass `arguments`."""

    def decorate(build: Callable[[A], N]) -> Callable[..., N]:
        @functools.wraps(build)
        def call(*args: Any, **kwargs: Any) -> N:
            return build(arguments(*args, **kwargs))

        call.__signature__ = inspect.signature(arguments)  # type: ignore[attr-defined]
        return call

    return decorate
