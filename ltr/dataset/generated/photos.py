"""The user's own photographs as surfaces and backgrounds."""

import os
from collections.abc import Iterator
from functools import lru_cache
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from ebm.exceptions import InputError
from ebm.images.listing import IMAGE_SUFFIXES, image_names, own_names
from ltr.data.image_loader import read_image

__all__ = ["find_photos", "photo_crop"]

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
    files = sorted(str(Path(place) / name) for place in _folders(folder) for name in image_names(place))
    if not files:
        kinds = ", ".join(sorted(IMAGE_SUFFIXES))
        raise InputError(f"--textures {folder}: no photographs in it or below it (looked for {kinds}).")
    return tuple(files)


def _folders(folder: Path) -> Iterator[str]:
    """A folder and those below it, hidden and system ones left out."""
    for place, inner, _ in os.walk(folder):
        inner[:] = own_names(inner)
        yield place


@lru_cache(maxsize=32)
def _load(file: str) -> NDArray[np.uint8]:
    try:
        image: NDArray[Any] = read_image(file)
    except InputError as error:
        raise InputError(f"{error} Or remove it from the folder of textures.") from error
    scale = _LONGEST / max(image.shape[:2])
    if scale < 1.0:
        image = cv2.resize(image, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)
    return np.asarray(image, dtype=np.uint8)


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
