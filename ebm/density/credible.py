"""Highest-density regions: the smallest sets that hold a given mass."""

from collections.abc import Callable
from dataclasses import dataclass

from torch import Tensor

__all__ = ["CredibleSet", "GridCredibleSet"]


@dataclass(frozen=True, kw_only=True)
class CredibleSet:
    """The targets that score at least a threshold.

    Attributes:
        level: the mass asked for, in (0, 1).
        mass: the mass attained, at least `level` up to rounding, ``(B,)``.
        threshold: the lowest score inside, ``(B,)``.
        rank: mass of what scores higher than targets ``(B, D) -> (B,)`` or ``(B, M, D) -> (B, M)``, see
            `ebm.density.base.Density.highest_density_rank`.
    """

    level: float
    mass: Tensor
    threshold: Tensor
    rank: Callable[[Tensor], Tensor]

    def contains(self, y: Tensor) -> Tensor:
        """Whether targets ``(B, D)`` or ``(B, M, D)`` lie inside, ``(B,)`` or ``(B, M)``; scores them."""
        return self.rank(y) < self.level


@dataclass(frozen=True, kw_only=True)
class GridCredibleSet(CredibleSet):
    """The same on a grid, cell by cell.

    Attributes:
        mask: the cells inside, ``(B, G_1, ..., G_D)`` bool.
        intervals: for D = 1 the runs of cells as (lower, upper) ends, per item ``(runs, 2)``; else None.
    """

    mask: Tensor
    intervals: list[Tensor] | None
