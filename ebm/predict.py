"""Prediction: gradient ascent on the score f(x, y) over y, in target space or on boxes."""

from dataclasses import replace
from typing import Literal

import torch
from torch import Tensor

from ebm.ascent import Ascent, RefineResult, ScoreFunction, ScoreWithGradient
from ebm.boxes import rect_to_rel, rel_to_rect
from ebm.checks import checks_values, float_dtype, require_count, require_finite, require_last_dim
from ebm.exceptions import DomainError, ShapeError
from ebm.lookup import unknown_name

__all__ = [
    "BoxSpace",
    "RefineResult",
    "ScoreFunction",
    "ScoreWithGradient",
    "StepLength",
    "gradient_ascent",
    "refine_boxes",
]

BoxSpace = Literal["relative", "default"]
StepLength = float | tuple[float, ...] | Tensor


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
    _require_rule(steps, decay)
    if init.ndim < 1:
        raise ShapeError("expected init of shape (B, D) or (B, S, D), got a scalar.")
    require_finite("init", init, validate)
    with torch.inference_mode(False):  # an outer inference mode would forbid gradients
        y = init.detach().clone().to(float_dtype(init))
        lam = _step_lengths(step_length, y)
        ascent = Ascent(score_fn=score_fn, decay=decay, accept_ties=accept_ties, validate=validate)
        if backtrack:
            return ascent.backtrack(y, lam, steps)
        result = ascent.keep_all(y, lam, steps)
        return replace(result, score=ascent.score_at(result.y))


def refine_boxes(
    score_fn: ScoreFunction,
    boxes: Tensor,
    *,
    space: BoxSpace = "relative",
    steps: int,
    step_length: StepLength,
    decay: float = 1.0,
    backtrack: bool = False,
    on_decrease: Literal["keep", "undo"] = "keep",
    validate: bool | None = None,
) -> tuple[Tensor, Tensor]:
    """Refine candidate boxes of one target by gradient ascent, as the published trackers do.

    Space ``"relative"`` ascends in relative coordinates, all normalised by the size of box 0; ``"default"``
    moves (x, y, w, h) by ``step_length * grad * (w, h, w, h)``.

    Args:
        score_fn: scores of boxes xywh px, ``(S, 4) -> (S,)``; a `ScoreWithGradient` is not differentiated.
        boxes: starts xywh, px, ``(S, 4)``; S may be 0.
        space: where to ascend.
        steps: T >= 0.
        step_length: one number, or a pair (position, size).
        decay: factor in (0, 1] for the step length.
        backtrack: Algorithm S1 instead, see `gradient_ascent`; the score never falls.
        on_decrease: without `backtrack`, ``"keep"`` takes every step and decays every time (DiMP);
            ``"undo"`` takes back a step that lowered the score and decays only then (ATOM).
        validate: look at the values of `boxes`; None means on CPU tensors only.

    Returns:
        Boxes ``(S, 4)`` and scores ``(S,)``. Without `backtrack` the scores are those from before the last
        update, which the published trackers rank by; with it they are those of the boxes returned.

    Raises:
        ShapeError: if the shapes do not fit.
        DomainError: (a ValueError) if a box has no area, or an option is out of its domain.
        UnknownNameError: (a ValueError) for another space or rule.

    Source: Danelljan et al., CVPR 2019 (ATOM) and CVPR 2020 (PrDiMP).
    """
    _require_rule(steps, decay)
    require_last_dim("boxes", boxes, 4, "(S, 4)", rank=2)
    _require_one_of("box space", space, "relative", "default")
    _require_one_of("on_decrease rule", on_decrease, "keep", "undo")
    if backtrack and on_decrease == "undo":
        raise DomainError("backtrack=True and on_decrease='undo' are two different rules: choose one.")
    with torch.inference_mode(False):  # an outer inference mode would forbid gradients
        rects = boxes.detach().clone().to(float_dtype(boxes))
        if rects.shape[0] == 0:
            return rects, rects.new_zeros(0)
        size = rects[0, 2:]
        start = rect_to_rel(rects, size, validate=validate)
        ascent = Ascent(score_fn=score_fn, decay=decay, validate=validate)
        if space == "relative":
            ascent = replace(
                ascent,
                decode=lambda rel: rel_to_rect(rel, size),
                pull_back=lambda rect, gradient: _relative_gradient(rect, size, gradient),
            )
        else:
            ascent, start = replace(ascent, metric=lambda rect: rect[..., 2:].repeat(1, 2)), rects
        rule = ascent.undo_decreases if on_decrease == "undo" else ascent.keep_all
        if backtrack:
            rule = ascent.backtrack
        result = rule(start, _step_lengths(_expand_pair(step_length), start), steps)
        return ascent.decode(result.y), result.score


def _relative_gradient(rect: Tensor, size: Tensor, gradient: Tensor) -> Tensor:
    """Gradient in relative coordinates of a gradient in xywh ``(..., 4)``, at the boxes `rect`."""
    position, extent = gradient[..., :2], gradient[..., 2:]
    return torch.cat((position * size, (extent - 0.5 * position) * rect[..., 2:]), dim=-1)


def _require_rule(steps: int, decay: float) -> None:
    require_count("steps", steps, least=0)
    if not 0 < decay <= 1:
        raise DomainError(f"decay must lie in (0, 1], got {decay!r}.")


def _require_one_of(kind: str, name: str, *known: str) -> None:
    if name not in known:
        raise unknown_name(kind, str(name), known)


def _expand_pair(step_length: StepLength) -> StepLength:
    """A (position, size) pair as four numbers; one number as it is."""
    if isinstance(step_length, Tensor):
        step_length = tuple(step_length.tolist()) if step_length.ndim else step_length.item()
    if isinstance(step_length, int | float):
        return step_length
    if len(step_length) != 2:
        raise ShapeError(f"expected one step length or a (position, size) pair, got {step_length!r}.")
    position, size = step_length
    return (position, position, size, size)


def _step_lengths(step_length: StepLength, y: Tensor) -> Tensor:
    """Step lengths of the shape of `y`."""
    lam = torch.as_tensor(step_length, dtype=y.dtype)
    if checks_values(lam, None) and not bool((lam.isfinite() & (lam > 0)).all()):
        raise DomainError(f"step_length must be finite and > 0, got {step_length!r}.")
    try:
        return lam.to(y.device).broadcast_to(y.shape)
    except RuntimeError as error:
        message = f"step_length of shape {tuple(lam.shape)} does not broadcast to {tuple(y.shape)}."
        raise ShapeError(message) from error
