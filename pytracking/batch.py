"""Independent sequences through one network as one batch."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import partial

import numpy as np
from numpy.typing import ArrayLike

from ebm.exceptions import EBMError, InputError
from pytracking.features.preprocessing import Image
from pytracking.tracker.base import Flag, Tracked, Tracker
from pytracking.tracker.common.inputs import check_box, check_image
from pytracking.tracker.common.several import SeveralTargets

__all__ = ["track_batch"]

OnResult = Callable[[int, int, Tracked], object]
OnError = Callable[[int, Exception], object]


def track_batch(
    tracker: Tracker,
    sequences: Sequence[tuple[Iterable[ArrayLike], ArrayLike]],
    *,
    size: int = 8,
    on_result: OnResult | None = None,
    on_error: OnError | None = None,
    seeds: Sequence[int] | None = None,
) -> list[list[Tracked]]:
    """Track independent sequences, up to `size` of them at a time as one batch.

    A step takes the next frame of every sequence under way: all search crops go through the backbone
    together, and all boxes are refined together. Where a sequence ends, the next one takes its place. Every
    sequence gets the boxes that it gets alone, to rounding. It is meant for a GPU, which one sequence does
    not fill; one step works as long as `size` frames do.

    Example::

        tracker = pytracking.load("dimp", "nce_plus")
        results = pytracking.track_batch(tracker, [(frames_a, box_a), (frames_b, box_b)])
        results[0][10].box  # of frame 10 of the first sequence

    Args:
        tracker: what `load` gives; targets that it follows itself are left as they are.
        sequences: frames and the box in the first of them. Frames are read one by one as they are needed, so
            that a generator will do; they may differ in size, as lengths may.
        size: sequences at a time, at least 1.
        on_result: called with the index of the sequence, the number of the frame from 0, and its result, at
            once; the place to write to disk, and to read ``result.density``.
        on_error: called with the index of a sequence that cannot go on, and with the error; the others go on.
            An error of `on_result` ends its sequence alone; one of a step, which all of its sequences share,
            ends each of them. None: the first error ends the run.
        seeds: of what each sequence draws; None: all have the tracker's.

    Returns:
        The results of every sequence, one per frame; the first is the box as given. A sequence with an error
        has those before it.

    Raises:
        InputError: if `size` is less than 1, `seeds` are not as many as sequences, a sequence has no frame,
            or a frame is no uint8 picture: which.
        DomainError: if a first box is not finite, has no area or lies outside its image: of which sequence.
    """
    if size < 1:
        raise InputError(f"size is the number of sequences at a time, at least 1; got {size}.")
    if not isinstance(tracker, SeveralTargets):
        raise InputError(f"track_batch takes what pytracking.load gives; got {type(tracker).__name__}.")
    if seeds is not None and len(seeds) != len(sequences):
        raise InputError(f"seeds has one for each of the {len(sequences)} sequences; got {len(seeds)}.")
    batch = _Batch(sequences, on_result, on_error)
    waiting = iter(range(len(sequences)))
    while True:
        batch.read()
        while len(batch.lanes) < size and (index := next(waiting, None)) is not None:
            frames, box = sequences[index]
            twin = tracker.twin(None if seeds is None else seeds[index])
            batch.begin(_Lane(index, iter(frames), twin), box)
        if not batch.lanes:
            return batch.results
        batch.step(tracker)


class _Lane:
    """A sequence under way.

    Args:
        index: of the sequence.
        frames: those that are left.
        tracker: its own.
    """

    def __init__(self, index: int, frames: Iterator[ArrayLike], tracker: SeveralTargets) -> None:
        self.index, self.tracker, self.number = index, tracker, -1
        self.frame: Image = np.empty((0, 0, 3), dtype=np.uint8)
        self._frames = frames

    def begin(self, box: ArrayLike) -> Tracked:
        """Read the first frame, and start in it."""
        if not self.read():
            raise InputError("there is no frame.")
        known = check_box(box, self.frame)
        self.tracker.begin(self.frame, known)
        return Tracked(box=known.copy(), score=1.0, flag=Flag.NORMAL)

    def read(self) -> bool:
        """Read the next frame; False after the last one, which also lets go of its features."""
        self.number += 1
        try:
            self.frame = check_image(next(self._frames))
        except StopIteration:
            self.tracker.release()
            return False
        return True


class _Batch:
    """The sequences under way.

    Args:
        sequences: all that there are.
        on_result: as of `track_batch`.
        on_error: likewise.

    Attributes:
        lanes: those with a frame that is to be tracked.
        results: of every sequence.
    """

    def __init__(
        self, sequences: Sequence[object], on_result: OnResult | None, on_error: OnError | None
    ) -> None:
        self.lanes: list[_Lane] = []
        self.results: list[list[Tracked]] = [[] for _ in sequences]
        self._on_result, self._on_error = on_result, on_error

    def read(self) -> None:
        """The next frame of every sequence; those without one, or with one that cannot be read, are done."""
        self.lanes = [lane for lane in self.lanes if self._tried(lane, lane.read)]

    def begin(self, lane: _Lane, box: ArrayLike) -> None:
        """One more sequence, and its second frame, if it has one."""

        def started() -> bool:
            self._give(lane, lane.begin(box))
            return lane.read()

        if self._tried(lane, started):
            self.lanes.append(lane)

    def step(self, tracker: SeveralTargets) -> None:
        """Track the frame of every sequence."""
        try:
            found = tracker.advance(
                [lane.tracker for lane in self.lanes], [lane.frame for lane in self.lanes]
            )
        except Exception as error:
            if self._on_error is None:
                raise
            for lane in self.lanes:
                self._fail(lane, error)
            self.lanes = []
            return
        pairs = zip(self.lanes, found, strict=True)
        self.lanes = [lane for lane, result in pairs if self._tried(lane, partial(self._give, lane, result))]

    def _give(self, lane: _Lane, result: Tracked) -> bool:
        """Keep a result, and show it."""
        results = self.results[lane.index]
        results.append(result)
        if self._on_result is not None:
            self._on_result(lane.index, len(results) - 1, result)
        return True

    def _tried(self, lane: _Lane, act: Callable[[], bool]) -> bool:
        """Whether a sequence goes on."""
        try:
            return act()
        except EBMError as error:
            if self._on_error is None:
                raise type(error)(f"sequence {lane.index}, frame {lane.number}: {error}") from error
            return self._fail(lane, error)
        except Exception as error:
            if self._on_error is None:
                raise
            return self._fail(lane, error)

    def _fail(self, lane: _Lane, error: Exception) -> bool:
        """Let a sequence go."""
        lane.tracker.release()
        assert self._on_error is not None
        self._on_error(lane.index, error)
        return False
