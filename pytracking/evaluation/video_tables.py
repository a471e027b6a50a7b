"""Tables of tracked boxes that are written line by line: csv, and the text format of the MOT benchmarks."""

from collections.abc import Callable, Mapping
from contextlib import ExitStack, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol, TextIO

import numpy as np

from ebm.exceptions import InputError
from pytracking.evaluation.video_frames import Frame
from pytracking.tracker.common.several import TargetId

__all__ = ["UNREADABLE", "FrameTable", "Row", "Rows", "Table", "csv_table", "mot_table"]

UNREADABLE = "unreadable"  # state of a frame that no tracker has seen


@dataclass(frozen=True, eq=False)
class Row:
    """The tracker's answer for one target in one frame; box xywh, px of the picture as shown."""

    box: np.ndarray
    score: float  # NaN where the frame could not be read
    state: str
    covariance: np.ndarray | None = None  # of the box, px^2, [4, 4], where it was asked for and there is one

    @property
    def deviations(self) -> np.ndarray:
        """Standard deviations of x, y, w, h, px, ``[4]``; NaN without a covariance."""
        return np.full(4, np.nan) if self.covariance is None else np.sqrt(np.diagonal(self.covariance))


Rows = Mapping[TargetId, Row]  # by the targets' ids; that of None is of one target without id


class FrameTable(Protocol):
    """Takes the rows of every frame."""

    def add(self, frame: Frame, rows: Rows) -> None:
        """Take in a frame.

        Raises:
            InputError: if a file cannot be written.
        """


class Table:
    """A text file with lines for every frame; it holds all of them so far, whatever ends the run.

    The file is not touched before the first line.

    Args:
        path: of the file.
        header: its first line; empty for none.
        lines: those of a frame.
        stack: closes the file.
    """

    def __init__(
        self, path: Path, header: str, lines: Callable[[Frame, Rows], list[str]], stack: ExitStack
    ) -> None:
        self._path, self._header, self._lines, self._stack = path, header, lines, stack
        self._file: TextIO | None = None

    def add(self, frame: Frame, rows: Rows) -> None:
        """Append the lines of a frame.

        Raises:
            InputError: if the file cannot be written.
        """
        try:
            file = self._file or self._open()
            file.writelines(f"{line}\n" for line in self._lines(frame, rows))
        except OSError as error:
            if self._file is not None:
                with suppress(OSError):  # what is left in the buffer would fail once more at the end
                    self._file.close()
            raise InputError(f"{self._path} cannot be written: {error.strerror or error}.") from error

    def _open(self) -> TextIO:
        self._path.parent.mkdir(parents=True, exist_ok=True)
        there = self._path.resolve()
        if there.is_file() and there.stat().st_nlink > 1:
            there.unlink()  # a hard link: its other name is a file that nobody named
        file = self._stack.enter_context(self._path.open("w", encoding="utf-8", newline="\n", buffering=1))
        self._file = file  # before its first line, which may fail
        if self._header:
            file.write(self._header + "\n")
        return file


def csv_table(path: Path, stack: ExitStack, *, with_ids: bool, with_deviations: bool = False) -> Table:
    """A row per frame, or with a column ``id`` one per target of each frame; frames count from 0.

    With deviations there are four more columns, nan where a frame has none.
    """
    columns = "frame,id,x,y,w,h,score,state,time" if with_ids else "frame,x,y,w,h,score,state,time"
    columns += ",sd_x,sd_y,sd_w,sd_h" * with_deviations

    def lines(frame: Frame, rows: Rows) -> list[str]:
        return [
            f"{frame.number},{f'{target},' if with_ids else ''}{_numbers(row.box)},{row.score:.4f},"
            f"{row.state},{frame.time:.6f}" + (f",{_numbers(row.deviations)}" if with_deviations else "")
            for target, row in rows.items()
        ]

    return Table(path, columns, lines, stack)


def mot_table(path: Path, stack: ExitStack) -> Table:
    """The MOT benchmarks' format: ``frame,id,left,top,width,height,confidence,-1,-1,-1``.

    Frames and pixels count from 1 there. A target that is lost, or whose frame cannot be read, has no line.
    One target without id has the id 1.

    Source: Milan et al., "MOT16: A Benchmark for Multi-Object Tracking", arXiv:1603.00831, section 4.
    """

    def lines(frame: Frame, rows: Rows) -> list[str]:
        return [
            f"{frame.number + 1},{1 if target is None else target},{_numbers(row.box + (1, 1, 0, 0))},"
            f"{row.score:.4f},-1,-1,-1"
            for target, row in rows.items()
            if row.state in ("ok", "uncertain")
        ]

    return Table(path, "", lines, stack)


def _numbers(box: np.ndarray) -> str:
    return ",".join(f"{value:.3f}" for value in box)
