"""Independent sequences through one network as one batch."""

from collections.abc import Callable, Iterable, Iterator, Sequence

import numpy as np
from numpy.typing import ArrayLike

from ebm.exceptions import EBMError, InputError
from pytracking.features.preprocessing import Image
from pytracking.tracker.base import Flag, Tracked, Tracker
from pytracking.tracker.common.inputs import check_box, check_image
from pytracking.tracker.common.several import SeveralTargets

__all__ = ["track_batch"]

OnResult = Callable[[int, int, Tracked], object]


def track_batch(
    tracker: Tracker,
    sequences: Sequence[tuple[Iterable[ArrayLike], ArrayLike]],
    *,
    size: int = 8,
    on_result: OnResult | None = None,
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

    Returns:
        The results of every sequence, one per frame; the first is the box as given.

    Raises:
        InputError: if `size` is less than 1, a sequence has no frame, or a frame is no uint8 picture: which.
        DomainError: if a first box is not finite, has no area or lies outside its image: of which sequence.
    """
    if size < 1:
        raise InputError(f"size is the number of sequences at a time, at least 1; got {size}.")
    if not isinstance(tracker, SeveralTargets):
        raise InputError(f"track_batch takes what pytracking.load gives; got {type(tracker).__name__}.")
    results: list[list[Tracked]] = [[] for _ in sequences]

    def give(lane: "_Lane", result: Tracked) -> None:
        results[lane.index].append(result)
        if on_result is not None:
            on_result(lane.index, len(results[lane.index]) - 1, result)

    waiting = iter(enumerate(sequences))
    lanes: list[_Lane] = []
    while True:
        lanes = [lane for lane in lanes if lane.read()]
        while len(lanes) < size and (following := next(waiting, None)) is not None:
            index, (frames, box) = following
            lane = _Lane(index, iter(frames), tracker.twin())
            give(lane, lane.begin(box))
            if lane.read():
                lanes.append(lane)
        if not lanes:
            return results
        found = tracker.advance([lane.tracker for lane in lanes], [lane.frame for lane in lanes])
        for lane, result in zip(lanes, found):
            give(lane, result)


class _Lane:
    """A sequence under way.

    Args:
        index: of the sequence.
        frames: those that are left.
        tracker: its own.
    """

    def __init__(self, index: int, frames: Iterator[ArrayLike], tracker: SeveralTargets) -> None:
        self.index, self.tracker = index, tracker
        self.frame: Image = np.empty((0, 0, 3), dtype=np.uint8)
        self._frames, self._number = frames, -1

    def begin(self, box: ArrayLike) -> Tracked:
        """Read the first frame, and start in it."""
        if not self.read():
            raise InputError(f"sequence {self.index} has no frame.")
        try:
            known = check_box(box, self.frame)
        except EBMError as error:
            raise self._named(error) from error
        self.tracker.begin(self.frame, known)
        return Tracked(box=known.copy(), score=1.0, flag=Flag.NORMAL)

    def read(self) -> bool:
        """Read the next frame; False after the last one, which also lets go of its features."""
        self._number += 1
        try:
            self.frame = check_image(next(self._frames))
        except StopIteration:
            self.tracker.release()
            return False
        except EBMError as error:
            raise self._named(error) from error
        return True

    def _named(self, error: EBMError) -> EBMError:
        return type(error)(f"sequence {self.index}, frame {self._number}: {error}")
