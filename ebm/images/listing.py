"""Which names of a folder count, and in which order: one rule for every folder of images or sequences."""

import os
import re
from collections.abc import Iterable, Iterator
from pathlib import Path

__all__ = [
    "IMAGE_SUFFIXES",
    "image_entries",
    "image_names",
    "is_stranger",
    "natural_key",
    "own_names",
]

IMAGE_SUFFIXES = (".jpg", ".jpeg", ".png", ".bmp", ".webp", ".tif", ".tiff", ".ppm")

# What systems leave in folders besides names that start with a dot (``.DS_Store``, ``._0001.jpg`` of a Mac).
_SYSTEM = frozenset({
    "$recycle.bin", "__macosx", "@eadir", "#recycle", "desktop.ini", "ehthumbs.db", "icon\r", "lost+found",
    "system volume information", "thumbs.db",
})  # fmt: skip
_NUMBER = re.compile(r"([0-9]+)")


def is_stranger(name: str) -> bool:
    """Whether a name is a hidden one or one of the system's, and no part of anybody's data."""
    return name.startswith(".") or name.lower() in _SYSTEM


def natural_key(name: str) -> tuple[list[str | int], str]:
    """Sorting key under which ``frame9`` comes before ``Frame10``: numbers count, capitals do not."""
    parts = _NUMBER.split(name.casefold())
    return [int(part) if at % 2 else part for at, part in enumerate(parts)], name


def own_names(names: Iterable[str]) -> list[str]:
    """The names that are no strangers, in the order given."""
    return [name for name in names if not is_stranger(name)]


def image_names(folder: str | Path) -> list[str]:
    """Names of the images in a folder, in natural order.

    Raises:
        OSError: if there is no such folder.
    """
    return sorted((entry.name for entry in image_entries(folder)), key=natural_key)


def image_entries(
    folder: str | Path | int, suffix: str | tuple[str, ...] = IMAGE_SUFFIXES
) -> Iterator[os.DirEntry[str]]:
    """The images in a folder, in no order.

    Args:
        folder: a path, or an open folder.
        suffix: their ending exactly as written, e.g. ``".jpg"``; several: any of them, in capitals too.

    Raises:
        OSError: if there is no such folder.
    """
    with os.scandir(folder) as entries:
        for entry in entries:
            name = entry.name if isinstance(suffix, str) else entry.name.lower()
            if name.endswith(suffix) and not is_stranger(name) and not _is_folder(entry):
                yield entry


def _is_folder(entry: "os.DirEntry[str]") -> bool:
    try:
        return entry.is_dir()
    except OSError:  # a link that leads to itself
        return False
