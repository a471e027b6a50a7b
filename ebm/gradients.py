"""Scores together with their gradient in y, and models whose parameters stand still meanwhile."""

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, NamedTuple, Protocol, runtime_checkable

import torch
from torch import Tensor, nn

from ebm.exceptions import DomainError, ShapeError

__all__ = [
    "ScoreFunction",
    "ScoreWithArrays",
    "ScoreWithGradient",
    "ScoreWithTrainedGradient",
    "ScoredPoint",
    "frozen_parameters",
    "score_and_gradient",
    "score_and_trained_gradient",
]

ScoreFunction = Callable[[Tensor], Tensor]


@runtime_checkable
class ScoreWithGradient(Protocol):
    """A score function that also knows its gradient; ascents and chains then build no graph."""

    def __call__(self, y: Tensor) -> Tensor:
        """Scores ``(*)`` of targets ``(*, D)``."""

    def value_and_gradient(self, y: Tensor) -> tuple[Tensor, Tensor]:
        """Scores ``(*)`` of targets ``(*, D)``, and their gradient ``(*, D)``."""


@runtime_checkable
class ScoreWithTrainedGradient(Protocol):
    """A score function whose gradient in y can be had differentiable in parameters, though not in y again."""

    def __call__(self, y: Tensor) -> Tensor:
        """Scores ``(*)`` of targets ``(*, D)``."""

    def value_and_trained_gradient(self, y: Tensor) -> tuple[Tensor, Tensor]:
        """Scores ``(*)`` of targets ``(*, D)``, detached, and their gradient ``(*, D)``."""


class ScoreWithArrays(ABC):
    """A `ScoreWithGradient` that can be had for numpy's arrays too; ascents of a few numbers ask for that."""

    @abstractmethod
    def on_arrays(self, y: Tensor) -> Any:
        """The same score and gradient, of and as numpy arrays of the shape and the dtype of targets `y`.

        None where it cannot be had, or where torch's operations on so many numbers are the faster ones.
        """


class ScoredPoint(NamedTuple):
    """Scores and their gradient at a point.

    Attributes:
        y: where, a leaf of the graph, ``(*, D)``.
        score: ``(*)``.
        gradient: of each score in its own y, ``(*, D)``.
    """

    y: Tensor
    score: Tensor
    gradient: Tensor


def score_and_gradient(score_fn: ScoreFunction, y: Tensor, *, create_graph: bool = False) -> ScoredPoint:
    """f and grad f at `y`, also where the caller has switched gradients off.

    Args:
        score_fn: ``(*, D) -> (*)``, differentiable; one score must depend on one target only. A
            `ScoreWithGradient` is asked for its gradient unless a graph is wanted.
        y: targets ``(*, D)``; no gradient flows into them.
        create_graph: keep the gradient differentiable, in parameters and in the `y` that is returned;
            otherwise everything returned is detached.

    Raises:
        ShapeError: if the scores' shape is not ``(*)``.
        DomainError: if the scores do not depend on y.
    """
    if not create_graph and isinstance(score_fn, ScoreWithGradient):
        with torch.no_grad():
            score, gradient = score_fn.value_and_gradient(y)
        _require_shape(score, y)
        return ScoredPoint(y, score, gradient)
    with torch.enable_grad():
        at = y.detach().requires_grad_()
        score = score_fn(at)
        _require_shape(score, y)
        slope: Tensor | None = None
        if score.requires_grad:
            (slope,) = torch.autograd.grad(score.sum(), at, create_graph=create_graph, allow_unused=True)
        if slope is None:
            raise DomainError("the score does not depend on y through differentiable operations.")
    return ScoredPoint(at, score if create_graph else score.detach(), slope)


def score_and_trained_gradient(score_fn: ScoreFunction, y: Tensor) -> ScoredPoint:
    """f and grad f at `y`, grad f differentiable in parameters; nothing else needs to be.

    Args:
        score_fn: ``(*, D) -> (*)``, twice differentiable, or a `ScoreWithTrainedGradient`.
        y: targets ``(*, D)``; no gradient flows into them.

    Raises:
        ShapeError: if the scores' shape is not ``(*)``.
        DomainError: if the scores do not depend on y.
    """
    if not isinstance(score_fn, ScoreWithTrainedGradient):
        return score_and_gradient(score_fn, y, create_graph=True)
    score, gradient = score_fn.value_and_trained_gradient(y)
    _require_shape(score, y)
    return ScoredPoint(y, score, gradient)


@contextmanager
def frozen_parameters(module: nn.Module) -> Iterator[None]:
    """Within it no parameter of `module` asks for a gradient, so that graphs hold nothing for their sake."""
    live = [parameter for parameter in module.parameters() if parameter.requires_grad]
    for parameter in live:
        parameter.requires_grad_(False)
    try:
        yield
    finally:
        for parameter in live:
            parameter.requires_grad_(True)


def _require_shape(score: Tensor, y: Tensor) -> None:
    if score.shape != y.shape[:-1]:
        raise ShapeError(f"expected scores of shape {tuple(y.shape[:-1])}, got {tuple(score.shape)}.")
