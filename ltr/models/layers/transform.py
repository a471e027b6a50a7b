"""Resizing and joining of feature maps."""

from collections.abc import Mapping, Sequence

import torch
import torch.nn.functional as F
from torch import Tensor, nn

__all__ = ["InterpCat", "interpolate"]


def interpolate(x: Tensor, size: Sequence[int]) -> Tensor:
    """Bilinearly resized ``(N, C, H, W)``, corners not aligned; `x` itself if it has the size ``(h, w)``."""
    if tuple(x.shape[-2:]) == tuple(size):
        return x
    return F.interpolate(x, tuple(size), mode="bilinear", align_corners=False)


class InterpCat(nn.Module):
    """Joins maps on their channels at the size of the lowest one."""

    def forward(self, maps: Mapping[str, Tensor] | Sequence[Tensor]) -> Tensor:
        """``(N, sum of C, h, w)`` from maps ``(N, C_k, H_k, W_k)``."""
        values = list(maps.values()) if isinstance(maps, Mapping) else list(maps)
        size = min((value.shape[-2:] for value in values), key=lambda hw: hw[0])
        return torch.cat([interpolate(value, size) for value in values], dim=1)
