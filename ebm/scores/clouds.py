"""Weighted points that stand for densities: for energy scores, and for transformed targets."""

from dataclasses import dataclass, replace

import torch
from torch import Tensor

from ebm.calibration import Distribution
from ebm.density import GridDensity, ImportanceDensity
from ebm.density.axes import grid_points

__all__ = ["Cloud", "cloud_of"]

# Points that stand for a density; their spread is right to a thousandth.
MOST_POINTS = 1000


@dataclass(frozen=True)
class Cloud:
    """Weighted points of B densities.

    Attributes:
        points: ``(B, M, D)`` float64.
        weights: with sum 1 per item, ``(B, M)``; None is 1/M each.
    """

    points: Tensor
    weights: Tensor | None = None

    def thinned(self, most: int) -> "Cloud":
        """At most `most` points, equally weighted: those at equal steps of the cumulative weight, in order.

        No chance is involved, and no row depends on another.
        """
        if self.points.shape[1] <= most or self.weights is None:
            return self
        total = self.weights.double().cumsum(-1)
        at = (torch.arange(most, dtype=torch.float64, device=total.device) + 0.5) / most
        index = torch.searchsorted(total, at * total[:, -1:]).clamp(max=total.shape[1] - 1)
        return Cloud(self.points.gather(1, index[..., None].expand(-1, -1, self.points.shape[-1])))

    def scaled(self, scale: Tensor) -> "Cloud":
        """Coordinates divided by `scale` ``(D,)``."""
        return replace(self, points=self.points / scale)


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
