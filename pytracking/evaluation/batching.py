"""Sequences of a run as one batch in one process: what fills a GPU."""

from collections.abc import Iterator
from collections.abc import Sequence as List
from time import perf_counter

import numpy as np

from ltr.data.image_loader import read_image
from pytracking.batch import track_batch
from pytracking.evaluation.data import Sequence, check_frames
from pytracking.evaluation.results import ResultFolder, SequenceResult
from pytracking.evaluation.runner import SequenceRunner, checked_box
from pytracking.evaluation.single import Outcome, Progress, run_one, saved
from pytracking.tracker.base import Tracked

__all__ = ["run_batched"]


def run_batched(
    todo: List[Sequence], runner: SequenceRunner, folder: ResultFolder, size: int, bar: Progress
) -> Iterator[Outcome]:
    """Run sequences, `size` at a time as one batch, longest first; each is saved as it ends.

    A sequence that cannot go on is let go, and the others go on. It is run again by itself at the end: what
    fails then is its own fault, and not that of a batch that was too large for the memory.

    Args:
        todo: at least one.
        runner: of the configuration.
        folder: takes the results.
        size: sequences at a time.
        bar: counts frames and sequences.
    """
    lanes = [_Lane(sequence) for sequence in sorted(todo, key=len, reverse=True)]
    ended: list[Outcome] = []
    again: list[Sequence] = []
    bar.start(f"{min(size, len(lanes))} at a time")

    def keep(index: int, number: int, result: Tracked) -> None:
        lane = lanes[index]
        lane.take(number, result)
        bar.advance()
        if number + 1 == len(lane.sequence):
            ended.append(saved(lane.sequence, folder, lane.result()))
            bar.finish(ended[-1])

    def let_go(index: int, error: Exception) -> None:
        again.append(lanes[index].sequence)
        bar.advance(-lanes[index].taken)

    for lane in lanes:
        folder.discard(lane.sequence)
    track_batch(
        runner.tracker(lanes[0].sequence),
        [(lane.frames(), lane.sequence.init_box) for lane in lanes],
        size=size,
        on_result=keep,
        on_error=let_go,
        seeds=[runner.spec.sequence_seed(lane.sequence.name) for lane in lanes],
    )
    yield from ended
    for sequence in again:
        bar.start(sequence.name)
        outcome = run_one(runner, sequence, folder, bar.advance)
        bar.finish(outcome)
        yield outcome


class _Lane:
    """The result of a sequence as it grows.

    Attributes:
        sequence: which.
        taken: frames so far.
    """

    def __init__(self, sequence: Sequence) -> None:
        self.sequence, self.taken = sequence, 0
        count = len(sequence)
        self._boxes, self._times = np.empty((count, 4)), np.zeros(count)
        self._scores, self._states = np.ones(count), ["ok"] * count
        self._last = 0.0

    def frames(self) -> Iterator[np.ndarray]:
        """The frames, each read when it is needed."""
        check_frames(self.sequence)
        for index, path in enumerate(self.sequence.frames):
            image = read_image(path, sequence=self.sequence.name, frame=index)
            self._last = perf_counter()
            yield image

    def take(self, number: int, tracked: Tracked) -> None:
        """Note what was found in a frame."""
        self._times[number] = perf_counter() - self._last
        self._boxes[number] = checked_box(tracked, self.sequence, number)
        self._scores[number], self._states[number] = tracked.score, tracked.state
        self.taken = number + 1

    def result(self) -> SequenceResult:
        """Of the whole sequence; its times are those of steps that it shares with others."""
        return SequenceResult(self._boxes, self._times, self._scores, tuple(self._states), timed=False)
