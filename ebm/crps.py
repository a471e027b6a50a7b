"""The continuous ranked probability score of distribution functions in one dimension, integrated exactly.

Source: Gneiting and Raftery, JASA 2007, section 4.2.
"""

import math

import torch
from torch import Tensor

from ebm.density.axes import interpolate
from ebm.exceptions import ShapeError

__all__ = ["circular_crps_from_cells", "crps_from_cells", "crps_from_gaussian", "crps_from_samples"]


def crps_from_cells(edges: Tensor, below: Tensor, y: Tensor) -> Tensor:
    """CRPS of piecewise linear distribution functions, integrated exactly.

    Args:
        edges: increasing, ``(B, K)``.
        below: the distribution function there, from 0 to 1, ``(B, K)``.
        y: labels ``(B,)``, also beyond the edges.

    Returns:
        ``(B,)``.

    Raises:
        ShapeError: if the shapes do not fit.
    """
    if edges.ndim != 2 or below.shape != edges.shape or y.shape != edges.shape[:1]:
        got = f"{tuple(edges.shape)}, {tuple(below.shape)} and {tuple(y.shape)}"
        raise ShapeError(f"expected edges and below of shape (B, K) and y (B,), got {got}.")
    low, high, a, b = edges[:, :-1], edges[:, 1:], below[:, :-1], below[:, 1:]
    cut = torch.maximum(torch.minimum(y[:, None], high), low)  # every cell is split at y, mostly at an end
    span = high - low
    at_cut = a + (b - a) * torch.where(span > 0, (cut - low) / torch.where(span > 0, span, 1), 0)
    left = (cut - low) * _mean_square(a, at_cut)
    right = (high - cut) * _mean_square(1 - at_cut, 1 - b)
    outside = (edges[:, 0] - y).clamp(min=0) + (y - edges[:, -1]).clamp(min=0)
    return (left + right).sum(-1) + outside


def circular_crps_from_cells(edges: Tensor, below: Tensor, y: Tensor, period: float) -> Tensor:
    """CRPS on a circle, integrated exactly: ``E d(X, y) - E d(X, X') / 2`` with the shortest way as distance.

    The distance of two places is the length of the set of half circles, by where they begin, that hold one of
    them; so the score is the integral over half a turn of ``(P(half circle) - 1{y in half circle})^2``.

    Args:
        edges: increasing, over a period at most, ``(B, K)``.
        below: the distribution function there, linear between, from 0 to 1, ``(B, K)``.
        y: labels ``(B,)``, any number of turns away.
        period: length of a turn.

    Returns:
        ``(B,)``, in the unit of `y`.

    Raises:
        ShapeError: if the shapes do not fit.

    Source: Grimit, Gneiting, Berrocal and Johnson, QJRMS 2006 (the score).
    """
    if edges.ndim != 2 or below.shape != edges.shape or y.shape != edges.shape[:1]:
        got = f"{tuple(edges.shape)}, {tuple(below.shape)} and {tuple(y.shape)}"
        raise ShapeError(f"expected edges and below of shape (B, K) and y (B,), got {got}.")
    half, first = 0.5 * period, edges[:, :1]
    knots = torch.remainder(torch.cat((edges, y[:, None]), 1) - first, half)
    begin = torch.cat((torch.zeros_like(first), knots.sort(1).values, torch.full_like(first, half)), 1)
    away = torch.cat((begin, begin + half), 1)  # below a whole turn from the first edge on
    share = interpolate(edges - first, below, away)
    lower, upper = share.chunk(2, 1)
    held = upper - lower  # of the half circle that begins there
    middle = 0.5 * (begin[:, 1:] + begin[:, :-1])
    label = (torch.remainder(y[:, None] - first - middle, period) < half).to(held)
    parts = _mean_square(held[:, :-1] - label, held[:, 1:] - label)
    return (begin.diff(dim=1) * parts).sum(-1)


def crps_from_samples(samples: Tensor, y: Tensor, weights: Tensor | None = None) -> Tensor:
    """CRPS of weighted samples, ``E|X - y| - E|X - X'| / 2``.

    Args:
        samples: ``(B, M)``.
        y: labels ``(B,)``.
        weights: not negative, with sum 1 per item, ``(B, M)``; None is 1/M each.

    Returns:
        ``(B,)``.

    Raises:
        ShapeError: if the shapes do not fit or M is 0.
    """
    fits = samples.ndim == 2 and samples.shape[1] > 0 and y.shape == samples.shape[:1]
    if not fits or (weights is not None and weights.shape != samples.shape):
        got = f"{tuple(samples.shape)} and {tuple(y.shape)}"
        raise ShapeError(f"expected samples (and weights) of shape (B, M >= 1) and y (B,), got {got}.")
    values, order = samples.sort(-1)
    share = torch.full_like(values, 1 / values.shape[1]) if weights is None else weights.gather(-1, order)
    # Sorted, half the mean distance of two draws needs one pass: sum of w_i x_i (2 C_i - w_i - 1).
    apart = (share * values * (2 * share.cumsum(-1) - share - 1)).sum(-1)
    return (share * (values - y[:, None]).abs()).sum(-1) - apart


def crps_from_gaussian(mean: Tensor, std: Tensor, y: Tensor) -> Tensor:
    """CRPS of Gaussians in closed form, for comparisons; all ``(B,)`` or broadcastable.

    Source: Gneiting and Raftery, JASA 2007, eq. 22.
    """
    z = (y - mean) / std
    height = torch.exp(-0.5 * z.square()) / math.sqrt(2 * math.pi)
    return std * (z * torch.erf(z / math.sqrt(2)) + 2 * height - 1 / math.sqrt(math.pi))


def _mean_square(a: Tensor, b: Tensor) -> Tensor:
    """Mean of the square of a function that runs linearly from a to b."""
    return (a.square() + a * b + b.square()) / 3
