"""How much of a density lies between bounds."""

import math
from functools import partial

import numpy as np
import torch
from torch import Tensor

from ebm.density.grid import GridDensity
from ebm.density.scoring import score_in_chunks
from ebm.exceptions import ShapeError

__all__ = ["log_mass_between"]

# Beyond the grid a tail is followed for this share of its length, by so many nodes.
TAIL, NODES = 0.25, 64


def log_mass_between(density: GridDensity, lower: Tensor, upper: Tensor) -> Tensor:
    """Log-probability that each item's target lies between its bounds, nats, ``(B,)``.

    By the cells of the grid; no digits are lost in the tails, and beyond the grid the score goes on.

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
    beyond = within == -math.inf
    return (
        torch.where(beyond, _tail(density, low[:, 0], high[:, 0]), within) if bool(beyond.any()) else within
    )


def _tail(density: GridDensity, lower: Tensor, upper: Tensor) -> Tensor:
    """The same of bounds beyond the grid, by quadrature of the scores next to it."""
    points = density.axes[0].points.expand(density.batch_size, -1)
    first, last = points[:, 0], points[:, -1]
    reach = TAIL * (last - first)
    above = lower >= last
    start = torch.where(above, lower, torch.maximum(lower, upper - reach))
    end = torch.where(above, torch.minimum(upper, lower + reach), upper)
    start, end = (torch.where(edge.isfinite(), edge, last) for edge in (start, end))
    nodes, weights = (values.copy() for values in np.polynomial.legendre.leggauss(NODES))
    shares, log_weights = (points.new_tensor(values) for values in (0.5 * (nodes + 1), np.log(0.5 * weights)))
    width = (end - start).clamp(min=0)[:, None]
    places = (start[:, None] + width * shares)[..., None]
    scores = score_in_chunks(partial(_real, density), places, density.batch_size, density.chunk)
    return (scores + log_weights + width.log()).logsumexp(1) - density.log_partition()


def _real(density: GridDensity, y: Tensor) -> Tensor:
    """Scores, -inf where there is none."""
    return density.score_fn(y).nan_to_num(nan=-math.inf)
