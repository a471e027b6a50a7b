"""The marginal of angles."""

import math
from typing import Any

import torch
from torch import Tensor

from ebm.density.base import Labels, Levels
from ebm.density.circular import Circle
from ebm.exceptions import DomainError
from ebm.scores.marginal import BACKGROUND, Marginal, in_parts, target_rows

__all__ = ["CircularMarginal"]


class CircularMarginal(Marginal):
    """The empirical distribution of angles, the same for each of B rows; see `Marginal`.

    Its quantiles begin opposite the mean direction, as those of a `CircularDensity`. For the log score stand
    wrapped Gaussian kernels with 1 % of an even density; distances are taken to at most 2000 of the targets.

    Args:
        targets: of the training rows, ``(N,)`` or ``(N, 1)``, N >= 2.
        circle: that they lie on.
        batch_size: B.
    """

    def __init__(self, targets: Any, circle: Circle, batch_size: int = 1) -> None:
        super().__init__(circle.wrapped(target_rows("targets", targets)), batch_size)
        self.circle = circle
        middle = circle.mean(self.targets, torch.ones_like(self.targets), 0)
        self._start = float(middle) - 0.5 * circle.period
        self._sorted = self._unrolled(self.targets).sort(0).values

    def _unrolled(self, y: Tensor) -> Tensor:
        """Targets in the period around the mean direction."""
        return self._start + torch.remainder(y - self._start, self.circle.period)

    def mean(self) -> Tensor:
        """Direction of the mean, ``(B, 1)``."""
        middle = self.circle.mean(self.targets, torch.ones_like(self.targets), 0)
        return middle.expand(self.batch_size, -1)

    def std(self) -> Tensor:
        """Root of the mean square of the shortest way from the mean, ``(B, 1)``."""
        away = self.circle.shortest(self.targets - self.mean()[:1])
        return away.square().mean(0).sqrt().expand(self.batch_size, -1)

    def cdf(self, t: Tensor, dim: int = 0) -> Tensor:
        """Share of the targets met on the way up from opposite the mean direction, ``(B,) -> (B,)``."""
        return super().cdf(self._unrolled(t.to(self._sorted)), dim)

    def unrolled_quantile(self, p: Levels, dim: int = 0) -> Tensor:
        """Quantiles that increase with `p`, see `Marginal.quantile`."""
        return super().quantile(p, dim)

    def quantile(self, p: Levels, dim: int = 0) -> Tensor:
        """The inverse of `cdf`, see `Marginal.quantile`."""
        return self.circle.wrapped(self.unrolled_quantile(p, dim))

    def log_prob(self, y: Labels) -> Tensor:
        """Log-density of the kernels, nats, ``(B, 1) -> (B,)``."""
        centres = self._thinned()[:, 0]
        width = float(self.std()[0, 0]) * len(centres) ** -0.2
        constant = math.log(width) + 0.5 * math.log(math.tau) + math.log(len(centres))

        def kernels(some: Tensor) -> Tensor:
            away = self.circle.shortest(some - centres)
            turns = [away + turn * self.circle.period for turn in (-1, 0, 1)]
            parts = [(-0.5 * (one / width).square()).logsumexp(-1) for one in turns]
            return torch.stack(parts).logsumexp(0) - constant

        near = in_parts(kernels, target_rows("y", y), 3 * len(centres))
        far = near.new_tensor(math.log(BACKGROUND / self.circle.period))
        return torch.logaddexp(math.log1p(-BACKGROUND) + near, far)

    def crps(self, y: Labels, dim: int = 0, low: float = -math.inf, high: float = math.inf) -> Tensor:
        """CRPS of the circle, ``(B, 1) -> (B,)``.

        Raises:
            DomainError: (a ValueError) for thresholds, which a circle has not.
        """
        if (low, high) != (-math.inf, math.inf):
            raise DomainError("a circle has no thresholds for its CRPS to lie between; leave them out.")
        centres = self._thinned()[:, 0]

        def away(some: Tensor) -> Tensor:
            return self.circle.shortest(some - centres).abs().mean(-1)

        apart = in_parts(away, centres[:, None], len(centres)).mean()
        return in_parts(away, target_rows("y", y), len(centres)) - 0.5 * apart
