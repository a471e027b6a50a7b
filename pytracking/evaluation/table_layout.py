"""Benchmarks that are a table of sequences and a list of places: OTB, LaSOT, UAV123, NFS, TPL, VOT."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from math import ceil
from pathlib import Path

import numpy as np

from ebm.exceptions import InputError
from ltr.dataset.annotations import read_flags
from pytracking.evaluation.annotation_formats import FORMATS
from pytracking.evaluation.benchmarks import cut_sequence, generated_index
from pytracking.evaluation.data import NumberedFrames, Sequence, check_sequence, numbered_images
from pytracking.evaluation.places import Place, entry_of, official_table, places_of, required_entry

__all__ = ["TableLayout"]

_MORE_IMAGES_THAN_ROWS = frozenset({"monkey-17"})  # in the official archive
_WHOLE: Mapping[str, object] = {"annotation": "groundtruth_rect.txt", "start": None, "end": None, "omit": 0}


@dataclass(frozen=True)
class TableLayout:
    """Sequences of a table, at the places that a benchmark is distributed in.

    Args:
        root: the benchmark's folder.
        tag: its name.
        kind: of ``places.json``.
        table: name of its table; None: the tag.
        images: whether the images must be there; what scores results needs annotations alone.

    Source: Wu et al., TPAMI 2015; Fan et al., CVPR 2019; Mueller et al., ECCV 2016; Kiani Galoogahi et al.,
    ICCV 2017; pytracking.md 4.4.
    """

    root: Path
    tag: str
    kind: str
    table: str | None = None
    images: bool = True

    def names(self) -> list[str]:
        """The sequences of ``generated.json`` where there is one, else those of the table."""
        listed = generated_index(self.root)
        return listed if listed is not None else list(official_table(self.table or self.tag))

    def _row(self, name: str) -> dict:
        known = {} if generated_index(self.root) is not None else official_table(self.table or self.tag)
        return {**_WHOLE, "folder": name, **known.get(name, {})}

    def _words(self, name: str) -> dict[str, str]:
        """What the patterns of places are filled in with."""
        row = self._row(name)
        bare = name.removeprefix(f"{(self.table or self.tag).partition('_')[0]}_")
        return {
            "name": name,
            "bare": bare,
            "class": name.rpartition("-")[0],
            "folder": row["folder"],
            "annotation": row["annotation"],
        }

    def _place(self, name: str) -> Place | None:
        """The first place with the sequence's annotation and, where they must be there, images; else the
        first with anything of it."""
        words, partial = self._words(name), None
        for place in places_of(self.kind):
            if self.images and place.images is None:
                continue
            annotated = entry_of(self.root, place.annotation.format(**words)) is not None
            shown = place.images is not None and entry_of(self.root, place.images.format(**words)) is not None
            if annotated and (shown or not self.images):
                return place
            folder = place.folder()
            if annotated or shown or (folder and entry_of(self.root, folder.format(**words))):
                partial = partial or place
        return partial

    def has(self, name: str) -> bool:
        """Whether anything of the sequence is under the root."""
        return self._place(name) is not None

    def read(self, name: str) -> Sequence:
        """The frames, boxes and visibility of one sequence, cut as the official protocol cuts them."""
        place, words = self._place(name), self._words(name)
        if place is None:
            raise InputError(f"No folder of sequence {name} under {self.root}; unpack this sequence again.")
        annotation = required_entry(self.root, place.annotation.format(**words), name)
        boxes = FORMATS[place.format](annotation)
        row = self._row(name)
        boxes = _thinned(boxes, place.every, row)
        folder = place.images and entry_of(self.root, place.images.format(**words))
        if self.images and not folder:
            assert place.images is not None
            folder = required_entry(self.root, place.images.format(**words), name)
        if not folder:
            sequence = self._without_images(name, annotation, boxes, row)
        elif place.numbered:
            sequence = _numbered(name, self.tag, folder, annotation, boxes, place.numbered)
        else:
            sequence = cut_sequence(name, self.tag, folder, annotation, boxes, row)
        return check_sequence(self._described(sequence, place, words))

    def _described(self, sequence: Sequence, place: Place, words: dict[str, str]) -> Sequence:
        """The sequence with its class and visibility, where the benchmark has them."""
        if self.kind != "lasot":
            return sequence
        name, hidden = sequence.name, np.zeros(len(sequence), dtype=bool)
        for pattern in place.hidden:
            hidden |= _flags(required_entry(self.root, pattern.format(**words), name), name, len(sequence))
        return replace(sequence, target_visible=~hidden, object_class=words["class"])

    def _without_images(self, name: str, annotation: Path, boxes: np.ndarray, row: dict) -> Sequence:
        """The sequence as its annotation and the table know it; the images' names are made up."""
        start, end, omit = row["start"] or 1, row["end"], row["omit"]
        if end is not None and len(boxes) != end - start + 1:
            raise InputError(
                f"{annotation} (sequence {name}): {len(boxes)} annotation rows for the {end - start + 1} "
                f"frames {start} to {end} of the benchmark's table; is it of another version of the data set?"
            )
        frames = NumberedFrames(self.root / name, start + omit, len(boxes) - omit)
        return Sequence(name, self.tag, frames, boxes[omit:], source=annotation)


def _thinned(boxes: np.ndarray, every: int, row: dict) -> np.ndarray:
    """Every n-th row, unless the table says that the file has a row for each frame already."""
    if every == 1:
        return boxes
    if row["end"] is not None:
        frames = row["end"] - (row["start"] or 1) + 1
        if len(boxes) == frames or ceil(len(boxes) / every) < frames:
            return boxes
        return boxes[::every][:frames]
    return boxes[::every]


def _numbered(
    name: str, tag: str, images: Path, annotation: Path, boxes: np.ndarray, pattern: str
) -> Sequence:
    """A frame for each row. Two look-ups compare them: listing 280 folders of thousands is slow on NFS."""
    rows = len(boxes)
    last, beyond = images / (pattern % rows), images / (pattern % (rows + 1))
    if not last.exists() or (beyond.exists() and name not in _MORE_IMAGES_THAN_ROWS):
        count = len(numbered_images(images))
        raise InputError(
            f"{annotation} (sequence {name}): {rows} annotation rows for {count} frames in {images}; "
            "rows or images are missing, unpack this sequence again."
        )
    return Sequence(name, tag, NumberedFrames(images, 1, rows, pattern), boxes, source=annotation)


def _flags(path: Path, name: str, rows: int) -> np.ndarray:
    flags = read_flags(path)
    if len(flags) != rows:
        raise InputError(
            f"{path} (sequence {name}): {len(flags)} flags for {rows} annotation rows; unpack it again."
        )
    return flags
