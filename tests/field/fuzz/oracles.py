"""What damaged text says to a strict reader that shares no code with ours; None: nothing that is plain."""

import csv
import json
import re
from pathlib import Path
from typing import Any

import numpy as np

__all__ = ["Rows", "box_argument", "flags", "numbers", "own_json", "own_table", "rows", "text_of", "tracks"]

Rows = np.ndarray  # [N, 4] xywh

_NUMBER = re.compile(r"[-+]?(?:\d+\.?\d*|\.\d+)(?:[eE][-+]?\d+)?|[-+]?(?:nan|inf|infinity)", re.A | re.I)


def text_of(file: Path, wide: bool = False) -> str | None:
    """Text in UTF-8, or `wide` in UTF-16 that says so, with one kind of line ends."""
    data = file.read_bytes()
    try:
        text = data.decode("utf-16" if wide and data[:2] in (b"\xff\xfe", b"\xfe\xff") else "utf-8-sig")
    except UnicodeDecodeError:
        return None
    return None if "\0" in text else text.replace("\r\n", "\n").replace("\r", "\n")


def numbers(line: str) -> list[float] | None:
    """Numbers with one comma, one semicolon or blanks between two; commas without blanks alone.

    One separator may close the row, also a semicolon that of commas, as in a matrix of MATLAB.
    """
    row = re.sub(r"\s*[,;]$", "", line.strip())
    if re.search(r"\S,\S", row) and re.search(r";|[^,;\s]\s+[^,;\s]", row):
        return None
    fields = re.split(r"\s*[,;]\s*|\s+", row)
    return [float(field) for field in fields] if all(map(_NUMBER.fullmatch, fields)) else None


def rows(file: Path) -> Rows | None:
    """Boxes, one a line."""
    text = text_of(file)
    found = [numbers(line) for line in (text or "").rstrip().splitlines()]
    if not found or any(row is None or len(row) != 4 for row in found):
        return None
    return np.array(found, dtype=np.float64)


def flags(file: Path, highest: int = 1) -> np.ndarray | None:
    """Whole numbers with any separators."""
    fields = re.split(r"[,;\s]+", (text_of(file) or "").strip().strip(",;"))
    if not all(re.fullmatch(r"\d{1,18}", field, re.A) for field in fields):
        return None
    found = np.array([int(field) for field in fields])
    return found if (found <= highest).all() else None


def box_argument(text: str) -> list[float] | None:
    """``x,y,w,h``."""
    fields = [field.strip() for field in text.split(",")]
    if len(fields) != 4 or not all(map(_NUMBER.fullmatch, fields)):
        return None
    x, y, w, h = map(float, fields)
    return [x, y, w, h] if np.isfinite([x, y, w, h]).all() and w > 0 < h else None


def own_table(file: Path) -> dict[tuple[str, str], list[float]] | None:
    """Boxes of a table by sequence and frame; every line has as many columns as the first."""
    try:
        table = [row for row in csv.reader((text_of(file) or "").splitlines()) if row]
    except csv.Error:
        return None
    if not table or any(len(row) < 6 or "".join(row[len(table[0]) :]).strip() for row in table):
        return None
    head = [name.strip().lower() for name in table[0]]
    found: dict[tuple[str, str], list[float]] = {}
    for row in table[1:]:
        cells = [row[head.index(name)].strip() for name in ("sequence", "frame", "x", "y", "w", "h")]
        if not all(map(_NUMBER.fullmatch, cells[2:])):
            return None
        found[cells[0], cells[1]] = [float(cell) for cell in cells[2:]]
    return found


def _plain(value: Any) -> bool:
    """Whether a JSON value is a number, or a text that is one."""
    if isinstance(value, str):
        return bool(_NUMBER.fullmatch(value.strip()))
    return isinstance(value, int | float) and not isinstance(value, bool)


def _float(value: Any) -> float:
    try:
        return float(value)
    except OverflowError:
        return float("inf") if value > 0 else float("-inf")


def own_json(file: Path) -> list[list[float]] | None:
    """The boxes of a file in the manner of COCO that are no crowds, in their order."""
    try:
        content = json.loads(text_of(file) or "")
        boxes = [
            entry["bbox"]
            for entry in content["annotations"]
            if int(entry.get("iscrowd", 0) or 0) == 0 and entry.get("bbox") is not None
        ]
        if not all(len(box) == 4 and all(map(_plain, box)) for box in boxes):
            return None
        return [[_float(value) for value in box] for box in boxes]
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError, OverflowError):
        return None


def tracks(file: Path) -> list[float] | None:
    """The corners of all objects of one VOC file."""
    from xml.etree import ElementTree

    try:
        root = ElementTree.fromstring(file.read_bytes())
        corners = [
            entry.findtext(f"bndbox/{key}", "").strip()
            for entry in root.iterfind("object")
            for key in ("xmin", "ymin", "xmax", "ymax")
        ]
    except (ElementTree.ParseError, LookupError, ValueError):
        return None
    return [float(corner) for corner in corners] if all(map(_NUMBER.fullmatch, corners)) else None
