"""What the dataset readers share: names, cached annotations, checks that frames and annotation agree."""

import difflib
from abc import ABC, abstractmethod
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TypeVar

import numpy as np
import numpy.typing as npt

from ebm.annotations.texts import read_text
from ebm.exceptions import InputError
from ebm.images.listing import image_entries
from ebm.integrity.json_files import read_sealed_json
from ltr.admin.environment import require_dataset_root
from ltr.data.usable import Skipped
from ltr.data.video import Annotation, VideoDataset
from ltr.dataset.annotations import make_annotation, read_boxes, read_flags, read_levels
from ltr.dataset.index import AnnotationIndex, Source, stamp_of
from ltr.dataset.store import AnnotationStore

__all__ = [
    "Annotation",
    "SequenceFiles",
    "SequenceFolders",
    "VideoDataset",
    "check_length",
    "generated_sequences",
    "match_length",
    "open_root",
    "read_names",
    "read_sequence",
    "select_names",
]

_T = TypeVar("_T", bound=np.generic)
FULLY_SEEN = 8  # highest level of a cover file, in eighths of the target
_SHOWN = 5  # names in a message before "and N more"


def open_root(key: str, root: str | Path | None) -> Path:
    """The existing root of a dataset: the one given, or the configured one; errors say how to set it."""
    return require_dataset_root(key, root)


def generated_sequences(root: Path) -> list[str] | None:
    """The sequence names that a generated root lists in its ``generated.json``; None for real data.

    Raises:
        InputError: if the file is there but lists nothing usable.
    """
    file = root / "generated.json"
    if not file.is_file():
        return None
    listed = read_sealed_json(file).get("sequences")
    entries = listed if isinstance(listed, list) else []
    names = [entry.get("name") if isinstance(entry, dict) else entry for entry in entries]
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


def select_names(
    dataset: str, root: Path, wanted: Sequence[str], present: Iterable[str], allow_missing: bool = False
) -> tuple[list[str], list[str]]:
    """Which of the wanted sequences are there, and which are not.

    Args:
        dataset: its title, for the message.
        root: its folder, for the message.
        wanted: names that were asked for.
        present: names that are there.
        allow_missing: use what is there.

    Raises:
        InputError: if any is missing that may not be, saying how many of how many and which, with the nearest
            name; or if one is named twice.
    """
    there, repeated = set(present), [name for name, times in Counter(wanted).items() if times > 1]
    if repeated:
        raise InputError(f"{dataset} at {root}: named more than once: {_list_names(repeated)}.")
    missing = [name for name in wanted if name not in there]
    if not missing or allow_missing:
        return [name for name in wanted if name in there], missing
    near = difflib.get_close_matches(missing[0], sorted(there), n=1)
    hint = f" Nearest to {missing[0]!r}: {near[0]!r}." if near and len(wanted) < 20 else ""
    raise InputError(
        f"{dataset} at {root} lacks {len(missing)} of {len(wanted)} sequences: {_list_names(missing)}.{hint} "
        "Extract them there, point to the folder that has them, give the names that you want to use, or "
        "allow sequences to be missing."
    )


def _list_names(names: Sequence[str]) -> str:
    """The first names, and how many more there are."""
    more = f" and {len(names) - _SHOWN} more" if len(names) > _SHOWN else ""
    return ", ".join(names[:_SHOWN]) + more


def check_length(
    sequence: str, annotation_file: Path, lines: int, frame_folder: Path, suffix: str | tuple[str, ...]
) -> None:
    """Make sure a sequence has as many frames as annotation lines.

    Args:
        sequence: its name, for the message.
        annotation_file: where the lines stand.
        lines: how many there are.
        frame_folder: folder of the frames.
        suffix: ending of the frame files, e.g. ``".jpg"``, or several.

    Raises:
        InputError: if the numbers differ or the folder is missing.
    """
    try:
        frames = sum(1 for _ in image_entries(frame_folder, suffix))
    except OSError as error:
        raise InputError(
            f"sequence {sequence}: no folder of frames at {frame_folder} ({error.strerror}). Extract its "
            "images there, or leave the sequence out."
        ) from error
    if frames != lines:
        ending = suffix if isinstance(suffix, str) else "images"
        raise InputError(
            f"sequence {sequence}: {frames} frames ({ending}) in {frame_folder}, but {lines} lines in "
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


@dataclass(frozen=True)
class SequenceFiles:
    """Where one sequence lies: what a reader has to say of its layout."""

    boxes: Path  # text file, one line a frame
    frames: Path  # folder of the images
    hidden: tuple[Path, ...] = ()  # files of one 0 or 1 a frame, 1: not to be seen; each may be missing
    cover: Path | None = None  # file of one level a frame, 0: hidden, 8: wholly seen; may be missing
    first: int = 1  # number of the first image
    digits: int = 8  # of an image's number, zeros in front
    suffix: str | tuple[str, ...] = ".jpg"  # several: readers that list their images

    def frame(self, number: int) -> Path:
        """Image file of a frame, counted from 0."""
        suffix = self.suffix if isinstance(self.suffix, str) else self.suffix[0]
        return self.frames / f"{self.first + number:0{self.digits}d}{suffix}"

    @property
    def watched(self) -> tuple[Path, ...]:
        """What has changed if the annotation has: its files, and the folder, whose images are counted."""
        side = self.hidden if self.cover is None else (*self.hidden, self.cover)
        return (self.boxes, *side, self.frames)


def read_sequence(name: str, files: SequenceFiles) -> Annotation:
    """Parse the annotation files of a sequence.

    Raises:
        InputError: if they are missing, broken, or of different lengths; or not as many as the frames.
    """
    boxes = read_boxes(files.boxes)
    check_length(name, files.boxes, len(boxes), files.frames, files.suffix)
    hidden, ratio = np.zeros(len(boxes), dtype=bool), None
    for file in files.hidden:
        if file.is_file():
            hidden |= match_length(file, name, len(boxes), read_flags(file))
    if files.cover is not None and files.cover.is_file():
        levels = match_length(files.cover, name, len(boxes), read_levels(files.cover, FULLY_SEEN))
        hidden, ratio = hidden | (levels == 0), levels / FULLY_SEEN
    return make_annotation(boxes, hidden, ratio)


class SequenceFolders(ABC):
    """Base of the video readers: a root, a list of names, annotations from an index on disk."""

    name: str
    is_video = True

    def __init__(self, root: Path, names: Sequence[str], missing: Sequence[str] = ()) -> None:
        """Readers call this once they know their names.

        Args:
            root: folder of the dataset.
            names: the sequences to use, all of them there.
            missing: sequences that were asked for, are not there, and may be left out.

        Raises:
            InputError: if there are none.
        """
        if not names:
            raise InputError(f"{self.name}: no sequences under {root}. Is this the right folder?")
        self.root = root
        self.names = list(names)
        self.missing = tuple(missing)
        self._store = AnnotationStore(len(self.names))
        self._last: tuple[int, SequenceFiles] | None = None  # a sample asks for several frames of a sequence

    def __len__(self) -> int:
        return len(self.names)

    @property
    def skipped(self) -> list[Skipped]:
        """What was left out because it is not there, if that was asked for."""
        total = len(self.names) + len(self.missing)
        return [Skipped(self.name, self.missing, total, "not there")] if self.missing else []

    def sequence_name(self, index: int) -> str:
        """Name of a sequence as its makers write it."""
        return self.names[index]

    def class_name(self, index: int) -> str | None:
        """What kind of thing a sequence's target is; None if nothing says so."""
        return None

    def annotation(self, index: int) -> Annotation:
        """Boxes and flags of a sequence; parsed on first use, in memory afterwards.

        Raises:
            InputError: if its files are missing, broken or of different lengths.
        """
        return self._store.get(index, self._read)

    def prepare(self) -> dict[int, str]:
        """Bring every annotation into memory, from the index of an earlier run where that still holds.

        Returns:
            What is wrong with the sequences that cannot be parsed.
        """
        return AnnotationIndex(self.name, self.root).load(
            [
                Source(name, partial(self._stamp, index), partial(self._read, index))
                for index, name in enumerate(self.names)
            ],
            self._store,
        )

    def frame_path(self, index: int, frame: int) -> Path:
        """Image file of a frame, counted from 0."""
        last = self._last
        if last is None or last[0] != index:
            last = self._last = (index, self.files(index))
        return last[1].frame(frame)

    @abstractmethod
    def files(self, index: int) -> SequenceFiles:
        """Where a sequence lies."""

    def _stamp(self, index: int) -> int:
        """Changes when a sequence's files do."""
        return stamp_of(self.files(index).watched)

    def _read(self, index: int) -> Annotation:
        """Parse one sequence's annotation files."""
        return read_sequence(self.names[index], self.files(index))
