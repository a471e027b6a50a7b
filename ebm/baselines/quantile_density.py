"""A density through predicted quantiles, trained by the pinball loss."""

import math
from collections.abc import Sequence
from typing import Literal, Unpack

import torch
from torch import Tensor

from ebm.baselines.base import DensityBaseline, HeadOptions
from ebm.baselines.binned import QuantileHead
from ebm.baselines.densities import ParametricDensity, normal_like
from ebm.baselines.functional import Scale, widen
from ebm.density.base import Levels
from ebm.exceptions import ShapeError

__all__ = ["DENSE_LEVELS", "QuantileDensity", "QuantileDensityHead"]

DENSE_LEVELS = (0.01, 0.025, *(round(0.05 * k, 2) for k in range(1, 20)), 0.975, 0.99)
# Quantiles closer together than this have no density that float32 could hold.
LEAST_GAP = 1e-5


class QuantileDensity(ParametricDensity):
    """Independent coordinates, each a function of a standard normal variable, linear between its quantiles.

    With u the standard normal quantile of a level, y(u) is linear between the levels and goes on beyond the
    outer two as it is between them and their neighbours. So the distribution has the given quantiles, is
    Gaussian where these are a Gaussian's, and has Gaussian tails. Its density has a step at each of them.

    Args:
        quantiles: increasing, ``(B, D, Q)``, Q >= 2.
        levels: increasing, inside (0, 1), ``(Q,)``.

    Raises:
        ShapeError: if the shapes do not fit.
    """

    def __init__(self, quantiles: Tensor, levels: Tensor) -> None:
        if quantiles.ndim != 3 or levels.shape != quantiles.shape[2:] or len(levels) < 2:
            shapes = [tuple(t.shape) for t in (quantiles, levels)]
            raise ShapeError(f"expected quantiles (B, D, Q >= 2) and levels (Q,), got {shapes}.")
        quantiles, levels = widen(quantiles, levels)
        self.batch_size, self.target_dim = quantiles.shape[:2]
        self.normal = torch.special.ndtri(levels.double()).to(quantiles)
        gaps = quantiles.diff(dim=-1).clamp(min=LEAST_GAP)
        self.knots = torch.cat((quantiles[..., :1], quantiles[..., :1] + gaps.cumsum(-1)), -1)
        self.widths = self.knots.diff(dim=-1) / self.normal.diff()  # dy / du, (B, D, Q - 1)

    def mean(self) -> Tensor:
        """Expected value, ``(B, D)``."""
        start, (mass, first, _) = self._starts(), self._moments()
        return (start * mass + self.widths * first).sum(-1)

    def variance(self) -> Tensor:
        """Variance per coordinate, ``(B, D)``."""
        start, (mass, first, second) = self._starts() - self.mean()[..., None], self._moments()
        square = start.square() * mass + 2 * start * self.widths * first + self.widths.square() * second
        return square.sum(-1)

    def mode(self) -> Tensor:
        """Where the density is largest, ``(B, D)``."""
        low, high = self._ends()
        inside = 1e-3 * self.normal.diff()  # at a step, rounding would choose the side
        u = torch.zeros_like(low).clamp(low + inside, high - inside)  # the highest place of every piece
        best = (-0.5 * u.square() - self.widths.log()).argmax(-1, keepdim=True)
        return (self._starts() + self.widths * u).gather(-1, best)[..., 0]

    def _log_prob(self, y: Tensor) -> Tensor:
        total = y.new_zeros(y.shape[:2])
        for dim in range(self.target_dim):
            u, width = self._normal_of(y[..., dim], dim)
            total = total - 0.5 * u.square() - 0.5 * math.log(2 * math.pi) - width.log()
        return total

    def _sample(self, n: int, generator: torch.Generator | None) -> Tensor:
        u = normal_like(self.knots, (self.batch_size, n, self.target_dim), generator)
        return torch.stack([self._value_of(u[..., dim], dim) for dim in range(self.target_dim)], -1)

    def _cdf(self, t: Tensor, dim: int) -> Tensor:
        return torch.special.ndtr(self._normal_of(t, dim)[0])

    def _quantile(self, p: Tensor, dim: int) -> Tensor:
        return self._value_of(torch.special.ndtri(p), dim)

    def _normal_of(self, t: Tensor, dim: int) -> tuple[Tensor, Tensor]:
        """u of values ``(B, M)``, and dy / du there."""
        knots = self.knots[:, dim].contiguous()
        piece = (torch.searchsorted(knots, t.detach().contiguous()) - 1).clamp(0, knots.shape[1] - 2)
        width = self.widths[:, dim].gather(1, piece)
        return self.normal[piece] + (t - knots.gather(1, piece)) / width, width

    def _value_of(self, u: Tensor, dim: int) -> Tensor:
        piece = (torch.searchsorted(self.normal, u.contiguous()) - 1).clamp(0, len(self.normal) - 2)
        width = self.widths[:, dim].gather(1, piece)
        return self.knots[:, dim].gather(1, piece) + width * (u - self.normal[piece])

    def _starts(self) -> Tensor:
        """What every piece would be at u = 0, ``(B, D, Q - 1)``."""
        return self.knots[..., :-1] - self.widths * self.normal[:-1]

    def _ends(self) -> tuple[Tensor, Tensor]:
        """Ends in u of every piece, ``(Q - 1,)`` each; the outer ones reach on."""
        low, high = self.normal[:-1].clone(), self.normal[1:].clone()
        low[0], high[-1] = -math.inf, math.inf
        return low, high

    def _moments(self) -> tuple[Tensor, Tensor, Tensor]:
        """Integrals of 1, u and u^2 under the normal density over every piece, ``(Q - 1,)`` each."""
        low, high = self._ends()
        below, above = ((-0.5 * end.square()).exp() / math.sqrt(2 * math.pi) for end in (low, high))
        mass = torch.special.ndtr(high) - torch.special.ndtr(low)
        inner_low, inner_high = (torch.nan_to_num(end, posinf=0.0, neginf=0.0) for end in (low, high))
        return mass, below - above, mass + inner_low * below - inner_high * above


class QuantileDensityHead(QuantileHead, DensityBaseline):
    """Quantiles of y that never cross, trained with the pinball loss, and the `QuantileDensity` through them.

    Coordinates are independent given x. Nothing but its quantiles at `levels` is learned: the density is an
    interpolation, and no likelihood was maximised.

    Args:
        feature_dim: size of the feature vector.
        target_dim: D.
        levels: increasing, inside (0, 1), at least 2.
        non_crossing: see `QuantileHead`.
        **options: see `Baseline`.

    Raises:
        DomainError: if the levels do not increase inside (0, 1).
        UnknownNameError: (a ValueError) for another way not to cross.

    Source: Koenker and Bassett, Econometrica 1978.
    """

    scale: Scale = "paper"

    def __init__(
        self,
        feature_dim: int,
        target_dim: int = 1,
        *,
        levels: Sequence[float] = DENSE_LEVELS,
        non_crossing: Literal["sort", "softplus"] = "softplus",
        **options: Unpack[HeadOptions],
    ) -> None:
        super().__init__(feature_dim, target_dim, levels=levels, non_crossing=non_crossing, **options)
        if len(self.levels) < 2:
            raise ShapeError("a density through quantiles takes two levels or more.")

    def standard_density(self, features: Tensor, generator: torch.Generator | None = None) -> QuantileDensity:
        """Density of the standardised targets."""
        return QuantileDensity(self.standard_quantiles(features), self.levels)

    def quantile(self, features: Tensor, p: Levels, dim: int = 0) -> Tensor:
        """The value that y_dim stays below with probability p; beyond the outer levels that of the tails."""
        return self.density(features).quantile(p, dim)

    def predict(self, features: Tensor, generator: torch.Generator | None = None) -> Tensor:
        """Expected value of y, ``(B, feature_dim) -> (B, D)``."""
        return self.density(features).mean()
