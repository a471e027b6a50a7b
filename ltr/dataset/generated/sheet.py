"""Contact sheets: many frames with their boxes in one picture."""

from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from ebm.files import write_atomic
from ltr.dataset.generated.config import TRAIN_SCENE, SceneConfig
from ltr.dataset.generated.jobs import CATEGORIES, VideoJob, child_seed, draw_clip
from ltr.dataset.generated.truth import ATTRIBUTES

__all__ = ["contact_sheet", "draw_boxes"]

_CELL = (320, 240)  # px
_AMODAL, _VISIBLE = (0, 255, 80), (255, 60, 60)
_LARGEST = 500_000  # bytes


def _dashed(image: NDArray[np.uint8], box: NDArray[np.float64], colour: tuple[int, int, int]) -> None:
    x, y, w, h = (round(float(value)) for value in box)
    for first, last in (
        ((x, y), (x + w, y)),
        ((x, y + h), (x + w, y + h)),
        ((x, y), (x, y + h)),
        ((x + w, y), (x + w, y + h)),
    ):
        length = max(abs(last[0] - first[0]), abs(last[1] - first[1]))
        way = np.sign([last[0] - first[0], last[1] - first[1]])
        for at in range(0, length, 8):
            start, end = np.array(first) + way * at, np.array(first) + way * min(at + 4, length)
            cv2.line(image, tuple(start.tolist()), tuple(end.tolist()), colour, 1)


def draw_boxes(
    frame: NDArray[np.uint8], amodal: NDArray[np.float64], visible: NDArray[np.float64]
) -> NDArray[np.uint8]:
    """A copy of an RGB frame with amodal (solid, green) and visible box (dashed, red), xywh px."""
    image = np.ascontiguousarray(frame).copy()
    x, y, w, h = (round(float(value)) for value in amodal)
    cv2.rectangle(image, (x, y), (x + w, y + h), _AMODAL, 2)
    if visible[2] > 0.0:
        _dashed(image, visible, _VISIBLE)
    return image


def _cell(seed: int, index: int, scene: SceneConfig, photos: tuple[str, ...]) -> NDArray[np.uint8]:
    job = VideoJob(
        root=Path(),
        layout="otb",
        name="",
        category=CATEGORIES[index % len(CATEGORIES)],
        seed=child_seed(seed, "sheet", index),
        config=scene,
        photos=photos,
    )
    clip = draw_clip(job)
    rng = np.random.default_rng(child_seed(seed, "frame", index))
    seen = np.flatnonzero(clip.truth.visible_ratio > 0.6)
    at = int(rng.choice(seen))
    image = draw_boxes(clip.frames[at], clip.truth.amodal[at], clip.truth.visible[at])
    tags = " ".join(code for name, code in ATTRIBUTES.items() if clip.record["attributes"][name])
    image = np.asarray(cv2.resize(image, _CELL, interpolation=cv2.INTER_AREA), dtype=np.uint8)
    cv2.rectangle(image, (0, 0), (_CELL[0], 13), (0, 0, 0), -1)
    cv2.putText(
        image,
        f"{clip.category} {tags}",
        (3, 10),
        cv2.FONT_HERSHEY_SIMPLEX,
        0.33,
        (255, 255, 255),
        1,
        cv2.LINE_AA,
    )
    return image


def contact_sheet(
    file: Path,
    *,
    seed: int = 0,
    count: int = 24,
    columns: int = 6,
    scene: SceneConfig = TRAIN_SCENE,
    photos: tuple[str, ...] = (),
) -> Path:
    """Write a picture of `count` frames of as many videos, with boxes, kind and attributes; at most 500 kB.

    Raises:
        InputError: if the picture cannot be written.
    """
    cells = [_cell(seed, index, scene, photos) for index in range(count)]
    blank = np.zeros_like(cells[0])
    cells += [blank] * (-len(cells) % columns)
    rows = [np.hstack(cells[first : first + columns]) for first in range(0, len(cells), columns)]
    picture = cv2.cvtColor(np.vstack(rows), cv2.COLOR_RGB2BGR)
    for quality in range(90, 10, -5):
        _, data = cv2.imencode(".jpg", picture, [cv2.IMWRITE_JPEG_QUALITY, quality])
        if data.size <= _LARGEST:
            break
    write_atomic(file, data.tobytes())
    return file
