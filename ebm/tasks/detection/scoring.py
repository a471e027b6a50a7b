"""How good detections are: COCO's average precision, by faster-coco-eval, and the same per category.

Source: Lin et al., ECCV 2014, arXiv:1405.0312, and the evaluation code of COCO: 101 recalls, the 100 surest
detections of a picture and category, overlap of at least 0.5, 0.55 ... 0.95.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ebm.exceptions import InputError
from ebm.tasks.detection.data.records import DetectionSet, ImageId
from ebm.tasks.detection.matching import AREAS, OVERLAPS, matched_categories
from ebm.tasks.detection.results_file import Detections

__all__ = [
    "COLUMNS",
    "CategoryScore",
    "Scores",
    "column_values",
    "require_scorable",
    "score_detections",
]

# Name of a column -> overlap that counts (None: the mean over all ten), area of the objects that count.
COLUMNS: dict[str, tuple[float | None, str]] = {
    "AP": (None, "all"),
    "AP50": (0.5, "all"),
    "AP75": (0.75, "all"),
    "AP90": (0.9, "all"),
    "APs": (None, "small"),
    "APm": (None, "medium"),
    "APl": (None, "large"),
}


@dataclass(frozen=True)
class CategoryScore:
    """Scores of one category, by the names of `COLUMNS`, in [0, 1]; NaN where no object counts.

    Attributes:
        name: of the category.
        objects: of it in the set, crowds left out.
        values: by column.
    """

    name: str
    objects: int
    values: Mapping[str, float]


@dataclass(frozen=True)
class Scores:
    """Scores of detections on a set.

    Attributes:
        values: mean over the categories that have objects, by the names of `COLUMNS`, in [0, 1]; NaN where
            there is none.
        categories: each on its own, in the order of the labels; those without objects too.
        images: how many pictures the set has.
        objects: how many objects, crowds left out.
        detections: how many there were; of each picture and category the 100 surest count.
    """

    values: Mapping[str, float]
    categories: tuple[CategoryScore, ...]
    images: int
    objects: int
    detections: int

    def __getitem__(self, column: str) -> float:
        """A value by its column's name."""
        return self.values[column]


def score_detections(detections: Mapping[ImageId, Detections], truth: DetectionSet) -> Scores:
    """Average precision of detections, as COCO's own evaluation has it for boxes.

    Args:
        detections: of pictures of the set, by their ids; a picture that is missing has none.
        truth: the set. Detections of crowds are neither right nor wrong.

    Returns:
        Scores of the whole and of every category.

    Raises:
        InputError: if the set has no object, or there are detections of pictures that it does not have.
        MissingPackageError: if faster-coco-eval is not installed.
    """
    objects = require_scorable(detections, truth)
    each = [dict.fromkeys(COLUMNS, math.nan) for _ in truth.categories]
    for label, matched in matched_categories(detections, truth):
        each[label] = column_values(matched.precision())
    values = {column: _mean_of([own[column] for own in each]) for column in COLUMNS}
    return Scores(
        values,
        tuple(CategoryScore(name, int(count), own) for name, count, own in zip(truth.names, objects, each)),
        images=len(truth),
        objects=int(objects.sum()),
        detections=sum(map(len, detections.values())),
    )


def require_scorable(detections: Mapping[ImageId, Detections], truth: DetectionSet) -> NDArray[np.int64]:
    """The objects of every category, crowds left out, ``[C]``.

    Raises:
        InputError: if the set has none, or there are detections of pictures that it does not have.
    """
    foreign = [image_id for image_id in detections if image_id not in truth.by_id]
    if foreign:
        raise InputError(f"{len(foreign)} pictures with detections are not in the set, first {foreign[0]!r}.")
    objects = np.zeros(len(truth.categories), dtype=np.int64)
    for image in truth.images:
        objects += np.bincount(image.labels[~image.crowd], minlength=len(objects))
    if not objects.any():
        raise InputError("the set has no object, so nothing can be found: there is no score.")
    return objects


def column_values(precision: NDArray[np.float64]) -> dict[str, float]:
    """Scores of a category by column, from its precision ``[10, 101, 4]``; NaN where no object counts."""
    values = {}
    for column, (overlap, area) in COLUMNS.items():
        part = precision[_rows(overlap), :, AREAS.index(area)]
        values[column] = float(part.mean()) if part.min() > -1 else math.nan
    return values


def _rows(overlap: float | None) -> slice:
    """Rows of COCO's ten overlaps: one of them, or all."""
    if overlap is None:
        return slice(None)
    row = int(np.argmin(np.abs(OVERLAPS - overlap)))
    return slice(row, row + 1)


def _mean_of(values: list[float]) -> float:
    """Over the categories that have one."""
    there = [value for value in values if math.isfinite(value)]
    return float(np.mean(there)) if there else math.nan
