"""Learning rates as a pure function of the position in a run, so that resuming needs no scheduler state."""

import math
from dataclasses import dataclass
from typing import Literal

from ebm.exceptions import DomainError

__all__ = ["Schedule", "learning_rate_factor"]


@dataclass(frozen=True, kw_only=True)
class Schedule:
    """How the learning rates change over a run; all groups share the factor.

    Attributes:
        kind: ``"step"`` multiplies by `gamma` every `step_epochs`; ``"cosine"`` falls to `final_factor`
            over the run, updated every iteration.
        epochs: length of the run.
        step_epochs: epochs between two decays (step).
        gamma: decay per step (step).
        warmup: length of the linear warm-up from 0, epochs; fractions are allowed.
        final_factor: factor at the end (cosine).
    """

    kind: Literal["step", "cosine"] = "step"
    epochs: int = 50
    step_epochs: int = 15
    gamma: float = 0.2
    warmup: float = 0.0
    final_factor: float = 0.01

    def __post_init__(self) -> None:
        if self.kind not in ("step", "cosine"):
            raise DomainError(f"schedule kind must be 'step' or 'cosine', got {self.kind!r}")
        if self.epochs < 1 or self.step_epochs < 1:
            raise DomainError(
                f"epochs and step_epochs must be at least 1, got {self.epochs}, {self.step_epochs}"
            )
        if not (self.gamma > 0 and self.final_factor >= 0):
            raise DomainError(
                f"schedule.gamma must be above 0 and schedule.final_factor at least 0, got {self.gamma} and "
                f"{self.final_factor}"
            )
        if not 0 <= self.warmup <= self.epochs:
            raise DomainError(f"warmup must lie in [0, {self.epochs}] epochs, got {self.warmup}")


def learning_rate_factor(schedule: Schedule, progress: float) -> float:
    """Factor on every group's learning rate.

    Args:
        schedule: the rule.
        progress: epochs done, with the fraction of the current one (0.0 at the start of the run).

    Returns: the factor; ``gamma ** (whole epochs // step_epochs)`` for the step rule, which is what
        torch's ``StepLR`` stepped once an epoch gives.
    """
    if schedule.kind == "step":
        factor = schedule.gamma ** (int(progress) // schedule.step_epochs)
    else:
        share = min(progress / schedule.epochs, 1.0)
        factor = schedule.final_factor + (1 - schedule.final_factor) * 0.5 * (1 + math.cos(math.pi * share))
    if progress < schedule.warmup:
        factor *= progress / schedule.warmup
    return factor
