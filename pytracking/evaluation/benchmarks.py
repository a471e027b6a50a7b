"""Readers: a root folder and sequence names in, `Sequence` values out, in the layouts of the benchmarks."""

import os
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import numpy as np

from ebm.exceptions import InputError
from ebm.images.listing import own_names
from ebm.integrity.json_files import read_sealed_json
from ltr.dataset.annotations import read_boxes
from pytracking.evaluation.data import NumberedFrames, Sequence, check_sequence, numbered_images

__all__ = [
    "GENERATED_INDEX",
    "FolderLayout",
    "Layout",
    "cut_sequence",
    "generated_index",
]

GENERATED_INDEX = "generated.json"


class Layout(Protocol):
    """How one benchmark lies on disk."""

    def names(self) -> list[str]:
        """Every sequence of the benchmark, in its order."""

    def has(self, name: str) -> bool:
        """Whether the sequence's folder is under the root."""

    def read(self, name: str) -> Sequence:
        """The sequence; InputError naming file, sequence and remedy where it cannot be read."""


def generated_index(root: Path) -> list[str] | None:
    """Names that a generated root lists in its ``generated.json``, or None for any other root.

    Raises:
        InputError: if the file cannot be read.
    """
    path = root / GENERATED_INDEX
    if not path.is_file():
        return None
    try:
        rows = read_sealed_json(path)["sequences"]
        return [row if isinstance(row, str) else str(row["name"]) for row in rows]
    except (ValueError, KeyError, TypeError) as error:
        raise InputError(
            f"{path} does not list its sequences ({error}); delete {root} to have the set generated anew."
        ) from error


@dataclass(frozen=True)
class FolderLayout:
    """Videos of one's own in OTB's layout: every folder with ``img`` and ``groundtruth_rect.txt``."""

    root: Path
    tag: str = "folder"
    images: bool = True  # whether they must be there

    def names(self) -> list[str]:
        """The folders with an annotation, sorted."""
        return [name for name in sorted(own_names(os.listdir(self.root))) if self.has(name)]

    def has(self, name: str) -> bool:
        """Whether there is such a folder."""
        return (self.root / name / "groundtruth_rect.txt").is_file()

    def read(self, name: str) -> Sequence:
        """The frames and boxes of one sequence."""
        row = {"start": None, "end": None, "omit": 0}
        annotation = self.root / name / "groundtruth_rect.txt"
        boxes, images = read_boxes(annotation), self.root / name / "img"
        if not self.images and not images.is_dir():
            frames = NumberedFrames(images, 1, len(boxes))
            return check_sequence(Sequence(name, self.tag, frames, boxes, source=annotation))
        return cut_sequence(name, self.tag, images, annotation, boxes, row)


def cut_sequence(
    name: str, tag: str, images: Path, annotation: Path, boxes: np.ndarray, row: dict
) -> Sequence:
    """The frames and boxes of one sequence, from start to end, without the first ones that are omitted.

    Args:
        name: of the sequence.
        tag: of its dataset.
        images: their folder.
        annotation: the file of the boxes, for errors.
        boxes: xywh, px, ``[N, 4]``, the first of frame ``start``.
        row: ``start``, ``end`` (frame numbers, or None: what there is) and ``omit``.

    Raises:
        InputError: if frames are missing, or there is another number of boxes.
    """
    if row["start"] and not row["end"]:
        row = {**row, "end": row["start"] + len(boxes) - 1}
    frames = _frames(name, images, row)
    if len(boxes) != len(frames):
        raise InputError(
            f"{annotation} (sequence {name}): {len(boxes)} annotation rows for the {len(frames)} frames "
            f"{frames[0].name} to {frames[-1].name}; rows or images are missing, unpack it again."
        )
    omit = row["omit"]
    return check_sequence(Sequence(name, tag, tuple(frames[omit:]), boxes[omit:], source=annotation))


def _frames(name: str, folder: Path, row: dict) -> list[Path]:
    images = numbered_images(folder)
    if not images:
        raise InputError(f"{folder} holds no images (sequence {name}); unpack this sequence again.")
    start, end = row["start"] or min(images), row["end"] or max(images)
    missing = [number for number in range(start, end + 1) if number not in images]
    if missing:
        raise InputError(
            f"{folder} (sequence {name}): frame {missing[0]:04d} of {start:04d} to {end:04d} is "
            f"missing ({len(missing)} missing in all); unpack this sequence again."
        )
    return [images[number] for number in range(start, end + 1)]
