"""A long list in JSON, entry by entry: files of a million rows need not fit into memory."""

import json
import re
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import IO, Any

from ebm.bars import progress_bar
from ebm.exceptions import InputError

__all__ = ["json_entries"]

_CHUNK = 1 << 20  # characters read at a time
_LONGEST = 1 << 26  # of one entry
_SPACE = re.compile(r"[ \t\r\n]*")


def json_entries(file: Path, what: str, *, progress: bool = False) -> Iterator[Any]:
    """The entries of a file that holds one list.

    Args:
        file: in UTF-8.
        what: what it is to the reader, for messages, e.g. ``"results"``.
        progress: show a bar.

    Raises:
        InputError: if it is missing, no such list, or cut off, naming the entry.
    """
    try:
        with file.open(encoding="utf-8-sig") as stream:
            yield from _Scanner(file, what, stream, progress).entries()
    except OSError as error:
        raise InputError(f"{what} {file} cannot be read ({error.strerror}).") from error
    except UnicodeDecodeError as error:
        raise InputError(
            f"{what} {file}: no text in UTF-8 ({error.reason} at byte {error.start})."
        ) from error


class _Scanner:
    """A place in a text that is read piece by piece."""

    def __init__(self, file: Path, what: str, stream: IO[str], progress: bool) -> None:
        self._file, self._what, self._stream = file, what, stream
        self._text, self._at, self._ended = "", 0, False
        self._decode = json.JSONDecoder().raw_decode
        self._bar = _bar(file, progress)

    def entries(self) -> Iterator[Any]:
        """See `json_entries`."""
        if self._next() != "[":
            raise InputError(
                f"{self._what} {self._file}: starts with {self._text[self._at : self._at + 20]!r}; expected "
                "a list [...] in JSON, an object for each row."
            )
        self._at += 1
        count = 0
        closed = self._next() == "]"
        while not closed:
            count += 1
            yield self._entry(count)
            mark = self._next()
            if mark not in {",", "]"}:
                raise self._broken(
                    count, "is not followed by a comma" if mark else "is the last of a list that does not end"
                )
            self._at += 1
            closed = mark == "]"
        if self._bar is not None:
            self._bar.close()

    def _entry(self, number: int) -> Any:
        self._next()
        while True:
            try:
                entry, end = self._decode(self._text, self._at)
            except (ValueError, RecursionError) as error:
                if self._ended or len(self._text) - self._at > _LONGEST:
                    raise self._broken(number, f"is not valid JSON ({error})") from error
            else:
                # A number may go on in the next piece: of "1.5e9" there may be "1." or "1.5e" so far.
                goes_on = end == len(self._text) or (type(entry) in (int, float) and self._text[end] in ".eE")
                if not goes_on or self._ended:
                    self._at = end
                    return entry
            self._read()

    def _next(self) -> str:
        """The next character that is no space, which stays; empty at the end."""
        while True:
            found = _SPACE.match(self._text, self._at)
            self._at = self._at if found is None else found.end()
            if self._at < len(self._text):
                return self._text[self._at]
            if self._ended:
                return ""
            self._read()

    def _read(self) -> None:
        # Twice as much each time, so that an entry longer than a piece is not tried too often.
        more = self._stream.read(max(_CHUNK, len(self._text) - self._at))
        self._ended = not more
        self._text, self._at = self._text[self._at :] + more, 0
        if self._bar is not None:
            self._bar.update(len(more))

    def _broken(self, number: int, problem: str) -> InputError:
        return InputError(
            f"{self._what} {self._file}: entry {number} {problem}. It is damaged or was not written to its "
            "end; get it again."
        )


def _bar(file: Path, progress: bool) -> Any:
    if not progress or not sys.stderr.isatty():
        return None
    return progress_bar(
        total=file.stat().st_size,
        desc=f"Reading {file.name}",
        unit="B",
        unit_scale=True,
        leave=False,
        delay=1,
    )
