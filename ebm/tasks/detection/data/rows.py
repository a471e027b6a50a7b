"""Objects as files have them, checked row by row, and made the arrays of a picture."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from ebm.tasks.detection.data.records import DetectionImage, ImageId
from ebm.tasks.detection.problems import Problems

__all__ = ["Row", "image_of"]

LARGEST = 1e7  # px; float32 tells neighbouring pixels apart up to here


@dataclass(frozen=True)
class Row:
    """An object.

    Attributes:
        where: it stands, for messages.
        corners: xyxy, px.
        label: of its category.
        crowd: whether it is several objects.
        area: px^2; None: that of its box.
    """

    where: str
    corners: tuple[float, float, float, float]
    label: int
    crowd: bool = False
    area: float | None = None


def image_of(
    image_id: ImageId, path: Path, size: tuple[int, int], rows: Sequence[Row], problems: Problems
) -> DetectionImage:
    """A picture with those of its objects that can be used.

    Args:
        image_id: of the picture.
        path: of its file.
        size: width and height, px.
        rows: its objects.
        problems: is told of those that are left out.
    """
    kept = []
    for row in rows:
        kind = _fault(row, size)
        if kind:
            problems.add(kind, f"{row.where}: {', '.join(f'{value:g}' for value in row.corners)} (xyxy)")
        else:
            kept.append(row)
    areas = [_area(row) for row in kept]
    return DetectionImage(
        image_id,
        path,
        np.array([row.corners for row in kept], dtype=np.float32).reshape(-1, 4),
        np.array([row.label for row in kept], dtype=np.int64),
        np.array([row.crowd for row in kept], dtype=bool),
        *size,
        area=np.array(areas, dtype=np.float32),
    )


def _fault(row: Row, size: tuple[int, int]) -> str:
    left, top, right, bottom = row.corners
    if not all(abs(value) < LARGEST for value in row.corners):  # NaN is not either
        return "boxes that are not finite"
    if right <= left or bottom <= top:
        return "boxes without area"
    if left >= size[0] or top >= size[1] or right <= 0 or bottom <= 0:
        return "boxes outside their picture"
    return ""


def _area(row: Row) -> float:
    if row.area is not None and math.isfinite(row.area) and row.area >= 0:
        return row.area
    left, top, right, bottom = row.corners
    return (right - left) * (bottom - top)
