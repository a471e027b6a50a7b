"""Probabilities of whole numbers, from a density over the real line: that of the unit around each."""

import numpy as np
import torch
from torch import Tensor

from ebm.density.base import Levels
from ebm.density.grid import GridDensity
from ebm.density.scoring import DEFAULT_CHUNK, BatchScore
from ebm.exceptions import ShapeError

__all__ = ["IntegerDensity"]

# Whole numbers that have a point of their own, at most; of more, an odd number of neighbours share one.
MOST_POINTS = 1024
# Places that the density is scored at in the unit around a whole number.
NODES = 8
# Rounding must not make a quantile the next number, nor a tie a loss.
ROUNDING = 1e-9


class IntegerDensity(GridDensity):
    """A distribution over whole numbers, D = 1.

    What it is asked is what a `GridDensity` is asked: `log_prob` is the log of a probability, and -inf for
    what is no whole number; `cdf` is a step function, and quantiles, modes and draws are whole numbers. The
    trapezoid rule on points that are 1 apart is their sum, so that probabilities add up to 1.

    Args:
        score_fn: of the density over the real line, ``(B, M, 1) -> (B, M)``.
        first: whole number with which the mass of every item begins, ``(B,)`` float64.
        last: with which it ends.
        chunk: most scores asked for in one call.

    Attributes:
        step: how many whole numbers share a point of the grid, ``(B,)``; 1 unless there are more than 1024.

    Raises:
        ShapeError: if `first` and `last` are not ``(B,)``.
        NumericalError: if a score is NaN or +inf, or all of an item are -inf.
    """

    def __init__(
        self, score_fn: BatchScore, first: Tensor, last: Tensor, *, chunk: int = DEFAULT_CHUNK
    ) -> None:
        if first.ndim != 1 or first.shape != last.shape:
            got = f"{tuple(first.shape)} and {tuple(last.shape)}"
            raise ShapeError(f"expected first and last whole numbers (B,), got {got}.")
        nodes, weights = np.polynomial.legendre.leggauss(NODES)
        self.real_score = score_fn
        self._nodes, self._log_shares = (
            first.new_tensor(values) for values in (0.5 * nodes, np.log(0.5 * weights))
        )
        count = (last - first + 1).clamp(min=1)
        self.step = 2 * ((count / MOST_POINTS - 1) / 2).ceil().clamp(min=0) + 1
        # One point without mass at either end: the cells there are cut in half.
        most = int((count / self.step).ceil().max()) + 2 if len(first) else 2
        places = torch.arange(-1, most - 1, dtype=first.dtype, device=first.device)
        grid = (first + 0.5 * (self.step - 1))[:, None] + self.step[:, None] * places
        super().__init__(self._unit_score, grid, batch_size=len(first), chunk=max(1, chunk // NODES))

    def cdf(self, t: float | Tensor, dim: int = 0) -> Tensor:
        """P(Y <= t), see `Density.cdf`."""
        at, single = self._positions(t)
        result = super().cdf(at.floor() + torch.where(self.step == 1, 0.0, 0.5)[:, None], dim)
        return result[:, 0] if single else result

    def pit(self, y: Tensor, dim: int = 0) -> Tensor:
        """P(Y < y) + P(Y = y) / 2 of whole numbers ``(B,)``; see `Density.pit`."""
        return 0.5 * (self.cdf(y, dim) + self.cdf(y - 1, dim))

    def quantile(self, p: Levels, dim: int = 0) -> Tensor:
        """The first whole number up to which there is a mass `p`, see `Density.quantile`."""
        at, single = self._probabilities(p)
        found = super().quantile((at - ROUNDING).clamp(min=0), dim)
        result = torch.where(self.step[:, None] == 1, found.round(), (found - 0.5).ceil()) + 0.0  # no -0
        return result[:, 0] if single else result

    def cumulative(self, dim: int = 0) -> tuple[Tensor, Tensor]:
        """The distribution function, as `GridDensity.cumulative`; a step has two knots at its place."""
        edges, below = super().cumulative(dim)
        points, alone = self._rows(self.axes[dim].points.double()), self.step[:, None] == 1
        low, high = torch.where(alone, points, edges[:, :-1]), torch.where(alone, points, edges[:, 1:])
        knots = torch.stack((low, high), 2).flatten(1)
        return knots, torch.stack((below[:, :-1], below[:, 1:]), 2).flatten(1)

    def mode(self) -> Tensor:
        """The likeliest whole number, ``(B, 1)``; of those that share a point, the one in the middle."""
        return super().mode().round()

    def sample(self, n: int, generator: torch.Generator | None = None) -> Tensor:
        """See `Density.sample`."""
        return super().sample(n, generator).round() + 0.0

    def as_shown(self, runs: Tensor, item: int) -> Tensor:
        """Ends of intervals ``(runs, 2)``, moved to the whole numbers inside."""
        return torch.stack((runs[:, 0].ceil(), runs[:, 1].floor()), 1) + 0.0

    def _score(self, y: Tensor) -> Tensor:
        """Scores of whole numbers that are points of the grid are those taken there, to the bit."""
        found = super()._score(y)
        points = self._rows(self.axes[0].points)
        at = (y.to(points) if y.ndim == 3 else y.to(points)[:, None])[..., 0]
        place = (at - points[:, :1]).round().clamp(0, points.shape[1] - 1).long()
        there = (points.gather(1, place) == at) & (self.step[:, None] == 1)
        return torch.where(there, self._scores.gather(1, place), found)

    def _unit_score(self, y: Tensor) -> Tensor:
        """Log of the mass in the unit around whole numbers ``(B, M, 1)``, ``(B, M)``."""
        places = (y + self._nodes.to(y)).flatten(1)[..., None]
        scores = self.real_score(places).unflatten(1, (-1, NODES)) + self._log_shares.to(y)
        return torch.where(y[..., 0] == y[..., 0].round(), scores.logsumexp(2), -torch.inf)
