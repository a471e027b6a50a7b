"""Track through a video: an mp4 and tables that hold every frame so far, whatever ends the run."""

from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import ExitStack
from pathlib import Path
from typing import Protocol

import numpy as np

from ebm.bars import progress_bar
from ebm.exceptions import EBMError, InputError, NumericalError
from pytracking.evaluation.frame_drawing import FrameDrawer
from pytracking.evaluation.video_frames import Frame, VideoSource
from pytracking.evaluation.video_outcome import Outcome
from pytracking.evaluation.video_tables import UNREADABLE, FrameTable, Row, Rows
from pytracking.evaluation.video_writer import VideoWriter
from pytracking.evaluation.watching import Watcher, look
from pytracking.page.wishes import Wish
from pytracking.tracker.base import Tracked
from pytracking.tracker.common.several import SeveralTargets, TargetId

__all__ = ["Outcome", "Screen", "VideoSink", "track_video"]

Boxes = Mapping[TargetId, tuple[float, ...]]  # of one target without id, that of None


class Screen(Protocol):
    """Where a run is watched and steered; see `pytracking.page.screen.PageScreen`."""

    def choose(self, frames: Iterator[Frame]) -> tuple[Iterator[Frame], Boxes]:
        """Frames to be tracked, and boxes on the first of them that can be read."""

    def turn(
        self, image: np.ndarray, frame: Frame, rows: Rows, edit: Callable[[Wish, Rows], Rows]
    ) -> tuple[Rows, bool]:
        """Show a frame and do what is asked for: the rows as they are then, and whether the run goes on."""


class VideoSink:
    """The mp4 and the tables; they hold every frame given so far, whatever ends the run.

    Nothing is written before the first frame: a run that cannot start leaves older files as they are.

    Args:
        writer: of the mp4.
        tables: each gets every row.
        stack: closes the mp4.
        drawer: draws on the frames of the mp4; None draws boxes and states.
    """

    def __init__(
        self,
        writer: VideoWriter,
        tables: Iterable[FrameTable],
        stack: ExitStack,
        drawer: FrameDrawer | None = None,
    ) -> None:
        self._writer = stack.enter_context(writer)
        self._tables = tuple(tables)
        self._drawer = drawer or FrameDrawer()
        self._begin: float | None = None

    def add(self, image: np.ndarray, frame: Frame, rows: Rows) -> None:
        """Append a frame, shown as `image`, uint8 RGB ``[H, W, 3]``, and its rows.

        Raises:
            InputError: if a file cannot be written.
        """
        drawn = self._drawer.drawn(image, frame.number, rows)
        self._begin = frame.time if self._begin is None else self._begin
        self._writer.add(drawn, frame.time - self._begin)
        for table in self._tables:
            table.add(frame, rows)


def track_video(
    tracker: SeveralTargets,
    source: VideoSource,
    box: Boxes | tuple[float, ...] | None,
    video: Path | str,
    sink: VideoSink,
    screen: Screen | None = None,
    watcher: Watcher | None = None,
) -> Outcome:
    """Track from the first frame that can be read to the last.

    A frame that cannot be read keeps the boxes before; in the mp4 it shows the picture before, or black.

    Args:
        tracker: not yet initialised.
        source: of the frames.
        box: xywh in the first frame that can be read, px as shown; ``{id: box}`` for several targets; None:
            the screen is asked.
        video: where they come from, for messages.
        sink: takes every frame.
        screen: where the run is watched and steered.
        watcher: shown what the tracker saw in every frame that can be read.

    Raises:
        InputError: if no frame can be read.
    """
    tracker.watched = watcher is not None
    frames = source.timed()
    if box is None:
        assert screen is not None
        frames, boxes = screen.choose(frames)
    else:
        boxes = box if isinstance(box, Mapping) else {None: box}
    run = _Run(tracker, boxes, video, sink, screen, watcher)
    with progress_bar(total=source.count, unit=" frames", dynamic_ncols=True) as bar:
        for frame in frames:
            going = run.take(frame)
            bar.update()
            if not going:
                run.found.stopped = True
                break
    if run.image is None:
        raise InputError(f"{video} holds no frame that can be read. {run.found.reason}".rstrip())
    run.found.announced, run.found.cut = source.count, source.cut
    return run.found


class _Run:
    """One pass through a video.

    Attributes:
        found: so far.
        image: of the last frame that could be read.
    """

    def __init__(
        self,
        tracker: SeveralTargets,
        boxes: Boxes,
        video: Path | str,
        sink: VideoSink,
        screen: Screen | None,
        watcher: Watcher | None,
    ) -> None:
        self._tracker, self._boxes, self._video = tracker, boxes, video
        self._sink, self._screen, self._watcher = sink, screen, watcher
        self.found = Outcome()
        self.image: np.ndarray | None = None
        self._early = list[Frame]()  # before the first picture: nothing can be shown until a size is known
        self._rows: Rows = {
            target: Row(np.array(box), float("nan"), UNREADABLE) for target, box in boxes.items()
        }

    def take(self, frame: Frame) -> bool:
        """Track a frame, show it and write it; whether the run goes on."""
        if frame.image is None:
            self._rows = {
                target: Row(row.box, float("nan"), UNREADABLE) for target, row in self._rows.items()
            }
        else:
            new = self._answer(frame.image, frame.number)
            for waiting in self._early:
                self._sink.add(np.zeros_like(frame.image), waiting, self._rows)
            self._early.clear()
            self.image, self._rows = frame.image, new
        going = True
        if self.image is None:
            self._early.append(frame)
        else:
            going = self._shown(self.image, frame)
        self.found.count(frame, [row.state for row in self._rows.values()])
        return going

    def _shown(self, image: np.ndarray, frame: Frame) -> bool:
        """Write a frame, as it is when the person at the screen goes on; whether the run does."""
        going = True
        try:
            if self._screen is not None:
                edit = lambda wish, rows: self._edited(wish, rows, frame)  # noqa: E731
                self._rows, going = self._screen.turn(image, frame, self._rows, edit)
        finally:  # Ctrl-C may end a pause
            self._sink.add(image, frame, self._rows)
        return going

    def _answer(self, image: np.ndarray, number: int) -> Rows:
        """The tracker's rows for a picture; the first one starts it."""
        try:
            if self.image is None:
                boxes = self._boxes
                answer = self._tracker.initialize(image, np.array(boxes[None]) if None in boxes else boxes)
            else:
                answer = self._tracker.track(image)
            found: dict[TargetId, Tracked] = answer if isinstance(answer, dict) else {None: answer}
            for tracked in found.values():
                if not np.isfinite(tracked.box).all():
                    raise NumericalError(
                        f"the tracker gave the box {tracked.box.tolist()}; the weights may be damaged."
                    )
            if self._watcher is not None:
                look(self._watcher, number, image, self._tracker, answer)
        except EBMError as error:
            raise type(error)(f"{self._video}, frame {number}: {error}") from error
        return {
            target: Row(each.box, each.score, each.state, each.covariance) for target, each in found.items()
        }

    def _edited(self, wish: Wish, rows: Rows, frame: Frame) -> Rows:
        """The rows of a frame after a target of it was placed, added or removed."""
        tracker, target = self._tracker, wish.target
        if frame.image is None:
            raise InputError(f"Frame {frame.number} cannot be read: go on to the next one, then draw.")
        if wish.do == "remove" and target is not None:
            tracker.remove(target)
            return {other: row for other, row in rows.items() if other != target}
        box = wish.boxes[target]
        if wish.do == "add":
            if target is None:
                raise InputError("Give the new target an id.")
            tracker.add(target, box)
        else:
            tracker.reset(box, wish.keep_memory, target=target)
        return {**rows, target: _placed(box)}


def _placed(box: tuple[float, ...]) -> Row:
    """The row of a target that was put at a box."""
    return Row(np.array(box), 1.0, "ok")
