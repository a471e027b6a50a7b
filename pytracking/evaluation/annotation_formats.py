"""Annotation files of benchmarks that are not rows of x, y, w, h: polygons of VOT, rows of NFS."""

import re
from collections.abc import Callable, Mapping
from pathlib import Path

import numpy as np

from ebm.annotations.texts import read_data, read_text, text_of
from ebm.exceptions import InputError
from ltr.dataset.annotations import boxes_of, read_boxes
from ltr.dataset.foreign import fields_of

__all__ = ["FORMATS", "bounding_boxes", "read_polygons", "read_vatic"]


def bounding_boxes(corners: np.ndarray) -> np.ndarray:
    """Bounding rectangles xywh, ``[N, 4]``, of polygons x1, y1, x2, y2 ..., px, ``[N, 2 K]``."""
    x, y = corners[:, ::2], corners[:, 1::2]
    low = np.stack([x.min(axis=1), y.min(axis=1)], axis=1)
    high = np.stack([x.max(axis=1), y.max(axis=1)], axis=1)
    return np.concatenate([low, high - low], axis=1)


def read_polygons(file: Path) -> np.ndarray:
    """Boxes xywh, px, ``[N, 4]``, of a file of boxes or of polygons (then their bounding rectangles).

    Raises:
        InputError: if it is neither.
    """
    data = read_data(file, "annotation file")
    if _fields_of_first_line(data) in (0, 4):
        return boxes_of(data, file)
    text = text_of(data, file, "annotation file")
    lines = text.replace(",", " ").replace(";", " ").rstrip().splitlines()
    try:
        rows = np.loadtxt(lines, ndmin=2, comments=None, dtype=np.float64)
    except ValueError as error:
        raise InputError(f"{file}: not every line is a polygon of the same corners ({error}).") from error
    if rows.shape[1] % 2 or rows.shape[1] < 6:
        raise InputError(f"{file}: {rows.shape[1]} numbers a line are neither a box nor a polygon.")
    return bounding_boxes(rows)


def _fields_of_first_line(data: bytes) -> int:
    """How many numbers a file starts with; 4 where it is no text, which `boxes_of` explains."""
    line = re.split(rb"[\r\n]", data[:4096], maxsplit=1)[0]
    try:
        return len(fields_of(line.decode("utf-8-sig")))
    except UnicodeDecodeError:
        return 4


def read_vatic(file: Path) -> np.ndarray:
    """Boxes xywh, px, ``[N, 4]``, of NFS's own files, in the order of their frames.

    A row is ``id left top right bottom frame lost occluded generated "label"``.

    Raises:
        InputError: if a line is none of these.
    """
    rows = []
    for number, line in enumerate(read_text(file, "annotation file").rstrip().splitlines(), start=1):
        fields = line.split(maxsplit=9)
        try:
            left, top, right, bottom, frame = (float(field) for field in fields[1:6])
        except ValueError as error:
            raise InputError(
                f"{file}, line {number}: expected id left top right bottom frame lost occluded generated "
                f'"label", got {line[:60]!r}.'
            ) from error
        rows.append((frame, left, top, right - left, bottom - top))
    if not rows:
        raise InputError(f"{file} holds no boxes.")
    return np.array(sorted(rows, key=lambda row: row[0]))[:, 1:]


FORMATS: Mapping[str, Callable[[Path], np.ndarray]] = {
    "boxes": read_boxes,
    "polygons": read_polygons,
    "vatic": read_vatic,
}
