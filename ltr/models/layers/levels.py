"""Maps of several backbone layers as one: normalised cell by cell, weighed, brought to the finest size."""

from collections.abc import Mapping, Sequence

import torch
from torch import Tensor, nn

from ltr.models.layers.transform import interpolate

__all__ = ["JoinLevels", "join_levels", "normalize_cells"]


def normalize_cells(x: Tensor) -> Tensor:
    """Maps ``(N, C, H, W)`` with a sum of squares of 1 over the channels of every cell."""
    return x * (x.square().sum(dim=1, keepdim=True) + 1e-10).rsqrt()


def join_levels(maps: Sequence[Tensor], weights: Sequence[float]) -> Tensor:
    """One map of all channels, in which level k has length ``weights[k]`` in every cell of its own.

    Args:
        maps: ``(N, C_k, H_k, W_k)``, the finest first.
        weights: one for each of them.

    Returns:
        ``(N, sum of C_k, H_0, W_0)``; coarser levels are enlarged bilinearly after they are normalised.
    """
    size = maps[0].shape[-2:]
    levels = [weight * interpolate(normalize_cells(level), size) for level, weight in zip(maps, weights)]
    return torch.cat(levels, dim=1)


class JoinLevels(nn.Module):
    """`join_levels` as a layer.

    Args:
        weights: one for each level, the finest first.
    """

    def __init__(self, weights: Sequence[float]) -> None:
        super().__init__()
        self.weights = tuple(weights)

    def forward(self, maps: Mapping[str, Tensor] | Tensor) -> Tensor:
        """``(N, sum of C_k, H_0, W_0)`` of maps ``(N, C_k, H_k, W_k)``, the finest first, or of one."""
        return join_levels([maps] if isinstance(maps, Tensor) else list(maps.values()), self.weights)
