"""A training by iterations: SGD with momentum, a rate that falls in steps, killed and resumed to the bit."""

import math
import sys
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor, nn

from ebm.checks import require_count
from ebm.exceptions import DomainError, NumericalError
from ebm.fitting.checkpoints import Checkpoint
from ebm.numbers import require_number
from ebm.training.stopping import StopRequest

__all__ = ["Optimisation", "Trained", "tell_in_lines", "train"]

# Makes the gradient of one iteration, from 0, and tells numbers.
Step = Callable[[int], Mapping[str, float]]
# Told the iteration (counted from 1), how many there are, means since the last telling, seconds left.
Tell = Callable[[int, int, Mapping[str, float], float], None]
LINES = 50  # of numbers in a training's history


@dataclass(frozen=True, kw_only=True)
class Optimisation:
    """How weights move: SGD with momentum.

    Attributes:
        rate: learning rate of weights; biases have `bias_factor` times it and no decay.
        iterations: steps in all.
        drops: iterations from which on the rate is multiplied by `gamma` once more.
        gamma: see `drops`.
        warmup: iterations over which the rate rises linearly from `warmup_factor` times itself.
        warmup_factor: see `warmup`.
        momentum: of SGD.
        weight_decay: of SGD.
        bias_factor: see `rate`.
        clip_norm: largest norm of the gradient; None clips nothing.

    Raises:
        DomainError: (a ValueError) for a number out of its domain.
    """

    rate: float
    iterations: int
    drops: tuple[int, ...] = ()
    gamma: float = 0.1
    warmup: int = 0
    warmup_factor: float = 1 / 3
    momentum: float = 0.9
    weight_decay: float = 1e-4
    bias_factor: float = 2.0
    clip_norm: float | None = None

    def __post_init__(self) -> None:
        """Refuse numbers out of their domain."""
        require_count("iterations", self.iterations)
        require_count("warmup", self.warmup, least=0)
        for drop in self.drops:
            require_count("drops", drop, least=0)
        for name in ("rate", "gamma", "bias_factor", "clip_norm"):
            value = getattr(self, name)
            if value is not None and not (require_number(name, value) > 0 and math.isfinite(value)):
                raise DomainError(f"{name} must be positive, got {value!r}.")
        for name in ("momentum", "weight_decay", "warmup_factor"):
            if not 0 <= require_number(name, getattr(self, name)) <= 1:
                raise DomainError(f"{name} must lie in [0, 1], got {getattr(self, name)!r}.")

    def factor(self, iteration: int) -> float:
        """On all rates in an iteration, counted from 0."""
        factor = self.gamma ** sum(iteration >= drop for drop in self.drops)
        if iteration < self.warmup:
            done = iteration / self.warmup
            factor *= self.warmup_factor * (1 - done) + done
        return factor

    def optimiser(self, net: nn.Module) -> torch.optim.SGD:
        """Over what of `net` asks for gradients."""
        named = [(name, part) for name, part in net.named_parameters() if part.requires_grad]
        groups = [
            {
                "params": [part for name, part in named if name.endswith("bias") == biases],
                "initial": self.rate * (self.bias_factor if biases else 1.0),
                "weight_decay": 0.0 if biases else self.weight_decay,
            }
            for biases in (False, True)
        ]
        return torch.optim.SGD(
            [group for group in groups if group["params"]], lr=self.rate, momentum=self.momentum
        )


@dataclass
class Trained:
    """What happened in a training.

    Attributes:
        iterations: done.
        exit_code: 0, or 130 and 143 where a signal asked to stop.
        seconds: of wall time, of all parts of the training.
        history: iteration, counted from 1, and means of numbers up to it since the row before.
    """

    iterations: int = 0
    exit_code: int = 0
    seconds: float = 0.0
    history: list[dict[str, float]] = field(default_factory=list)


def train(
    net: nn.Module,
    step: Step,
    optimisation: Optimisation,
    *,
    checkpoint: Checkpoint | None = None,
    tell: Tell | None = None,
) -> Trained:
    """Train a network in place.

    What `step` draws must depend on the iteration alone: then a training that was killed goes on from its
    checkpoint to the same weights, bit for bit. SIGINT and SIGTERM end it between two steps.

    Args:
        net: whatever of it asks for gradients is trained.
        step: adds the gradient of an iteration's loss to the parameters; ``"loss"`` among what it returns
            is looked at.
        optimisation: how weights move.
        checkpoint: of this training; what it holds is gone on from.
        tell: told every now and then how it goes.

    Raises:
        NumericalError: if a loss is not finite; the checkpoint keeps what was before.
        InputError: if a checkpoint is damaged or cannot be written.
    """
    run = _Run(net, optimisation, checkpoint)
    with StopRequest() as stop:
        for iteration in range(run.trained.iterations, optimisation.iterations):
            run.move(iteration, step)
            run.note(iteration + 1, tell)
            if stop.signum is not None:
                break
    run.trained.exit_code = stop.exit_code if run.trained.iterations < optimisation.iterations else 0
    run.save(now=True)
    return run.trained


class _Run:
    """A training and where it stands."""

    def __init__(self, net: nn.Module, optimisation: Optimisation, checkpoint: Checkpoint | None) -> None:
        self.net, self.optimisation, self.checkpoint = net, optimisation, checkpoint
        self.optimiser = optimisation.optimiser(net)
        self.trained = Trained()
        self.sums: dict[str, float] = {}
        self.count = 0
        self.start = time.perf_counter()
        if checkpoint is not None and checkpoint.state is not None:
            self._load(checkpoint, checkpoint.state)
        elif checkpoint is not None:
            self.save(now=True)  # a place that cannot be written to is better known now
        self.first = self.trained.iterations

    def move(self, iteration: int, step: Step) -> None:
        """One iteration."""
        factor = self.optimisation.factor(iteration)
        for group in self.optimiser.param_groups:
            group["lr"] = group["initial"] * factor
        self.optimiser.zero_grad(set_to_none=True)
        numbers = step(iteration)
        if not math.isfinite(numbers["loss"]):
            raise NumericalError(
                f"the loss of iteration {iteration + 1} is {numbers['loss']}: lower the learning rate, or "
                "clip the gradient."
            )
        if self.optimisation.clip_norm is not None:
            nn.utils.clip_grad_norm_(self.net.parameters(), self.optimisation.clip_norm)
        self.optimiser.step()
        for name, value in numbers.items():
            self.sums[name] = self.sums.get(name, 0.0) + value
        self.count += 1
        self.trained.iterations = iteration + 1

    def note(self, done: int, tell: Tell | None) -> None:
        """Remember how it goes, tell of it and write the checkpoint, each where it is time."""
        total = self.optimisation.iterations
        if done % max(1, total // LINES) == 0 or done == total:
            means = {name: value / self.count for name, value in self.sums.items()}
            self.trained.history.append({"iteration": float(done)} | means)
            self.sums, self.count = {}, 0
            if tell is not None:
                each = (time.perf_counter() - self.start) / max(done - self.first, 1)
                tell(done, total, means, each * (total - done))
        self.save(now=False)

    def save(self, *, now: bool) -> None:
        """Write the checkpoint, `now` or where the last writing is long ago."""
        if self.checkpoint is None or not (now or self.checkpoint.due):
            return
        optimiser = self.optimiser.state_dict()
        self.trained.seconds += time.perf_counter() - self.start
        self.start, self.first = time.perf_counter(), self.trained.iterations
        state = {
            "stage": 0,
            "weights": {name: _copy(value) for name, value in self.net.state_dict().items()},
            "momentum": {k: _copy(own["momentum_buffer"]) for k, own in optimiser["state"].items()},
            "trained": vars(self.trained) | {"history": [dict(row) for row in self.trained.history]},
            "sums": dict(self.sums),
            "count": self.count,
        }
        self.checkpoint.keep(state, now=now)

    def _load(self, checkpoint: Checkpoint, state: Mapping[str, Any]) -> None:
        """Inverse of `save`."""
        try:
            self.net.load_state_dict(state["weights"])
            content = self.optimiser.state_dict()
            rows = state["momentum"].items()
            content["state"] = {place: {"momentum_buffer": value} for place, value in rows}
            self.optimiser.load_state_dict(content)
            self.trained = Trained(**state["trained"])
            self.sums, self.count = dict(state["sums"]), int(state["count"])
        except (LookupError, TypeError, ValueError, RuntimeError, AttributeError) as error:
            raise checkpoint.damaged(error) from error


def tell_in_lines(done: int, total: int, means: Mapping[str, float], left: float) -> None:
    """How a training goes, a line on standard error."""
    numbers = "  ".join(f"{name} {value:.4g}" for name, value in means.items())
    minutes, seconds = divmod(round(left), 60)
    print(f"{done}/{total}  {numbers}  {minutes}:{seconds:02d} left", file=sys.stderr, flush=True)


def _copy(value: Tensor | None) -> Tensor | None:
    return None if value is None else value.detach().cpu().clone()
