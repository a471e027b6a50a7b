"""Detections matched to objects by faster-coco-eval, one category after the other.

One at a time, each with its own pictures alone: the evaluation wants a dictionary for each box, and those of
a million detections take two gigabytes.
"""

import importlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ebm.extras import explain_missing
from ebm.tasks.detection.data.records import DetectionSet, ImageId
from ebm.tasks.detection.results_file import Detections

__all__ = ["AREAS", "OVERLAPS", "Matched", "matched_categories"]

AREAS = ("all", "small", "medium", "large")
OVERLAPS = np.linspace(0.5, 0.95, 10)
_MOST = 100  # detections of a picture and category


class Matched:
    """Detections of one category, matched to its objects picture by picture.

    Args:
        library: faster-coco-eval.
        known: objects, as it takes them.
        found: detections, likewise.
        again: keep the pictures apart, for `drawn`.
    """

    def __init__(
        self, library: Any, known: list[dict[str, Any]], found: list[dict[str, Any]], *, again: bool
    ) -> None:
        self._images = np.unique([row["image_id"] for row in [*known, *found]]).astype(np.int64)
        content = {
            "images": [{"id": number} for number in self._images.tolist()],
            "categories": [{"id": 1, "name": "one"}],
        }
        self._evaluation = library.COCOeval_faster(
            library.COCO({**content, "annotations": known}),
            library.COCO({**content, "annotations": found}),
            iouType="bbox",
            separate_eval=again,
        )
        self._evaluation.params.maxDets = [_MOST]
        self._evaluation.evaluate()
        if again:
            each = np.array(self._evaluation._evalImgs_cpp, dtype=object)
            self._each = each.reshape(len(AREAS), len(self._images))

    def precision(self) -> NDArray[np.float64]:
        """By overlap, recall and area, ``[10, 101, 4]``; -1 where no object counts."""
        self._evaluation.accumulate()
        return np.asarray(self._evaluation.eval["precision"], dtype=np.float64)[:, :, 0, :, 0]

    def drawn(self, times: NDArray[np.int64]) -> NDArray[np.float64]:
        """The same of a set that has every picture some times, perhaps none.

        Args:
            times: of picture number k, counted from 1, in place k - 1, ``[N]``.
        """
        places = np.repeat(np.arange(len(self._images)), times[self._images - 1])
        self._evaluation._evalImgs_cpp = self._each[:, places].ravel().tolist()
        self._evaluation._paramsEval.imgIds = list(range(len(places)))
        return self.precision()


def matched_categories(
    detections: Mapping[ImageId, Detections], truth: DetectionSet, *, again: bool = False
) -> Iterator[tuple[int, Matched]]:
    """The label of each category that has objects, crowds left out, and its detections matched.

    Args:
        detections: of pictures of the set, by their ids.
        truth: the set; its pictures have numbers from 1.
        again: see `Matched`.

    Raises:
        MissingPackageError: if faster-coco-eval is not installed.
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
    for label in np.unique(known.label[~known.crowd]).tolist():
        yield label, Matched(library, known.of(label), found.of(label), again=again)


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
