"""A folder of pictures that nobody has drawn boxes in."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from ebm.exceptions import InputError
from ebm.images.listing import image_names
from ebm.images.reading import picture_size
from ebm.tasks.detection.data.records import Category, DetectionImage, DetectionSet

__all__ = ["read_folder"]


def read_folder(folder: Path, categories: Sequence[Category]) -> DetectionSet:
    """The pictures of a folder, without boxes.

    Args:
        folder: of pictures. The id of one is the number that its name is, as in COCO; else its name without
            ending.
        categories: that are looked for.

    Raises:
        InputError: if there is no picture, one cannot be read, or two have one id.
    """
    if not folder.is_dir():
        raise InputError(f"{folder} is no folder of pictures.")
    names = image_names(folder)
    if not names:
        raise InputError(f"{folder} has no pictures.")
    images: dict[int | str, DetectionImage] = {}
    for name in names:
        stem = Path(name).stem
        image_id: int | str = int(stem) if stem.isdecimal() else stem
        if image_id in images:
            raise InputError(f"{folder} has two pictures of the id {image_id!r}, the second is {name}.")
        width, height = picture_size(folder / name)
        images[image_id] = DetectionImage(
            image_id,
            folder / name,
            np.zeros((0, 4), np.float32),
            np.zeros(0, np.int64),
            np.zeros(0, bool),
            width,
            height,
        )
    return DetectionSet(tuple(images.values()), tuple(categories))
