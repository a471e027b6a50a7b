"""Scores together with their gradient in y, and models whose parameters stand still meanwhile."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import NamedTuple

import torch
from torch import Tensor, nn

from ebm.exceptions import DomainError, ShapeError

__all__ = ["ScoredPoint", "frozen_parameters", "score_and_gradient"]


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


def score_and_gradient(
    score_fn: Callable[[Tensor], Tensor], y: Tensor, *, create_graph: bool = False
) -> ScoredPoint:
    """f and grad f at `y`, also where the caller has switched gradients off.

    Args:
        score_fn: ``(*, D) -> (*)``, differentiable; one score must depend on one target only.
        y: targets ``(*, D)``; no gradient flows into them.
        create_graph: keep the gradient differentiable, in parameters and in the `y` that is returned;
            otherwise everything returned is detached.

    Raises:
        ShapeError: if the scores' shape is not ``(*)``.
        DomainError: if the scores do not depend on y.
    """
    with torch.enable_grad():
        at = y.detach().requires_grad_()
        score = score_fn(at)
        if score.shape != y.shape[:-1]:
            raise ShapeError(f"expected scores of shape {tuple(y.shape[:-1])}, got {tuple(score.shape)}.")
        gradient = None
        if score.requires_grad:
            (gradient,) = torch.autograd.grad(score.sum(), at, create_graph=create_graph, allow_unused=True)
        if gradient is None:
            raise DomainError("the score does not depend on y through differentiable operations.")
    return ScoredPoint(at, score if create_graph else score.detach(), gradient)


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
