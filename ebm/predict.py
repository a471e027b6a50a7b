"""Prediction: gradient ascent on the score f(x, y) over y, in target space or on boxes."""

import math
from dataclasses import replace

import torch
from torch import Tensor

from ebm.ascent import (
    Ascent,
    RefineResult,
    ScoreFunction,
    ScoreWithGradient,
    StepLength,
    require_rule,
    step_lengths,
)
from ebm.box_ascent import BoxSpace, refine_boxes
from ebm.checks import float_dtype, require_finite
from ebm.exceptions import DomainError, ShapeError

__all__ = [
    "BoxSpace",
    "RefineResult",
    "ScoreFunction",
    "ScoreWithGradient",
    "StepLength",
    "gradient_ascent",
    "gradient_ascent_early_stop",
    "refine_boxes",
]


def gradient_ascent(
    score_fn: ScoreFunction,
    init: Tensor,
    *,
    steps: int = 10,
    step_length: StepLength,
    decay: float = 0.5,
    backtrack: bool = True,
    accept_ties: bool = False,
    validate: bool | None = None,
) -> RefineResult:
    """Ascend the score from every start by ``y + step_length * grad f``.

    With `backtrack` (the papers' Algorithm S1) a step is kept only if the score rises, otherwise undone and
    that start's step length multiplied by `decay`: the score never falls. Without it every step is kept and
    the length decays every time. A step whose gradient or new score is not finite counts as refused.

    Args:
        score_fn: ``(*, D) -> (*)``, differentiable in its argument; called with the shape of `init`.
        init: starts ``(B, D)`` or ``(B, S, D)``; any number of leading dimensions works, and any may be 0.
        steps: T >= 0; 0 scores the starts.
        step_length: one number, D numbers, or a tensor that broadcasts against `init`.
        decay: factor in (0, 1].
        backtrack: keep only improving steps.
        accept_ties: also keep steps that leave the score equal, as the authors' code does.
        validate: look for non-finite starts and first scores; None means on CPU tensors only.

    Raises:
        ShapeError: if `init` has no target dimension or the scores' shape is not ``(*)``.
        DomainError: (a ValueError) if `steps`, `decay` or `step_length` is out of its domain.
        NumericalError: if the score of a start is not finite.

    Source: Gustafsson et al., ECCV 2020 supplement, Algorithm S1.
    """
    require_rule(steps, decay)
    with torch.inference_mode(False):  # an outer inference mode would forbid gradients
        y = _starts(init, validate)
        lam = step_lengths(step_length, y)
        ascent = Ascent(score_fn=score_fn, decay=decay, accept_ties=accept_ties, validate=validate)
        if backtrack:
            return ascent.backtrack(y, lam, steps)
        result = ascent.keep_all(y, lam, steps)
        return replace(result, score=ascent.score_at(result.y))


def gradient_ascent_early_stop(
    score_fn: ScoreFunction,
    init: Tensor,
    *,
    steps: int = 5,
    step_length: StepLength,
    tol_improve: float = 1e-3,
    tol_degenerate: float = -1e-2,
    revert_on_degeneration: bool = False,
    validate: bool | None = None,
) -> RefineResult:
    """Ascend the score until a step hardly changes it or makes it clearly worse (Algorithm S2).

    After ``y <- y + step_length * grad f`` a start stops where ``|gain| < tol_improve`` or
    ``gain < tol_degenerate``, and keeps the updated y, as printed, even if that step was the worsening one.
    The others go on. A step to a non-finite y or score is refused and ends its start.

    Args:
        score_fn: ``(*, D) -> (*)``, differentiable in its argument; called with the shape of `init`.
        init: starts ``(B, D)`` or ``(B, S, D)``; any number of leading dimensions works, and any may be 0.
        steps: T >= 0; 0 scores the starts.
        step_length: one number, D numbers, or a tensor that broadcasts against `init`.
        tol_improve: Omega_1 of the paper, at least 0, in the unit of the score.
        tol_degenerate: Omega_2, at most 0.
        revert_on_degeneration: go back to the y before a step with ``gain < tol_degenerate``.
        validate: look for non-finite starts and first scores; None means on CPU tensors only.

    Raises:
        ShapeError: if `init` has no target dimension or the scores' shape is not ``(*)``.
        DomainError: (a ValueError) if `steps`, `step_length` or a tolerance is out of its domain.
        NumericalError: if the score of a start is not finite.

    Source: Gustafsson et al., ECCV 2020 supplement, Algorithm S2.
    """
    require_rule(steps, decay=1.0)
    if not (math.isfinite(tol_improve) and tol_improve >= 0):
        raise DomainError(f"tol_improve must be finite and >= 0, got {tol_improve!r}.")
    if not (math.isfinite(tol_degenerate) and tol_degenerate <= 0):
        raise DomainError(f"tol_degenerate must be finite and <= 0, got {tol_degenerate!r}.")
    with torch.inference_mode(False):  # an outer inference mode would forbid gradients
        y = _starts(init, validate)
        ascent = Ascent(score_fn=score_fn, decay=1.0, validate=validate)
        return ascent.stop_early(
            y,
            step_lengths(step_length, y),
            steps,
            improve=tol_improve,
            degenerate=tol_degenerate,
            revert=revert_on_degeneration,
        )


def _starts(init: Tensor, validate: bool | None) -> Tensor:
    """A copy of the starts, float32 or wider, checked."""
    if init.ndim < 1:
        raise ShapeError("expected init of shape (B, D) or (B, S, D), got a scalar.")
    require_finite("init", init, validate)
    return init.detach().clone().to(float_dtype(init))
