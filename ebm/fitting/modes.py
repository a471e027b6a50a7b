"""Modes of many scores at once, and how wide each of them is: quasi-Newton ascent from several starts."""

from collections.abc import Callable
from typing import NamedTuple

import torch
from torch import Tensor

from ebm.density.scoring import DEFAULT_CHUNK, score_in_chunks
from ebm.gradients import score_and_gradient

__all__ = ["Modes", "ascend", "find_modes"]

Score = Callable[[Tensor], Tensor]

# Lengths are in standard deviations of the targets.
LONGEST_STEP = 1.0
# Of the first step, as a multiple of the slope.
FIRST_STEP = 0.01
# A mode counts as no narrower and no wider than this.
NARROWEST, WIDEST = 1e-4, 2.0


class Modes(NamedTuple):
    """Where ascents ended.

    Attributes:
        places: ``(B, K, D)``.
        scores: nats, ``(B, K)``.
        covariances: inverse curvature of the score, ``(B, K, D, D)``, in the square of the places' unit; its
            eigenvalues are kept between the squares of `NARROWEST` and `WIDEST`.
    """

    places: Tensor
    scores: Tensor
    covariances: Tensor


def find_modes(score: Score, starts: Tensor, around: Tensor, *, stages: tuple[int, ...], count: int) -> Modes:
    """Ascend from every start, then from around the best mode, and again with what the curvature says.

    Args:
        score: ``(B, M, D) -> (B, M)``, differentiable.
        starts: ``(B, S, D)``.
        around: offsets from the best mode of further starts, ``(A, D)``: other modes lie on any side of it.
        stages: steps of each ascent.
        count: K, modes to go on with after the first stage; the different ones first, then the highest.

    Returns:
        K modes per row, or S + A where these are fewer; several may be one and the same.

    Raises:
        DomainError: if the score does not depend on its targets.
        NumericalError: if a score half-way between two of the places is NaN or +inf.
    """
    dim = starts.shape[-1]
    y, value, inverse = ascend(score, starts, None, stages[0])
    further = _rows_of(y, value.argmax(1, keepdim=True)) + around
    found = ascend(score, further, None, stages[0])
    y, value, inverse = (torch.cat(both, 1) for both in zip((y, value, inverse), found))
    kept = _different(score, y, value, min(count, y.shape[1]))
    value, y = value.gather(1, kept), _rows_of(y, kept)
    inverse = _covariances(score, y, _rows_of(inverse.flatten(2), kept).unflatten(2, (dim, dim)))
    for steps in stages[1:]:
        y, value, inverse = ascend(score, y, inverse, steps)
        inverse = _covariances(score, y, inverse)
    return Modes(y, value, inverse)


def _different(score: Score, y: Tensor, value: Tensor, count: int) -> Tensor:
    """Which `count` of the places to keep, ``(B, count)``: two are of one mode if no valley lies between."""
    order = value.argsort(1, descending=True)
    y, value = _rows_of(y, order), value.gather(1, order)
    batch, starts, dim = y.shape
    half_way = (0.5 * (y[:, :, None] + y[:, None])).reshape(batch, starts**2, dim)
    half_way = score_in_chunks(score, half_way, batch, DEFAULT_CHUNK)
    joined = half_way.reshape(batch, starts, starts) >= value[:, :, None]  # with one that is higher
    again = joined.tril(-1).any(2)
    rank = torch.arange(starts, device=y.device) + starts * again
    return order.gather(1, rank.topk(count, dim=1, largest=False).indices)


def _rows_of(values: Tensor, index: Tensor) -> Tensor:
    """Entries ``(B, k, n)`` of ``(B, K, n)`` by their indices ``(B, k)``."""
    return values.gather(1, index[..., None].expand(-1, -1, values.shape[-1]))


def ascend(score: Score, y: Tensor, inverse: Tensor | None, steps: int) -> tuple[Tensor, Tensor, Tensor]:
    """Quasi-Newton steps (BFGS); one that does not improve is undone and the next one half as long.

    Args:
        score: see `find_modes`.
        y: starts ``(B, K, D)``, in standard deviations of the targets.
        inverse: of the curvature, ``(B, K, D, D)``; None where nothing is known of it.
        steps: how many, each one score with its gradient of all places.

    Returns:
        Places ``(B, K, D)``, never less likely than the starts; their scores ``(B, K)``; and what was learned
        of the inverse curvature ``(B, K, D, D)``. All without a graph.

    Raises:
        DomainError: if the score does not depend on its targets.

    Source: Nocedal and Wright, "Numerical Optimization", 2006, eq. 6.17 (BFGS) and 6.20 (the first scale).
    """
    guessed = inverse is None
    if inverse is None:
        first = FIRST_STEP * torch.eye(y.shape[-1], dtype=y.dtype, device=y.device)
        inverse = first.expand(*y.shape, y.shape[-1])
    y, value, slope = score_and_gradient(score, y)
    length = torch.ones_like(value)
    for step in range(steps):
        move = torch.einsum("bkde,bke->bkd", inverse, slope)
        norm = move.norm(dim=-1, keepdim=True)
        move = move * (LONGEST_STEP / norm.clamp(min=LONGEST_STEP)) * length[..., None]
        new, new_value, new_slope = score_and_gradient(score, y + move)
        better = new_value > value  # NaN is not
        inverse = _updated(inverse, move, slope - new_slope, first=guessed and step == 0)
        y = torch.where(better[..., None], new, y)
        slope = torch.where(better[..., None], new_slope, slope)
        value = torch.where(better, new_value, value)
        length = torch.where(better, (2 * length).clamp(max=1), 0.5 * length)
    return y.detach(), value, inverse


def _updated(inverse: Tensor, move: Tensor, bent: Tensor, *, first: bool) -> Tensor:
    """The inverse curvature after a step along which the slope changed; as it was where that says nothing.

    Args:
        inverse: ``(B, K, D, D)``.
        move: ``(B, K, D)``.
        bent: slope before minus slope after, ``(B, K, D)``.
        first: the scale of `inverse` is a guess.
    """
    along, square = (move * bent).sum(-1), bent.square().sum(-1)
    useful = bent.isfinite().all(-1) & (along > 1e-6 * move.norm(dim=-1) * square.sqrt()) & (along > 1e-12)
    along, square = torch.where(useful, along, 1.0), torch.where(useful & (square > 0), square, 1.0)
    eye = torch.eye(move.shape[-1], dtype=move.dtype, device=move.device)
    base = (along / square)[..., None, None] * eye if first else inverse
    turn = eye - move[..., :, None] * bent[..., None, :] / along[..., None, None]
    outer = move[..., :, None] * move[..., None, :] / along[..., None, None]
    return torch.where(useful[..., None, None], turn @ base @ turn.mT + outer, inverse)


def _covariances(score: Score, y: Tensor, inverse: Tensor) -> Tensor:
    """Inverse curvature at `y`, from slopes about half a standard deviation to either side."""
    batch, count, dim = y.shape
    width = inverse.diagonal(dim1=-2, dim2=-1).clamp(NARROWEST**2, WIDEST**2).sqrt()
    shifts = torch.diag_embed(0.5 * width)
    both = torch.stack((y[:, :, None] + shifts, y[:, :, None] - shifts), 2)
    slope = score_and_gradient(score, both.reshape(batch, 2 * count * dim, dim)).gradient
    up, down = slope.reshape(batch, count, 2, dim, dim).unbind(2)
    curvature = (down - up) / width[..., None]
    curvature = torch.nan_to_num(0.5 * (curvature + curvature.mT))
    values, vectors = torch.linalg.eigh(curvature)
    return (vectors / values.clamp(WIDEST**-2, NARROWEST**-2)[..., None, :]) @ vectors.mT
