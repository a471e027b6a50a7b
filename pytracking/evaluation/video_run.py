"""Track through a video: an mp4 and tables that hold every frame so far, whatever ends the run."""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from tqdm import tqdm

from ebm.exceptions import EBMError, InputError, NumericalError
from pytracking.evaluation.drawing import PALETTE, Colour, draw_box, draw_text, line_width
from pytracking.evaluation.video_frames import Frame, VideoSource
from pytracking.evaluation.video_tables import UNREADABLE, Row, Rows, Table
from pytracking.evaluation.video_writer import VideoWriter
from pytracking.tracker.base import Tracked, Tracker
from pytracking.tracker.common.several import TargetId

__all__ = ["Outcome", "VideoSink", "track_video"]

Boxes = Mapping[TargetId, tuple[float, ...]]  # of one target without id, that of None

_COLOURS = {"ok": (40, 210, 140), "uncertain": (255, 200, 40), "lost": (255, 80, 60)}  # RGB
_GREY = (170, 170, 170)
_NAMED = 10  # frames named one by one in a note


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
    states: Counter[str] = field(default_factory=Counter)  # frames, of every target, by the tracker's state

    def count(self, frame: Frame, states: Iterable[str]) -> None:
        """Take in a frame, and the tracker's state of every target if it could be read."""
        self.frames += 1
        if frame.image is None:
            self.unreadable.append(frame.number)
            self.reason = self.reason or frame.fault
            return
        self.tracked += 1
        self.states.update(states)
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
    """The mp4 and the tables; they hold every frame given so far, whatever ends the run.

    Nothing is written before the first frame: a run that cannot start leaves older files as they are.

    Args:
        writer: of the mp4.
        tables: each gets every row.
        stack: closes the mp4.
    """

    def __init__(self, writer: VideoWriter, tables: Iterable[Table], stack: ExitStack) -> None:
        self._writer = stack.enter_context(writer)
        self._tables = tuple(tables)

    def add(self, image: np.ndarray, frame: Frame, rows: Rows) -> None:
        """Append a frame, shown as `image`, uint8 RGB ``[H, W, 3]``, and its rows.

        Raises:
            InputError: if a file cannot be written.
        """
        drawn = image.copy()
        width, size = line_width(drawn.shape), max(11, round(drawn.shape[1] / 45))
        for place, (target, row) in enumerate(rows.items()):
            colour = _COLOURS.get(row.state, _GREY) if target is None else PALETTE[place % len(PALETTE)]
            draw_box(drawn, row.box, colour, width=width, dashed=row.state != "ok")
            if target is not None:
                _draw_id(drawn, str(target), row.box, colour, size)
        if None in rows:
            row = rows[None]
            colour = _COLOURS.get(row.state, _GREY)
            score = "" if np.isnan(row.score) else f"  {row.score:.2f}"
            text = f" {frame.number}  {row.state}{score} "
        else:
            text, colour = f" {frame.number} ", (255, 255, 255)
        draw_text(drawn, text, (size // 2,) * 2, colour, size, backed=True)
        self._writer.add(drawn, frame.time)
        for table in self._tables:
            table.add(frame, rows)


def _draw_id(image: np.ndarray, text: str, box: np.ndarray, colour: Colour, size: int) -> None:
    """The id of a target above its box, or inside it at the upper edge of the picture."""
    if not np.isfinite(box).all():
        return
    top = box[1] - 1.4 * size
    left, top = np.clip((box[0], top if top >= 0 else box[1]), -30000, 30000).round().astype(int).tolist()
    draw_text(image, text, (left, top), colour, size, backed=True)


def track_video(
    tracker: Tracker, source: VideoSource, box: Boxes | tuple[float, ...], video: Path, sink: VideoSink
) -> Outcome:
    """Track from the first frame that can be read to the last.

    A frame that cannot be read keeps the boxes before; in the mp4 it shows the picture before, or black.

    Args:
        tracker: not yet initialised.
        source: of the frames.
        box: xywh in the first frame that can be read, px as shown; ``{id: box}`` for several targets.
        video: where they come from, for messages.
        sink: takes every frame.

    Raises:
        InputError: if no frame can be read.
    """
    found, early = Outcome(), list[Frame]()
    image: np.ndarray | None = None
    boxes: Boxes = box if isinstance(box, Mapping) else {None: box}
    rows: Rows = {target: Row(np.array(each), float("nan"), UNREADABLE) for target, each in boxes.items()}
    for frame in _with_bar(source):
        if frame.image is None:
            rows = {target: Row(row.box, float("nan"), UNREADABLE) for target, row in rows.items()}
        else:
            new = _answer(tracker, frame, boxes if image is None else None, video)
            for waiting in early:  # nothing can be shown before a size is known
                sink.add(np.zeros_like(frame.image), waiting, rows)
            early.clear()
            image, rows = frame.image, new
        if image is None:
            early.append(frame)
        else:
            sink.add(image, frame, rows)
        found.count(frame, [row.state for row in rows.values()])
    if image is None:
        raise InputError(f"{video} holds no frame that can be read. {found.reason}".rstrip())
    found.announced, found.cut = source.count, source.cut
    return found


def _answer(tracker: Tracker, frame: Frame, boxes: Boxes | None, video: Path) -> Rows:
    """The tracker's rows for a readable frame; `boxes` start it."""
    image = frame.image
    assert image is not None
    try:
        if boxes is not None:
            tracker.initialize(image, np.array(boxes[None]) if None in boxes else boxes)
            return {target: Row(np.array(box), 1.0, "ok") for target, box in boxes.items()}
        answer = tracker.track(image)
        found: dict[TargetId, Tracked] = answer if isinstance(answer, dict) else {None: answer}
        for tracked in found.values():
            if not np.isfinite(tracked.box).all():
                raise NumericalError(
                    f"the tracker gave the box {tracked.box.tolist()}; the weights may be damaged."
                )
    except EBMError as error:
        raise type(error)(f"{video}, frame {frame.number}: {error}") from error
    return {target: Row(each.box, each.score, each.state) for target, each in found.items()}


def _with_bar(source: VideoSource) -> Iterator[Frame]:
    with tqdm(total=source.count, unit=" frames", dynamic_ncols=True) as bar:
        for frame in source.timed():
            yield frame
            bar.update()
