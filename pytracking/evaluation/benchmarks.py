"""Readers: a root folder and sequence names in, `Sequence` values out, in the layouts of the benchmarks."""

import json
import os
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from pathlib import Path
from typing import Protocol

import numpy as np

from ebm.exceptions import InputError
from ebm.integrity.json_files import read_sealed_json
from ltr.data.listing import own_names
from ltr.dataset.annotations import read_boxes, read_flags
from pytracking.evaluation.data import Sequence, check_sequence, numbered_images

__all__ = [
    "GENERATED_INDEX",
    "FolderLayout",
    "LaSOTLayout",
    "Layout",
    "OTBLayout",
    "TableLayout",
    "generated_index",
    "official_table",
]

GENERATED_INDEX = "generated.json"
_MORE_IMAGES_THAN_ROWS = frozenset({"monkey-17"})  # in the official archive


class Layout(Protocol):
    """How one benchmark lies on disk."""

    def names(self) -> list[str]:
        """Every sequence of the benchmark, in its order."""

    def has(self, name: str) -> bool:
        """Whether the sequence's folder is under the root."""

    def read(self, name: str) -> Sequence:
        """The sequence; InputError naming file, sequence and remedy where it cannot be read."""


@cache
def official_table(benchmark: str) -> dict[str, dict]:
    """The official sequences of a benchmark, e.g. ``"otb"``, in order: name -> its row of the table."""
    text = (files("pytracking.evaluation.sequences") / f"{benchmark}.json").read_text(encoding="utf-8")
    rows = json.loads(text)["sequences"]
    return {row: {} for row in rows} if isinstance(rows[0], str) else {row["name"]: row for row in rows}


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


def _entry(folder: Path, name: str) -> Path | None:
    """The entry of a folder with this name, up to case; None if there is none."""
    exact = folder / name
    if exact.exists():
        return exact
    matches = [entry for entry in _listing(folder) if entry.lower() == name.lower()]
    if len(matches) > 1:
        raise InputError(f"{folder} holds {' and '.join(matches)}; which is {name}? Rename the one that is.")
    return folder / matches[0] if matches else None


def _listing(folder: Path) -> Iterator[str]:
    if folder.is_dir():
        yield from sorted(own_names(os.listdir(folder)))


def _required(folder: Path, name: str, sequence: str) -> Path:
    found = _entry(folder, name)
    if found is None:
        raise InputError(f"{folder / name} is missing (sequence {sequence}); unpack this sequence again.")
    return found


@dataclass(frozen=True)
class OTBLayout:
    """``<Name>/img/0001.jpg`` and ``<Name>/groundtruth_rect.txt``. Source: Wu et al., TPAMI 2015."""

    root: Path
    tag: str = "otb"

    def names(self) -> list[str]:
        """The sequences of ``generated.json`` where there is one, else the official 100."""
        listed = generated_index(self.root)
        return listed if listed is not None else list(official_table("otb"))

    def _row(self, name: str) -> dict:
        whole = {"folder": name, "annotation": "groundtruth_rect.txt", "start": None, "end": None, "omit": 0}
        return whole if generated_index(self.root) is not None else official_table("otb").get(name, whole)

    def has(self, name: str) -> bool:
        """Whether the sequence's folder is under the root."""
        return _entry(self.root, self._row(name)["folder"]) is not None

    def read(self, name: str) -> Sequence:
        """The frames and boxes of one sequence, cut as the official protocol cuts them."""
        row = self._row(name)
        folder = _required(self.root, row["folder"], name)
        annotation = _required(folder, row["annotation"], name)
        return _cut_sequence(name, self.tag, _required(folder, "img", name), annotation, row)


@dataclass(frozen=True)
class FolderLayout:
    """Videos of one's own in OTB's layout: every folder with ``img`` and ``groundtruth_rect.txt``."""

    root: Path
    tag: str = "folder"

    def names(self) -> list[str]:
        """The folders with an annotation, sorted."""
        return [name for name in _listing(self.root) if self.has(name)]

    def has(self, name: str) -> bool:
        """Whether there is such a folder."""
        return (self.root / name / "groundtruth_rect.txt").is_file()

    def read(self, name: str) -> Sequence:
        """The frames and boxes of one sequence."""
        row = {"start": None, "end": None, "omit": 0}
        folder = self.root / name
        return _cut_sequence(name, self.tag, folder / "img", folder / "groundtruth_rect.txt", row)


def _cut_sequence(name: str, tag: str, images: Path, annotation: Path, row: dict) -> Sequence:
    """The frames and boxes of one sequence, from start to end, without the first ones that are omitted."""
    boxes = read_boxes(annotation)
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


@dataclass(frozen=True)
class TableLayout:
    """Images and annotations where the benchmark's table says: UAV123 and NFS at 30 frames per second.

    Several sequences may lie in one folder of images. Source: Mueller et al., ECCV 2016; Kiani Galoogahi et
    al., ICCV 2017.
    """

    root: Path
    tag: str

    def names(self) -> list[str]:
        """The official sequences; their names start with the benchmark's tag, ``uav_bike1``."""
        return list(official_table(self.tag))

    def has(self, name: str) -> bool:
        """Whether the sequence's folder is under the root."""
        row = official_table(self.tag)[name]
        return (self.root / row["folder"]).is_dir() or (self.root / row["annotation"]).is_file()

    def read(self, name: str) -> Sequence:
        """The frames and boxes of one sequence; NaN where the target is absent."""
        row = official_table(self.tag)[name]
        images, annotation = (_required(self.root, row[part], name) for part in ("folder", "annotation"))
        return _cut_sequence(name, self.tag, images, annotation, row)


@dataclass(frozen=True)
class LaSOTLayout:
    """``<class>/<class>-<k>/img/00000001.jpg``, ``groundtruth.txt`` and two flag files, T frames each.

    The class folder may be left out. Source: Fan et al., CVPR 2019, arXiv:1809.07845.
    """

    root: Path
    tag: str = "lasot"

    def names(self) -> list[str]:
        """The sequences of ``generated.json`` where there is one, else the 280 of the test set."""
        listed = generated_index(self.root)
        return listed if listed is not None else list(official_table("lasot"))

    def _folder(self, name: str) -> Path | None:
        inside = _entry(self.root, name.rpartition("-")[0])
        return (_entry(inside, name) if inside is not None else None) or _entry(self.root, name)

    def has(self, name: str) -> bool:
        """Whether the sequence's folder is under the root."""
        return self._folder(name) is not None

    def read(self, name: str) -> Sequence:
        """The frames, boxes and visibility of one sequence; there is a frame for each annotation row."""
        folder = self._folder(name)
        if folder is None:
            raise InputError(f"No folder of sequence {name} under {self.root}; unpack this sequence again.")
        annotation = _required(folder, "groundtruth.txt", name)
        boxes = read_boxes(annotation)
        images = _required(folder, "img", name)
        frames = tuple(images / f"{number:08d}.jpg" for number in range(1, len(boxes) + 1))
        self._check_ends(name, images, annotation, len(boxes))
        hidden = np.zeros(len(boxes), dtype=bool)
        for flag in ("full_occlusion.txt", "out_of_view.txt"):
            hidden |= self._flags(_required(folder, flag, name), name, len(boxes))
        sequence = Sequence(
            name, self.tag, frames, boxes, ~hidden, object_class=name.rpartition("-")[0], source=annotation
        )
        return check_sequence(sequence)

    def _check_ends(self, name: str, images: Path, annotation: Path, rows: int) -> None:
        """Compare rows with images by two look-ups; listing 280 folders of thousands is slow on NFS."""
        last, beyond = images / f"{rows:08d}.jpg", images / f"{rows + 1:08d}.jpg"
        if not last.exists() or (beyond.exists() and name not in _MORE_IMAGES_THAN_ROWS):
            count = len(numbered_images(images))
            raise InputError(
                f"{annotation} (sequence {name}): {rows} annotation rows for {count} frames in {images}; "
                "rows or images are missing, unpack this sequence again."
            )

    def _flags(self, path: Path, name: str, rows: int) -> np.ndarray:
        flags = read_flags(path)
        if len(flags) != rows:
            raise InputError(
                f"{path} (sequence {name}): {len(flags)} flags for {rows} annotation rows; unpack it again."
            )
        return flags
