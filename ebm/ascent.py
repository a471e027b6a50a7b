"""Four rules of gradient ascent over many starts at once, none of which waits for the device."""

from collections.abc import Callable
from dataclasses import dataclass, fields, replace
from typing import Any

import numpy as np
import torch
from torch import Tensor

from ebm.checks import checks_values, finite_range, require_count
from ebm.exceptions import DomainError, NumericalError, ShapeError
from ebm.gradients import ScoreFunction, ScoreWithArrays, ScoreWithGradient, score_and_gradient
from ebm.numbers import number_tensor, require_number

__all__ = [
    "Ascent",
    "RefineResult",
    "ScoreFunction",
    "ScoreWithGradient",
    "StepLength",
    "require_rule",
    "step_lengths",
]

StepLength = float | tuple[float, ...] | Tensor
Array = Any  # torch.Tensor, or numpy.ndarray where `Ascent.run` has gone over to these


@dataclass(frozen=True)
class RefineResult:
    """Where an ascent ended; ``*`` stands for the dimensions of the start before D.

    Attributes:
        y: refined targets ``(*, D)``.
        score: f at `y`, ``(*)``.
        init_score: f at the start, ``(*)``.
        num_accepted: steps taken, ``(*)`` int64.
        num_rejected: steps refused, ``(*)`` int64.
        final_step_length: ``(*, D)``.
        converged: the last step tried was refused, or a stopping criterion was met, ``(*)`` bool.
    """

    y: Tensor
    score: Tensor
    init_score: Tensor
    num_accepted: Tensor
    num_rejected: Tensor
    final_step_length: Tensor
    converged: Tensor


@dataclass(frozen=True, kw_only=True)
class Ascent:
    """Ascent of a score from starts ``(*, D)`` with step lengths of the same shape.

    Every rule refuses a step that leads to non-finite numbers, as a NaN gradient or an overflow does.
    Rules use what tensors and numpy's arrays have in common, see `run`.

    Attributes:
        score_fn: ``(*, D) -> (*)``, differentiable; called with the decoded coordinates.
        decay: factor in (0, 1] for step lengths.
        decode: from the coordinates that are moved to what `score_fn` takes, same shape.
        pull_back: for a `ScoreWithGradient`, the gradient in the coordinates that are moved, of decoded
            targets and the gradient in these.
        metric: factor on the gradient at given coordinates, same shape; None is 1.
        accept_ties: `backtrack` also takes steps that leave the score equal.
        validate: look for non-finite scores at the start; None means on CPU tensors only.
    """

    score_fn: ScoreFunction
    decay: float
    decode: Callable[[Tensor], Tensor] = lambda y: y
    pull_back: Callable[[Tensor, Tensor], Tensor] = lambda decoded, gradient: gradient
    metric: Callable[[Tensor], Tensor] | None = None
    accept_ties: bool = False
    validate: bool | None = None

    def run(
        self, rule: Callable[["Ascent", Array, Array], RefineResult], y: Tensor, lam: Tensor
    ) -> RefineResult:
        """What `rule` makes of starts and step lengths ``(*, D)``; by numpy where the score offers that.

        A step has some thirty operations on a few numbers; what torch needs to begin one takes numpy a third.

        Args:
            rule: calls one of the rules of the ascent that it is given.
            y: starts.
            lam: step lengths.
        """
        offer = self.score_fn.on_arrays(y) if isinstance(self.score_fn, ScoreWithArrays) else None
        if offer is None:
            return rule(self, y, lam)
        with np.errstate(all="ignore"):  # rules look at non-finite numbers themselves
            found = rule(replace(self, score_fn=offer), y.numpy(), lam.numpy())
        return RefineResult(**{f.name: torch.from_numpy(getattr(found, f.name)) for f in fields(found)})

    def keep_all(self, y: Array, lam: Array, steps: int) -> RefineResult:
        """Take every step and decay after each; the scores are those before the last update."""
        score, gradient = self._first(y, steps)
        init, taken = score, _zeros(score)
        usable = taken > 0
        for t in range(steps):
            if t:
                score, gradient = self._evaluate(y)
            y, usable = self._move(y, lam * self._scaled(y, gradient))
            taken, lam = taken + usable, lam * self.decay
        return RefineResult(y, score, init, taken, steps - taken, lam, ~usable)

    def undo_decreases(self, y: Array, lam: Array, steps: int) -> RefineResult:
        """Take back a step after which the score fell, and decay only then; scores as in `keep_all`.

        Source: Danelljan et al., CVPR 2019 (ATOM).
        """
        score, gradient = self._first(y, steps)
        init, taken = score, _zeros(score)
        best_last = torch.full_like(score, -torch.inf)
        last, forward = torch.zeros_like(y), torch.zeros_like(score, dtype=torch.bool)
        for t in range(steps):
            if t:
                score, gradient = self._evaluate(y)
            rose = (score > best_last) if self.decay < 1 else torch.ones_like(forward)
            lam = torch.where(rose[..., None], lam, lam * self.decay)
            best_last = torch.where(score.isfinite(), score, best_last)
            step = torch.where(rose[..., None], lam * self._scaled(y, gradient), -last)
            y, usable = self._move(y, step)
            last = torch.where(usable[..., None], step, 0)
            forward = rose & usable
            taken = taken + forward
        return RefineResult(y, score, init, taken, steps - taken, lam, ~forward)

    def backtrack(self, y: Array, lam: Array, steps: int) -> RefineResult:
        """Take a step only if the score rises, otherwise decay that start's step length.

        The score of a refused step's origin is known and so is its gradient: T + 1 evaluations suffice.

        Source: Gustafsson et al., ECCV 2020 supplement, Algorithm S1.
        """
        score, gradient = self._first(y, steps)
        init, taken = score, _zeros(score)
        accept = taken > 0
        for t in range(steps):
            candidate, usable = self._move(y, lam * self._scaled(y, gradient))
            last = t + 1 == steps
            new_score, new_gradient = (
                (self.score_at(candidate), gradient) if last else self._evaluate(candidate)
            )
            rises = new_score >= score if self.accept_ties else new_score > score
            accept = rises & usable & _finite(new_score)
            score = _where(accept, new_score, score)
            chosen = accept[..., None]
            y, gradient = _where(chosen, candidate, y), _where(chosen, new_gradient, gradient)
            lam = _where(chosen, lam, lam * self.decay)
            taken = taken + accept
        return RefineResult(y, score, init, taken, steps - taken, lam, ~accept)

    def stop_early(
        self, y: Array, lam: Array, steps: int, *, improve: float, degenerate: float, revert: bool
    ) -> RefineResult:
        """Take steps until the score changes by less than `improve` or by less than `degenerate` upwards.

        Each start stops by itself, after the step that met a criterion; with `revert` before it where the
        score fell. A step to non-finite numbers is refused and ends its start.

        Source: Gustafsson et al., ECCV 2020 supplement, Algorithm S2.
        """
        score, gradient = self._first(y, steps)
        init, taken = score, _zeros(score)
        refused, active = taken, taken == 0
        for t in range(steps):
            candidate, usable = self._move(y, lam * self._scaled(y, gradient))
            last = t + 1 == steps
            new_score, new_gradient = (
                (self.score_at(candidate), gradient) if last else self._evaluate(candidate)
            )
            gain = new_score - score
            going = active & usable & _finite(new_score)
            well = going & ~(gain < degenerate)
            keep = well if revert else going
            refused, taken = refused + (active & ~keep), taken + keep
            active = well & (abs(gain) >= improve)
            chosen = keep[..., None]
            y, gradient = _where(chosen, candidate, y), _where(chosen, new_gradient, gradient)
            score = _where(keep, new_score, score)
            # Where a look costs nothing, a batch whose starts have all stopped is done.
            if _looks(active, None) and not bool(active.any()):
                break
        return RefineResult(y, score, init, taken, refused, lam, ~active)

    def score_at(self, y: Array) -> Array:
        """Scores ``(*)`` at `y` ``(*, D)``, without a gradient."""
        if isinstance(y, np.ndarray):
            on_arrays: Any = self.score_fn
            return on_arrays(y)
        with torch.no_grad():
            return self._checked(self.score_fn(self.decode(y)), y)

    def _first(self, y: Array, steps: int) -> tuple[Array, Array]:
        score, gradient = self._evaluate(y) if steps else (self.score_at(y), 0 * y)
        if _looks(score, self.validate) and not bool(_finite(score).all()):
            score = torch.as_tensor(score)
            where = tuple(int(i) for i in (~score.isfinite()).nonzero()[0])
            raise NumericalError(
                f"the score of start {list(where)} is {score[where].item()}; "
                f"finite scores: {finite_range(score)}."
            )
        return score, gradient

    def _evaluate(self, y: Array) -> tuple[Array, Array]:
        """Score ``(*)`` and gradient ``(*, D)`` at `y`, also where the caller has switched gradients off."""
        if isinstance(y, np.ndarray):
            on_arrays: Any = self.score_fn
            return on_arrays.value_and_gradient(y)
        if isinstance(self.score_fn, ScoreWithGradient):
            with torch.no_grad():
                decoded = self.decode(y)
                score, gradient = self.score_fn.value_and_gradient(decoded)
                return self._checked(score, y), self.pull_back(decoded, gradient)
        point = score_and_gradient(lambda at: self._checked(self.score_fn(self.decode(at)), at), y)
        return point.score, point.gradient

    @staticmethod
    def _checked(score: Tensor, y: Tensor) -> Tensor:
        if score.shape != y.shape[:-1]:
            raise ShapeError(f"expected scores of shape {tuple(y.shape[:-1])}, got {tuple(score.shape)}.")
        return score.to(y.dtype)

    def _scaled(self, y: Array, gradient: Array) -> Array:
        return gradient if self.metric is None else gradient * self.metric(y)

    def _move(self, y: Array, step: Array) -> tuple[Array, Array]:
        """The moved coordinates, as they were where that is nowhere, and which starts have moved ``(*)``."""
        moved = y + step
        usable = _finite(self.decode(moved)).all(-1)
        return _where(usable[..., None], moved, y), usable


def _looks(values: Array, validate: bool | None) -> bool:
    """See `checks_values`; numpy's arrays are on the CPU."""
    if isinstance(values, np.ndarray):
        return validate is not False
    return checks_values(values, validate)


def _finite(values: Array) -> Array:
    return np.isfinite(values) if isinstance(values, np.ndarray) else values.isfinite()


def _where(condition: Array, values: Array, others: Array) -> Array:
    return (np if isinstance(condition, np.ndarray) else torch).where(condition, values, others)


def _zeros(score: Array) -> Array:
    """A count for every start, ``(*)`` int64."""
    if isinstance(score, np.ndarray):
        return np.zeros(score.shape, np.int64)
    return torch.zeros_like(score, dtype=torch.long)


def require_rule(steps: int, decay: float) -> tuple[int, float]:
    """The number of steps, at least 0, and the factor on step lengths, in (0, 1], as Python's numbers.

    Raises:
        DomainError: (a ValueError) otherwise.
    """
    count = require_count("steps", steps, least=0)
    decay = require_number("decay", decay)
    if not 0 < decay <= 1:
        raise DomainError(f"decay must lie in (0, 1], got {decay!r}.")
    return count, decay


def step_lengths(step_length: StepLength, y: Tensor) -> Tensor:
    """Step lengths of the shape of `y` ``(*, D)``, from one number, D, or a tensor that broadcasts.

    Of several starts per item, ``(B, S, D)``, lengths ``(B, D)`` are those of the items.

    Raises:
        DomainError: if a length is not positive and finite (looked at on the CPU).
        ShapeError: if the shapes do not fit.
    """
    lam = number_tensor("step_length", step_length, y.dtype)
    if checks_values(lam, None) and not bool(((lam > 0) & (lam < torch.inf)).all()):
        raise DomainError(f"step_length must be finite and > 0, got {step_length!r}.")
    if lam.ndim == 2 and y.ndim == 3:
        lam = lam[:, None]
    try:
        return lam.to(y.device).broadcast_to(y.shape)
    except RuntimeError as error:
        message = f"step_length of shape {tuple(lam.shape)} does not broadcast to {tuple(y.shape)}."
        raise ShapeError(message) from error
