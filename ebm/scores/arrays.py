"""Scores of quantiles, intervals, distribution functions and samples, whatever predicted them.

Every one is negatively oriented: less is better. Arrays of NumPy, lists and tensors are taken; a tensor
keeps its device, everything is computed in float64.
"""

import math
from typing import Any

import torch
from torch import Tensor

from ebm.checks import require_finite
from ebm.crps import crps_from_cells, crps_from_samples
from ebm.density.axes import interpolate
from ebm.density.base import require_level
from ebm.exceptions import DomainError, ShapeError
from ebm.numbers import number_tensor, require_number

__all__ = [
    "energy_score_from_samples",
    "pinball_from_quantiles",
    "require_thresholds",
    "threshold_crps_from_cells",
    "threshold_crps_from_samples",
    "winkler_from_ends",
]

# Distances held at a time: 64 MiB.
MOST_DISTANCES = 2**23


def pinball_from_quantiles(quantiles: Any, levels: Any, y: Any) -> Tensor:
    """Pinball (quantile, check) loss, ``(y - q) (p - 1{y < q})``, in the unit of y.

    Its mean over all levels is half the CRPS.

    Args:
        quantiles: predicted, ``(B, P)``.
        levels: their probabilities in [0, 1], ``(P,)``.
        y: labels ``(B,)``.

    Returns:
        ``(B, P)``.

    Raises:
        ShapeError: if the shapes do not fit.
        DomainError: (a ValueError) if a level lies outside [0, 1], or an entry is NaN or infinite.

    Source: Koenker and Bassett, Econometrica 1978.
    """
    q, y = _real("quantiles", quantiles), _real("y", y)
    p = _real("levels", levels).to(q.device)
    if q.ndim != 2 or p.shape != q.shape[1:] or y.shape != q.shape[:1]:
        got = f"{tuple(q.shape)}, {tuple(p.shape)} and {tuple(y.shape)}"
        raise ShapeError(f"expected quantiles (B, P), levels (P,) and y (B,), got {got}.")
    if not bool(((p >= 0) & (p <= 1)).all()):
        raise DomainError(f"levels must lie in [0, 1], got {p.tolist()}.")
    above = y[:, None] - q
    return torch.maximum(p * above, (p - 1) * above)


def winkler_from_ends(low: Any, high: Any, y: Any, level: float) -> Tensor:
    """Winkler's interval score: the width, and 2 / (1 - level) times the distance of a label outside.

    Lowest on average for the interval between the quantiles (1 - level) / 2 and (1 + level) / 2.

    Args:
        low: lower ends ``(B,)``; -inf where there is none.
        high: upper ends ``(B,)``; inf where there is none.
        y: labels ``(B,)``.
        level: in (0, 1).

    Returns:
        ``(B,)``, in the unit of y; infinite where an end is.

    Raises:
        ShapeError: if the shapes differ.
        DomainError: (a ValueError) if an upper end is below the lower one, the level outside (0, 1), or an
            entry NaN or infinite.

    Source: Winkler, JASA 1972; Gneiting and Raftery, JASA 2007, section 6.2.
    """
    low, high = (number_tensor(n, v, torch.float64) for n, v in (("low", low), ("high", high)))
    y = _real("y", y)
    if y.ndim != 1 or low.shape != y.shape or high.shape != y.shape:
        got = f"{tuple(low.shape)}, {tuple(high.shape)} and {tuple(y.shape)}"
        raise ShapeError(f"expected low, high and y of shape (B,), got {got}.")
    wrong = ~(low <= high) | (low == math.inf) | (high == -math.inf)
    if bool(wrong.any()):
        row = int(wrong.nonzero()[0])
        got = f"low[{row}] = {low[row].item():g} and high[{row}] = {high[row].item():g}"
        raise DomainError(f"low must not be above high, but {got}.")
    outside = (low - y).clamp(min=0) + (y - high).clamp(min=0)
    return high - low + 2 / (1 - require_level(level)) * outside


def threshold_crps_from_cells(
    edges: Any, below: Any, y: Any, low: float = -math.inf, high: float = math.inf
) -> Tensor:
    """CRPS between two thresholds, the integral of ``(F - 1{y <= z})^2`` from `low` to `high`, exact.

    Args:
        edges: not decreasing, ``(B, K)``.
        below: the distribution function there, linear in between, ``(B, K)``.
        y: labels ``(B,)``.
        low: where it begins to count.
        high: where it ends.

    Returns:
        ``(B,)``, in the unit of y; the CRPS where the thresholds are infinite.

    Raises:
        ShapeError: if the shapes do not fit.
        DomainError: (a ValueError) if `low` is not below `high`, or an entry is NaN or infinite.

    Source: Gneiting and Ranjan, JBES 2011.
    """
    low, high = require_thresholds(low, high)
    edges, below, y = _real("edges", edges), _real("below", below), _real("y", y)
    if edges.ndim != 2 or below.shape != edges.shape:
        raise ShapeError(
            f"expected edges and below of shape (B, K), got {tuple(edges.shape)} and {tuple(below.shape)}."
        )
    # Cells beyond a threshold shrink to nothing at it. Other knots stay: two at one place are a jump.
    inner = edges.clamp(low, high)
    values = torch.where(inner == edges, below, interpolate(edges, below, inner))
    return crps_from_cells(inner, values, y.clamp(low, high))


def threshold_crps_from_samples(
    samples: Any, y: Any, low: float = -math.inf, high: float = math.inf, weights: Any = None
) -> Tensor:
    """CRPS of weighted samples between two thresholds: that of the clamped samples and label, exact.

    Args:
        samples: ``(B, M)``.
        y: labels ``(B,)``.
        low: where it begins to count.
        high: where it ends.
        weights: not negative, with sum 1 per item, ``(B, M)``; None is 1/M each.

    Returns:
        ``(B,)``, in the unit of y; the CRPS where the thresholds are infinite.

    Raises:
        ShapeError: if the shapes do not fit.
        DomainError: (a ValueError) if `low` is not below `high`, or an entry is NaN or infinite.

    Source: Allen, Ginsbourger and Ziegel, SIAM/ASA JUQ 2023 (the chaining function of an indicator).
    """
    low, high = require_thresholds(low, high)
    given = None if weights is None else _weights(weights)
    return crps_from_samples(
        _real("samples", samples).clamp(low, high), _real("y", y).clamp(low, high), given
    )


def energy_score_from_samples(samples: Any, y: Any, weights: Any = None, *, fair: bool = False) -> Tensor:
    """Energy score of weighted samples, ``E|X - y| - E|X - X'| / 2`` with Euclidean distances.

    For D = 1 it is the CRPS. Time grows with the square of the number of samples.

    Args:
        samples: ``(B, M, D)``.
        y: labels ``(B, D)``.
        weights: not negative, with sum 1 per item, ``(B, M)``; None is 1/M each.
        fair: leave a sample's distance to itself out of the mean, which is unbiased for independent draws.

    Returns:
        ``(B,)``, in the unit of y: coordinates of different units are to be scaled first.

    Raises:
        ShapeError: if the shapes do not fit.
        DomainError: (a ValueError) if an entry is NaN or infinite, a weight negative, or one sample is all
            there is and `fair` is asked for.

    Source: Gneiting and Raftery, JASA 2007, section 4.3; Ferro, QJRMS 2014 for `fair`.
    """
    points, y = _real("samples", samples), _real("y", y)
    fits = points.ndim == 3 and points.shape[1] > 0 and y.shape == (points.shape[0], points.shape[2])
    if not fits:
        got = f"{tuple(points.shape)} and {tuple(y.shape)}"
        raise ShapeError(f"expected samples (B, M >= 1, D) and y (B, D), got {got}.")
    share = points.new_full(points.shape[:2], 1 / points.shape[1]) if weights is None else _weights(weights)
    if share.shape != points.shape[:2]:
        raise ShapeError(f"expected weights of shape {tuple(points.shape[:2])}, got {tuple(share.shape)}.")
    apart = _mean_distance(points, share)
    if fair:
        others = 1 - share.square().sum(-1)
        if bool((others <= 0).any()):
            raise DomainError("fair needs at least two samples with weight per item.")
        apart = apart / others
    return (share * torch.linalg.vector_norm(points - y[:, None], dim=-1)).sum(-1) - apart / 2


def require_thresholds(low: float, high: float) -> tuple[float, float]:
    """Both as Python's numbers if `low` is below `high`; they may be infinite.

    Raises:
        DomainError: (a ValueError) otherwise.
    """
    first, last = require_number("low", low), require_number("high", high)
    if not first < last:
        raise DomainError(f"low must be below high, got low={first!r} and high={last!r}.")
    return first, last


def _mean_distance(points: Tensor, share: Tensor) -> Tensor:
    """E|X - X'|, ``(B, M, D), (B, M) -> (B,)``."""
    batch, count = share.shape
    step = max(1, min(count, MOST_DISTANCES // count))
    rows = max(1, MOST_DISTANCES // (step * count))
    result = points.new_zeros(batch)
    for first in range(0, batch, rows):
        chosen, weight = points[first : first + rows], share[first : first + rows]
        for start in range(0, count, step):
            block = chosen[:, start : start + step]
            distance = torch.cdist(block, chosen, compute_mode="donot_use_mm_for_euclid_dist")
            near = torch.einsum("bi,bij,bj->b", weight[:, start : start + step], distance, weight)
            result[first : first + rows] += near
    return result


def _real(name: str, values: Any) -> Tensor:
    """Finite numbers in float64, a tensor on its own device."""
    result = number_tensor(name, values, torch.float64)
    require_finite(name, result)
    return result


def _weights(values: Any) -> Tensor:
    result = _real("weights", values)
    total = result.sum(-1)
    if bool((result < 0).any()) or not torch.allclose(total, torch.ones_like(total), atol=1e-4):
        raise DomainError("weights must not be negative and add up to 1 per item.")
    return result
