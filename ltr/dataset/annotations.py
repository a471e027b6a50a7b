"""Annotation text files: boxes and per-frame flags, whatever the separator."""

import re
from pathlib import Path

import numpy as np
import numpy.typing as npt

from ebm.annotations.texts import read_data, read_text, text_of
from ebm.exceptions import InputError
from ebm.number_rows import plain_rows
from ebm.number_texts import parse_number, parse_whole
from ltr.data.video import Annotation
from ltr.dataset.foreign import explain_lines, fields_of

__all__ = ["boxes_of", "make_annotation", "read_boxes", "read_flags", "read_levels"]

_SEPARATORS = re.compile(r"\s*[,;]\s*|\s+")


def _parse_line(file: Path, number: int, line: str) -> list[float]:
    """Four numbers of one line, slowly and with a message that names the line."""
    fields = fields_of(line)
    try:
        values = [parse_number(field) for field in fields]
    except ValueError as error:
        raise InputError(f"{file}, line {number}: {line.strip()!r} is not a box ({error}).") from error
    if len(values) != 4:
        raise InputError(
            f"{file}, line {number}: a box is four numbers x, y, w, h in pixels; found {len(values)} in "
            f"{line.strip()!r}."
        )
    return values


def read_boxes(file: str | Path) -> npt.NDArray[np.float64]:
    """Boxes of a text file, one line a frame, separated by commas, tabs, semicolons or spaces.

    Args:
        file: the text file; NaN rows are allowed, blank lines only at the end.

    Returns:
        ``[N, 4]`` xywh, px, as written.

    Raises:
        InputError: if the file is missing, empty, or a line is not four numbers or can be read in two ways;
            names file, line and, for formats that are known, the command that converts them.
    """
    file = Path(file)
    return boxes_of(read_data(file, "annotation file"), file)


def boxes_of(data: bytes, file: Path) -> npt.NDArray[np.float64]:
    """The boxes, ``[N, 4]``, that the bytes of a text file are; errors as `read_boxes`."""
    # A plain file at once, any regular one in microseconds a line; the slow path only finds the odd line.
    boxes = plain_rows(data)
    if boxes is not None and boxes.shape[1] == 4:
        return _in_pixels(file, boxes)
    lines = text_of(data, file, "annotation file").rstrip().splitlines()
    if not lines:
        raise InputError(f"{file} holds no boxes: expected one line x,y,w,h for every frame.")
    separator = "," if "," in lines[0] else None
    try:
        boxes = np.loadtxt(lines, delimiter=separator, ndmin=2, comments=None, dtype=np.float64)
    except ValueError:
        boxes = np.empty((0, 0))
    if boxes.shape == (len(lines), 4):
        return _in_pixels(file, boxes)
    foreign = explain_lines(file, lines)
    if foreign is not None:
        raise InputError(foreign)
    rows = [_parse_line(file, number, line) for number, line in enumerate(lines, start=1)]
    return _in_pixels(file, np.array(rows))


def _in_pixels(file: Path, boxes: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """The boxes, unless every one of those with area lies within a single pixel: shares of the picture."""
    if (boxes[0] > 1).all():  # nearly every file: the first box tells
        return boxes
    with_area = boxes[(boxes[:, 2:] > 0).all(axis=1)]
    if len(with_area) and ((with_area >= 0) & (with_area <= 1)).all() and (with_area[:, 2:] < 1).all():
        raise InputError(
            f"{file}: all boxes lie between 0 and 1, so they seem to be shares of the picture; multiply them "
            "by its width and height, so that every line is x,y,w,h in pixels."
        )
    return boxes


def _regular_levels(text: str, highest: int) -> npt.NDArray[np.int64] | None:
    """The numbers of a text of single digits with one separator between two; None if it is anything else."""
    characters = np.frombuffer(text.strip().encode(), dtype=np.uint8)
    digits = characters[::2].astype(np.int64) - ord("0")
    separated = np.isin(characters[1::2], np.frombuffer(b",;\n\t ", dtype=np.uint8)).all()
    if len(characters) % 2 == 0 or not separated or digits.min() < 0 or digits.max() > min(highest, 9):
        return None
    return digits


def read_levels(file: str | Path, highest: int) -> npt.NDArray[np.int64]:
    """Whole numbers from 0 to `highest`, on one line or one a line, separated as boxes are.

    Args:
        file: the text file.
        highest: the largest number allowed.

    Returns:
        ``[N]`` numbers.

    Raises:
        InputError: if the file is missing, empty or holds anything else; names file and line.
    """
    file = Path(file)
    text = read_text(file, "flag file")
    quick = _regular_levels(text, highest)
    if quick is not None:
        return quick
    fields: list[str] = []
    for number, line in enumerate(text.splitlines(), start=1):
        here = [field for field in _SEPARATORS.split(line.strip()) if field]
        for field in here:
            level = parse_whole(field)
            if level is None or level > highest:
                raise InputError(
                    f"{file}, line {number}: {field[:40]!r} is not a whole number from 0 to {highest}."
                )
        fields += here
    if not fields:
        raise InputError(f"{file} is empty: expected one number for every frame.")
    return np.array(fields, dtype=np.int64)


def read_flags(file: str | Path) -> npt.NDArray[np.bool_]:
    """Zeros and ones, on one line or one a line, ``[N]``; errors as `read_levels`."""
    return read_levels(file, highest=1).astype(bool)


def make_annotation(
    boxes: npt.NDArray[np.floating],
    hidden: npt.NDArray[np.bool_] | None = None,
    visible_ratio: npt.NDArray[np.floating] | None = None,
) -> Annotation:
    """An `Annotation` from raw rows: a row that is not finite or has no area is kept, but marked not valid.

    Args:
        boxes: ``[T, 4]`` xywh, px.
        hidden: ``[T]`` frames in which the target cannot be seen; None: seen wherever valid.
        visible_ratio: ``[T]`` share of the target that is seen, 0..1, optional.
    """
    with np.errstate(over="ignore"):  # what float32 cannot hold becomes infinite, and is not valid
        rows = np.ascontiguousarray(boxes, dtype=np.float32)
    valid = np.isfinite(rows).all(axis=1) & (rows[:, 2] > 0) & (rows[:, 3] > 0)
    visible = valid if hidden is None else valid & ~hidden
    ratio = None if visible_ratio is None else np.ascontiguousarray(visible_ratio, dtype=np.float32)
    return Annotation(boxes=rows, valid=valid, visible=visible, visible_ratio=ratio)
