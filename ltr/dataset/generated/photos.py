"""The user's own photographs as surfaces and backgrounds."""

from functools import lru_cache
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from ebm.exceptions import InputError

__all__ = ["find_photos", "photo_crop"]

_SUFFIXES = {".jpg", ".jpeg", ".png", ".bmp", ".webp", ".ppm"}
_LONGEST = 900  # px; larger photographs are reduced to this side once


def find_photos(folder: Path | None) -> tuple[str, ...]:
    """The image files under a folder, sorted.

    Raises:
        InputError: if the folder is missing or holds no image.
    """
    if folder is None:
        return ()
    if not folder.is_dir():
        raise InputError(f"--textures {folder}: no such folder; give a folder of photographs.")
    files = sorted(str(file) for file in folder.rglob("*") if file.suffix.lower() in _SUFFIXES)
    if not files:
        kinds = ", ".join(sorted(_SUFFIXES))
        raise InputError(f"--textures {folder}: no photographs in it or below it (looked for {kinds}).")
    return tuple(files)


@lru_cache(maxsize=32)
def _load(file: str) -> NDArray[np.uint8]:
    image = cv2.imread(file, cv2.IMREAD_COLOR)
    if image is None:
        raise InputError(f"{file}: not a readable image; remove it from the folder of textures.")
    scale = _LONGEST / max(image.shape[:2])
    if scale < 1.0:
        image = cv2.resize(image, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)
    return np.ascontiguousarray(image[:, :, ::-1], dtype=np.uint8)


def photo_crop(file: str, rng: np.random.Generator, height: int, width: int) -> NDArray[np.uint8]:
    """A random region of a photograph at the wanted size, ``(height, width, 3)``, RGB.

    Raises:
        InputError: if the file is no readable image.
    """
    image = _load(file)
    share = rng.uniform(0.5, 1.0)
    fit = share * min(image.shape[0] / height, image.shape[1] / width)
    high, wide = max(2, int(height * fit)), max(2, int(width * fit))
    top, left = int(rng.integers(image.shape[0] - high + 1)), int(rng.integers(image.shape[1] - wide + 1))
    crop = image[top : top + high, left : left + wide]
    kind = cv2.INTER_AREA if fit > 1.0 else cv2.INTER_LINEAR
    return np.asarray(cv2.resize(crop, (width, height), interpolation=kind), dtype=np.uint8)
