"""Annotation text that is not ours: what it looks like, how it may be read, and what to do with it."""

import re
from collections.abc import Sequence
from pathlib import Path

from ebm.annotations.texts import CONVERT
from ebm.number_texts import parse_number

__all__ = [
    "commas_mixed",
    "decimal_reading",
    "explain_folder",
    "explain_lines",
    "is_mot",
    "fields_of",
    "numbers_of",
]

_SEPARATOR = re.compile(r"\s*[,;]\s*|\s+")
_DECIMAL = re.compile(r"[+-]?\d+,\d+(?:[eE][+-]?\d+)?")
_XML = (
    "holds XML, as VOC's annotations: write a line x,y,w,h from each bndbox, w = xmax - xmin, h = ymax - ymin"
)
_JSON = "holds JSON; a file in the manner of COCO is opened as a data set of its own, folder:FILE.json"
_MASK = "holds masks: write a line x,y,w,h, the smallest box around each mask"
_MOT = "is a row of MOT (frame, id, x, y, w, h, ...), a file of several targets"
_YOLO = (
    "is a row of YOLO (class, centre x, centre y, w, h as shares of the picture): multiply by its width and "
    "height, subtract half of w and h from the centre, and write one line x,y,w,h for every picture"
)
_NUMBERED = "has a number and four more: leave the first column out, so that every line reads x,y,w,h"
_HEADER = "names columns: remove it, so that every line is a box x,y,w,h"
_POLYGON = "has 8 numbers, the corners of a polygon (or four numbers with decimal commas)"


def fields_of(line: str) -> list[str]:
    """The fields of a row; those with nothing between two commas or semicolons are empty, not left out.

    A comma or semicolon at its end closes a row, as some programs write it.
    """
    row = _closed(line)
    return _SEPARATOR.split(row) if row else []


def _closed(line: str) -> str:
    """A row without what closes it."""
    return re.sub(r"\s*[,;]$", "", line.strip())


def commas_mixed(line: str) -> bool:
    """Whether commas with nothing after them stand beside another separator: ``12,5 30,0``."""
    separators = set(_SEPARATOR.findall(_closed(line).strip(";")))
    return "," in separators and len(separators) > 1


def numbers_of(fields: Sequence[str]) -> list[float] | None:
    """The fields as numbers; None if one is not."""
    try:
        return [parse_number(field) for field in fields]
    except ValueError:
        return None


def decimal_reading(line: str) -> list[float] | None:
    """The numbers of a line whose commas are decimal points; None if it cannot be read so.

    A decimal comma stands between digits: that of ``26 ,518`` or ``26, 518`` separates two numbers.
    """
    fields = re.split(r"\s*;\s*|\s+", re.sub(r"\s*;$", "", line.strip()))
    if not all(_DECIMAL.fullmatch(field) for field in fields if "," in field):
        return None
    return numbers_of([field.replace(",", ".") for field in fields])


def is_mot(values: Sequence[float]) -> bool:
    """Whether numbers look like a row of MOT's gt.txt: whole frame and id from 1 on, a box, and more."""
    return (
        6 <= len(values) <= 10
        and len(values) != 8
        and all(float(v).is_integer() and v >= 0 for v in values[:2])
    )


def _readings(line: str) -> str:
    plain = fields_of(line)
    shown = [f"the {len(plain)} numbers {', '.join(plain)}"]
    decimal = decimal_reading(line)
    if decimal is not None:
        shown.insert(0, f"{', '.join(f'{value:g}' for value in decimal)} (decimal commas)")
    return " or as ".join(shown)


def explain_lines(file: Path, lines: Sequence[str]) -> str | None:
    """Why the lines of a file are not boxes x,y,w,h, where they are known to be something else.

    Args:
        file: where they stand, for the command that converts them.
        lines: at least one.

    Returns:
        A sentence that starts with the file and ends with what to do; None if nothing is recognised.
    """
    start = lines[0].lstrip()
    remedy = f"convert it: {CONVERT} {file} --out NEW"
    if start.startswith(("<", "{", "[")):
        return f"{file} {_XML if start[0] == '<' else _JSON}."
    for number, line in enumerate(lines, start=1):
        if commas_mixed(line):
            return (
                f"{file}, line {number}: {line.strip()!r} can be read as {_readings(line)}. Separate with "
                f"commas alone and write decimal points; where the commas are decimal ones, {remedy}."
            )
    what = _kind_of_row(start, lines)
    if what is None:
        return None
    ending = f"; {remedy}" if what in (_MOT, _POLYGON) else ""
    return f"{file}, line 1: {lines[0].strip()!r} {what}{ending}."


def _kind_of_row(start: str, lines: Sequence[str]) -> str | None:
    """What the first line is, as far as one can tell."""
    fields = fields_of(start)
    if re.match(r"m\d", start):
        return _MASK
    values = numbers_of(fields)
    if values is None:
        rest = numbers_of([field for line in lines[1:2] for field in fields_of(line)])
        return _HEADER if rest else None
    if len(values) == 8:
        return _POLYGON
    if len(values) == 5:
        return _YOLO if all(0 <= value <= 1 for value in values[1:]) else _NUMBERED
    return _MOT if is_mot(values) else None


def explain_folder(folder: Path) -> str:
    """A sentence on annotations of another kind in a folder or its sub-folders; empty if none is known."""
    places = [folder, *sorted(path for path in folder.iterdir() if path.is_dir())][:20]
    for place in places:
        for file in (place / "gt" / "gt.txt", place / "gt.txt"):
            if file.is_file():
                return f" {file} is MOT's; convert it: {CONVERT} {file} --out NEW."
        if next(place.glob("*.xml"), None) or next(place.glob("Annotations/*.xml"), None):
            return f" {place} {_XML}; {_photos(place)}."
        if next(place.glob("labels/*.txt"), None) or next(place.glob("labels/*/*.txt"), None):
            row = _YOLO.removeprefix("is a row of YOLO ")
            return f" {place / 'labels'} looks like YOLO: a row there {row}; {_photos(folder)}."
    return ""


def _photos(place: Path) -> str:
    """What to do with single pictures with boxes."""
    return f"single photos: {CONVERT} {place} --out NEW, and open NEW/annotations/instances_train.json"
