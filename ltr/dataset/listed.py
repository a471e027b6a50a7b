"""Videos whose frames are listed one by one rather than numbered: a table of files and their annotations."""

import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from ebm.exceptions import InputError
from ebm.images.listing import image_names
from ltr.data.video import Annotation
from ltr.dataset.store import AnnotationStore

__all__ = ["ListedSequence", "ListedVideos", "list_images"]


def list_images(folder: Path) -> list[str]:
    """Names of the images in a folder, in natural order; see `ebm.images.listing`.

    Raises:
        InputError: if there is no such folder.
    """
    try:
        return image_names(folder)
    except OSError as error:
        raise InputError(f"no folder of frames at {folder} ({error.strerror}).") from error


@dataclass(frozen=True, eq=False)
class ListedSequence:
    """One sequence: its files below the root, and as many boxes."""

    name: str
    files: Sequence[str]
    annotation: Annotation
    kind: str = ""  # class of the target, if known


class ListedVideos:
    """Sequences given as lists. File names lie in one array of bytes, which forked workers share."""

    def __init__(
        self, name: str, root: Path, sequences: Sequence[ListedSequence], is_video: bool = True
    ) -> None:
        """Take over sequences.

        Args:
            name: short name of the dataset.
            root: folder that the file names count from.
            sequences: at least one.
            is_video: False: every sequence is one image.

        Raises:
            InputError: if there are none, or two have one name.
        """
        self.name, self.root, self.is_video = name, root, is_video
        self.names = [sequence.name for sequence in sequences]
        if not sequences:
            raise InputError(f"{name}: no sequences under {root}.")
        if len(set(self.names)) < len(self.names):
            repeated = next(n for n in self.names if self.names.count(n) > 1)
            raise InputError(f"{name}: two sequences are called {repeated!r}.")
        self._kinds = [sequence.kind for sequence in sequences]
        self._files = np.array([file.encode() for sequence in sequences for file in sequence.files])
        self._starts = np.cumsum([0] + [len(sequence.files) for sequence in sequences])
        self._store = AnnotationStore(len(sequences))
        for index, sequence in enumerate(sequences):
            self._store.get(index, lambda _, found=sequence.annotation: found)  # type: ignore[misc]
        self._store.pack()

    def __len__(self) -> int:
        return len(self.names)

    def places(self) -> list[Path]:
        """The folders that images are read from, as far as they lie below the root, and images beside it."""
        # One file of each folder, and every one that lies in none: a path each is slow for a million images.
        one_each = {
            folder if (folder := os.path.dirname(file)).strip(b"./") else file: file
            for file in self._files.tolist()
        }
        names = {Path(file.decode()) for file in one_each.values()}
        return sorted({self.root / (name.parent if name.is_absolute() else name.parts[0]) for name in names})

    def sequence_name(self, index: int) -> str:
        """Name of a sequence."""
        return self.names[index]

    def class_name(self, index: int) -> str | None:
        """Class of a sequence's target; None if nothing says so."""
        return self._kinds[index] or None

    def annotation(self, index: int) -> Annotation:
        """Boxes and flags of a sequence."""
        return self._store.get(index, _not_there)

    def frame_path(self, index: int, frame: int) -> Path:
        """Image file of a frame, counted from 0."""
        first = int(self._starts[index])
        return self.root / bytes(self._files[first + (frame if self.is_video else 0)]).decode()


def _not_there(index: int) -> Annotation:
    raise IndexError(index)
