"""Feature blocks between the backbone and the target classifier."""

import math

from torch import nn

from ebm.exceptions import DomainError
from ltr.models.backbone.resnet import BasicBlock, Bottleneck
from ltr.models.layers.normalization import InstanceL2Norm
from ltr.models.layers.transform import InterpCat

__all__ = ["norm_scale_for", "residual_basic_block", "residual_bottleneck"]


def norm_scale_for(out_feature_dim: int, filter_size: int) -> float:
    """Scale of the features at which a filter of unit weights gives scores of unit size."""
    return math.sqrt(1.0 / (out_feature_dim * filter_size * filter_size))


def residual_basic_block(
    feature_dim: int = 256,
    num_blocks: int = 1,
    l2norm: bool = True,
    final_conv: bool = False,
    norm_scale: float = 1.0,
    out_dim: int | None = None,
    interp_cat: bool = False,
    final_relu: bool = False,
    init_pool: bool = False,
) -> nn.Sequential:
    """Basic blocks, a closing convolution and the norm: ``(N, feature_dim, H, W)`` to ``(N, out_dim, H, W)``.

    Args:
        feature_dim: channels of the input and of the blocks.
        num_blocks: number of blocks.
        l2norm: whether `InstanceL2Norm` closes the sequence.
        final_conv: whether a 3x3 convolution follows the blocks.
        norm_scale: scale of the norm.
        out_dim: channels of the result, default `feature_dim`.
        interp_cat: whether several maps come in and are joined first.
        final_relu: whether a rectifier follows the closing convolution.
        init_pool: whether a 3x3 max pooling of stride 2 comes first.

    Raises:
        DomainError: if `out_dim` differs from `feature_dim` and there is no closing convolution.
    """
    out_dim = feature_dim if out_dim is None else out_dim
    if not final_conv and out_dim != feature_dim:
        raise _no_projection(feature_dim, out_dim)
    head: list[nn.Module] = [InterpCat()] if interp_cat else []
    head += [nn.MaxPool2d(3, stride=2, padding=1)] if init_pool else []
    blocks = [BasicBlock(feature_dim, feature_dim) for _ in range(num_blocks)]
    tail = _closing_conv(feature_dim, out_dim, 1, final_relu) if final_conv else []
    return nn.Sequential(*head, *blocks, *tail, *_norm(l2norm, norm_scale))


def residual_bottleneck(
    feature_dim: int = 256,
    num_blocks: int = 1,
    l2norm: bool = True,
    final_conv: bool = False,
    norm_scale: float = 1.0,
    out_dim: int | None = None,
    interp_cat: bool = False,
    final_relu: bool = False,
    final_pool: bool = False,
    input_dim: int | None = None,
    final_stride: int = 1,
) -> nn.Sequential:
    """Bottlenecks, a closing convolution and the norm: ``(N, input_dim, H, W)`` to ``(N, out_dim, h, w)``.

    Args:
        feature_dim: planes of the blocks.
        num_blocks: number of blocks.
        l2norm: whether `InstanceL2Norm` closes the sequence.
        final_conv: whether a 3x3 convolution follows the blocks.
        norm_scale: scale of the norm.
        out_dim: channels of the result, default `feature_dim` with a closing convolution, else the input's.
        interp_cat: whether several maps come in and are joined first.
        final_relu: whether a rectifier follows the closing convolution.
        final_pool: whether a 3x3 max pooling of stride 2 follows the closing convolution.
        input_dim: channels of the input, default ``4 * feature_dim``.
        final_stride: stride of the closing convolution.

    Raises:
        DomainError: if blocks would have to change the number of channels.
    """
    wide = 4 * feature_dim
    input_dim = wide if input_dim is None else input_dim
    out_dim = (feature_dim if final_conv else input_dim) if out_dim is None else out_dim
    if num_blocks and input_dim != wide:
        raise _no_projection(input_dim, wide)
    if not final_conv and out_dim != input_dim:
        raise _no_projection(input_dim, out_dim)
    head: list[nn.Module] = [InterpCat()] if interp_cat else []
    blocks = [Bottleneck(wide, feature_dim) for _ in range(num_blocks)]
    tail = _closing_conv(input_dim, out_dim, final_stride, final_relu) if final_conv else []
    tail += [nn.MaxPool2d(3, stride=2, padding=1)] if final_conv and final_pool else []
    return nn.Sequential(*head, *blocks, *tail, *_norm(l2norm, norm_scale))


def _closing_conv(inputs: int, outputs: int, stride: int, relu: bool) -> list[nn.Module]:
    conv = nn.Conv2d(inputs, outputs, 3, stride=stride, padding=1, bias=False)
    return [conv, nn.ReLU(inplace=True)] if relu else [conv]


def _norm(l2norm: bool, scale: float) -> list[nn.Module]:
    return [InstanceL2Norm(scale=scale)] if l2norm else []


def _no_projection(inputs: int, outputs: int) -> DomainError:
    return DomainError(
        f"Classifier features cannot go from {inputs} to {outputs} channels: residual blocks here have no "
        "projection. Set final_conv=True or keep the number of channels."
    )
