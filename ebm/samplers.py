"""Samples from exp f / Z without Z: Langevin chains, and resampling of weighted candidates."""

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TypeAlias

import torch
from torch import Tensor

from ebm.checks import (
    all_finite,
    checks_values,
    finite_range,
    float_dtype,
    require_count,
    require_finite,
    require_from_zero,
    require_generator,
    require_positive,
)
from ebm.exceptions import DomainError, NumericalError, ShapeError
from ebm.gradients import ScoredPoint, ScoreFunction, score_and_gradient
from ebm.numbers import number_tensor

__all__ = ["Chain", "LangevinDynamics", "importance_resample", "langevin"]

PerDimension: TypeAlias = float | Sequence[float] | Tensor


def langevin(
    score_fn: ScoreFunction,
    init: Tensor,
    steps: int,
    step_size: PerDimension,
    *,
    temperature: float = 1.0,
    clamp: tuple[PerDimension, PerDimension] | None = None,
    metropolis: bool = False,
    generator: torch.Generator | None = None,
    return_path: bool = False,
    validate: bool | None = None,
) -> Tensor:
    """Run B x M Langevin chains, ``y <- y + (step_size^2 / 2) grad f + step_size sqrt(temperature) n``.

    Their stationary density is near ``exp(f / temperature)``; with `metropolis` it is exactly that. Only the
    gradient in y is computed and nothing returned carries a graph. Gradients may be switched off outside.

    Args:
        score_fn: ``(B, M, D) -> (B, M)``, differentiable, or a `ebm.gradients.ScoreWithGradient`.
        init: starts ``(B, M, D)``; B and M may be 0.
        steps: L >= 0.
        step_size: alpha of the papers, in the unit of y, one number or D.
        temperature: at least 0, above 0 with `metropolis`; 0 is gradient ascent.
        clamp: lowest and highest y, numbers or D each. A start outside is moved to the bound, later points
            likewise; with `metropolis` a move to the outside is refused instead, which keeps the density.
        metropolis: accept or refuse every move (MALA); a move to a non-finite score counts as refused.
        generator: source of randomness on the device of `init`.
        return_path: all points instead of the last.
        validate: look for non-finite starts and gradients; None means on CPU tensors only.

    Returns:
        Where the chains end ``(B, M, D)``, or the path ``(L + 1, B, M, D)`` from start to end.

    Raises:
        ShapeError: if `init` is not ``(B, M, D)`` or another shape does not fit.
        DomainError: (a ValueError) if an option is out of its domain or a start is not finite.
        TypeError: if the generator is for another kind of device, or `init` is boolean.
        NumericalError: naming the step, if a gradient is not finite.

    Source: Gustafsson et al., BMVC 2020, eq. 9; Roberts and Tweedie, Bernoulli 1996, for MALA.
    """
    dynamics = LangevinDynamics(
        step_size=step_size, temperature=temperature, clamp=clamp, metropolis=metropolis, validate=validate
    )
    path: list[Tensor] | None = [] if return_path else None
    end = dynamics.run(score_fn, init, steps, generator=generator, path=path)
    return end.y if path is None else torch.stack(path)


@dataclass(frozen=True)
class Chain:
    """Where chains ended.

    Attributes:
        y: ``(B, M, D)``.
        gradient: of f at the last point it was needed for, ``(B, M, D)``; None after 0 steps.
    """

    y: Tensor
    gradient: Tensor | None


@dataclass(frozen=True, kw_only=True)
class LangevinDynamics:
    """How `langevin` moves, checked once and used often; the attributes are its arguments.

    Raises:
        DomainError: (a ValueError) if a number is out of its domain.
    """

    step_size: PerDimension
    temperature: float = 1.0
    clamp: tuple[PerDimension, PerDimension] | None = None
    metropolis: bool = False
    validate: bool | None = None

    def __post_init__(self) -> None:
        """Refuse numbers out of their domain."""
        require_positive(
            "step_size", number_tensor("step_size", self.step_size, torch.float64).flatten().tolist()
        )
        object.__setattr__(self, "temperature", require_from_zero("temperature", self.temperature))
        if self.metropolis and self.temperature == 0:
            raise DomainError("metropolis needs a temperature > 0, got 0.")
        if self.clamp is not None:
            low, high = (number_tensor("clamp", bound, torch.float64) for bound in self.clamp)
            if not bool((low < high).all()):
                raise DomainError(f"clamp must be (low, high) with low < high, got {self.clamp!r}.")

    def run(
        self,
        score_fn: ScoreFunction,
        init: Tensor,
        steps: int,
        *,
        generator: torch.Generator | None = None,
        path: list[Tensor] | None = None,
    ) -> Chain:
        """Chains from `init`, see `langevin`; every point including the start is appended to `path`."""
        steps = require_count("steps", steps, least=0)
        if init.ndim != 3:
            raise ShapeError(f"expected init of shape (B, M, D), got {tuple(init.shape)}.")
        require_finite("init", init, self.validate)
        require_generator(generator, init=init)
        with torch.inference_mode(False), torch.no_grad():  # an outer inference mode would forbid gradients
            y = init.detach().to(float_dtype(init)).clone()
            walk = _Walk.start(self, score_fn, y, generator, path)
            if y.numel():
                (walk.metropolis if self.metropolis else walk.unadjusted)(steps)
            elif path is not None:
                path.extend(y for _ in range(steps))
        return Chain(walk.y, walk.gradient)


@dataclass
class _Walk:
    """State and constants of chains under way; `y` is overwritten."""

    score_fn: ScoreFunction
    y: Tensor
    drift: Tensor  # step_size^2 / 2
    spread: Tensor  # step_size sqrt(temperature)
    temperature: float
    bounds: tuple[Tensor, Tensor] | None
    generator: torch.Generator | None
    path: list[Tensor] | None
    watch: bool
    gradient: Tensor | None = None
    finite: list[Tensor] = field(default_factory=list)

    @classmethod
    def start(
        cls,
        rule: LangevinDynamics,
        score_fn: ScoreFunction,
        y: Tensor,
        generator: torch.Generator | None,
        path: list[Tensor] | None,
    ) -> "_Walk":
        step = _per_dimension("step_size", rule.step_size, y)
        bounds = None
        if rule.clamp is not None:
            bounds = (_per_dimension("clamp", rule.clamp[0], y), _per_dimension("clamp", rule.clamp[1], y))
            y.clamp_(*bounds)
        if path is not None:
            path.append(y.clone())
        spread = step * math.sqrt(rule.temperature)
        watch = checks_values(y, rule.validate)
        return cls(score_fn, y, step.square() / 2, spread, rule.temperature, bounds, generator, path, watch)

    def unadjusted(self, steps: int) -> None:
        """Take every move, in place."""
        noise = torch.empty_like(self.y) if self.temperature else None
        for t in range(1, steps + 1):
            self.gradient = self._evaluate(self.y, t, steps).gradient
            self.y.addcmul_(self.gradient, self.drift)
            if noise is not None:
                self.y.addcmul_(noise.normal_(generator=self.generator), self.spread)
            if self.bounds is not None:
                self.y.clamp_(*self.bounds)
            if self.path is not None:
                self.path.append(self.y.clone())
        self._settle(1, steps)

    def metropolis(self, steps: int) -> None:
        """Take a move with the probability that leaves exp(f / temperature) unchanged."""
        if steps == 0:
            return
        here = self._evaluate(self.y, 0, steps)
        self._settle(0, steps)
        score, gradient = here.score.to(self.y.dtype), here.gradient
        noise, level = torch.empty_like(self.y), torch.empty_like(score)
        for _ in range(steps):
            noise.normal_(generator=self.generator)
            moved = self.y + self.drift * gradient + self.spread * noise
            there = score_and_gradient(self.score_fn, moved)
            back = (self.y - moved - self.drift * there.gradient) / self.spread
            new_score = there.score.to(self.y.dtype)
            log_ratio = (new_score - score) / self.temperature
            log_ratio += 0.5 * (noise.square().sum(-1) - back.square().sum(-1))
            accept = level.uniform_(generator=self.generator).log_() < log_ratio
            # A gradient that is not finite makes the ratio NaN or -inf, and no comparison with it is true.
            accept &= new_score.isfinite() & there.gradient.isfinite().all(-1)
            if self.bounds is not None:
                accept &= ((moved >= self.bounds[0]) & (moved <= self.bounds[1])).all(-1)
            chosen = accept[..., None]
            self.y, gradient = (
                torch.where(chosen, moved, self.y),
                torch.where(chosen, there.gradient, gradient),
            )
            score = torch.where(accept, new_score, score)
            if self.path is not None:
                self.path.append(self.y)
        self.gradient = gradient

    def _evaluate(self, y: Tensor, step: int, steps: int) -> ScoredPoint:
        point = score_and_gradient(self.score_fn, y)
        if self.watch:
            self.finite.append(all_finite(point.gradient))
            # On a GPU the look is put off to the end: one wait for the device instead of one per step.
            if y.device.type == "cpu" and not bool(self.finite[-1]):
                raise _diverged(step, steps, point)
        return point

    def _settle(self, first: int, steps: int) -> None:
        """The look that `_evaluate` put off; `first` is the step of the first evaluation."""
        if self.watch and self.y.device.type != "cpu" and self.finite:
            bad = torch.stack(self.finite).logical_not().nonzero()
            if bad.numel():
                raise _diverged(first + int(bad[0]), steps, None)


def importance_resample(
    y: Tensor, log_weights: Tensor, num_samples: int, *, generator: torch.Generator | None = None
) -> Tensor:
    """Draw among weighted candidates, with replacement: samples of p where the weights are p / q.

    Args:
        y: candidates ``(B, M, D)`` drawn from q.
        log_weights: ``f - log q`` of each, ``(B, M)``; a constant per row does not matter.
        num_samples: draws n per row.
        generator: source of randomness on the device of `y`.

    Returns:
        ``(B, n, D)``, without gradient.

    Raises:
        ShapeError: if the shapes do not fit or M is 0.
        DomainError: (a ValueError) if n is not a positive integer.
        TypeError: if devices differ.
        NumericalError: if a weight is NaN or infinite, or a row has only zero weights; looked at on the CPU.

    Source: Rubin, "Using the SIR algorithm to simulate posterior distributions", 1988.
    """
    num_samples = require_count("num_samples", num_samples)
    if y.ndim != 3 or log_weights.shape != y.shape[:2] or y.shape[1] == 0:
        raise ShapeError(
            f"expected y (B, M, D) and log_weights (B, M) with M >= 1, "
            f"got {tuple(y.shape)} and {tuple(log_weights.shape)}."
        )
    require_generator(generator, y=y, log_weights=log_weights)
    if y.shape[0] == 0:
        return y.new_empty(0, num_samples, y.shape[2])
    share = log_weights.detach().to(float_dtype(log_weights)).softmax(-1)
    if checks_values(share, None) and not bool(share.isfinite().all()):
        row = int((~share.isfinite()).nonzero()[0, 0])
        raise NumericalError(f"log_weights[{row}] holds NaN or +inf, or nothing but -inf.")
    index = torch.multinomial(share, num_samples, replacement=True, generator=generator)
    return y.detach().gather(1, index[..., None].expand(-1, -1, y.shape[2]))


def _per_dimension(name: str, value: PerDimension, y: Tensor) -> Tensor:
    """One number or D of them, on the device and in the dtype of y ``(B, M, D)``."""
    tensor = number_tensor(name, value, y.dtype, y.device)
    if tensor.shape not in ((), (1,), y.shape[-1:]):
        raise ShapeError(f"{name} must be one number or D = {y.shape[-1]}, got shape {tuple(tensor.shape)}.")
    return tensor


def _diverged(step: int, steps: int, point: ScoredPoint | None) -> NumericalError:
    where = "the start" if step == 0 else f"step {step} of {steps}"
    seen = ""
    if point is not None:
        bad = int((~point.gradient.isfinite()).sum())
        seen = f" ({bad} entries; finite scores: {finite_range(point.score)})"
    return NumericalError(
        f"non-finite gradient of the score at {where} of the Langevin chain{seen}: use a smaller step_size."
    )
