"""Boxes of several targets in a text file, one line each."""

import re
from collections.abc import Hashable
from pathlib import Path

from ebm.exceptions import InputError
from ebm.number_texts import parse_number

__all__ = ["parse_id", "read_box_file"]

Box = tuple[float, ...]


def read_box_file(path: Path) -> dict[Hashable, Box]:
    """Boxes x, y, w, h, px, by id.

    A line is ``x,y,w,h`` or ``id,x,y,w,h``; blanks or tabs will do for commas. Without ids targets count from
    1. Empty lines and those that begin with ``#`` are passed over.

    Raises:
        InputError: naming the line that is no box or has an id a second time; if the file cannot be read, or
            holds no box.
    """
    try:
        lines = path.read_text(encoding="utf-8-sig").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(
            f"The boxes {path} cannot be read: {getattr(error, 'strerror', None) or error}."
        ) from error
    boxes: dict[Hashable, Box] = {}
    width = 0
    for number, line in enumerate(lines, start=1):
        text = line.strip()
        if not text or text.startswith("#"):
            continue
        parts = re.split(r"\s*,\s*|\s+", text)
        if width not in (0, len(parts)):
            raise InputError(f"{path}, line {number}: either all lines have an id or none; got {text!r}.")
        width = len(parts)
        target = parse_id(parts[0]) if width == 5 else len(boxes) + 1
        if target in boxes:
            raise InputError(f"{path}, line {number}: there is a target {target!r} already; ids differ.")
        boxes[target] = _box(parts[-4:] if width in (4, 5) else [], text, path, number)
    if not boxes:
        raise InputError(f"{path} holds no box; a line is x,y,w,h or id,x,y,w,h.")
    return boxes


def parse_id(text: str) -> int | str:
    """The id of a target as it was written: a whole number, or the text itself."""
    return int(text) if re.fullmatch(r"-?[0-9]{1,18}", text) else text


def _box(parts: list[str], text: str, path: Path, number: int) -> Box:
    try:
        x, y, w, h = (parse_number(part) for part in parts)
    except ValueError as error:
        raise InputError(
            f"{path}, line {number}: expected x,y,w,h or id,x,y,w,h in pixels, got {text!r}."
        ) from error
    if not (0 < w < float("inf") and 0 < h < float("inf") and abs(x) < float("inf") > abs(y)):
        raise InputError(
            f"{path}, line {number}: width and height are positive, all four finite; got {text!r}."
        )
    return x, y, w, h
