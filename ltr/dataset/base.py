"""What the dataset readers share: names, cached annotations, checks that frames and annotation agree."""

import difflib
import json
import os
from abc import ABC, abstractmethod
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
import numpy.typing as npt

from ebm.exceptions import InputError
from ltr.admin.environment import require_dataset_root
from ltr.data.video import Annotation, VideoDataset
from ltr.dataset.annotations import read_text
from ltr.dataset.store import AnnotationStore

__all__ = [
    "Annotation",
    "SequenceFolders",
    "VideoDataset",
    "check_length",
    "generated_sequences",
    "match_length",
    "open_root",
    "read_json",
    "read_names",
    "select_names",
]

_T = TypeVar("_T", bound=np.generic)
_SHOWN = 5  # names in a message before "and N more"


def open_root(key: str, root: str | Path | None) -> Path:
    """The existing root of a dataset: the one given, or the configured one.

    Raises:
        InputError: if there is none, or it is no folder; says how to set it.
    """
    return require_dataset_root(key, root)


def read_json(file: Path) -> Any:
    """The content of a JSON file.

    Raises:
        InputError: if it is missing or broken, naming file and line.
    """
    try:
        return json.loads(read_text(file, "JSON file"))
    except json.JSONDecodeError as error:
        raise InputError(f"{file}, line {error.lineno}: not valid JSON ({error.msg}).") from error


def generated_sequences(root: Path) -> list[str] | None:
    """The sequence names that a generated root lists in its ``generated.json``; None for real data.

    Raises:
        InputError: if the file is there but lists nothing usable.
    """
    file = root / "generated.json"
    if not file.is_file():
        return None
    content = read_json(file)
    listed = content.get("sequences") if isinstance(content, dict) else None
    names = [entry.get("name") if isinstance(entry, dict) else entry for entry in listed or []]
    if not names or not all(isinstance(name, str) for name in names):
        raise InputError(f"{file} lists no sequences. Delete {root} and generate it again.")
    return [str(name) for name in names]


def read_names(file: Path) -> list[str]:
    """One name a line; blank lines and lines that start with # are left out.

    Raises:
        InputError: if the file is missing or names nothing.
    """
    lines = (line.strip() for line in read_text(file, "list of sequences").splitlines())
    names = [line for line in lines if line and not line.startswith("#")]
    if not names:
        raise InputError(f"{file} names no sequence: expected one name a line.")
    return names


def select_names(dataset: str, root: Path, wanted: Sequence[str], present: Iterable[str]) -> list[str]:
    """`wanted`, if every one of them is there.

    Raises:
        InputError: if any is missing, saying how many of how many and which, with the nearest name.
    """
    there = set(present)
    missing = [name for name in wanted if name not in there]
    if not missing:
        return list(wanted)
    shown = ", ".join(missing[:_SHOWN]) + (
        f" and {len(missing) - _SHOWN} more" if len(missing) > _SHOWN else ""
    )
    near = difflib.get_close_matches(missing[0], sorted(there), n=1)
    hint = f" Nearest to {missing[0]!r}: {near[0]!r}." if near and len(wanted) < 20 else ""
    raise InputError(
        f"{dataset} at {root} lacks {len(missing)} of {len(wanted)} sequences: {shown}.{hint} Extract them "
        "there, point to the folder that has them, or give the names that you want to use."
    )


def check_length(sequence: str, annotation_file: Path, lines: int, frame_folder: Path, suffix: str) -> None:
    """Make sure a sequence has as many frames as annotation lines.

    Args:
        sequence: its name, for the message.
        annotation_file: where the lines stand.
        lines: how many there are.
        frame_folder: folder of the frames.
        suffix: ending of the frame files, e.g. ``".jpg"``.

    Raises:
        InputError: if the numbers differ or the folder is missing.
    """
    try:
        with os.scandir(frame_folder) as entries:
            frames = sum(entry.name.endswith(suffix) for entry in entries)
    except OSError as error:
        raise InputError(
            f"sequence {sequence}: no folder of frames at {frame_folder} ({error.strerror}). Extract its "
            "images there, or leave the sequence out."
        ) from error
    if frames != lines:
        raise InputError(
            f"sequence {sequence}: {frames} frames ({suffix}) in {frame_folder}, but {lines} lines in "
            f"{annotation_file}. One of them is incomplete: extract the sequence again, or leave it out."
        )


def match_length(file: Path, sequence: str, count: int, values: npt.NDArray[_T]) -> npt.NDArray[_T]:
    """The values of a side file, if they are as many as the boxes.

    Raises:
        InputError: if the numbers differ.
    """
    if len(values) != count:
        raise InputError(
            f"sequence {sequence}: {len(values)} entries in {file}, but {count} boxes. Extract it again, or "
            "delete that file: without it the target counts as visible."
        )
    return values


class SequenceFolders(ABC):
    """Base of the video readers: a root, a list of names, annotations cached after the first read."""

    name = ""
    is_video = True

    def __init__(self, root: Path, names: Sequence[str]) -> None:
        """Readers call this once they know their names.

        Raises:
            InputError: if there are none.
        """
        if not names:
            raise InputError(f"{self.name}: no sequences under {root}. Is this the right folder?")
        self.root = root
        self.names = list(names)
        self._store = AnnotationStore(len(self.names))

    def __len__(self) -> int:
        return len(self.names)

    def sequence_name(self, index: int) -> str:
        """Name of a sequence as its makers write it."""
        return self.names[index]

    def annotation(self, index: int) -> Annotation:
        """Boxes and flags of a sequence; parsed on first use, in memory afterwards.

        Raises:
            InputError: if its files are missing, broken or of different lengths.
        """
        return self._store.get(index, self._read)

    def pack(self) -> None:
        """Move the annotations read so far into flat arrays that worker processes share."""
        self._store.pack()

    @abstractmethod
    def frame_path(self, index: int, frame: int) -> Path:
        """Image file of a frame, counted from 0."""

    @abstractmethod
    def _read(self, index: int) -> Annotation:
        """Parse one sequence's annotation files."""
