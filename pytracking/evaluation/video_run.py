"""Track through a video: an mp4 and a csv that hold every frame so far, whatever ends the run."""

from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import TextIO

import numpy as np
from tqdm import tqdm

from ebm.exceptions import EBMError, InputError, NumericalError
from pytracking.evaluation.drawing import draw_box, draw_text, line_width
from pytracking.evaluation.video_frames import Frame, VideoSource
from pytracking.evaluation.video_writer import VideoWriter
from pytracking.tracker.base import Tracker

__all__ = ["HEADER", "UNREADABLE", "Outcome", "Row", "VideoSink", "track_video"]

HEADER = "frame,x,y,w,h,score,state,time"
UNREADABLE = "unreadable"  # state of a frame that no tracker has seen

_COLOURS = {"ok": (40, 210, 140), "uncertain": (255, 200, 40), "lost": (255, 80, 60)}  # RGB
_GREY = (170, 170, 170)
_NAMED = 10  # frames named one by one in a note


@dataclass(frozen=True, eq=False)
class Row:
    """The tracker's answer for one frame; box xywh, px of the picture as shown."""

    box: np.ndarray
    score: float  # NaN where the frame could not be read
    state: str


@dataclass
class Outcome:
    """What a run found in its video."""

    frames: int = 0  # known, readable or not
    tracked: int = 0
    unreadable: list[int] = field(default_factory=list)
    repaired: list[int] = field(default_factory=list)
    reason: str = ""  # of the first unreadable one
    announced: int | None = None
    cut: str = ""  # that the pictures end early, where no number of frames is announced
    states: Counter[str] = field(default_factory=Counter)  # frames by the tracker's state

    def count(self, frame: Frame, state: str) -> None:
        """Take in a frame, and the tracker's state if it could be read."""
        self.frames += 1
        if frame.image is None:
            self.unreadable.append(frame.number)
            self.reason = self.reason or frame.fault
            return
        self.tracked += 1
        self.states[state] += 1
        if frame.fault:
            self.repaired.append(frame.number)

    def opinions(self) -> str:
        """How many frames had which state, and that this is no measure of the boxes."""
        counts = ", ".join(f"{self.states[state]} {state}" for state in _COLOURS)
        return f"{counts} (the classifier's opinion, not whether the box is right)"

    @property
    def missing(self) -> int:
        """Frames that the video announces and of which nothing was found."""
        return max(0, (self.announced or 0) - self.frames)

    @property
    def complete(self) -> bool:
        """Whether every frame that is known or announced was tracked."""
        return not self.unreadable and not self.missing and not self.cut

    def notes(self, video: Path) -> list[str]:
        """What is not as it should be, in words."""
        found = []
        if self.unreadable:
            found.append(
                f"{len(self.unreadable)} of {self.frames} frames of {video} cannot be read: "
                f"{_numbers(self.unreadable)}. The state there is {UNREADABLE}, the box that of the row "
                f"before. {'' if len(self.unreadable) == 1 else 'The first: '}{self.reason}"
            )
        if self.missing:
            found.append(
                f"{video} announces {self.announced} frames; {self.missing} of them are not in the file: it "
                f"is damaged or cut off. They have no rows; the last frame found is {self.frames - 1}."
            )
        if self.cut:
            found.append(self.cut)
        if self.repaired:
            found.append(
                f"damaged frames of {video} that the decoder repaired: {len(self.repaired)}, numbers "
                f"{_numbers(self.repaired)}. Pictures may be smeared from there on."
            )
        return found


def _numbers(frames: list[int]) -> str:
    shown = ", ".join(map(str, frames[:_NAMED]))
    return shown + (f" and {len(frames) - _NAMED} more" if len(frames) > _NAMED else "")


class VideoSink:
    """The mp4 and the csv; both hold every frame given so far, whatever ends the run.

    Nothing is written before the first frame: a run that cannot start leaves older files as they are.
    """

    def __init__(self, writer: VideoWriter, table: Path, stack: ExitStack) -> None:
        self._writer = stack.enter_context(writer)
        self._stack, self._path = stack, table
        self._table: TextIO | None = None

    def add(self, image: np.ndarray, frame: Frame, row: Row) -> None:
        """Append a frame, shown as `image`, uint8 RGB ``[H, W, 3]``, and its row.

        Raises:
            InputError: if a file cannot be written.
        """
        drawn = image.copy()
        colour = _COLOURS.get(row.state, _GREY)
        draw_box(drawn, row.box, colour, width=line_width(drawn.shape), dashed=row.state != "ok")
        size = max(11, round(drawn.shape[1] / 45))
        score = "" if np.isnan(row.score) else f"  {row.score:.2f}"
        draw_text(drawn, f" {frame.number}  {row.state}{score} ", (size // 2,) * 2, colour, size, backed=True)
        self._writer.add(drawn, frame.time)
        numbers = ",".join(f"{value:.3f}" for value in row.box)
        self._write(f"{frame.number},{numbers},{row.score:.4f},{row.state},{frame.time:.6f}\n")

    def _write(self, line: str) -> None:
        try:
            if self._table is None:
                self._path.parent.mkdir(parents=True, exist_ok=True)
                there = self._path.resolve()
                if there.is_file() and there.stat().st_nlink > 1:
                    there.unlink()  # a hard link: its other name is a file that nobody named
                self._table = self._stack.enter_context(
                    self._path.open("w", encoding="utf-8", newline="\n", buffering=1)
                )
                self._table.write(HEADER + "\n")
            self._table.write(line)
        except OSError as error:
            if self._table is not None:
                with suppress(OSError):  # what is left in the buffer would fail once more at the end
                    self._table.close()
            raise InputError(f"{self._path} cannot be written: {error.strerror or error}.") from error


def track_video(
    tracker: Tracker, source: VideoSource, box: tuple[float, ...], video: Path, sink: VideoSink
) -> Outcome:
    """Track from the first frame that can be read to the last.

    A frame that cannot be read keeps the box before; in the mp4 it shows the picture before, or black.

    Args:
        tracker: not yet initialised.
        source: of the frames.
        box: xywh in the first frame that can be read, px as shown.
        video: where they come from, for messages.
        sink: takes every frame.

    Raises:
        InputError: if no frame can be read.
    """
    found, early = Outcome(), list[Frame]()
    image: np.ndarray | None = None
    row = Row(np.array(box), float("nan"), UNREADABLE)
    for frame in _with_bar(source):
        if frame.image is None:
            row = Row(row.box, float("nan"), UNREADABLE)
        else:
            new = _answer(tracker, frame, box if image is None else None, video)
            for waiting in early:  # nothing can be shown before a size is known
                sink.add(np.zeros_like(frame.image), waiting, row)
            early.clear()
            image, row = frame.image, new
        if image is None:
            early.append(frame)
        else:
            sink.add(image, frame, row)
        found.count(frame, row.state)
    if image is None:
        raise InputError(f"{video} holds no frame that can be read. {found.reason}".rstrip())
    found.announced, found.cut = source.count, source.cut
    return found


def _answer(tracker: Tracker, frame: Frame, box: tuple[float, ...] | None, video: Path) -> Row:
    """The tracker's row for a readable frame; `box` starts it."""
    image = frame.image
    assert image is not None
    try:
        if box is not None:
            tracker.initialize(image, np.array(box))
            return Row(np.array(box), 1.0, "ok")
        tracked = tracker.track(image)
        if not np.isfinite(tracked.box).all():
            raise NumericalError(
                f"the tracker gave the box {tracked.box.tolist()}; the weights may be damaged."
            )
    except EBMError as error:
        raise type(error)(f"{video}, frame {frame.number}: {error}") from error
    return Row(tracked.box, tracked.score, tracked.state)


def _with_bar(source: VideoSource) -> Iterator[Frame]:
    with tqdm(total=source.count, unit=" frames", dynamic_ncols=True) as bar:
        for frame in source.timed():
            yield frame
            bar.update()
