"""GOT-10k: the training folder, one folder a sequence."""

import os
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from ebm.exceptions import InputError
from ltr.data.video import Annotation
from ltr.dataset.annotations import make_annotation, read_boxes, read_flags, read_levels
from ltr.dataset.base import (
    SequenceFolders,
    check_length,
    generated_sequences,
    match_length,
    open_root,
    read_names,
    select_names,
)

__all__ = ["Got10k"]

_FULLY_SEEN = 8  # highest level of cover.label, in eighths of the target


def _train_folder(root: Path) -> Path:
    """The folder of the sequences: `root` itself, or its ``train`` folder if a whole GOT-10k was given."""
    inner = root / "train"
    return inner if not (root / "list.txt").is_file() and inner.is_dir() else root


def _all_names(folder: Path) -> list[str]:
    """Every sequence, in the order of ``list.txt`` where there is one, since index lists count in it."""
    listed = folder / "list.txt"
    if listed.is_file():
        return read_names(listed)
    with os.scandir(folder) as entries:
        return sorted(entry.name for entry in entries if entry.is_dir())


def _listed_names(file: Path, names: Sequence[str]) -> list[str]:
    """A user's list: sequence names, or 0-based positions in ``list.txt``.

    Raises:
        InputError: if the file is missing, empty or counts too far.
    """
    lines = read_names(file)
    if not all(line.isascii() and line.isdigit() for line in lines):
        return lines
    too_far = [line for line in lines if int(line) >= len(names)]
    if too_far:
        raise InputError(
            f"{file} asks for sequence number {too_far[0]} (counted from 0), but this GOT-10k has "
            f"{len(names)}. Use a list made for it, or a list of sequence names."
        )
    return [names[int(line)] for line in lines]


class Got10k(SequenceFolders):
    """GOT-10k, 1-based frames of eight digits. Source: Huang et al., TPAMI 2021, arXiv:1810.11981.

    Visible is what ``absence.label`` does not call absent and ``cover.label`` does not call fully covered;
    either file may be missing, and the target then counts as present and seen.
    """

    name = "got10k"

    def __init__(
        self,
        root: str | Path | None = None,
        split: str | Path | Sequence[str] = "train",
        *,
        exclude: Sequence[str] = (),
    ) -> None:
        """Open a root.

        Args:
            root: the ``train`` folder, or the folder above it; None: the configured one.
            split: ``"train"`` (all), a text file of names or of 0-based positions in ``list.txt``, or names.
            exclude: names to leave out, e.g. those that a challenge forbids. Names, because positions in a
                list
                shift: excluding by position is how published splits kept most forbidden sequences.

        Raises:
            InputError: if the root or the list is missing, or sequences are.
        """
        folder = _train_folder(open_root("got10k", root))
        names = generated_sequences(folder) or _all_names(folder)
        if isinstance(split, str | Path):
            wanted = names if split == "train" else _listed_names(Path(split), names)
        else:
            wanted = list(split)
        banned = set(exclude)
        wanted = [name for name in wanted if name not in banned]
        super().__init__(folder, select_names("GOT-10k", folder, wanted, os.listdir(folder)))

    def frame_path(self, index: int, frame: int) -> Path:
        """Image file of a frame, counted from 0."""
        return self.root / self.names[index] / f"{frame + 1:08d}.jpg"

    def _read(self, index: int) -> Annotation:
        name = self.names[index]
        folder = self.root / name
        boxes = read_boxes(folder / "groundtruth.txt")
        check_length(name, folder / "groundtruth.txt", len(boxes), folder, ".jpg")
        hidden, ratio = np.zeros(len(boxes), dtype=bool), None
        absence, cover = folder / "absence.label", folder / "cover.label"
        if absence.is_file():
            hidden |= match_length(absence, name, len(boxes), read_flags(absence))
        if cover.is_file():
            levels = match_length(cover, name, len(boxes), read_levels(cover, _FULLY_SEEN))
            hidden, ratio = hidden | (levels == 0), levels / _FULLY_SEEN
        return make_annotation(boxes, hidden, ratio)
