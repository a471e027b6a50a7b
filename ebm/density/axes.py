"""The axes of a grid: points, the cells around them, and interpolation along them."""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from ebm.checks import float_dtype, require_finite
from ebm.exceptions import DomainError, ShapeError

__all__ = ["Axis", "Grid", "axes_of", "grid_points", "interpolate", "locate", "log_volumes"]

Grid = Tensor | Sequence[Tensor]
MOST_DIMENSIONS = 3


@dataclass(frozen=True)
class Axis:
    """Points along one dimension and the cells that they stand for.

    A cell reaches half-way to both neighbours; the first and the last end at their points. Sums over cells
    are then the trapezoid rule, for equal and for unequal spacing.

    Attributes:
        points: increasing, ``(1, G)``, or ``(B, G)`` where every item has its own.
        cuts: ends of the cells ``(1 or B, G + 1)`` where half-way is measured on another scale; else None.
    """

    points: Tensor
    cuts: Tensor | None = None

    @property
    def edges(self) -> Tensor:
        """Ends of the cells, ``(1 or B, G + 1)``."""
        p = self.points
        if self.cuts is not None:
            return self.cuts
        return torch.cat((p[:, :1], 0.5 * (p[:, 1:] + p[:, :-1]), p[:, -1:]), 1)

    @property
    def widths(self) -> Tensor:
        """Widths of the cells, ``(1 or B, G)``."""
        return self.edges.diff(dim=1)

    @property
    def size(self) -> int:
        """G."""
        return self.points.shape[1]


def axes_of(grid: Grid, batch: int) -> tuple[Axis, ...]:
    """The axes of a grid as a caller gives it.

    Args:
        grid: for D = 1 one tensor ``(G,)`` or ``(B, G)``, for more dimensions a sequence of D such tensors.
        batch: B.

    Raises:
        ShapeError: if a tensor has another rank or batch, or fewer than 2 points.
        DomainError: if points are not finite and increasing, or there are more than three dimensions.
        TypeError: if dtypes or devices differ.
    """
    given = [grid] if isinstance(grid, Tensor) else list(grid)
    if not 1 <= len(given) <= MOST_DIMENSIONS:
        raise DomainError(
            f"a grid has 1 to {MOST_DIMENSIONS} dimensions, got {len(given)}; use ImportanceDensity for more."
        )
    if not all(isinstance(points, Tensor) for points in given):
        raise TypeError(
            "grid must be a tensor (G,) or (B, G), or a sequence of one such tensor per dimension."
        )
    if len({(points.dtype, points.device) for points in given}) > 1:
        kinds = ", ".join(f"{points.dtype} on {points.device}" for points in given)
        raise TypeError(f"all dimensions of a grid must have one dtype and device, got {kinds}.")
    return tuple(_axis(d, points, batch) for d, points in enumerate(given))


def _axis(d: int, points: Tensor, batch: int) -> Axis:
    rows = points[None] if points.ndim == 1 else points
    if rows.ndim != 2 or rows.shape[1] < 2 or (points.ndim == 2 and rows.shape[0] not in (1, batch)):
        raise ShapeError(
            f"expected grid points of shape (G,) or (B={batch}, G) with G >= 2, got {tuple(points.shape)}."
        )
    rows = rows.detach().to(float_dtype(points))
    require_finite(f"grid dimension {d}", rows, True)
    if not bool((rows.diff(dim=1) > 0).all()):
        raise DomainError(f"the points of grid dimension {d} must increase strictly.")
    return Axis(rows)


def grid_points(axes: tuple[Axis, ...]) -> Tensor:
    """All grid points, the last dimension running fastest, ``(1 or B, N, D)``."""
    batch, sizes = max(axis.points.shape[0] for axis in axes), [axis.size for axis in axes]
    columns = [
        axis.points.reshape(-1, *(axis.size if i == d else 1 for i in range(len(axes)))).expand(batch, *sizes)
        for d, axis in enumerate(axes)
    ]
    return torch.stack(columns, -1).flatten(1, -2)


def log_volumes(axes: tuple[Axis, ...]) -> Tensor:
    """Log-volume of every cell, ``(1 or B, N)``."""
    total = axes[0].widths.log()
    for axis in axes[1:]:
        total = (total[:, :, None] + axis.widths.log()[:, None]).flatten(1)
    return total


def locate(knots: Tensor, at: Tensor) -> tuple[Tensor, Tensor]:
    """Where values lie between knots.

    Args:
        knots: not decreasing, ``(B, K)``.
        at: ``(B, T)``; beyond the ends counts as at the ends.

    Returns:
        Index of the knot to the left ``(B, T)``, at most K - 2, and the share in [0, 1] of the way to the
        next one ``(B, T)``.
    """
    left = (
        torch.searchsorted(knots.contiguous(), at.contiguous(), right=True).clamp(1, knots.shape[1] - 1) - 1
    )
    low, high = knots.gather(1, left), knots.gather(1, left + 1)
    span = high - low
    share = torch.where(span > 0, (at - low) / torch.where(span > 0, span, 1), 0)
    return left, share.clamp(0, 1)


def interpolate(knots: Tensor, values: Tensor, at: Tensor) -> Tensor:
    """The piecewise linear function through knots and values ``(B, K)``, at ``(B, T)``; constant outside."""
    left, share = locate(knots, at)
    low, high = values.gather(1, left), values.gather(1, left + 1)
    return low + share * (high - low)
