"""The text of a box file as a server reads it: commas, four numbers a line, finite, with area."""

import io
import re

import numpy as np

from pytracking.analysis.metrics import iou
from pytracking.leaderboards.findings import Finding

__all__ = ["against_first", "parse_boxes", "parse_times", "rounding_cost"]

_NEAR = 1.0  # px: what rounding or cutting off the decimals of the initial box may change
_EXACT = 0.02  # px: what two decimals may change


def parse_boxes(
    where: str, data: bytes, decimals_matter: bool = True
) -> tuple[np.ndarray | None, list[Finding]]:
    """Boxes ``[T, 4]`` of a file, or None, and what is wrong with them."""
    rows, found = _table(where, data, 4, "a box is four numbers x,y,w,h in pixels")
    if rows is None:
        return None, found
    bad = np.asarray((~np.isfinite(rows)).any(axis=1))
    if bad.any():
        found.append(Finding("not-finite", where, f"line {_first(bad)} holds NaN or infinity{_count(bad)}."))
        return None, found
    flat = np.asarray((rows[:, 2:] <= 0).any(axis=1))
    if flat.any():
        box = ",".join(f"{value:g}" for value in rows[flat][0])
        what = f"line {_first(flat)} is {box}: width and height must be above 0{_count(flat)}."
        found.append(Finding("no-area", where, what))
    if decimals_matter and len(rows) > 1 and (rows[1:] == np.rint(rows[1:])).all() and _moves(rows):
        found.append(Finding("rounded", where, "its boxes are whole numbers.", fatal=False))
    return rows, found


def _moves(rows: np.ndarray) -> bool:
    """Whether a tracker has been at work: a box that stands still may well be whole."""
    return bool((rows[1:] != rows[0]).any())


def parse_times(where: str, data: bytes, runs: int) -> tuple[np.ndarray | None, list[Finding]]:
    """Seconds ``[T, runs]`` of a time file, or None, and what is wrong with them."""
    rows, found = _table(where, data, None, "a line is the seconds of a frame, a column for each run")
    if rows is None:
        return None, found
    if rows.shape[1] != runs:
        what = f"it has {rows.shape[1]} column(s) for {runs} run(s); a run has a column, commas between."
        found.append(Finding("time-columns", where, what))
    bad = ~(np.isfinite(rows) & (rows >= 0)).all(axis=1)
    if bad.any():
        found.append(Finding("time-values", where, f"line {_first(bad)} is no time in seconds{_count(bad)}."))
    return rows, found


def _first(flags: np.ndarray) -> int:
    return int(np.flatnonzero(flags)[0]) + 1


def _count(flags: np.ndarray) -> str:
    return f" ({int(flags.sum())} lines in all)" if flags.sum() > 1 else ""


def _table(
    where: str, data: bytes, columns: int | None, meant: str
) -> tuple[np.ndarray | None, list[Finding]]:
    """Numbers with commas between, all lines alike."""
    if not data.strip():
        return None, [Finding("empty", where, "it is empty; run the tracker on the sequence again.")]
    if data.startswith((b"\xef\xbb\xbf", b"\xff\xfe", b"\xfe\xff")):
        return None, [Finding("not-text", where, "it begins with a byte-order mark; save it as plain ASCII.")]
    try:
        text = data.decode("ascii")
    except UnicodeDecodeError:
        return None, [Finding("not-text", where, "it is not plain text.")]
    lines = text.rstrip().splitlines()
    try:
        rows = np.loadtxt(
            io.StringIO("\n".join(lines)), delimiter=",", ndmin=2, comments=None, dtype=np.float64
        )
    except ValueError:
        return None, [_odd_line(where, lines, columns, meant)]
    if len(rows) != len(lines):
        return None, [Finding("blank-line", where, "it has an empty line; every line is a frame.")]
    if columns is not None and rows.shape[1] != columns:
        return None, [_wrong_columns(where, lines[0], rows.shape[1], meant)]
    return rows, []


def _odd_line(where: str, lines: list[str], columns: int | None, meant: str) -> Finding:
    """The first line that no server can read, and why."""
    width = columns or len(lines[0].split(","))
    for number, line in enumerate(lines, start=1):
        fields = line.split(",")
        shown = repr(line[:60])
        if not line.strip():
            return Finding("blank-line", where, f"line {number} is empty; every line is a frame.")
        if re.search(r"[\d.][\t ;]+[-\d.]", line.strip()):
            what = f"line {number} is {shown}: commas part the numbers, not blanks, tabs, semicolons."
            return Finding("delimiter", where, what)
        if not all(_is_number(field) for field in fields):
            return Finding("number", where, f"line {number} is {shown}: {meant}.")
        if len(fields) != width:
            return _wrong_columns(where, line, len(fields), meant, number)
    return Finding("number", where, f"it cannot be read: {meant}.")


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return "_" not in text


def _wrong_columns(where: str, line: str, count: int, meant: str, number: int = 1) -> Finding:
    hint = " Eight are a polygon: convert it to the box around it." if count == 8 else ""
    return Finding("columns", where, f"line {number} has {count} values ({line[:60]!r}): {meant}.{hint}")


def against_first(where: str, boxes: np.ndarray, init: np.ndarray) -> Finding | None:
    """What is wrong with the first line, which is the box that the tracker was given."""
    away = np.abs(boxes[0] - init).max()
    if away <= _EXACT:
        return None
    first, given = (",".join(f"{value:g}" for value in box) for box in (boxes[0], init))
    if away <= _NEAR:
        what = f"the first line is {first}, within a pixel of the initial box {given}: rounded?"
        return Finding("first-rounded", where, what, fatal=False)
    corners = np.array([*init[:2], *(init[:2] + init[2:])])
    hint = ""
    if np.abs(boxes[0] - corners).max() <= _NEAR:
        hint = " It is the box's two corners: a line is x,y,w,h."
    elif np.abs(boxes[0] - init[[1, 0, 3, 2]]).max() <= _NEAR:
        hint = " Its columns are swapped: a line is x,y,w,h."
    return Finding("first-box", where, f"the first line is {first}, the initial box {given}.{hint}")


def rounding_cost(boxes: list[np.ndarray], seed: int = 0) -> tuple[float, float]:
    """Overlap that whole numbers cost, in percent: by rounding to the nearest, and by cutting decimals off.

    Had the boxes had decimals, all fractions would have been as likely: every box is given fractions at
    random, and the mean IoU with the whole box is taken. It is what a perfect tracker would lose.
    """
    whole = np.concatenate(boxes)
    whole = whole[(whole[:, 2:] > 1).all(axis=1)]
    if not len(whole):
        return 0.0, 0.0
    fraction = np.random.default_rng(seed).random(whole.shape)
    losses = (100.0 * (1.0 - iou(whole + part, whole).mean()) for part in (fraction - 0.5, fraction))
    nearest, cut = (float(loss) for loss in losses)
    return nearest, cut
