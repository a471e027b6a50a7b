"""Refinement of candidate boxes by gradient ascent on their score, as the published trackers do it."""

from dataclasses import replace
from typing import Literal

import torch
from torch import Tensor

from ebm.ascent import Ascent, ScoreFunction, StepLength, require_rule, step_lengths
from ebm.boxes import rect_to_rel, rel_to_rect
from ebm.checks import float_dtype, require_last_dim
from ebm.exceptions import DomainError, ShapeError
from ebm.lookup import unknown_name
from ebm.numbers import plain

__all__ = ["BoxSpace", "refine_boxes", "relative_gradient"]

BoxSpace = Literal["relative", "default"]


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
    sizes: Tensor | None = None,
    validate: bool | None = None,
) -> tuple[Tensor, Tensor]:
    """Refine candidate boxes of one target, or of several, by gradient ascent, as the published trackers do.

    Space ``"relative"`` ascends in relative coordinates, normalised by the size of box 0; ``"default"``
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
        sizes: widths and heights that space ``"relative"`` normalises by, px, ``(S, 2)``; None means those
            of box 0. Boxes of several targets have those of their own target's first box.
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
    steps, decay = require_rule(steps, decay)
    require_last_dim("boxes", boxes, 4, "(S, 4)", rank=2)
    _require_one_of("box space", space, "relative", "default")
    _require_one_of("on_decrease rule", on_decrease, "keep", "undo")
    if backtrack and on_decrease == "undo":
        raise DomainError("backtrack=True and on_decrease='undo' are two different rules: choose one.")
    with torch.inference_mode(False):  # an outer inference mode would forbid gradients
        rects = boxes.detach().clone().to(float_dtype(boxes))
        if rects.shape[0] == 0:
            return rects, rects.new_zeros(0)
        size = rects[0, 2:] if sizes is None else sizes.to(rects)
        start = rect_to_rel(rects, size, validate=validate)
        ascent = Ascent(score_fn=score_fn, decay=decay, validate=validate)
        if space == "relative":
            ascent = replace(
                ascent,
                decode=lambda rel: rel_to_rect(rel, size),
                pull_back=lambda rect, gradient: relative_gradient(rect, size, gradient),
            )
        else:
            ascent, start = replace(ascent, metric=lambda rect: rect[..., 2:].repeat(1, 2)), rects
        rule = ascent.undo_decreases if on_decrease == "undo" else ascent.keep_all
        if backtrack:
            rule = ascent.backtrack
        result = rule(start, step_lengths(_expand_pair(step_length), start), steps)
        return ascent.decode(result.y), result.score


def relative_gradient(rect: Tensor, size: Tensor, gradient: Tensor) -> Tensor:
    """Gradient in relative coordinates of a gradient in xywh.

    Args:
        rect: boxes xywh, px, where it was taken, ``(..., 4)``.
        size: reference width and height, px, ``(..., 2)``.
        gradient: in xywh, ``(..., 4)``.
    """
    position, extent = gradient[..., :2], gradient[..., 2:]
    return torch.cat((position * size, (extent - 0.5 * position) * rect[..., 2:]), dim=-1)


def _require_one_of(kind: str, name: str, *known: str) -> None:
    if name not in known:
        raise unknown_name(kind, str(name), known)


def _expand_pair(step_length: StepLength) -> StepLength:
    """A (position, size) pair as four numbers; one number as it is."""
    step_length = plain(step_length)
    if not isinstance(step_length, list):
        return step_length
    if len(step_length) != 2:
        raise ShapeError(f"expected one step length or a (position, size) pair, got {step_length!r}.")
    position, size = step_length
    return (position, position, size, size)
