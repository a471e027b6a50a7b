"""A few steps of a run, to learn what it needs: peak memory and seconds a step. Nothing is written."""

import time
from dataclasses import dataclass

from ebm.exceptions import NumericalError
from ebm.training.stopping import StopRequest
from ltr.trainers.memory import peak_memory
from ltr.trainers.meters import Stopwatch
from ltr.trainers.trainer import Trainer

__all__ = ["DryRun", "dry_run"]


@dataclass(frozen=True, kw_only=True)
class DryRun:
    """What the first steps of a run took.

    Attributes:
        seconds: of each step, its data included; the first one also starts loaders and plans convolutions.
        waited: seconds of them that were spent waiting for data.
        peak: bytes, the most that this process has held on its device.
        device: where that is.
        steps_per_epoch: of the run.
        epochs: of the run.
    """

    seconds: tuple[float, ...]
    waited: float
    peak: int
    device: str
    steps_per_epoch: int
    epochs: int

    def lines(self) -> list[str]:
        """The result in words, for a log."""
        each = ", ".join(f"{value:.2f}" for value in self.seconds)
        epoch = min(self.seconds) * self.steps_per_epoch
        return [
            f"dry run: {len(self.seconds)} steps took {each} s, {self.waited:.2f} s of it waiting for data",
            f"dry run: an epoch of {self.steps_per_epoch} steps would take about {_duration(epoch)}, the "
            f"run of {self.epochs} epochs about {_duration(epoch * self.epochs)}, validation not counted",
            f"dry run: peak memory {self.peak / 2**30:.2f} GiB on {self.device}, loader processes not "
            "counted; nothing was written",
        ]


def _duration(seconds: float) -> str:
    """Seconds in the unit in which they are a small number."""
    for name, length in (("days", 86400.0), ("h", 3600.0), ("min", 60.0)):
        if seconds >= 2 * length:
            return f"{seconds / length:.1f} {name}"
    return f"{seconds:.1f} s"


def dry_run(trainer: Trainer, steps: int = 3) -> DryRun:
    """Make the first steps of a run. Batches have one shape, so these are as large as any.

    Args:
        trainer: fresh; it is of no use afterwards.
        steps: how many.

    Raises:
        NumericalError: if a loss or gradient was not finite, or float16 overflowed in every step.
    """
    batches = iter(trainer.streams.train(0, steps * trainer.config.batch_size))
    trainer.actor.train(True)
    watch, seconds = Stopwatch(), []
    with StopRequest() as stop:
        for _ in range(steps):
            start = time.perf_counter()
            trainer.train_step(batches, watch, stop)
            seconds.append(time.perf_counter() - start)
            if stop.signum is not None:
                raise KeyboardInterrupt
    if trainer.guard.count or trainer.step.skipped == steps:
        raise NumericalError(
            f"{max(trainer.guard.count, trainer.step.skipped)} of {steps} steps were not finite; lower the "
            "learning rates, clip the gradient (--clip) or train in another --precision."
        )
    return DryRun(
        seconds=tuple(seconds),
        waited=watch.waited,
        peak=peak_memory(trainer.device),
        device=str(trainer.device),
        steps_per_epoch=trainer.config.steps,
        epochs=trainer.config.schedule.epochs,
    )
