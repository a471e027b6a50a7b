"""Progress bars: one that moves on a terminal, a line now and then in a log."""

import sys
import time
from collections.abc import Iterable
from typing import Any, TextIO, TypeVar

__all__ = ["progress_bar", "terminal_bar"]

T = TypeVar("T")

PAUSE = 30.0  # seconds between two lines of a log


def progress_bar(iterable: Iterable[Any] | None = None, *, file: TextIO | None = None, **options: Any) -> Any:
    """A bar of tqdm; where `file` is no terminal, a line every 30 s and one at the end in its place.

    Args:
        iterable: what is counted; None to count by the bar's ``update``.
        file: where to write, standard error by default.
        **options: tqdm's. A log has no line of the end with ``leave=False``, and none at all with
            ``disable=None``.

    Raises:
        ImportError: if tqdm is not installed.
    """
    from tqdm import tqdm

    stream = sys.stderr if file is None else file
    if stream.isatty():
        return tqdm(iterable, file=stream, **options)
    # Lines do not lie above each other: each bar has the first place, whatever else is under way.
    return tqdm(iterable, file=_Lines(stream), position=0, **options)


def terminal_bar(iterable: Iterable[T], **options: Any) -> Iterable[T]:
    """`iterable`, on a terminal behind a bar that goes when it is done, where tqdm is installed.

    torch and NumPy are all that fitting needs; a bar is a convenience.

    Args:
        iterable: what is counted.
        **options: tqdm's.
    """
    try:
        bar: Iterable[T] = progress_bar(iterable, disable=None, leave=False, **options)
    except ImportError:
        return iterable
    return bar


class _Lines:
    """A file that a bar may draw on as it likes, and that passes on few of its states, each as a line."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream
        self._state = self._shown = ""
        self._last = time.monotonic()
        self.encoding = getattr(stream, "encoding", None)  # decides what the bar is drawn with

    def isatty(self) -> bool:
        return False

    def write(self, text: str) -> None:
        ended = text == "\n"  # what a bar that is to stay writes last
        self._state = text.strip() or self._state
        if ended or time.monotonic() - self._last >= PAUSE:
            self._pass_on()

    def flush(self) -> None:
        self._stream.flush()

    def _pass_on(self) -> None:
        if self._state != self._shown:
            self._stream.write(f"{self._state}\n")
            self._stream.flush()
        self._shown, self._last = self._state, time.monotonic()
