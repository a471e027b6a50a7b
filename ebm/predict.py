"""Prediction: gradient ascent on the score f(x, y) over y, in target space or on boxes."""

import math
from collections.abc import Callable, Mapping
from contextlib import nullcontext
from dataclasses import fields, replace
from functools import partial
from types import MappingProxyType
from typing import Any, Literal

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
from ebm.checks import float_dtype, require_count, require_finite, require_from_zero, require_last_dim
from ebm.exceptions import DomainError, ShapeError
from ebm.gradients import ScoreWithArrays, frozen_parameters
from ebm.lookup import lookup, unknown_name
from ebm.models import EnergyModel, map_tensors, require_fitting_features, require_working_dtype
from ebm.numbers import require_number

__all__ = [
    "BoxSpace",
    "RefineResult",
    "ScoreFunction",
    "ScoreWithGradient",
    "StepLength",
    "gradient_ascent",
    "gradient_ascent_early_stop",
    "refine",
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
        step_length: one number, D numbers, ``(B, D)`` for lengths per item, or a tensor of as many dimensions
            as `init` that broadcasts against it.
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
    steps, decay = require_rule(steps, decay)
    with torch.inference_mode(False):  # an outer inference mode would forbid gradients
        y = _starts(init, validate)
        lam = step_lengths(step_length, y)
        ascent = Ascent(score_fn=score_fn, decay=decay, accept_ties=accept_ties, validate=validate)
        if backtrack:
            return ascent.run(lambda own, y, lam: own.backtrack(y, lam, steps), y, lam)

        def keep_all(own: Ascent, y: Any, lam: Any) -> RefineResult:
            result = own.keep_all(y, lam, steps)
            return replace(result, score=own.score_at(result.y))

        return ascent.run(keep_all, y, lam)


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
        step_length: one number, D numbers, ``(B, D)`` for lengths per item, or a tensor of as many dimensions
            as `init` that broadcasts against it.
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
    steps, _ = require_rule(steps, decay=1.0)
    tol_improve = require_from_zero("tol_improve", tol_improve)
    tol_degenerate = require_number("tol_degenerate", tol_degenerate)
    if not (math.isfinite(tol_degenerate) and tol_degenerate <= 0):
        raise DomainError(f"tol_degenerate must be finite and <= 0, got {tol_degenerate!r}.")
    with torch.inference_mode(False):  # an outer inference mode would forbid gradients
        y = _starts(init, validate)
        ascent = Ascent(score_fn=score_fn, decay=1.0, validate=validate)
        tolerances = {"improve": tol_improve, "degenerate": tol_degenerate}

        def stop_early(own: Ascent, y: Any, lam: Any) -> RefineResult:
            return own.stop_early(y, lam, steps, revert=revert_on_degeneration, **tolerances)

        return ascent.run(stop_early, y, step_lengths(step_length, y))


METHODS: Mapping[str, Callable[..., RefineResult]] = MappingProxyType(
    {
        "s1": gradient_ascent,
        "s2": gradient_ascent_early_stop,
        "vanilla": partial(gradient_ascent, backtrack=False),
    }
)
_COMMON = ("steps", "step_length", "validate")
OPTIONS: Mapping[str, tuple[str, ...]] = MappingProxyType(
    {
        "s1": (*_COMMON, "decay", "accept_ties"),
        "s2": (*_COMMON, "tol_improve", "tol_degenerate", "revert_on_degeneration"),
        "vanilla": (*_COMMON, "decay"),
    }
)
SELECTIONS = ("argmax", "topk_mean", "all")


def refine(
    model: EnergyModel,
    x: Any,
    init: Tensor,
    *,
    method: Literal["s1", "s2", "vanilla"] = "s1",
    select: Literal["argmax", "topk_mean", "all"] = "argmax",
    k: int = 3,
    **options: Any,
) -> RefineResult:
    """Predict by ascending a model's score from one or several starts per input.

    Features are computed once and without a graph; the parameters are frozen meanwhile, and get no gradient.

    Args:
        model: the model.
        x: inputs, as ``model.extract`` takes them.
        init: starts ``(B, D)`` or ``(B, S, D)``, for example the predictions of a baseline.
        method: ``"s1"`` backtracks (`gradient_ascent`), ``"s2"`` stops early (`gradient_ascent_early_stop`),
            ``"vanilla"`` takes every step (`gradient_ascent` without backtracking, by default without decay).
        select: ``"argmax"`` returns the best refined start of each input; ``"topk_mean"`` the mean of the k
            best, scored anew; ``"all"`` every one, with shapes as `init`.
        k: how many to average, at most S.
        **options: `step_length` (needed), `steps`, `validate`; ``s1`` and ``vanilla``: `decay`; ``s1``:
            `accept_ties`; ``s2``: `tol_improve`, `tol_degenerate`, `revert_on_degeneration`.

    Returns:
        With ``"argmax"`` and ``"topk_mean"`` one prediction per input: `y` ``(B, D)`` and scores ``(B,)``;
        what a mean does not have (`init_score`, the numbers of steps) is the best start's.

    Raises:
        ShapeError: if the starts do not fit the model or the inputs, or there is none to choose from.
        TypeError: if devices or dtypes differ.
        DomainError: (a ValueError) for an option out of its domain.
        UnknownNameError: (a ValueError) for another method, selection or option.

    Source: Gustafsson et al., ECCV 2020, section 3.3; the mean of the best: Danelljan et al., CVPR 2019.
    """
    ascend = _method(method, options)
    if select not in SELECTIONS:
        raise unknown_name("selection", str(select), SELECTIONS)
    dim = model.target_dim
    require_last_dim("init", init, dim, f"(B, S, D={dim}) or (B, D={dim})", rank=2 if init.ndim == 2 else 3)
    starts = init[:, None] if init.ndim == 2 else init
    if select != "all" and starts.shape[1] == 0:
        raise ShapeError("expected at least one start per input to choose from, got init of shape (B, 0, D).")
    k = require_count("k", k)
    if select == "topk_mean" and k > starts.shape[1]:
        raise DomainError(f"k = {k} starts cannot be averaged: init has S = {starts.shape[1]} per input.")
    with torch.inference_mode(False):  # inference mode would forbid gradients
        with torch.no_grad():
            features = map_tensors(_plain, model.extract(x))
        require_fitting_features(features, init)
        require_working_dtype(model, features, "init", init)
        score_fn = model.score_function(features)
        closed = isinstance(score_fn, ScoreWithArrays | ScoreWithGradient)  # no graph then, nothing to freeze
        with nullcontext() if closed else frozen_parameters(model):
            result = ascend(score_fn, starts)
        if init.ndim == 2 or (select != "all" and starts.shape[1] == 1):
            return _at_start(result, lambda field: field[:, 0])
        return result if select == "all" else _best(score_fn, result, k if select == "topk_mean" else 1)


def _method(method: str, options: dict[str, Any]) -> Callable[..., RefineResult]:
    """The ascent of that name with its options; one that it would not use is an error."""
    rule = lookup("method", method, METHODS)
    for option in options:
        if option not in OPTIONS[method]:
            raise unknown_name(f"option of method {method!r}", option, OPTIONS[method])
    if "step_length" not in options:
        raise DomainError(f"method {method!r} needs step_length: how far to go per unit of gradient.")
    if method == "vanilla":
        options = {"decay": 1.0} | options
    return partial(rule, **options)


def _best(score_fn: ScoreFunction, result: RefineResult, k: int) -> RefineResult:
    """The best of S refined starts, or the mean of the k best, per input."""
    comparable = torch.where(result.score.isnan(), -torch.inf, result.score)
    order = comparable.topk(k, dim=1).indices
    best = order[:, :1]

    def pick(field: Tensor) -> Tensor:
        index = best if field.ndim == 2 else best[..., None].expand(-1, -1, field.shape[-1])
        return field.gather(1, index)[:, 0]

    chosen = _at_start(result, pick)
    if k == 1:
        return chosen
    mean = result.y.gather(1, order[..., None].expand(-1, -1, result.y.shape[-1])).mean(1)
    score = Ascent(score_fn=score_fn, decay=1.0).score_at(mean[:, None])[:, 0]
    return replace(chosen, y=mean, score=score)


def _at_start(result: RefineResult, pick: Callable[[Tensor], Tensor]) -> RefineResult:
    """Every field of a result after `pick`, ``(B, S, ...) -> (B, ...)``."""
    return RefineResult(**{field.name: pick(getattr(result, field.name)) for field in fields(result)})


def _plain(tensor: Tensor) -> Tensor:
    """The tensor without a graph, usable in one."""
    return tensor.clone() if tensor.is_inference() else tensor.detach()


def _starts(init: Tensor, validate: bool | None) -> Tensor:
    """A copy of the starts, float32 or wider, checked."""
    if init.ndim < 1:
        raise ShapeError("expected init of shape (B, D) or (B, S, D), got a scalar.")
    require_finite("init", init, validate)
    return init.detach().clone().to(float_dtype(init))
