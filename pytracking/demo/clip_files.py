"""The clip that is installed with the package, as a sequence that any command can track."""

import os
import shutil
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from pytracking.evaluation.data import Sequence as Video

__all__ = ["CLIP", "FPS", "NAME", "STRIDE", "first_box", "unpacked"]

CLIP = Path(__file__).parent / "clip" / "airplane.mp4"
NAME = "Airplane"
STRIDE = 2  # frames that are left out are as good as the same
FPS = 30 / STRIDE
_QUALITY = 95  # of the JPEGs


def first_box() -> tuple[float, ...]:
    """The target's box in the clip's first frame: x, y, w, h, px."""
    return tuple(float(value) for value in _boxes()[0])


def unpacked(folder: Path, frames: int | None = None) -> "Video":
    """Every second frame of the clip, as images in OTB's layout below `folder`; made if they are not there.

    Args:
        folder: root of the data set.
        frames: how many, None for all.
    """
    from pytracking.evaluation.datasets import open_dataset

    if not (folder / NAME).is_dir():
        side = folder.parent / f".unpacking-{os.getpid()}"
        try:
            _write(side / NAME, frames)
            folder.mkdir(parents=True, exist_ok=True)
            (side / NAME).rename(folder / NAME)
        finally:
            shutil.rmtree(side, ignore_errors=True)
    (video,) = open_dataset("folder", folder)
    return video


def _boxes() -> np.ndarray:
    """The annotation: ``[T, 4]``."""
    return np.loadtxt(CLIP.with_suffix(".txt"), delimiter=",")


def _write(folder: Path, frames: int | None) -> None:
    import cv2

    from pytracking.evaluation.video_io import open_video

    (folder / "img").mkdir(parents=True)
    boxes = _boxes()[::STRIDE][:frames]
    for number, image in enumerate(open_video(CLIP).frames()):
        if number % STRIDE == 0 and number // STRIDE < len(boxes):
            path = folder / "img" / f"{number // STRIDE + 1:04d}.jpg"
            cv2.imwrite(str(path), image[..., ::-1], [cv2.IMWRITE_JPEG_QUALITY, _QUALITY])
    np.savetxt(folder / "groundtruth_rect.txt", boxes, fmt="%.2f", delimiter=",")
