"""Parts of the line where a density on a grid is high, and how high that is."""

import torch
from torch import Tensor

from ebm.density.grid import GridDensity
from ebm.exceptions import ShapeError

__all__ = ["intervals_above", "least_density"]


def least_density(density: GridDensity, mass: Tensor) -> Tensor:
    """The log-density above which each item has a mass, ``(B,)``; -inf where that is all of it.

    Args:
        density: of B items.
        mass: in [0, 1], ``(B,)``.
    """
    scores, below, _ = density._by_score
    last = torch.searchsorted(below, mass.to(below)[:, None]).clamp(max=below.shape[1] - 1)
    found = scores.gather(1, last)[:, 0] - density.log_partition()
    return torch.where(mass.to(found) >= 1, -torch.inf, found)


def intervals_above(density: GridDensity, least: Tensor) -> list[Tensor]:
    """Where the log-density is at least `least`, linear between the points, per item ``(runs, 2)``.

    Args:
        density: of B items and one target.
        least: ``(B,)``; where it is -inf the whole line is meant.

    Raises:
        ShapeError: for several targets.
    """
    if density.target_dim != 1:
        raise ShapeError(f"sets are intervals for one target alone, not for D={density.target_dim}.")
    points = density.axes[0].points.expand(density.batch_size, -1)
    above = density._scores - density.log_partition()[:, None] - least.to(points)[:, None]
    inside = above >= 0
    change = torch.nn.functional.pad(inside.to(torch.int8), (1, 1)).diff(dim=1)  # +1 starts, -1 ends a run
    whole = points.new_tensor([[-torch.inf, torch.inf]])
    result = []
    for item, everything in enumerate((least == -torch.inf).tolist()):
        if everything:
            result.append(whole)
            continue
        starts, ends = ((change[item] == step).nonzero()[:, 0] for step in (1, -1))
        runs = (
            _crossing(points[item], above[item], starts - 1, starts),
            _crossing(points[item], above[item], ends, ends - 1),
        )
        result.append(torch.stack(runs, 1))
    return result


def _crossing(points: Tensor, above: Tensor, out: Tensor, inside: Tensor) -> Tensor:
    """Where the line from a place outside to one inside crosses 0; the place inside at an end of the grid."""
    last = len(points) - 1
    there = (out >= 0) & (out <= last)
    out = out.clamp(0, last)
    share = above[inside] / (above[inside] - above[out])
    share = torch.where(there & share.isfinite(), share, 0.0)
    return points[inside] + share * (points[out] - points[inside])
