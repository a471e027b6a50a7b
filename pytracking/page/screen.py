"""The page as a run sees it: it asks for targets, shows every frame, and takes what is asked for."""

import math
import queue
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from dataclasses import replace
from itertools import chain
from time import perf_counter
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self

import numpy as np
from tqdm import tqdm

from ebm.exceptions import EBMError, InputError
from ebm.extras import explain_missing
from pytracking.evaluation.drawing import TargetColours
from pytracking.evaluation.video_frames import Frame
from pytracking.evaluation.video_tables import Rows
from pytracking.page.facts import PageOptions, facts_of, point_of
from pytracking.page.snapshots import Phase, Point, Snapshot
from pytracking.page.wishes import Wish
from pytracking.tracker.common.inputs import check_box
from pytracking.tracker.common.several import TargetId

if TYPE_CHECKING:
    from pytracking.page.server import PageServer

__all__ = ["PageScreen"]

Boxes = Mapping[TargetId, tuple[float, ...]]

_POLL = 0.5  # s between two looks at Ctrl-C on systems that do not interrupt a wait
_SMOOTH = 0.1  # weight of the newest frame in the speed shown
_ENDED = "The choice was ended on the page: no target was chosen, nothing was tracked or written."


class PageScreen:
    """A page, from its start to the end of a run."""

    def __init__(self, options: PageOptions, *, shown: bool = True) -> None:
        """Start the server.

        Args:
            options: what the page is about.
            shown: whether the run is shown on it, or targets are chosen there and no more.

        Raises:
            InputError: if the port cannot be had.
            MissingPackageError: if tornado is not installed.
        """
        self._options, self._shown, self._wishes = options, shown, queue.SimpleQueue[Wish]()
        self._paused, self._colours = False, TargetColours()
        self._pictures, self._last_image = -1, np.zeros(0)
        self._note: dict[str, Any] = {"number": 0, "text": "", "error": False}
        self._seconds, self._since = math.nan, math.nan  # a frame takes; when the last turn ended
        self._last: Snapshot | None = None
        self._server = _server(options.port, self._wishes.put)
        self._publish("waiting")

    @property
    def url(self) -> str:
        """Where the page is."""
        return self._server.url

    @property
    def port(self) -> int:
        """Of the server, on 127.0.0.1."""
        return self._server.port

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if isinstance(error, KeyboardInterrupt):
            self.end("Stopped by Ctrl-C. The frames so far are in the outputs.")
        elif error is not None:
            self.end(str(error), error=True)
        self._server.close()

    def end(self, text: str, *, error: bool = False) -> None:
        """Tell what came of the run; what was shown last stays.

        Args:
            text: a sentence or two.
            error: whether the run failed.
        """
        self._say(text, error=error)
        facts = {} if self._last is None else dict(self._last.facts)
        facts |= {"note": self._note, "paused": False}
        image = None if self._last is None else self._last.image
        self._server.show(Snapshot("done", image, self._pictures, facts))

    def wait_until_opened(self) -> None:
        """Wait for the first page."""
        while self._next(wait=True).do != "opened":  # nobody else can ask for anything yet
            pass

    def choose(self, frames: Iterator[Frame]) -> tuple[Iterator[Frame], Boxes]:
        """Have boxes drawn on the first picture, or on one of a camera that is held.

        Returns:
            The frames to be tracked and the boxes, by id. Frames before the first picture are among them;
            those that a camera gave before it was held are not, and the others count from that one.

        Raises:
            InputError: if the choice is ended on the page, or a camera ends before.
        """
        rest, boxes = self._choice(frames)
        if not self._shown:
            self.end(f"Taken: {len(boxes)} target{'s' * (len(boxes) != 1)}. The run goes on in the terminal.")
            self._server.close()
        return rest, boxes

    def _choice(self, frames: Iterator[Frame]) -> tuple[Iterator[Frame], Boxes]:
        early = []
        for frame in frames:
            if frame.image is None:
                early.append(frame)
            elif not self._options.live:
                boxes = self._boxes_on(frame)
                assert boxes is not None  # there is no picture after it
                return chain([*early, frame], frames), boxes
            elif self._held(frame):
                chosen = self._boxes_on(frame)
                if chosen is not None:
                    return (_counted_from(frame, each) for each in chain([frame], frames)), chosen
        if self._options.live:
            raise InputError(
                "The pictures ended before targets were chosen on the page; nothing was tracked."
            )
        return iter(early), {}

    def turn(
        self, image: np.ndarray, frame: Frame, rows: Rows, edit: Callable[[Wish, Rows], Rows]
    ) -> tuple[Rows, bool]:
        """Show a frame, and do what is asked for; returns at once unless the run is paused.

        Args:
            image: uint8 RGB ``[H, W, 3]``, which is not changed later.
            frame: whose picture it is, or was, if it cannot be read itself.
            rows: of its targets.
            edit: carries out what concerns targets, and returns the rows as they are then.

        Returns:
            The rows, and whether the run goes on.
        """
        if not self._shown:
            return rows, True
        self._measure()
        self._publish("track", image, frame, rows, point_of(frame, rows))
        going = True
        while (wish := self._take()) is not None:
            if wish.do in ("stop", "step"):
                self._paused, going = wish.do == "step", wish.do != "stop"
                break
            if wish.do in ("pause", "go", "hold"):
                self._paused = wish.do != "go"
            elif wish.do in ("place", "add", "remove"):
                rows = self._edited(wish, frame, rows, edit)
            self._publish("track", image, frame, rows)
        self._since = perf_counter()
        return rows, going

    def _edited(self, wish: Wish, frame: Frame, rows: Rows, edit: Callable[[Wish, Rows], Rows]) -> Rows:
        """The rows after an edit, or as they were where it is refused, with a note."""
        try:
            if wish.frame not in (None, frame.number):
                raise InputError(
                    f"The box was drawn on frame {wish.frame}, and this is frame {frame.number}: pause, then "
                    "draw."
                )
            for target in wish.boxes:
                self._require_id(target)
            return edit(wish, rows)
        except EBMError as error:
            self._say(str(error), error=True)
            return rows

    def _held(self, frame: Frame) -> bool:
        """Show a picture of a camera; whether it is held to draw on it."""
        self._publish("preview", frame.image, frame)
        held = False
        while (wish := self._take()) is not None:
            if wish.do == "stop":
                raise InputError(_ENDED)
            held |= wish.do in ("hold", "pause")
        return held

    def _boxes_on(self, frame: Frame) -> Boxes | None:
        """The boxes drawn on a picture; None if a camera is to go on."""
        while True:
            self._publish("choose", frame.image, frame)
            wish = self._next(wait=True)
            if wish.do == "gone":
                self._tell(f"the page was closed; open it again to choose targets: {self.url}")
            elif wish.do == "stop":
                raise InputError(_ENDED)
            elif wish.do == "go" and self._options.live:
                return None
            elif wish.do == "pause":  # from the first frame on
                self._paused = True
            elif wish.do == "start":
                try:
                    assert frame.image is not None
                    for target, box in wish.boxes.items():
                        self._require_id(target)
                        check_box(box, frame.image)
                    return wish.boxes
                except EBMError as error:
                    self._say(str(error), error=True)

    def _require_id(self, target: TargetId) -> None:
        if self._options.whole_ids and not isinstance(target, int | None):
            raise InputError(f"The format of --mot takes whole numbers as ids; got {target!r}.")

    def _take(self) -> Wish | None:
        """What is asked for next; None if that is nothing, unless paused: then wait for it."""
        while True:
            try:
                wish = self._next(wait=self._paused)
            except queue.Empty:
                return None
            if wish.do == "gone":
                after = (
                    "paused as it is; to go on, open" if self._paused else "tracking goes on. To see it, open"
                )
                self._tell(f"the page was closed; {after} {self.url}")
            elif wish.do != "opened":
                return wish

    def _next(self, *, wait: bool) -> Wish:
        while wait:
            with suppress(queue.Empty):
                return self._wishes.get(timeout=_POLL)
        return self._wishes.get_nowait()

    def _say(self, text: str, *, error: bool) -> None:
        """Show a note on the page."""
        self._note = {"number": self._note["number"] + 1, "text": text, "error": error}

    def _tell(self, text: str) -> None:
        """Tell whoever sits at the terminal."""
        tqdm.write(f"note: {text}", file=sys.stderr)

    def _measure(self) -> None:
        now = perf_counter() - self._since
        if math.isfinite(now):
            known = math.isfinite(self._seconds)
            self._seconds = now if not known else (1 - _SMOOTH) * self._seconds + _SMOOTH * now

    def _publish(
        self,
        phase: Phase,
        image: np.ndarray | None = None,
        frame: Frame | None = None,
        rows: Rows | None = None,
        point: Point | None = None,
    ) -> None:
        if image is not None and image is not self._last_image:
            self._pictures, self._last_image = self._pictures + 1, image
        shown = facts_of(self._options, frame, rows or {}, self._colours)
        speed = 1 / self._seconds if self._seconds > 0 else None
        facts = {**shown, "paused": self._paused, "speed": speed, "note": self._note}
        self._last = Snapshot(phase, image, self._pictures, facts)
        self._server.show(self._last, point)


def _server(port: int, tell: Callable[[Wish], None]) -> "PageServer":
    try:
        import tornado  # noqa: F401
    except ImportError as error:
        raise explain_missing("the page", "tornado") from error
    from pytracking.page.server import PageServer

    return PageServer(port, tell)


def _counted_from(first: Frame, frame: Frame) -> Frame:
    return replace(frame, number=frame.number - first.number, time=frame.time - first.time)
