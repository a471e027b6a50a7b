"""Small detection sets, made of drawn pictures."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from ebm.tasks.detection.data.records import Category, DetectionImage, DetectionSet
from ebm.tasks.detection.results_file import Detections

Box = Sequence[float]


def draw(path: Path, width: int, height: int, seed: int = 0) -> Path:
    """A picture of noise."""
    path.parent.mkdir(parents=True, exist_ok=True)
    pixels = np.random.default_rng(seed).integers(0, 255, (height, width, 3), dtype=np.uint8)
    Image.fromarray(pixels).save(path)
    return path


def image_of(
    image_id: int | str,
    boxes: Sequence[Box],
    labels: Sequence[int],
    *,
    crowd: Sequence[bool] | None = None,
    size: tuple[int, int] = (640, 480),
    path: Path = Path("nowhere.jpg"),
) -> DetectionImage:
    """A picture with boxes xyxy."""
    return DetectionImage(
        image_id,
        path,
        np.array(boxes, dtype=np.float32).reshape(-1, 4),
        np.array(labels, dtype=np.int64),
        np.array([False] * len(labels) if crowd is None else crowd, dtype=bool),
        *size,
    )


def set_of(*images: DetectionImage, names: Sequence[str] = ("cat", "dog")) -> DetectionSet:
    """A set with categories 10, 20, ..."""
    return DetectionSet(images, tuple(Category(10 * (k + 1), name) for k, name in enumerate(names)))


def content_of(**changes: Any) -> dict[str, Any]:
    """A file in the manner of COCO: two pictures, three objects, one a crowd."""
    content = {
        "images": [
            {"id": 7, "file_name": "a.jpg", "width": 60, "height": 40},
            {"id": 8, "file_name": "b.jpg", "width": 30, "height": 50},
        ],
        "annotations": [
            {"id": 1, "image_id": 7, "category_id": 20, "bbox": [5, 6, 10, 12], "area": 99.5, "iscrowd": 0},
            {"id": 2, "image_id": 7, "category_id": 10, "bbox": [0, 0, 60, 40], "area": 7.0, "iscrowd": 1},
            {"id": 3, "image_id": 8, "category_id": 10, "bbox": [20, 10, 25.5, 20]},
        ],
        "categories": [{"id": 10, "name": "cat"}, {"id": 20, "name": "dog"}],
    }
    return {**content, **changes}


def write_set(root: Path, split: str = "train", **changes: Any) -> Path:
    """COCO's own layout, with pictures; returns the json."""
    draw(root / split / "a.jpg", 60, 40, 1)
    draw(root / split / "b.jpg", 30, 50, 2)
    file = root / "annotations" / f"instances_{split}.json"
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(json.dumps(content_of(**changes)))
    return file


def found_of(*rows: tuple[list[float], float, int]) -> Detections:
    return Detections(
        np.array([row[0] for row in rows], dtype=np.float32).reshape(-1, 4),
        np.array([row[1] for row in rows], dtype=np.float32),
        np.array([row[2] for row in rows], dtype=np.int64),
    )


def drawn(seed: int) -> tuple[DetectionSet, dict[int, Detections]]:
    """Objects of all sizes, crowds, and detections that are off, doubled, of the wrong kind or of nothing."""
    rng = np.random.default_rng(seed)
    images, found = [], {}
    for number in range(12):
        corner, side = rng.uniform(0, 300, (8, 2)), np.exp(rng.uniform(2, 5, (8, 2)))
        boxes = np.concatenate((corner, corner + side), axis=1)
        labels = rng.integers(0, 3, 8)
        images.append(image_of(number, boxes, labels, crowd=rng.random(8) < 0.15))
        rows = []
        for box, label in zip(boxes, labels):
            for _ in range(rng.integers(0, 4)):
                shift = rng.normal(0, 0.08, 4) * np.tile(box[2:] - box[:2], 2)
                kind = int(label if rng.random() < 0.8 else rng.integers(0, 3))
                rows.append(((box + shift).tolist(), float(rng.random()), kind))
        found[number] = found_of(*rows, ([5.0, 5, 40, 60], float(rng.random()), 0))
    return set_of(*images, names=("a", "b", "c", "none")), found
