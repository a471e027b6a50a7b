"""A density between the points of a grid, for densities that have no network to ask."""

import math

import torch
from torch import Tensor

from ebm.density.axes import Axis, locate

__all__ = ["InterpolatedScore"]


class InterpolatedScore:
    """Scores whose exponential is linear between grid points, and 0 outside.

    Its integral is then exactly the sum of the cells' masses.

    Args:
        axes: D axes.
        scores: at the grid points, the last dimension running fastest, ``(B, N)``.
    """

    def __init__(self, axes: tuple[Axis, ...], scores: Tensor) -> None:
        self.axes, self.density = axes, scores.exp()

    def __call__(self, y: Tensor) -> Tensor:
        """Scores of targets, ``(B, M, D) -> (B, M)``."""
        batch, sizes = y.shape[0], [axis.size for axis in self.axes]
        corners = [(torch.zeros_like(y[..., 0], dtype=torch.long), torch.ones_like(y[..., 0]))]
        inside = torch.ones_like(y[..., 0], dtype=torch.bool)
        for d, axis in enumerate(self.axes):
            points, at = axis.points.to(y.dtype).expand(batch, -1), y[..., d]
            inside &= (at >= points[:, :1]) & (at <= points[:, -1:])
            left, share = locate(points, at)
            stride = math.prod(sizes[d + 1 :])
            corners = [
                (place + (left + side) * stride, weight * (share if side else 1 - share))
                for place, weight in corners
                for side in (0, 1)
            ]
        value = sum(weight * self.density.gather(1, place) for place, weight in corners)
        return torch.where(inside, torch.as_tensor(value), 0).log()
