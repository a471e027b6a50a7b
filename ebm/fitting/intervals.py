"""Intervals and sets of single densities, by the mass that they hold."""

from collections.abc import Callable
from typing import Literal

import torch
from torch import Tensor

from ebm.density import GridDensity, ImportanceDensity
from ebm.density.circular import CircularDensity
from ebm.density.integers import IntegerDensity
from ebm.density.regions import intervals_above, least_density

__all__ = ["TIE", "SetScore", "ends_of", "hull_of", "hulls_of", "runs_of"]

AnyDensity = GridDensity | ImportanceDensity
SetScore = Literal["rank", "log-density"]
# Ranks of whole numbers come in steps: the same number must not fall out of its set by rounding.
TIE = 1e-6


def ends_of(density: AnyDensity, held: Tensor, dim: int) -> Tensor:
    """Equal-tailed intervals that hold masses ``(B, L)``, ``(B, L, 2)``; the whole line holds a mass of 1."""
    different, place = held.unique(return_inverse=True)
    tails = torch.stack((0.5 * (1 - different), 0.5 * (1 + different)), 1)
    ask = density.unrolled_quantile if isinstance(density, CircularDensity) else density.quantile
    quantiles = ask(tails.flatten(), dim).unflatten(1, tails.shape)  # (B, U, 2)
    ends = quantiles.gather(1, place[..., None].expand(-1, -1, 2))
    everything = ends.new_tensor([-torch.inf, torch.inf])
    return torch.where((held >= 1)[..., None], everything, ends)


def runs_of(density: AnyDensity, least: Tensor, score: SetScore) -> list[Tensor]:
    """The set of every row, ``(runs, 2)``, by the mass that it must hold or a least log-density, ``(B,)``."""
    assert isinstance(density, GridDensity)
    whole = isinstance(density, IntegerDensity)
    threshold = least_density(density, least + TIE * whole) if score == "rank" else least - TIE * whole
    runs = intervals_above(density, threshold)
    return [density.as_shown(ends, item) for item, ends in enumerate(runs)]


def hull_of(runs: Tensor) -> Tensor:
    """The interval around a set ``(runs, 2)``, ``(2,)``; NaN around none."""
    if not len(runs):
        return torch.full((2,), torch.nan, dtype=torch.float64, device=runs.device)
    return torch.stack((runs[0, 0], runs[-1, 1])).double()


def hulls_of(per_level: list[list[Tensor]], hull: Callable[[Tensor], Tensor]) -> Tensor:
    """The interval around every set, ``(B, 1, L, 2)`` float64, by `hull_of` or that of a circle."""
    hulls = [torch.stack([hull(runs).double() for runs in level]) for level in per_level if level]
    return torch.stack(hulls, 1)[:, None] if hulls else torch.zeros(0, 1, len(per_level), 2).double()
