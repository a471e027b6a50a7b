"""Detections of a picture, and files of them in the form of COCO's results."""

import json
from array import array
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ebm.annotations.entries import json_entries
from ebm.annotations.ids import plain_box, plain_id, plain_number
from ebm.exceptions import DomainError, InputError, ShapeError
from ebm.files import write_atomic
from ebm.tasks.detection.data.records import DetectionSet, ImageId
from ebm.tasks.detection.data.rows import LARGEST
from ebm.tasks.detection.problems import Problems

__all__ = ["Detections", "read_detections", "write_detections"]


@dataclass(frozen=True, eq=False)
class Detections:
    """What a detector found in one picture.

    Attributes:
        boxes: ``[N, 4]`` float32, xyxy, px of the upright picture.
        scores: ``[N]`` float32; larger is surer.
        labels: ``[N]`` int64, places in `DetectionSet.categories`, from 0.
    """

    boxes: NDArray[np.float32]
    scores: NDArray[np.float32]
    labels: NDArray[np.int64]

    def __post_init__(self) -> None:
        """Refuse arrays that do not belong together.

        Raises:
            ShapeError: if a shape is wrong.
        """
        count = len(self.boxes)
        if self.boxes.shape != (count, 4) or {self.scores.shape, self.labels.shape} != {(count,)}:
            raise ShapeError(
                f"expected boxes [N, 4], scores [N] and labels [N], got {list(self.boxes.shape)}, "
                f"{list(self.scores.shape)} and {list(self.labels.shape)}."
            )

    def __len__(self) -> int:
        """N."""
        return len(self.boxes)

    def chosen(self, keep: NDArray[np.bool_] | NDArray[np.int64]) -> "Detections":
        """Some of them, in this order."""
        return Detections(self.boxes[keep], self.scores[keep], self.labels[keep])


def read_detections(
    file: Path, detection_set: DetectionSet, *, to_score: bool = False, progress: bool = False
) -> tuple[dict[ImageId, Detections], Problems]:
    """A results file in COCO's form, of any detector, row by row.

    Rows that cannot be used are left out, and counted: without the fields they must have, of an image or a
    category that the set does not have, with numbers that are not finite, and, but for scoring, with a box
    without area or wholly outside its picture. Boxes that reach over the border are used as they are.

    Args:
        file: a list of objects with image_id, category_id, bbox (x, y, w, h in px) and score. It is never in
            memory as a whole: a row takes 56 bytes here.
        detection_set: the pictures and categories that it is of.
        to_score: keep boxes without area, with negative sides or outside their picture, as the detections
            that they are: only then are scores those of COCO's own evaluation. They are named all the same.
        progress: show a bar.

    Returns:
        Detections of every picture of the set, none where the file has none, in the order of the file; and
        what was left out, or is kept and no box.

    Raises:
        InputError: if the file is missing, cut off or no list in JSON, or all of its rows are of pictures
            or categories that the set does not have.
    """
    rows, problems = _Rows(detection_set, to_score), Problems()
    count = 0
    for entry in json_entries(file, "results", progress=progress):
        count += 1
        fault = rows.add(entry)
        if fault:
            problems.add(fault, f"row {count}{_shown(entry)}")
    foreign = next((problem for problem in problems if problem.count == count), None)
    if foreign is not None and foreign.kind in _OF_ANOTHER_SET:
        raise InputError(
            f"{file}: all of its {count} rows are {foreign.kind}, which the annotations do not have "
            f"({foreign.first}). Results and annotations are of different sets or splits."
        )
    return rows.grouped(problems), problems


_UNKNOWN_IMAGE = "detections of unknown images"
_UNKNOWN_CATEGORY = "detections of unknown categories"
_VAST = 1e10  # px^2; COCO's evaluation looks at detections of areas from 0 to this
_FLOAT = 1e30  # whose differences are numbers in float32 too
_OF_ANOTHER_SET = (_UNKNOWN_IMAGE, _UNKNOWN_CATEGORY)
_SHAPELESS = "rows without image_id, category_id, a bbox of four numbers and a score"


class _Rows:
    """Rows of a results file in flat arrays."""

    def __init__(self, detection_set: DetectionSet, to_score: bool) -> None:
        self._set, self._to_score = detection_set, to_score
        self._place = {image.image_id: place for place, image in enumerate(detection_set.images)}
        self._row, self._image, self._label = array("q"), array("i"), array("i")
        self._numbers = array("d")  # x, y, w, h, score of each
        self._count = 0

    def add(self, entry: Any) -> str:
        """Take in a row, or say what is wrong with it."""
        self._count += 1
        try:
            image, category = plain_id(entry["image_id"]), plain_id(entry["category_id"])
            numbers = [*plain_box(entry), plain_number(entry["score"])]
            place, label = self._place.get(image), self._set.label_of.get(category)
        except (InputError, KeyError, TypeError, ValueError):  # Type: no object, or an id that is a list
            return _SHAPELESS
        if place is None:
            return _UNKNOWN_IMAGE
        if label is None:
            return _UNKNOWN_CATEGORY
        self._row.append(self._count)
        self._image.append(place)
        self._label.append(label)
        self._numbers.extend(numbers)
        return ""

    def grouped(self, problems: Problems) -> dict[ImageId, Detections]:
        """The rows by picture, but for those whose numbers are no box and score."""
        image, label = (np.frombuffer(column or b"", np.int32) for column in (self._image, self._label))
        numbers = np.frombuffer(self._numbers or b"", np.float64).reshape(-1, 5)
        keep = self._usable(image, numbers, problems)
        order = np.flatnonzero(keep)[np.argsort(image[keep], kind="stable")]
        corner, side = numbers[order, :2], numbers[order, 2:4]
        boxes = np.concatenate((corner, corner + side), axis=1).astype(np.float32)
        scores, labels = numbers[order, 4].astype(np.float32), label[order].astype(np.int64)
        ends = np.searchsorted(image[order], np.arange(len(self._set) + 1))
        return {
            picture.image_id: Detections(boxes[a:b], scores[a:b], labels[a:b])
            for picture, a, b in zip(self._set.images, ends[:-1], ends[1:], strict=True)
        }

    def _usable(
        self, image: NDArray[np.int32], numbers: NDArray[np.float64], problems: Problems
    ) -> NDArray[np.bool_]:
        sizes = np.array([(one.width, one.height) for one in self._set.images], dtype=np.float64)
        x, y, w, h, _ = numbers.T
        width, height = sizes.reshape(-1, 2)[image].T
        with np.errstate(invalid="ignore", over="ignore"):
            most = _FLOAT if self._to_score else LARGEST
            good: NDArray[np.bool_] = np.all(np.abs(numbers) < most, axis=1)
            solid = good & (w > 0) & (h > 0)
            unsized = good & ((w * h < 0) | (w * h > _VAST))
            outside = solid & ((x >= width) | (y >= height) | (x + w <= 0) | (y + h <= 0))
        self._name("detections with numbers that are not finite, or too large", ~good, problems)
        if not self._to_score:
            self._name("boxes without area or with negative sides", good & ~solid, problems)
            self._name("boxes outside their picture", outside, problems)
            return np.asarray(solid & ~outside)
        for kind, bad in (
            ("boxes without area, or with both sides negative, which count as wrong", ~solid & ~unsized),
            ("boxes outside their picture, which count as wrong", outside & ~unsized),
            ("boxes of a negative area or over 1e10 px^2, which count as neither right nor wrong", unsized),
        ):
            self._name(kind, good & bad, problems, used=True)
        return np.asarray(good)

    def _name(self, kind: str, bad: NDArray[np.bool_], problems: Problems, *, used: bool = False) -> None:
        """Count rows of a kind, and say what the first of them holds."""
        if not bad.any():
            return
        first = int(np.argmax(bad))
        numbers = self._numbers[5 * first : 5 * first + 5]
        where = f"row {self._row[first]} of image {self._set.images[self._image[first]].image_id}"
        shown = ", ".join(f"{value:g}" for value in numbers[:4])
        said = f"{where}: bbox {shown}, score {numbers[4]:g}"
        problems.add(kind, said, int(bad.sum()), used=used)


def _shown(entry: Any) -> str:
    if not isinstance(entry, dict):
        return f": {str(entry)[:80]}"
    fields = [f"{key} {str(entry[key])[:60]!r}" for key in ("image_id", "category_id") if key in entry]
    missing = [key for key in ("image_id", "category_id", "bbox", "score") if key not in entry]
    return ": " + ", ".join([*fields, *(f"no {key}" for key in missing)])


def write_detections(
    file: Path,
    detections: Mapping[ImageId, Detections],
    detection_set: DetectionSet,
    more: Mapping[ImageId, Sequence[Mapping[str, Any]]] | None = None,
) -> None:
    """The inverse of `read_detections`, whole or not at all; boxes to a ten-thousandth of a pixel.

    Args:
        file: to write.
        detections: of pictures of the set, by their ids.
        detection_set: whose ids of categories are written.
        more: fields of each detection beside COCO's four, which other programs pass over.

    Raises:
        DomainError: if a number is not finite.
        InputError: if the file cannot be written.
    """
    lines = []
    for image_id, found in detections.items():
        _require_finite(image_id, found)
        extra = more[image_id] if more and image_id in more else [{}] * len(found)
        corners = found.boxes.astype(np.float64)
        bboxes = np.concatenate((corners[:, :2], corners[:, 2:] - corners[:, :2]), axis=1).round(4)
        for bbox, score, label, fields in zip(
            bboxes.tolist(), found.scores, found.labels, extra, strict=True
        ):
            category = detection_set.categories[label].category_id
            row = {"image_id": image_id, "category_id": category, "bbox": bbox, "score": float(str(score))}
            lines.append(json.dumps({**row, **fields}, allow_nan=False))
    write_atomic(file, "[" + ",\n".join(lines) + "]\n")


def _require_finite(image_id: ImageId, found: Detections) -> None:
    """Refuse detections with numbers that a file of results cannot hold.

    Raises:
        DomainError: naming the first of them.
    """
    good = np.isfinite(found.boxes).all(axis=1) & np.isfinite(found.scores)
    if not good.all():
        first = int(np.argmin(good))
        raise DomainError(
            f"detection {first} of image {image_id} is not finite: box {found.boxes[first].tolist()}, score "
            f"{found.scores[first]}."
        )
