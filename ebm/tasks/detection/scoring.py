"""How good detections are: COCO's average precision, by faster-coco-eval, and the same per category.

Source: Lin et al., ECCV 2014, arXiv:1405.0312, and the evaluation code of COCO: 101 recalls, the 100 surest
detections of a picture and category, overlap of at least 0.5, 0.55 ... 0.95.
"""

import importlib
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ebm.exceptions import InputError
from ebm.extras import explain_missing
from ebm.tasks.detection.data.records import DetectionSet, ImageId
from ebm.tasks.detection.results_file import Detections

__all__ = ["COLUMNS", "CategoryScore", "Scores", "score_detections"]

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
_MOST = 100  # detections of a picture and category


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
    foreign = [image_id for image_id in detections if image_id not in truth.by_id]
    if foreign:
        raise InputError(f"{len(foreign)} pictures with detections are not in the set, first {foreign[0]!r}.")
    objects = np.zeros(len(truth.categories), dtype=np.int64)
    for image in truth.images:
        objects += np.bincount(image.labels[~image.crowd], minlength=len(objects))
    if not objects.any():
        raise InputError("the set has no object, so nothing can be found: there is no score.")
    precision = _precision(detections, truth)
    values, each = {}, [dict[str, float]() for _ in truth.categories]
    for column, (overlap, area) in COLUMNS.items():
        part = precision[overlap_rows(overlap), ..., _AREAS.index(area)]
        values[column] = _mean(part)
        for label in range(len(truth.categories)):
            each[label][column] = _mean(part[..., label])
    return Scores(
        values,
        tuple(CategoryScore(name, int(count), own) for name, count, own in zip(truth.names, objects, each)),
        images=len(truth),
        objects=int(objects.sum()),
        detections=sum(map(len, detections.values())),
    )


_AREAS = ("all", "small", "medium", "large")
_OVERLAPS = np.linspace(0.5, 0.95, 10)


def overlap_rows(overlap: float | None) -> slice:
    """Rows of COCO's ten overlaps: one of them, or all."""
    if overlap is None:
        return slice(None)
    row = int(np.argmin(np.abs(_OVERLAPS - overlap)))
    return slice(row, row + 1)


def _mean(part: NDArray[np.float64]) -> float:
    """Over what is there: the evaluation marks with -1 what has no object."""
    there = part[part > -1]
    return float(there.mean()) if there.size else math.nan


@dataclass(frozen=True, eq=False)
class _Rows:
    """Boxes of all pictures, in flat arrays of one entry each."""

    image: NDArray[np.int64]  # number of the picture, from 1
    label: NDArray[np.int64]
    bbox: NDArray[np.float64]  # [N, 4] xywh, px
    area: NDArray[np.float64]
    crowd: NDArray[np.bool_]
    score: NDArray[np.float64]

    def of(self, label: int) -> list[dict[str, Any]]:
        """Those of a label as the evaluation takes them; ids from 1, since 0 is "not matched" there."""
        places = np.flatnonzero(self.label == label)
        columns = (self.image, self.bbox, self.area, self.crowd, self.score)
        return [
            {
                "id": number,
                "image_id": image,
                "category_id": 1,
                "bbox": bbox,
                "area": area,
                "iscrowd": int(crowd),
                "score": score,
            }
            for number, (image, bbox, area, crowd, score) in enumerate(
                zip(*(column[places].tolist() for column in columns)), start=1
            )
        ]


def _rows(given: Sequence[tuple[int, Detections]], area: Any = None, crowd: Any = None) -> _Rows:
    none = Detections(np.zeros((0, 4), np.float32), np.zeros(0, np.float32), np.zeros(0, np.int64))
    parts = [(0, none), *given]  # there is always something to put together
    boxes = np.concatenate([part.boxes for _, part in parts]).astype(np.float64)
    bbox = np.concatenate((boxes[:, :2], boxes[:, 2:] - boxes[:, :2]), axis=1)
    return _Rows(
        image=np.repeat([number for number, _ in parts], [len(part) for _, part in parts]).astype(np.int64),
        label=np.concatenate([part.labels for _, part in parts]).astype(np.int64),
        bbox=bbox,
        area=bbox[:, 2] * bbox[:, 3] if area is None else area,
        crowd=np.zeros(len(bbox), dtype=bool) if crowd is None else crowd,
        score=np.concatenate([part.scores for _, part in parts]).astype(np.float64),
    )


def _precision(detections: Mapping[ImageId, Detections], truth: DetectionSet) -> NDArray[np.float64]:
    """Precision by overlap, recall, category and area, ``[10, 101, C, 4]``; -1 where no object counts.

    One category after the other, each with its own pictures alone: the evaluation wants a dictionary for each
    box, and those of a million detections take two gigabytes.
    """
    try:
        library: Any = importlib.import_module("faster_coco_eval")
    except ModuleNotFoundError as error:
        raise explain_missing("scores of detections", "faster_coco_eval") from error
    numbers = {image.image_id: number for number, image in enumerate(truth.images, start=1)}
    known = _rows(
        [
            (number, Detections(image.boxes, np.ones(len(image), dtype=np.float32), image.labels))
            for number, image in enumerate(truth.images, start=1)
        ],
        np.concatenate([image.areas for image in truth.images]).astype(np.float64),
        np.concatenate([image.crowd for image in truth.images]),
    )
    found = _rows([(numbers[image_id], one) for image_id, one in detections.items()])
    precision = np.full((len(_OVERLAPS), 101, len(truth.categories), len(_AREAS)), -1.0)
    for label in np.unique(known.label[~known.crowd]).tolist():
        precision[:, :, label] = _of_category(library, known.of(label), found.of(label))
    return precision


def _of_category(library: Any, known: list[dict[str, Any]], found: list[dict[str, Any]]) -> Any:
    images = [{"id": number} for number in sorted({row["image_id"] for row in [*known, *found]})]
    content = {"images": images, "categories": [{"id": 1, "name": "one"}]}
    evaluation = library.COCOeval_faster(
        library.COCO({**content, "annotations": known}),
        library.COCO({**content, "annotations": found}),
        iouType="bbox",
    )
    evaluation.params.maxDets = [_MOST]
    evaluation.evaluate()
    evaluation.accumulate()
    return np.asarray(evaluation.eval["precision"], dtype=np.float64)[:, :, 0, :, 0]
