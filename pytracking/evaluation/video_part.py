"""A part of a video: from one frame or time to another, every how many frames."""

import argparse
from collections.abc import Iterator

from ebm.exceptions import DomainError, InputError
from pytracking.evaluation.video_frames import Frame, VideoSource
from pytracking.evaluation.video_places import Place

__all__ = ["VideoPart", "part_of"]


class VideoPart(VideoSource):
    """Frames of another source, with the numbers and times that they have there.

    Args:
        whole: the other source.
        start: its first frame.
        end: the first one that is left out again; None: to the end.
        stride: every how many frames.

    Raises:
        DomainError: if `end` does not lie behind `start`, or the stride is not positive.
    """

    def __init__(self, whole: VideoSource, start: Place, end: Place | None = None, stride: int = 1) -> None:
        if stride < 1:
            raise DomainError(f"--stride must be at least 1; got {stride}.")
        if end is not None and end.seconds == start.seconds and end.value <= start.value:
            raise DomainError(f"--end {end} does not lie behind --start {start}.")
        self._whole, self._start, self._end, self._stride = whole, start, end, stride
        self.fps, self.time_base, self.notes = whole.fps / stride, whole.time_base, whole.notes
        self.count = self._counted()

    def timed(self) -> Iterator[Frame]:
        """The frames of the part.

        Raises:
            InputError: if the video ends before it.
        """
        place, last = 0, -1
        for frame in self._whole.timed():
            last = frame.number
            if self._end is not None and self._end.reached(frame):
                break
            if self._start.reached(frame):
                if place % self._stride == 0:
                    yield frame
                place += 1
        else:
            self.cut = self._whole.cut
        if not place:
            raise InputError(f"No frame lies there: --start {self._start}, but the last frame is {last}.")

    def _counted(self) -> int | None:
        """How many frames there should be; None where it depends on their times."""
        ends = (self._start, self._end) if self._end is not None else (self._start,)
        if self._whole.count is None or any(each.seconds for each in ends):
            return None
        last = self._whole.count if self._end is None else min(self._whole.count, int(self._end.value))
        return max(0, -(-(last - int(self._start.value)) // self._stride))


def part_of(whole: VideoSource, args: argparse.Namespace) -> VideoSource:
    """What ``--start``, ``--end`` and ``--stride`` leave of a source; all of it without them."""
    if args.start is None and args.end is None and args.stride == 1:
        return whole
    return VideoPart(whole, args.start or Place(0), args.end, args.stride)
