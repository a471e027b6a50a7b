"""Scores of many candidates: in chunks, without a graph, checked."""

from collections.abc import Callable

import torch
from torch import Tensor

from ebm.checks import finite_range, float_dtype, require_count
from ebm.exceptions import NumericalError, ShapeError
from ebm.models import Features, tensors_of

__all__ = ["DEFAULT_CHUNK", "BatchScore", "batch_size_of", "score_in_chunks"]

BatchScore = Callable[[Tensor], Tensor]  # (B, M, D) -> (B, M)

# Large enough to keep a GPU busy, small enough that a layer of a few thousand units fits beside it.
DEFAULT_CHUNK = 2**16
# On a CPU a layer of 32 units on so many stays in the cache: four times as fast as one that leaves it.
CPU_CHUNK = 2**13


def score_in_chunks(score_fn: BatchScore, y: Tensor, batch: int, chunk: int) -> Tensor:
    """Scores of candidates, without a graph.

    Args:
        score_fn: ``(B, M, D) -> (B, M)``.
        y: candidates ``(B, N, D)``, or ``(1, N, D)`` where the batch shares them.
        batch: B; with 0 the function is not called.
        chunk: most scores asked for in one call, on a CPU no more than `CPU_CHUNK`; at least one candidate
            per item is.

    Returns:
        ``(B, N)``, float32 or wider.

    Raises:
        ShapeError: if a score has another shape than ``(B, M)``.
        NumericalError: if a score is NaN or +inf; -inf is a point without density.
    """
    if batch == 0:
        return y.new_zeros(0, y.shape[1])
    chunk = require_count("chunk", chunk)
    step = max(1, (min(chunk, CPU_CHUNK) if y.device.type == "cpu" else chunk) // batch)
    pieces = []
    with torch.no_grad():
        for piece in y.split(step, dim=1):
            # A shared grid becomes a real batch piece by piece: a network may want to view it as (B * M, D).
            score = score_fn(piece.expand(batch, -1, -1).contiguous())
            if score.shape != (batch, piece.shape[1]):
                expected = (batch, piece.shape[1])
                raise ShapeError(f"expected scores of shape (B, M) = {expected}, got {tuple(score.shape)}.")
            pieces.append(score.to(float_dtype(score)))
    scores = torch.cat(pieces, 1)
    # NaN and +inf survive a maximum, so one number per item is enough to look at.
    if not bool((scores.amax(-1) < torch.inf).all()):
        raise _bad_score(scores, y)
    return scores


def batch_size_of(features: Features, batch_size: int | None) -> int:
    """B, from the features' first dimension or as given.

    Raises:
        ShapeError: if the features hold no tensor and `batch_size` is None, or the two differ.
    """
    sizes = {tensor.shape[0] for tensor in tensors_of(features) if tensor.ndim}
    if batch_size is not None:
        sizes.add(batch_size)
    if len(sizes) != 1:
        raise ShapeError(
            f"the features must have one batch size, got {sorted(sizes)}."
            if sizes
            else "the features hold no tensor to read the batch size from; pass batch_size."
        )
    return sizes.pop()


def _bad_score(scores: Tensor, y: Tensor) -> NumericalError:
    item, point = (int(i) for i in (~(scores < torch.inf)).nonzero()[0])
    where = y[item if y.shape[0] > 1 else 0, point].tolist()
    return NumericalError(
        f"the score of item {item} at y = {where} is {scores[item, point].item()}; "
        f"finite scores: {finite_range(scores)}."
    )
