"""Four rules of gradient ascent over many starts at once, none of which waits for the device."""

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

from ebm.checks import checks_values, finite_range, require_count
from ebm.exceptions import DomainError, NumericalError, ShapeError
from ebm.gradients import ScoreFunction, ScoreWithGradient, score_and_gradient
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

    def keep_all(self, y: Tensor, lam: Tensor, steps: int) -> RefineResult:
        """Take every step and decay after each; the scores are those before the last update."""
        score, gradient = self._first(y, steps)
        init, taken = score, torch.zeros_like(score, dtype=torch.long)
        usable = torch.zeros_like(score, dtype=torch.bool)
        for t in range(steps):
            if t:
                score, gradient = self._evaluate(y)
            y, _, usable = self._move(y, lam * self._scaled(y, gradient))
            taken, lam = taken + usable, lam * self.decay
        return RefineResult(y, score, init, taken, steps - taken, lam, ~usable)

    def undo_decreases(self, y: Tensor, lam: Tensor, steps: int) -> RefineResult:
        """Take back a step after which the score fell, and decay only then; scores as in `keep_all`.

        Source: Danelljan et al., CVPR 2019 (ATOM).
        """
        score, gradient = self._first(y, steps)
        init, taken = score, torch.zeros_like(score, dtype=torch.long)
        best_last = torch.full_like(score, -torch.inf)
        last, forward = torch.zeros_like(y), torch.zeros_like(score, dtype=torch.bool)
        for t in range(steps):
            if t:
                score, gradient = self._evaluate(y)
            rose = (score > best_last) if self.decay < 1 else torch.ones_like(forward)
            lam = torch.where(rose[..., None], lam, lam * self.decay)
            best_last = torch.where(score.isfinite(), score, best_last)
            step = torch.where(rose[..., None], lam * self._scaled(y, gradient), -last)
            y, last, usable = self._move(y, step)
            forward = rose & usable
            taken = taken + forward
        return RefineResult(y, score, init, taken, steps - taken, lam, ~forward)

    def backtrack(self, y: Tensor, lam: Tensor, steps: int) -> RefineResult:
        """Take a step only if the score rises, otherwise decay that start's step length.

        The score of a refused step's origin is known and so is its gradient: T + 1 evaluations suffice.

        Source: Gustafsson et al., ECCV 2020 supplement, Algorithm S1.
        """
        score, gradient = self._first(y, steps)
        init, taken = score, torch.zeros_like(score, dtype=torch.long)
        accept = torch.zeros_like(score, dtype=torch.bool)
        for t in range(steps):
            candidate, _, usable = self._move(y, lam * self._scaled(y, gradient))
            last = t + 1 == steps
            new_score, new_gradient = (
                (self.score_at(candidate), gradient) if last else self._evaluate(candidate)
            )
            rises = new_score >= score if self.accept_ties else new_score > score
            accept = rises & usable & new_score.isfinite()
            score = torch.where(accept, new_score, score)
            chosen = accept[..., None]
            y, gradient = torch.where(chosen, candidate, y), torch.where(chosen, new_gradient, gradient)
            lam = torch.where(chosen, lam, lam * self.decay)
            taken = taken + accept
        return RefineResult(y, score, init, taken, steps - taken, lam, ~accept)

    def stop_early(
        self, y: Tensor, lam: Tensor, steps: int, *, improve: float, degenerate: float, revert: bool
    ) -> RefineResult:
        """Take steps until the score changes by less than `improve` or by less than `degenerate` upwards.

        Each start stops by itself, after the step that met a criterion; with `revert` before it where the
        score fell. A step to non-finite numbers is refused and ends its start.

        Source: Gustafsson et al., ECCV 2020 supplement, Algorithm S2.
        """
        score, gradient = self._first(y, steps)
        init, taken = score, torch.zeros_like(score, dtype=torch.long)
        refused, active = taken, torch.ones_like(score, dtype=torch.bool)
        for t in range(steps):
            candidate, _, usable = self._move(y, lam * self._scaled(y, gradient))
            last = t + 1 == steps
            new_score, new_gradient = (
                (self.score_at(candidate), gradient) if last else self._evaluate(candidate)
            )
            gain = new_score - score
            worse, usable = gain < degenerate, usable & new_score.isfinite()
            keep = active & usable & ~worse if revert else active & usable
            refused, taken = refused + (active & ~keep), taken + keep
            active = active & usable & ~worse & (gain.abs() >= improve)
            chosen = keep[..., None]
            y, gradient = torch.where(chosen, candidate, y), torch.where(chosen, new_gradient, gradient)
            score = torch.where(keep, new_score, score)
            # Where a look costs nothing, a batch whose starts have all stopped is done.
            if checks_values(active, None) and not bool(active.any()):
                break
        return RefineResult(y, score, init, taken, refused, lam, ~active)

    def score_at(self, y: Tensor) -> Tensor:
        """Scores ``(*)`` at `y` ``(*, D)``, without a gradient."""
        with torch.no_grad():
            return self._checked(self.score_fn(self.decode(y)), y)

    def _first(self, y: Tensor, steps: int) -> tuple[Tensor, Tensor]:
        score, gradient = self._evaluate(y) if steps else (self.score_at(y), torch.zeros_like(y))
        if checks_values(score, self.validate) and not bool(score.isfinite().all()):
            where = tuple(int(i) for i in (~score.isfinite()).nonzero()[0])
            raise NumericalError(
                f"the score of start {list(where)} is {score[where].item()}; "
                f"finite scores: {finite_range(score)}."
            )
        return score, gradient

    def _evaluate(self, y: Tensor) -> tuple[Tensor, Tensor]:
        """Score ``(*)`` and gradient ``(*, D)`` at `y`, also where the caller has switched gradients off."""
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

    def _scaled(self, y: Tensor, gradient: Tensor) -> Tensor:
        return gradient if self.metric is None else gradient * self.metric(y)

    def _move(self, y: Tensor, step: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """The moved coordinates, the step really made and, per start, whether that is the one asked for."""
        moved = y + step
        usable = self.decode(moved).isfinite().all(-1)
        kept = usable[..., None]
        return torch.where(kept, moved, y), torch.where(kept, step, 0), usable


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
    if checks_values(lam, None) and not bool((lam.isfinite() & (lam > 0)).all()):
        raise DomainError(f"step_length must be finite and > 0, got {step_length!r}.")
    if lam.ndim == 2 and y.ndim == 3:
        lam = lam[:, None]
    try:
        return lam.to(y.device).broadcast_to(y.shape)
    except RuntimeError as error:
        message = f"step_length of shape {tuple(lam.shape)} does not broadcast to {tuple(y.shape)}."
        raise ShapeError(message) from error
