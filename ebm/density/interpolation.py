"""Between the points of a grid: densities that are linear there, and samples shared out to the points."""

import math
from collections.abc import Sequence

import torch
from torch import Tensor

from ebm.density.axes import Axis, locate

__all__ = ["InterpolatedScore", "add_at"]


class InterpolatedScore:
    """Scores whose exponential is linear between grid points, and 0 outside.

    Its integral is then exactly the sum of the cells' masses.

    Args:
        axes: D axes.
        scores: at the grid points, the last dimension running fastest, ``(B, N)``.
    """

    def __init__(self, axes: Sequence[Axis], scores: Tensor) -> None:
        self.points = [axis.points for axis in axes]
        self.density = scores.exp()

    def __call__(self, y: Tensor) -> Tensor:
        """Scores of targets, ``(B, M, D) -> (B, M)``."""
        y = y.to(self.density.dtype)
        value = torch.zeros_like(y[..., 0])
        for place, share in _corners(self.points, y):
            value += share * self.density.gather(1, place)
        inside = torch.ones_like(value, dtype=torch.bool)
        for d, points in enumerate(self.points):
            inside &= (y[..., d] >= points[:, :1]) & (y[..., d] <= points[:, -1:])
        return torch.where(inside, value, 0).log()


def add_at(points: Sequence[Tensor], y: Tensor, weights: Tensor) -> Tensor:
    """Weights shared out to the grid points around their places, nearer points getting more.

    Sum and mean are kept; a place beyond the grid counts as at its border.

    Args:
        points: D axes, each ``(B, G_d)``.
        y: places ``(B, M, D)``.
        weights: ``(B, M)``.

    Returns:
        ``(B, G_1, ..., G_D)``.
    """
    sizes = [axis.shape[1] for axis in points]
    total = weights.new_zeros(y.shape[0], math.prod(sizes))
    for place, share in _corners(points, y):
        total.scatter_add_(1, place, share * weights)
    return total.reshape(-1, *sizes)


def _corners(points: Sequence[Tensor], y: Tensor) -> list[tuple[Tensor, Tensor]]:
    """The 2^D grid points around places ``(B, M, D)``: flat index and share, each ``(B, M)``."""
    batch, sizes = y.shape[0], [axis.shape[1] for axis in points]
    corners = [(torch.zeros_like(y[..., 0], dtype=torch.long), torch.ones_like(y[..., 0]))]
    for d, axis in enumerate(points):
        left, share = locate(axis.to(y.dtype).expand(batch, -1), y[..., d])
        stride = math.prod(sizes[d + 1 :])
        corners = [
            (place + (left + side) * stride, weight * (share if side else 1 - share))
            for place, weight in corners
            for side in (0, 1)
        ]
    return corners
