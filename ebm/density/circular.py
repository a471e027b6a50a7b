"""p(y | x) of an angle, a direction or a time of day: targets on a circle."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from ebm.density.axes import axes_of, grid_points, log_volumes
from ebm.density.base import Density, Labels, Levels, require_level
from ebm.density.grid import GridDensity
from ebm.density.scoring import DEFAULT_CHUNK, BatchScore, score_in_chunks
from ebm.exceptions import DomainError
from ebm.numbers import labels_like

__all__ = ["Circle", "CircularDensity"]

# Rounding, as a share of the period.
SLACK = 1e-9


@dataclass(frozen=True)
class Circle:
    """Numbers that are the same a period apart.

    Attributes:
        low: where the period begins that answers are given in; they are below ``low + period``.
        period: length of a full turn, in the unit of the targets.
    """

    low: float
    period: float

    def wrapped(self, y: Tensor) -> Tensor:
        """The same places in ``[low, low + period)``."""
        found = self.low + torch.remainder(y - self.low, self.period)
        return torch.where(found < self.low + self.period, found, self.low)  # rounding may close the turn

    def shortest(self, difference: Tensor) -> Tensor:
        """The shortest way that leads as far, in ``[-period / 2, period / 2)``."""
        half = 0.5 * self.period
        return torch.remainder(difference + half, self.period) - half

    def square_chord(self, difference: Tensor) -> Tensor:
        """Square of the distance of two places on the unit circle, by their difference."""
        return 2 - 2 * (difference * (math.tau / self.period)).cos()

    def mean(self, y: Tensor, weights: Tensor, dim: int = -1) -> Tensor:
        """The direction of the mean of places on the unit circle, each as far out as its weight."""
        angle = (y - self.low) * (2 * math.pi / self.period)
        found = torch.atan2((weights * angle.sin()).sum(dim), (weights * angle.cos()).sum(dim))
        return self.wrapped(self.low + found * (self.period / (2 * math.pi)))

    def arcs(self, ends: Tensor) -> Tensor:
        """Intervals ``(..., 2)`` as arcs: from a lower end in the period upwards to the upper end.

        The upper end may lie beyond the period, by less than a full turn; what is longer is a full turn.
        """
        start, length = ends[..., 0], ends[..., 1] - ends[..., 0]
        everything = length >= self.period * (1 - SLACK)
        begin = self.wrapped(torch.where(everything, self.low, start))
        length = torch.where(everything, self.period, length)
        return torch.stack((begin, begin + length), -1)

    def within(self, y: Tensor, ends: Tensor) -> Tensor:
        """Whether places lie on arcs ``(..., 2)``, the last dimension of which is their ends."""
        return self.beyond(ends[..., 0], y) <= ends[..., 1]

    def beyond(self, start: Tensor, y: Tensor) -> Tensor:
        """Places by the first turn from `start` upwards."""
        return start + torch.remainder(y - start, self.period)

    def hull(self, runs: Tensor) -> Tensor:
        """The shortest arc around arcs ``(runs, 2)`` in order of their lower ends, ``(2,)``; NaN of none."""
        if not len(runs):
            return torch.full((2,), torch.nan, dtype=torch.float64, device=runs.device)
        following = torch.cat((runs[1:, 0], runs[:1, 0] + self.period))
        last = int((following - runs[:, 1]).argmax())  # before the widest gap
        start = following[last] - (self.period if last == len(runs) - 1 else 0)
        length = torch.remainder(runs[last, 1] - start, self.period)
        whole = len(runs) == 1
        return torch.stack((start, runs[last, 1] if whole else start + length))


class CircularDensity(GridDensity):
    """A density over a circle, D = 1: its integral over any period is 1.

    It is asked what a `GridDensity` is asked, and targets count by where on the circle they are, whatever
    number of turns they have made. Answers lie in one period, that of `circle`. `mean` is the direction of
    the mean on the unit circle, `covariance` the mean square of the shortest way from there. The
    distribution function has to begin somewhere: it does so opposite the middle of the item's grid, and so
    do quantiles.

    Args:
        score_fn: ``(B, M, 1) -> (B, M)``, with the period of `circle`.
        points: equally spaced, over a period at most, around where every item has mass; ``(B, G)``.
        circle: the unit.
        chunk: most scores asked for in one call.

    Raises:
        DomainError: (a ValueError) if the points take more than a period.
        NumericalError: if a score is NaN or +inf, or all of an item are -inf.
    """

    def __init__(
        self, score_fn: BatchScore, points: Tensor, circle: Circle, *, chunk: int = DEFAULT_CHUNK
    ) -> None:
        axes = axes_of(points, len(points))
        length = points[:, -1] - points[:, 0]
        if bool((length > circle.period * (1 + SLACK)).any()):
            raise DomainError(
                f"the points reach over {length.max().item():g}, the period is {circle.period:g}."
            )
        places = grid_points(axes)
        scores = score_in_chunks(score_fn, places, len(points), chunk)
        Density.__init__(self, score_fn, places, scores, log_volumes(axes), chunk)
        self._lay_out(axes)
        self.circle = circle
        self.closed = length >= circle.period * (1 - SLACK)
        self._start = 0.5 * (points[:, :1] + points[:, -1:]) - 0.5 * circle.period

    def unrolled(self, y: Tensor) -> Tensor:
        """Places ``(B,)`` or ``(B, T)`` in the period around the middle of each item's grid."""
        start = self._start.to(y) if y.ndim == 2 else self._start[:, 0].to(y)
        found = start + torch.remainder(y - start, self.circle.period)
        first, last = (self._rows(self.axes[0].points)[:, end].to(y) for end in (0, -1))
        first, last = (first[:, None], last[:, None]) if y.ndim == 2 else (first, last)
        slack = SLACK * self.circle.period
        found = torch.where((found - last).abs() <= slack, last, found)
        return torch.where((found - first).abs() <= slack, first, found)

    def mean(self) -> Tensor:
        """Direction of the mean, ``(B, 1)``."""
        return self.circle.mean(self._rows(self.axes[0].points), self._mass(0))[:, None]

    def covariance(self) -> Tensor:
        """Mean square of the shortest way from `mean`, ``(B, 1, 1)``."""
        away = self.circle.shortest(self._rows(self.axes[0].points) - self.mean())
        return (self._mass(0) * away.square()).sum(-1)[:, None, None]

    def resultant_length(self) -> Tensor:
        """How concentrated: 1 where all mass is at one place, 0 where it is spread evenly, ``(B,)``."""
        angle = self._rows(self.axes[0].points) * (2 * math.pi / self.circle.period)
        mass = self._mass(0)
        return torch.hypot((mass * angle.cos()).sum(-1), (mass * angle.sin()).sum(-1))

    def mode(self) -> Tensor:
        """See `GridDensity.mode`."""
        return self.circle.wrapped(super().mode())

    def cdf(self, t: float | Tensor, dim: int = 0) -> Tensor:
        """Mass met on the way up from opposite the middle to `t`, see `Density.cdf`."""
        at, single = self._positions(t)
        result = super().cdf(self.unrolled(at), dim)
        return result[:, 0] if single else result

    def quantile(self, p: Levels, dim: int = 0) -> Tensor:
        """The inverse of `cdf`, see `Density.quantile`."""
        return self.circle.wrapped(self.unrolled_quantile(p, dim))

    def unrolled_quantile(self, p: Levels, dim: int = 0) -> Tensor:
        """Quantiles that increase with `p`, beyond the period where they must."""
        return super().quantile(p, dim)

    def credible_interval(self, level: float = 0.95, dim: int = 0) -> Tensor:
        """The arc that leaves equal masses on both sides, up to opposite the middle, ``(B, 2)``."""
        tail = 0.5 * (1 - require_level(level))
        return self.circle.arcs(self.unrolled_quantile((tail, 1 - tail), dim))

    def sample(self, n: int, generator: torch.Generator | None = None) -> Tensor:
        """See `GridDensity.sample`."""
        return self.circle.wrapped(super().sample(n, generator))

    def highest_density_rank(self, y: Labels) -> Tensor:
        """See `GridDensity.highest_density_rank`."""
        y = labels_like("y", y, self._like)
        fits = y.ndim in (2, 3) and y.shape[0] == self.batch_size and y.shape[-1] == 1
        return super().highest_density_rank(self.unrolled(y[..., 0])[..., None] if fits else y)

    def marginal(self, dims: int | Sequence[int]) -> "CircularDensity":
        """The density itself: there is one coordinate."""
        self._dims(dims)
        return self

    def all_around(self, points: Tensor) -> Tensor:
        """Points of an item's grid ``(G,)`` and the rest of the circle, increasing in one period."""
        low, high = self.circle.low, self.circle.low + self.circle.period
        around = torch.linspace(low, high, len(points), dtype=points.dtype, device=points.device)
        return torch.cat((around, self.circle.wrapped(points))).unique()

    def as_shown(self, runs: Tensor, item: int) -> Tensor:
        """Arcs, those joined that meet opposite the middle; see `GridDensity.as_shown`."""
        points = self._rows(self.axes[0].points)[item]
        meet = len(runs) > 1 and runs[0, 0] <= points[0] and runs[-1, 1] >= points[-1]
        if bool(self.closed[item]) and meet:
            last = torch.stack((runs[-1, 0], runs[0, 1] + self.circle.period))
            runs = torch.cat((runs[1:-1], last[None]))
        arcs = self.circle.arcs(runs)
        return arcs[arcs[:, 0].argsort()]
