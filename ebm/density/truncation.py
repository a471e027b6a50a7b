"""Whether a grid ends before the density does."""

import math
import warnings
from collections.abc import Sequence

import torch
from torch import Tensor

from ebm.density.axes import Axis
from ebm.density.scoring import BatchScore, score_in_chunks
from ebm.exceptions import NumericalError, TruncationWarning

__all__ = ["EDGE_SHARE", "BoundedScore", "warn_truncated"]

# Density at the edge, as a share of the mode's, from which on a grid counts as too narrow. A Gaussian has it
# 3.03 standard deviations from its mean: a grid that ends there misses 0.12 % on that side.
EDGE_SHARE = 0.01


class BoundedScore:
    """Scores that are -inf beyond the first and the last point of every axis.

    Args:
        score_fn: ``(B, M, D) -> (B, M)``.
        axes: D axes.
    """

    def __init__(self, score_fn: BatchScore, axes: Sequence[Axis]) -> None:
        self.score_fn = score_fn
        self.ends = [(axis.points[:, :1], axis.points[:, -1:]) for axis in axes]

    def __call__(self, y: Tensor) -> Tensor:
        """Scores of targets ``(B, M, D)``; those outside are asked for at the nearest point inside."""
        columns = [y[..., d].clamp(low.to(y), high.to(y)) for d, (low, high) in enumerate(self.ends)]
        inside = torch.stack(columns, -1)
        return torch.where((inside == y).all(-1), self.score_fn(inside), -math.inf)


def warn_truncated(score_fn: BatchScore, axes: Sequence[Axis], scores: Tensor, chunk: int) -> None:
    """Warn where a density is still high at an end of the grid and goes on beyond it.

    An end beyond which the score is -inf, NaN or +inf is a border of the targets, not of the grid.

    Args:
        score_fn: ``(B, M, D) -> (B, M)``, asked only for items with a high edge.
        axes: D axes.
        scores: at the grid points, ``(B, G_1, ..., G_D)``.
        chunk: most scores asked for in one call.

    Warns:
        TruncationWarning: with the number of items and the worst of them.
    """
    batch = scores.shape[0]
    if batch == 0:
        return
    mode = scores.flatten(1).amax(1)
    share = torch.stack([face.amax(1) for face in _faces(scores)], 1).sub(mode[:, None]).exp()
    if not bool((share > EDGE_SHARE).any()):
        return
    share = torch.where(_goes_on(score_fn, _beyond(axes, scores), batch, chunk), share, 0)
    worst = share.amax(1)
    bad = worst > EDGE_SHARE
    if not bool(bad.any()):
        return
    item = int(worst.argmax())
    warnings.warn(
        f"{int(bad.sum())} of {batch} densities go on beyond the grid (item {item}: "
        f"{worst[item].item():.1%} of the mode's density is left at its edge); widen the grid, or pass "
        "bounded=True if no target can lie outside.",
        TruncationWarning,
        stacklevel=4,
    )


def _faces(scores: Tensor) -> list[Tensor]:
    """Scores on the first and the last layer of every dimension, 2 D tensors ``(B, N)``."""
    batch = scores.shape[0]
    return [scores.select(d, end).reshape(batch, -1) for d in range(1, scores.ndim) for end in (0, -1)]


def _beyond(axes: Sequence[Axis], scores: Tensor) -> Tensor:
    """For every face, the place one cell outwards of its highest point, ``(B, 2 D, D)``."""
    batch, sizes = scores.shape[0], scores.shape[1:]
    places = []
    for face in range(2 * len(axes)):
        d, end = divmod(face, 2)
        others = [size for i, size in enumerate(sizes) if i != d]
        best = scores.select(d + 1, -end).reshape(batch, -1).argmax(1)
        index = list(torch.unravel_index(best, others)) if others else []
        index.insert(d, torch.full_like(best, end * (sizes[d] - 1)))
        place = [a.points.expand(batch, -1).gather(1, i[:, None])[:, 0] for a, i in zip(axes, index)]
        points = axes[d].points.expand(batch, -1)
        place[d] = points[:, -1] * 2 - points[:, -2] if end else points[:, 0] * 2 - points[:, 1]
        places.append(torch.stack(place, -1))
    return torch.stack(places, 1)


def _goes_on(score_fn: BatchScore, places: Tensor, batch: int, chunk: int) -> Tensor:
    """Whether there is density at places ``(B, F, D)``, ``(B, F)``; a score that fails there says no."""
    answers = []
    for face in places.unbind(1):
        try:
            answers.append(score_in_chunks(score_fn, face[:, None], batch, chunk)[:, 0] > -math.inf)
        except (NumericalError, ValueError):  # the function is not defined out there: for one item at least
            answers.append(torch.zeros(batch, dtype=torch.bool, device=places.device))
    return torch.stack(answers, 1)
