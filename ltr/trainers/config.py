"""What the training loop is told, and how far it is."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from ltr.trainers.schedule import Schedule

__all__ = ["Batch", "Position", "Streams", "TrainerConfig"]

Batch = Mapping[str, Any]


@dataclass(frozen=True, kw_only=True)
class TrainerConfig:
    """What the loop needs to know beside the objects it drives.

    Attributes:
        schedule: learning rates and the number of epochs.
        batch_size: samples in a step.
        samples_per_epoch: samples in an epoch; what does not fill a batch is left out.
        frames_per_sample: frames in a sample, for the speed shown.
        clip_norm: largest gradient norm, None for no clipping.
        scale_loss: scale the loss so that float16 gradients do not vanish, and skip steps that overflow.
        ema: decay of an exponential average of the weights, None for no average.
        validate_every: epochs between two validations.
        max_nonfinite: steps with a non-finite loss or gradient that a run may skip.
        groups: groups in which a batch is computed whatever the number of processes; None: one a process.
        seed: of the random numbers that a fixed number of groups draws.
        parts: parts in which a group is computed; None to let the free memory decide.
        max_time: seconds of wall time that the run may take, over all its parts; where they end before the
            schedule does, its learning rates follow the time. None for no limit.
        settings: the recipe as plain data, stored in the checkpoints.
        extra: further plain entries of the checkpoint's ``resume`` field.
    """

    schedule: Schedule
    batch_size: int
    samples_per_epoch: int
    frames_per_sample: int = 1
    clip_norm: float | None = None
    scale_loss: bool = False
    ema: float | None = None
    validate_every: int = 5
    max_nonfinite: int = 3
    groups: int | None = None
    seed: int = 0
    parts: int | None = None
    max_time: float | None = None
    settings: Mapping[str, Any] = field(default_factory=dict)
    extra: Mapping[str, Any] = field(default_factory=dict)

    @property
    def steps(self) -> int:
        """Steps in an epoch."""
        return self.samples_per_epoch // self.batch_size


@dataclass(frozen=True, kw_only=True)
class Streams:
    """Where batches come from.

    Attributes:
        train: (first sample index, number of samples) -> this process's groups of the batches in that order.
        validation: those of a fixed set, or None.
        replaced: draws of this process that gave no sample, by sequence; grows while batches are read.
    """

    train: Callable[[int, int], Iterable[Batch]]
    validation: Callable[[], Iterable[Batch]] | None = None
    replaced: Mapping[str, int] = field(default_factory=dict)


@dataclass
class Position:
    """How far a run is.

    Attributes:
        epoch: whole epochs done.
        step: steps done in the epoch that follows.
        samples: samples drawn since the start of the run; the next one has this index.
    """

    epoch: int = 0
    step: int = 0
    samples: int = 0
