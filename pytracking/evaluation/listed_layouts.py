"""Data sets that list their own sequences: GOT-10k, TrackingNet, and a user's table."""

import configparser
import os
import re
from collections.abc import Sequence as Frames
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np

from ebm.annotations.texts import read_text
from ebm.exceptions import InputError
from ebm.images.listing import natural_key, own_names
from ltr.data.video import VideoDataset
from ltr.dataset.annotations import read_boxes, read_levels
from pytracking.evaluation.benchmarks import generated_index
from pytracking.evaluation.data import NumberedFrames, Sequence, check_sequence, numbered_images

__all__ = ["Got10kLayout", "OwnLayout", "TrackingNetLayout"]


def _filled(boxes: np.ndarray, frames: int) -> np.ndarray:
    """The first box of a test set, and NaN for what its server keeps: ``[frames, 4]``."""
    return np.concatenate([boxes[:1], np.full((max(frames, 1) - 1, 4), np.nan)])


@dataclass(frozen=True)
class Got10kLayout:
    """``GOT-10k_Val_000001/00000001.jpg``, groundtruth.txt, absence.label, cover.label, meta_info.ini.

    The root is the folder of the split or the one above it; ``list.txt`` says which sequences there are. The
    test split annotates the first frame alone. Source: Huang et al., TPAMI 2021, arXiv:1810.11981.
    """

    root: Path
    tag: str
    split: str = "val"
    images: bool = True
    size: int = 180

    @property
    def folder(self) -> Path:
        """The folder of the split."""
        inside = self.root / self.split
        return inside if inside.is_dir() else self.root

    def names(self) -> list[str]:
        """Those of ``list.txt`` or ``generated.json``, else the official ones."""
        listed = generated_index(self.folder)
        if listed is not None:
            return listed
        file = self.folder / "list.txt"
        if file.is_file():
            return [line.strip() for line in read_text(file, "list").splitlines() if line.strip()]
        return [f"GOT-10k_{self.split.title()}_{number:06d}" for number in range(1, self.size + 1)]

    def has(self, name: str) -> bool:
        """Whether the sequence's folder is there."""
        return (self.folder / name).is_dir()

    def read(self, name: str) -> Sequence:
        """Frames, boxes, visibility, class and image size of one sequence."""
        folder = self.folder / name
        annotation = folder / "groundtruth.txt"
        boxes = read_boxes(annotation)
        found = numbered_images(folder)
        if self.images and not found:
            raise InputError(f"{folder} holds no images (sequence {name}); unpack this sequence again.")
        if found and (self.split == "test" or len(boxes) == 1):
            boxes = _filled(boxes, len(found))
        frames = tuple(found.values()) or NumberedFrames(folder, 1, len(boxes))
        meta = _meta(folder / "meta_info.ini")
        sequence = Sequence(
            name,
            self.tag,
            frames,
            boxes,
            self._visible(folder, name, len(boxes)),
            object_class=meta.get("object_class"),
            image_size=_size(meta.get("resolution", "")),
            source=annotation,
        )
        return check_sequence(sequence)

    @staticmethod
    def _visible(folder: Path, name: str, frames: int) -> np.ndarray | None:
        """Frames whose cover is above 0 and that are not called absent; None without these files."""
        visible = None
        for file, highest, hidden in (("cover.label", 8, 0), ("absence.label", 1, 1)):
            if not (folder / file).is_file():
                continue
            levels = read_levels(folder / file, highest)
            if len(levels) != frames:
                raise InputError(
                    f"{folder / file} (sequence {name}): {len(levels)} rows for {frames} frames; unpack "
                    "it again."
                )
            seen = levels != hidden
            visible = seen if visible is None else visible & seen
        return visible


def _meta(file: Path) -> dict[str, str]:
    """The entries of a sequence's ``meta_info.ini``; none where it is missing or damaged."""
    parser = configparser.ConfigParser(interpolation=None)
    try:
        parser.read(file, encoding="utf-8-sig")
        return dict(parser["METAINFO"])
    except (configparser.Error, KeyError, UnicodeDecodeError):
        return {}


def _size(text: str) -> tuple[float, float] | None:
    found = re.fullmatch(r"\(?\s*(\d+)\s*,\s*(\d+)\s*\)?", text.strip())
    return (float(found[1]), float(found[2])) if found else None


@dataclass(frozen=True)
class TrackingNetLayout:
    """``TEST/frames/<video>/0.jpg`` and ``TEST/anno/<video>.txt``, which holds the first box alone.

    Source: Mueller et al., ECCV 2018, arXiv:1803.10794.
    """

    root: Path
    tag: str
    images: bool = True

    @property
    def folder(self) -> Path:
        """The folder of the set."""
        inside = self.root / "TEST"
        return inside if inside.is_dir() else self.root

    def names(self) -> list[str]:
        """The annotation files, sorted."""
        anno = self.folder / "anno"
        entries = own_names(os.listdir(anno)) if anno.is_dir() else []
        return sorted(entry[:-4] for entry in entries if entry.endswith(".txt"))

    def has(self, name: str) -> bool:
        """Whether the sequence's images, or its annotation where that is enough, are there."""
        images = (self.folder / "frames" / name).is_dir()
        return images or (not self.images and (self.folder / "anno" / f"{name}.txt").is_file())

    def read(self, name: str) -> Sequence:
        """Frames and boxes of one sequence; NaN after the first frame."""
        annotation, images = self.folder / "anno" / f"{name}.txt", self.folder / "frames" / name
        boxes = read_boxes(annotation)
        if images.is_dir() or self.images:
            found = numbered_images(images)
            frames: Frames[Path] = tuple(found.values())
            boxes = boxes if len(boxes) == len(frames) else _filled(boxes, len(frames))
        else:
            frames = NumberedFrames(images, 0, len(boxes), "%d.jpg")
        return check_sequence(Sequence(name, self.tag, frames, boxes, source=annotation))


@dataclass(frozen=True)
class OwnLayout:
    """Videos that a table lists: a CSV file ``sequence,frame,x,y,w,h``, or JSON in the manner of COCO."""

    root: Path
    tag: str
    images: bool = True

    @cached_property
    def _videos(self) -> VideoDataset:
        from ltr.dataset.opening import open_path

        return open_path(self.root)

    @cached_property
    def _numbers(self) -> dict[str, int]:
        return {self._videos.sequence_name(number): number for number in range(len(self._videos))}

    def names(self) -> list[str]:
        """The sequences of the table, in the order of their names and numbers."""
        return sorted(self._numbers, key=natural_key)

    def has(self, name: str) -> bool:
        """Whether the table lists it."""
        return name in self._numbers

    def read(self, name: str) -> Sequence:
        """Frames, boxes and visibility of one sequence, from the first frame with a box."""
        number = self._numbers[name]
        annotation = self._videos.annotation(number)
        boxes = annotation.boxes.astype(np.float64)
        boxes[~annotation.valid] = np.nan
        start = int(np.argmax(annotation.valid))
        frames = [Path(str(self._videos.frame_path(number, frame))) for frame in range(len(boxes))]
        sequence = Sequence(
            name,
            self.tag,
            tuple(frames[start:]),
            boxes[start:],
            (annotation.visible | ~annotation.valid)[start:],
            source=self.root,
        )
        return check_sequence(sequence)
