"""How much of a density lies between bounds."""

import math
from functools import lru_cache, partial
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from ebm.density.grid import GridDensity
from ebm.density.scoring import score_in_chunks
from ebm.exceptions import ShapeError

__all__ = ["legendre", "log_mass_between", "tail_window", "log_within"]

# Beyond a grid a tail is followed for this share of its length, by so many nodes.
TAIL, NODES = 0.25, 64
# Less mass than this lies in a tail, where cells are too coarse and the grid may end.
LITTLE = 1e-6


def log_mass_between(density: GridDensity, lower: Tensor, upper: Tensor) -> Tensor:
    """Log-probability that each item's target lies between its bounds, nats, ``(B,)``.

    By the cells of the grid; in the tails and beyond it by the scores there, so that no digits are lost.

    Args:
        density: of B items, D = 1, over the line.
        lower: bounds ``(B,)``, or -inf.
        upper: bounds ``(B,)``, or inf; above `lower`.

    Raises:
        ShapeError: for several targets.
    """
    if density.target_dim != 1:
        raise ShapeError(f"bounds are those of one target alone, not of D={density.target_dim}.")
    edges = density.axes[0].edges.expand(density.batch_size, -1)
    low, high = lower.to(edges)[:, None], upper.to(edges)[:, None]
    inside = torch.minimum(edges[:, 1:], high) - torch.maximum(edges[:, :-1], low)
    share = inside.clamp(min=0) / edges.diff(dim=1)
    within = (density.log_masses + share.log()).logsumexp(1)
    far = within < math.log(LITTLE)
    return torch.where(far, _tail(density, low[:, 0], high[:, 0]), within) if bool(far.any()) else within


def _tail(density: GridDensity, lower: Tensor, upper: Tensor) -> Tensor:
    """The same of bounds in a tail or beyond the grid, by quadrature of the scores there."""
    points = density.axes[0].points.expand(density.batch_size, -1)
    start, end = tail_window(points[:, 0], points[:, -1], lower, upper)
    shares, log_weights = legendre(NODES)
    width = (end - start).clamp(min=0)[:, None]
    places = (start[:, None] + width * shares.to(points))[..., None]
    scores = score_in_chunks(partial(_real, density), places, density.batch_size, density.chunk)
    return (scores + log_weights.to(points) + width.log()).logsumexp(1) - density.log_partition()


def _real(density: GridDensity, y: Tensor) -> Tensor:
    """Scores, -inf where there is none."""
    return density.score_fn(y).nan_to_num(nan=-math.inf, neginf=-math.inf)


class Window(NamedTuple):
    """Where an integral is taken, ``(B,)`` each."""

    start: Tensor
    end: Tensor


def tail_window(low: Tensor, high: Tensor, lower: Tensor, upper: Tensor) -> Window:
    """The part between the bounds in which mass is looked for, never empty where the bounds differ.

    Args:
        low: where an item's mass begins, ``(B,)``.
        high: where it ends; beyond it a tail is followed for a share `TAIL` of the distance.
        lower: bound, or -inf.
        upper: bound, or inf.
    """
    reach = TAIL * (high - low)
    start, end = torch.maximum(lower, low), torch.minimum(upper, high)
    far_up, far_down = lower > high - reach, upper < low + reach
    end = torch.where(far_up, torch.minimum(upper, torch.maximum(high, lower + reach)), end)
    start = torch.where(far_up, lower, start)
    start = torch.where(far_down, torch.maximum(lower, torch.minimum(low, upper - reach)), start)
    end = torch.where(far_down, upper, end)
    return Window(start, end)


@lru_cache
def legendre(nodes: int) -> tuple[Tensor, Tensor]:
    """Nodes in [0, 1] and the logs of their weights, float64."""
    places, weights = np.polynomial.legendre.leggauss(nodes)
    return torch.from_numpy(0.5 * (places + 1)), torch.from_numpy(np.log(0.5 * weights))


def log_within(density: GridDensity, bounds: Tensor, support: tuple[float, float]) -> Tensor:
    """Log-density of targets whose bounds ``(B, 2)`` are equal, log of the mass between others, ``(B,)``.

    Args:
        density: of one target, D = 1.
        bounds: may be infinite, and lie beyond the support.
        support: lowest and highest target that there can be.
    """
    low, high = bounds.unbind(1)
    known = low == high
    low, high = (end.clamp(*support) for end in (low, high))
    place = torch.where(known, low, density.quantile(0.5))
    mass = log_mass_between(density, low, torch.where(known, torch.inf, high))
    return torch.where(known, density.log_prob(place[:, None]), mass)
