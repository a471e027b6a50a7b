"""First guess of the target filter from the features under the target's box."""

import math
from typing import Literal

from torch import Tensor, nn

from ebm.ops.prroi_pool import prroi_pool_per_image
from ltr.models.layers.boxes import xywh_to_xyxy
from ltr.models.layers.precision import at_least_float32, full_precision

__all__ = ["FilterInitializerLinear", "FilterPool"]


class FilterPool(nn.Module):
    """Pools the features under one box per image to the size of a filter.

    Args:
        filter_size: height and width of the result.
        feature_stride: image pixels per feature cell.
        pool_square: pool the square of equal area about the box's centre instead of the box.
    """

    def __init__(self, filter_size: int = 1, feature_stride: int = 16, pool_square: bool = False) -> None:
        super().__init__()
        self.filter_size = filter_size
        self.feature_stride = feature_stride
        self.pool_square = pool_square

    def forward(self, feat: Tensor, bb: Tensor) -> Tensor:
        """Pooled features ``(N, C, filter_size, filter_size)``, float32.

        Args:
            feat: ``(N, C, H, W)``.
            bb: xywh boxes in image pixels, ``(..., 4)`` with N boxes in all.
        """
        boxes = bb.reshape(-1, 1, 4)
        if self.pool_square:
            side = boxes[..., 2:].prod(dim=-1, keepdim=True).sqrt().expand(-1, -1, 2)
            boxes = boxes.clone()
            boxes[..., :2] += (boxes[..., 2:] - side) / 2
            boxes[..., 2:] = side
        with full_precision(feat):
            size, scale = (self.filter_size, self.filter_size), 1.0 / self.feature_stride
            return prroi_pool_per_image(at_least_float32(feat), xywh_to_xyxy(boxes), size, scale)[:, 0]


class FilterInitializerLinear(nn.Module):
    """A convolution of the features, pooled under the box and averaged over the images.

    Args:
        filter_size: height and width of the filter.
        feature_dim: channels of features and filter.
        feature_stride: image pixels per feature cell.
        pool_square: see `FilterPool`.
        filter_norm: divide the filter by its number of weights.
        conv_ksz: size of the convolution.
        init_weights: ``"default"`` (normal), ``"zero"``, or anything else for torch's own initialisation.
    """

    def __init__(
        self,
        filter_size: int = 1,
        feature_dim: int = 256,
        feature_stride: int = 16,
        pool_square: bool = False,
        filter_norm: bool = True,
        conv_ksz: int = 3,
        init_weights: Literal["default", "zero", "torch"] | str = "default",
    ) -> None:
        super().__init__()
        self.filter_norm = filter_norm
        self.filter_conv = nn.Conv2d(feature_dim, feature_dim, conv_ksz, padding=conv_ksz // 2)
        self.filter_pool = FilterPool(filter_size, feature_stride, pool_square)
        if init_weights == "default":
            nn.init.normal_(self.filter_conv.weight, std=math.sqrt(2.0 / (conv_ksz * conv_ksz * feature_dim)))
        elif init_weights == "zero":
            nn.init.zeros_(self.filter_conv.weight)
        assert self.filter_conv.bias is not None  # for the type checker: bias is the default
        nn.init.zeros_(self.filter_conv.bias)

    def forward(self, feat: Tensor, bb: Tensor) -> Tensor:
        """A filter for every sequence, ``(S, C, kh, kw)``, float32.

        Args:
            feat: ``(I, S, C, H, W)``, or ``(I, C, H, W)`` for one sequence.
            bb: xywh boxes in image pixels, ``(I, S, 4)`` or ``(I, 4)``.
        """
        images = feat.shape[0]
        flat = feat.flatten(0, 1) if feat.dim() == 5 else feat
        pooled = self.filter_pool(self.filter_conv(flat), bb)
        weights = pooled.unflatten(0, (images, -1)).mean(dim=0)
        return weights / weights[0].numel() if self.filter_norm else weights
