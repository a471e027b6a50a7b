"""VOT's regions to boxes: rectangles, polygons and masks, as text or as the toolkit's Python API hands them.

A mask as text is ``m`` and whole numbers with commas: left, top, width and height of a window of the image,
then run lengths of its pixels row by row, alternately off and on, beginning with off. Pixels behind the last
run are off.
"""

import math
from collections.abc import Sequence
from typing import Any, Literal, get_args

import numpy as np
from numpy.typing import ArrayLike

from ebm.exceptions import InputError
from ebm.lookup import unknown_name
from ebm.number_texts import parse_number

__all__ = [
    "Box",
    "PolygonRule",
    "as_text",
    "box_of_mask",
    "box_of_polygon",
    "box_of_text",
    "box_of_value",
    "require_rule",
]

Box = tuple[float, float, float, float]  # x, y, w, h, px
PolygonRule = Literal["preserve_area", "union"]

_NEEDED = "This tracker starts from a box, a polygon or a mask."
_POINT = f"The target is given as a point, which has no size. {_NEEDED}"
_NONE = f"The target is given without a region (by a description, perhaps). {_NEEDED}"
_MASK_PIXELS = 1 << 28  # of a window that is read from text


def require_rule(name: str) -> PolygonRule:
    """The rule of that name.

    Raises:
        UnknownNameError: if there is none.
    """
    for rule in get_args(PolygonRule):
        if rule == name:
            return rule
    raise unknown_name("rule for polygons", name, get_args(PolygonRule))


def box_of_polygon(corners: ArrayLike, rule: PolygonRule = "preserve_area") -> Box:
    """A box for a polygon.

    Args:
        corners: x, y, px, ``[N, 2]``, N at least 3.
        rule: ``"union"``, the smallest box around it; ``"preserve_area"``, of four corners: a box about their
            mean, shaped as the smallest one around them, of about the polygon's area (the product of its
            first two sides). Of other than four corners it is the smallest box.

    Raises:
        InputError: if a corner is not finite, there are fewer than 3, or they enclose no area.
    """
    points = np.asarray(corners, dtype=np.float64)
    if points.ndim != 2 or points.shape[1] != 2 or len(points) < 3 or not np.isfinite(points).all():
        raise InputError(
            f"A polygon is at least three corners x, y, all finite; got {np.asarray(corners).tolist()}."
        )
    low, extent = points.min(axis=0), np.ptp(points, axis=0)
    if extent.min() <= 0:
        raise InputError(f"The polygon {points.tolist()} has no area; start where the target is marked.")
    if rule == "union" or len(points) != 4:
        return _box(*low, *extent)
    sides = np.linalg.norm(np.diff(points[:3], axis=0), axis=1)
    size = extent * math.sqrt(sides.prod() / extent.prod()) + 1
    return _box(*(points.mean(axis=0) - size / 2), *size)


def box_of_mask(mask: ArrayLike, offset: tuple[int, int] = (0, 0)) -> Box:
    """The smallest box that holds a mask's pixels.

    Args:
        mask: not 0 where the target is, ``[H, W]``.
        offset: left and top of the mask in the image, px.

    Raises:
        InputError: if no pixel is set.
    """
    pixels = np.asarray(mask) != 0
    if pixels.ndim != 2 or not pixels.any():
        raise InputError(f"The mask of shape {list(pixels.shape)} marks no pixel; start where the target is.")
    columns, rows = np.flatnonzero(pixels.any(axis=0)), np.flatnonzero(pixels.any(axis=1))
    left, top = int(columns[0]), int(rows[0])
    return _box(offset[0] + left, offset[1] + top, columns[-1] - left + 1, rows[-1] - top + 1)


def box_of_text(text: str, rule: PolygonRule = "preserve_area") -> Box:
    """The box of a region as VOT writes it: four numbers, a polygon's six or more, or a mask.

    Raises:
        InputError: if it is none of these, or has no area; a point and an empty region too.
    """
    line = text.strip()
    if line.startswith("m"):
        return _box_of_runs(line)
    try:
        numbers = [parse_number(part) for part in line.split(",")]
    except ValueError as error:
        raise InputError(f"{_shown(line)} is no region: numbers with commas are expected.") from error
    return _box_of_numbers(numbers, rule)


def box_of_value(value: Any, rule: PolygonRule = "preserve_area") -> Box:
    """The box of a region as the toolkit's Python API hands it.

    Args:
        value: a tuple x, y, w, h; a list of corners; or an array or rows of a mask, ``[H, W]``.
        rule: see `box_of_polygon`.

    Raises:
        InputError: as `box_of_text`.
    """
    if isinstance(value, np.ndarray):
        return box_of_mask(value)
    if isinstance(value, Sequence) and not isinstance(value, str):
        if value and all(isinstance(corner, tuple) and len(corner) == 2 for corner in value):
            return box_of_polygon(value, rule)
        if value and all(isinstance(row, Sequence | np.ndarray) for row in value):
            return box_of_mask(np.asarray(value))
        if all(isinstance(number, int | float | np.number) for number in value):
            return _box_of_numbers([float(number) for number in value], rule)
    raise InputError(f"{_shown(repr(value))} is no region: a box, corners or a mask is expected.")


def as_text(box: Box | None) -> str:
    """A box as VOT writes it; ``0`` for none."""
    return "0" if box is None else ",".join(f"{value:.4f}" for value in box)


def _box_of_numbers(numbers: list[float], rule: PolygonRule) -> Box:
    count = len(numbers)
    if count == 1:
        raise InputError(_NONE)
    if count == 2:
        raise InputError(_POINT)
    if count == 4:
        if not all(map(math.isfinite, numbers)) or min(numbers[2:]) <= 0:
            raise InputError(f"A box has positive width and height and finite numbers; got {numbers}.")
        return _box(*numbers)
    if count % 2:
        raise InputError(f"A region is 4 numbers, or the 6 or more of corners x, y; got {count} numbers.")
    return box_of_polygon(np.reshape(numbers, (-1, 2)), rule)


def _box_of_runs(line: str) -> Box:
    """The box of a mask as text."""
    try:
        numbers = [int(part) for part in line[1:].split(",")]
    except ValueError as error:
        raise InputError(f"{_shown(line)} is no mask: m and whole numbers with commas.") from error
    if len(numbers) < 5 or min(numbers[2:]) < 0:
        raise InputError(f"{_shown(line)} is no mask: m, left, top, width, height and run lengths.")
    left, top, width, height, *runs = numbers
    if sum(runs) > width * height or width * height > _MASK_PIXELS:
        raise InputError(
            f"{_shown(line)} is no mask: {sum(runs)} pixels in runs, {width} x {height} in its window."
        )
    pixels = np.zeros(width * height, dtype=bool)
    values = np.arange(len(runs)) % 2 == 1
    pixels[: sum(runs)] = np.repeat(values, runs)
    return box_of_mask(pixels.reshape(height, width), (left, top))


def _box(x: float, y: float, w: float, h: float) -> Box:
    return float(x), float(y), float(w), float(h)


def _shown(text: str) -> str:
    return repr(text if len(text) <= 60 else f"{text[:57]}...")
