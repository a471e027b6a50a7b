"""Weighted points that stand for densities: for energy scores, and for transformed targets."""

from functools import cached_property

import torch
from torch import Tensor

from ebm.calibration import Distribution
from ebm.density import GridDensity, ImportanceDensity
from ebm.density.axes import grid_points, interpolate
from ebm.density.base import Levels, require_dim
from ebm.numbers import number_tensor

__all__ = ["Cloud", "cloud_of"]

# Points that stand for a density; their spread is right to a thousandth.
MOST_POINTS = 1000


class Cloud:
    """Weighted points of B densities, which every score but the log score takes like a density.

    Args:
        points: ``(B, M, D)`` float64.
        weights: with sum 1 per item, ``(B, M)``; None is 1/M each.

    Attributes:
        batch_size: B.
        target_dim: D.
    """

    def __init__(self, points: Tensor, weights: Tensor | None = None) -> None:
        self.points, self.weights = points, weights
        self.batch_size, self.target_dim = points.shape[0], points.shape[2]

    def mean(self) -> Tensor:
        """``(B, D)``."""
        return torch.einsum("bm,bmd->bd", self._share, self.points)

    def std(self) -> Tensor:
        """Standard deviation per coordinate, ``(B, D)``."""
        away = self.points - self.mean()[:, None]
        return torch.einsum("bm,bmd->bd", self._share, away.square()).sqrt()

    def quantile(self, p: Levels, dim: int = 0) -> Tensor:
        """Quantiles of one coordinate, ``(B,)`` or ``(B, P)``; a point is the middle of its weight."""
        values, middle = self._ordered(dim)
        levels = number_tensor("p", p, torch.float64, values.device)
        result = interpolate(middle, values, levels.reshape(1, -1).expand(self.batch_size, -1))
        return result[:, 0] if levels.ndim == 0 else result

    def cdf(self, t: Tensor, dim: int = 0) -> Tensor:
        """Probability that one coordinate is at most `t`, ``(B,) -> (B,)``; the inverse of `quantile`."""
        values, middle = self._ordered(dim)
        at = t.to(values)[:, None]
        found = interpolate(values, middle, at)[:, 0]
        found = torch.where(at[:, 0] < values[:, 0], 0, found)
        return torch.where(at[:, 0] > values[:, -1], 1, found)

    def thinned(self, most: int) -> "Cloud":
        """At most `most` points, equally weighted: those at equal steps of the cumulative weight, in order.

        No chance is involved, and no row depends on another.
        """
        if self.points.shape[1] <= most:
            return self
        total = self._share.cumsum(-1)
        at = (torch.arange(most, dtype=torch.float64, device=total.device) + 0.5) / most
        index = torch.searchsorted(total, at * total[:, -1:]).clamp(max=total.shape[1] - 1)
        return Cloud(self.points.gather(1, index[..., None].expand(-1, -1, self.target_dim)))

    @cached_property
    def _share(self) -> Tensor:
        """Weights, ``(B, M)``."""
        count = self.points.shape[1]
        return (
            self.points.new_full(self.points.shape[:2], 1 / count) if self.weights is None else self.weights
        )

    def _ordered(self, dim: int) -> tuple[Tensor, Tensor]:
        """One coordinate in order, and the weight below the middle of each point, both ``(B, M)``."""
        values, order = self.points[..., require_dim(dim, self.target_dim)].sort(-1)
        share = self._share.gather(-1, order)
        return values, share.cumsum(-1) - share / 2


def cloud_of(density: Distribution, most: int = MOST_POINTS) -> Cloud:
    """Points that stand for a density.

    One coordinate is given by its quantiles at equal steps. Several are given by the places that a density
    on a grid or on samples rests on, thinned; any other density is drawn from, with a seed of its own.

    Args:
        density: of B items.
        most: M at most.

    Raises:
        TypeError: if the density offers neither quantiles nor draws.
    """
    if isinstance(density, Cloud):
        return density.thinned(most)
    if density.target_dim == 1 and hasattr(density, "quantile"):
        steps = (torch.arange(most, dtype=torch.float64) + 0.5) / most
        return Cloud(density.quantile(steps.tolist())[..., None].double())
    if isinstance(density, GridDensity):
        places = grid_points(density.axes).expand(density.batch_size, -1, -1)
        return Cloud(places.double(), density.log_masses.flatten(1).double().exp()).thinned(most)
    if isinstance(density, ImportanceDensity):
        return Cloud(density.samples.double(), density.log_weights.double().exp()).thinned(most)
    if hasattr(density, "sample") and hasattr(density, "mean"):
        generator = torch.Generator(density.mean().device).manual_seed(0)
        return Cloud(density.sample(most, generator).double())
    raise TypeError(f"{type(density).__name__} offers neither quantiles nor draws to score it by.")
