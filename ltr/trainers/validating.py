"""A pass over the validation set: statistics in evaluation mode, and nothing of the training changed."""

from collections.abc import Callable, Iterable
from contextlib import nullcontext
from dataclasses import dataclass

import torch

from ebm.training.stopping import StopRequest
from ltr.actors.base_actor import BaseActor
from ltr.trainers.batches import fetch, in_tuples, to_device
from ltr.trainers.config import Batch
from ltr.trainers.meters import Meters, Stopwatch
from ltr.trainers.random_state import capture_random_state, restore_random_state
from ltr.trainers.step import TrainStep

__all__ = ["Validated", "validate"]


@dataclass(frozen=True, kw_only=True)
class Validated:
    """What a pass found.

    Attributes:
        meters: means over the samples.
        watch: speed and waiting.
        stop: whether any process was asked to stop; the means are then of a part.
    """

    meters: Meters
    watch: Stopwatch
    stop: bool


def validate(
    actor: BaseActor,
    stream: Callable[[], Iterable[Batch]],
    step: TrainStep,
    device: torch.device,
    stop: StopRequest,
) -> Validated:
    """Losses and measures of an actor on a stream, with the averaged weights where there are some.

    Args:
        actor: left in evaluation mode.
        stream: this process's groups of the batches.
        step: knows the averaged weights, and how batches are divided.
        device: where the batches go.
        stop: whether this process was asked to stop.
    """
    actor.eval()
    meters, watch = Meters(), Stopwatch()
    stopped = False
    random = capture_random_state()
    with nullcontext() if step.average is None else step.average.applied():
        # Each process has running statistics of its own; those that are saved are the main one's.
        step.world.broadcast(list(actor.net.buffers()))
        division, done = step.division, 0
        for groups in in_tuples(stream(), division.own):
            size = int(groups[0]["test_anno"].shape[1]) * division.groups
            watch.after_data(size)
            stats = []
            for number, batch in enumerate(groups):
                step.seed(done, number)
                placed = to_device(batch, device)
                with torch.no_grad():
                    stats.append(actor(placed)[1] | actor.measure(placed))
            average = division.average([[] for _ in groups], stats, stop.signum is not None)
            meters.update(fetch(average.stats), size)
            done += size
            stopped = average.stop
            if stopped:
                break
            watch.before_data()
    restore_random_state(random)
    return Validated(meters=meters, watch=watch, stop=stopped)
