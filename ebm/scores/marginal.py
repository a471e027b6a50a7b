"""The marginal: the distribution of the targets alone, which a prediction must beat to have learnt from x."""

import math
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

from ebm.checks import require_count, require_finite
from ebm.density.base import Labels, Levels, require_dim
from ebm.exceptions import DomainError, ShapeError
from ebm.fitting.tables import as_tensor
from ebm.numbers import number_tensor
from ebm.scores.arrays import energy_score_from_samples, require_thresholds

__all__ = ["BACKGROUND", "Marginal", "in_parts", "target_rows"]

# Targets that kernels stand on, and that distances of several coordinates are taken to.
MOST_CENTRES = 2000
# Weight of the heavy-tailed part of the kernel density, and its degrees of freedom.
BACKGROUND, FREEDOM = 0.01, 3.0


def target_rows(name: str, y: Any) -> Tensor:
    """Targets ``(N,)`` or ``(N, D)`` as ``(N, D)`` float64 on the CPU, finite.

    Raises:
        ShapeError: for another shape.
        DomainError: (a ValueError) if an entry is NaN or infinite.
        InputError: if the entries are no numbers.
    """
    rows = as_tensor(name, y)
    if rows.ndim not in (1, 2) or (rows.ndim == 2 and rows.shape[1] == 0):
        raise ShapeError(f"expected {name} of shape (N,) or (N, D), got {tuple(rows.shape)}.")
    require_finite(name, rows)
    return rows[:, None] if rows.ndim == 1 else rows


class Marginal:
    """The empirical distribution of some targets, the same for each of B rows.

    Every score of `ebm.scores` takes it like a density. An empirical distribution has no density: for the
    log score stands a Gaussian kernel per target (the robust rule of Silverman per coordinate) with 1 % of a
    Student distribution, so that a far label costs it something but not everything. Where D > 1, or for
    kernels, at most 2000 of the targets are used, at equal steps.

    Args:
        targets: of the training rows, ``(N,)`` or ``(N, D)``, N >= 2.
        batch_size: B.

    Attributes:
        targets: ``(N, D)`` float64.
        batch_size: B.
        target_dim: D.

    Raises:
        ShapeError: for another shape, or fewer than two targets.
        DomainError: (a ValueError) if an entry is not finite, or a coordinate constant.
    """

    def __init__(self, targets: Any, batch_size: int = 1) -> None:
        self.targets = target_rows("targets", targets)
        if len(self.targets) < 2:
            raise ShapeError(f"a marginal needs at least two targets, got {len(self.targets)}.")
        constant = self.targets.amin(0) == self.targets.amax(0)
        if bool(constant.any()):
            raise DomainError(f"target {int(constant.nonzero()[0])} is constant: nothing is left to predict.")
        self.batch_size = require_count("batch_size", batch_size, least=0)
        self.target_dim = self.targets.shape[1]
        self._sorted = self.targets.sort(0).values

    def mean(self) -> Tensor:
        """``(B, D)``."""
        return self.targets.mean(0).expand(self.batch_size, -1)

    def std(self) -> Tensor:
        """Standard deviation per coordinate, ``(B, D)``."""
        return self.targets.std(0, correction=0).expand(self.batch_size, -1)

    def cdf(self, t: Tensor, dim: int = 0) -> Tensor:
        """Share of the targets whose coordinate `dim` is at most `t`, ``(B,) -> (B,)``."""
        column = self._column(dim)
        return torch.searchsorted(column, t.to(column).contiguous(), right=True).double() / len(column)

    def quantile(self, p: Levels, dim: int = 0) -> Tensor:
        """The least target that a share `p` does not exceed, ``(B,)``, or ``(B, P)`` for several."""
        column = self._column(dim)
        levels = number_tensor("p", p, torch.float64, column.device)
        if not bool(((levels >= 0) & (levels <= 1)).all()):
            raise DomainError(f"probabilities must lie in [0, 1], got {p!r}.")
        # A share such as 0.1 of 50 must not become the sixth by rounding.
        place = (levels * len(column) - 1e-9).ceil().long().clamp(1, len(column)) - 1
        return column[place].expand(self.batch_size, *levels.shape)

    def log_prob(self, y: Labels) -> Tensor:
        """Log-density of the kernels, nats, ``(B, D) -> (B,)``."""
        rows = target_rows("y", y)
        centres, scale = self._thinned(), self._robust_scale()
        width = scale * len(centres) ** (-1 / (self.target_dim + 4))
        constant = width.log().sum() + 0.5 * self.target_dim * math.log(2 * math.pi) + math.log(len(centres))

        def kernels(some: Tensor) -> Tensor:
            distance = (some[:, None] / width - centres / width).square().sum(-1)
            return (-0.5 * distance).logsumexp(-1) - constant

        near = in_parts(kernels, rows, len(centres) * self.target_dim)
        far = self._student(rows, scale)
        return torch.logaddexp(math.log1p(-BACKGROUND) + near, math.log(BACKGROUND) + far)

    def crps(self, y: Labels, dim: int = 0, low: float = -math.inf, high: float = math.inf) -> Tensor:
        """CRPS between two thresholds, exact, ``(B, D) -> (B,)``; no more memory than the targets take."""
        low, high = require_thresholds(low, high)
        column = self._column(dim).clamp(low, high)
        label = target_rows("y", y)[:, dim].clamp(low, high).contiguous()
        count = len(column)
        total = torch.cat((column.new_zeros(1), column.cumsum(0)))
        below = torch.searchsorted(column, label, right=True)
        away = label * (2 * below - count) - 2 * total[below] + total[-1]
        order = torch.arange(count, device=column.device)
        apart = (column * (2 * order + 1 - count)).sum() / count**2
        return away / count - apart

    def energy_score(self, y: Labels, scale: Tensor) -> Tensor:
        """Energy score with coordinates divided by `scale` ``(D,)``, ``(B, D) -> (B,)``."""
        points, rows = self._thinned() / scale, target_rows("y", y) / scale
        middle = points.mean(0, keepdim=True)
        spread = torch.linalg.vector_norm(points - middle, dim=-1).mean()
        apart = spread - energy_score_from_samples(points[None], middle)

        def away(some: Tensor) -> Tensor:
            return torch.cdist(some, points, compute_mode="donot_use_mm_for_euclid_dist").mean(-1)

        return in_parts(away, rows, len(points)) - apart

    def _column(self, dim: int) -> Tensor:
        return self._sorted[:, require_dim(dim, self.target_dim)].contiguous()

    def _thinned(self) -> Tensor:
        """At most `MOST_CENTRES` targets, in the order of the first coordinate."""
        count = len(self.targets)
        ordered = self.targets[self.targets[:, 0].argsort()]
        steps = (torch.arange(min(count, MOST_CENTRES), device=ordered.device) + 0.5) / MOST_CENTRES
        return ordered if count <= MOST_CENTRES else ordered[(steps * count).long()]

    def _robust_scale(self) -> Tensor:
        """The lesser of standard deviation and interquartile range / 1.349, per coordinate, ``(D,)``."""
        std = self.targets.std(0)
        quarter, three = torch.quantile(self._thinned(), torch.tensor([0.25, 0.75]).to(std), dim=0)
        middle = (three - quarter) / 1.349
        return torch.where(middle > 0, torch.minimum(std, middle), std)

    def _student(self, rows: Tensor, scale: Tensor) -> Tensor:
        """Log-density of a product of Student distributions about the medians, ``(B, D) -> (B,)``."""
        centre = self._sorted[len(self._sorted) // 2]
        return (
            torch.distributions.StudentT(FREEDOM, centre, scale, validate_args=False).log_prob(rows).sum(-1)
        )


def in_parts(function: Callable[[Tensor], Tensor], rows: Tensor, each: int) -> Tensor:
    """A function of rows, ``(B, D) -> (B,)``, for as many at a time as 2^23 numbers allow."""
    return torch.cat([function(part) for part in rows.split(max(1, 2**23 // each))])
