"""`Sequence`: one target in one video, as every benchmark reader hands it on."""

import hashlib
import os
import re
from collections.abc import Iterable, Mapping
from collections.abc import Sequence as List
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import overload

import numpy as np

from ebm.exceptions import InputError
from ebm.images.listing import image_names
from ebm.lookup import unknown_name

__all__ = [
    "RESULT_SUFFIXES",
    "NumberedFrames",
    "Sequence",
    "check_frames",
    "check_names",
    "check_sequence",
    "find_by_name",
    "numbered_images",
    "plain_name",
    "sequence_digest",
    "true_box",
]

RESULT_SUFFIXES = ("_time", "_scores", "_error", "_info")  # of the files beside a sequence's boxes


@dataclass(frozen=True)
class NumberedFrames(List[Path]):
    """The image files ``FOLDER/00000001.jpg`` ... as a sequence whose paths are made when asked for.

    Args:
        folder: of the images.
        first: number of the first.
        length: how many there are.
        pattern: of their names.
    """

    folder: Path
    first: int
    length: int
    pattern: str = "%08d.jpg"

    def __len__(self) -> int:
        return self.length

    @overload
    def __getitem__(self, index: int) -> Path: ...

    @overload
    def __getitem__(self, index: slice) -> tuple[Path, ...]: ...

    def __getitem__(self, index: int | slice) -> Path | tuple[Path, ...]:
        if isinstance(index, slice):
            return tuple(self[number] for number in range(*index.indices(self.length)))
        return self.folder / (self.pattern % (self.first + range(self.length)[index]))


@dataclass(frozen=True, eq=False)
class Sequence:
    """One target in one video.

    Args:
        name: unique within its dataset.
        dataset: short tag; the protocols decide by it how absent targets count.
        frames: image files, T of them.
        ground_truth: xywh, px, float64 ``[T, 4]``; NaN where the target is not annotated.
        target_visible: bool ``[T]``, or None where the benchmark does not say.
        object_class: e.g. ``"airplane"``, or None.
        image_size: width and height of the images, px, or None where the benchmark does not say.
        source: the annotation file, named in errors.
    """

    name: str
    dataset: str
    frames: List[Path] = field(repr=False)
    ground_truth: np.ndarray = field(repr=False)
    target_visible: np.ndarray | None = field(default=None, repr=False)
    object_class: str | None = None
    image_size: tuple[float, float] | None = None
    source: Path | None = None

    def __len__(self) -> int:
        return len(self.frames)

    @property
    def init_box(self) -> np.ndarray:
        """The box a tracker starts from: xywh, px, ``[4]``."""
        return self.ground_truth[0].copy()

    @cached_property
    def digest(self) -> str:
        """See `sequence_digest`; taken once: every tracker and every rule of an evaluation asks for it."""
        return sequence_digest(self)


def true_box(sequence: Sequence, number: int) -> "np.ndarray | None":
    """The annotated box of a frame, x, y, w, h ``[4]``, px; None where there is none or it is hidden."""
    box: np.ndarray = np.asarray(sequence.ground_truth[number], dtype=np.float64)
    visible = sequence.target_visible is None or bool(sequence.target_visible[number])
    return box if visible and np.isfinite(box).all() and (box[2:] > 0).all() else None


def check_sequence(sequence: Sequence) -> Sequence:
    """The same sequence, if frames, boxes and flags agree and the first box is usable.

    Raises:
        InputError: naming the annotation file, the sequence, the frame and the remedy.
    """
    where = f"{sequence.source or sequence.dataset} (sequence {sequence.name})"
    frames, boxes = len(sequence.frames), sequence.ground_truth
    if not frames:
        raise InputError(f"{where}: there are no frames; unpack the images of this sequence again.")
    if boxes.ndim != 2 or boxes.shape[1] != 4:
        raise InputError(
            f"{where}: expected rows of x, y, width, height, found an array of shape {boxes.shape}."
        )
    if len(boxes) != frames:
        raise InputError(
            f"{where}: {len(boxes)} annotation rows for {frames} frames "
            f"({sequence.frames[0].name} to {sequence.frames[-1].name}); "
            "compare the sequence with the original archive: rows or images are missing."
        )
    visible = sequence.target_visible
    if visible is not None and len(visible) != frames:
        raise InputError(f"{where}: {len(visible)} visibility flags for {frames} frames.")
    first = boxes[0]
    if not np.isfinite(first).all() or (first[2:] <= 0).any():
        raise InputError(
            f"{where}: the first box is {_show(first)}, at frame {sequence.frames[0].name}; a tracker needs "
            "a finite box with positive width and height to start from. Correct the first annotation row."
        )
    return sequence


def check_names(names: Iterable[str]) -> None:
    """Make sure that no two sequences have one name, or would write or be looked for in one result file.

    Raises:
        InputError: naming both.
    """
    files: dict[str, str] = {}
    for name in names:
        for suffix in ("", *RESULT_SUFFIXES):
            file = plain_name(f"{name}{suffix}")
            if file in files:
                raise InputError(
                    f"The sequences {files[file]!r} and {name!r} have one name as far as result files go "
                    "(capital letters and separators do not count there). Rename one, or leave one out."
                )
            files[file] = name


def _show(box: np.ndarray) -> str:
    return "(" + ", ".join(f"{value:g}" for value in box) + ")"


def check_frames(sequence: Sequence) -> None:
    """Make sure that every image file of a sequence is there, with one directory listing a folder.

    Raises:
        InputError: naming the first missing frame and how many are missing.
    """
    listings: dict[Path, set[str]] = {}
    missing: list[int] = []
    for index, frame in enumerate(sequence.frames):
        if frame.parent not in listings:
            listings[frame.parent] = set(os.listdir(frame.parent)) if frame.parent.is_dir() else set()
        if frame.name not in listings[frame.parent]:
            missing.append(index)
    if missing:
        raise InputError(
            f"{sequence.frames[missing[0]]} is missing: sequence {sequence.name}, frame {missing[0]} of "
            f"{len(sequence)}, counted from 0 ({len(missing)} missing in all); unpack this sequence again."
        )


def numbered_images(folder: Path) -> dict[int, Path]:
    """Image files of a folder by the number their name ends in, in ascending order.

    Raises:
        InputError: if the folder does not exist or two images carry the same number.
    """
    if not folder.is_dir():
        raise InputError(f"No image folder {folder}; unpack the images of this sequence, or check the root.")
    found: dict[int, Path] = {}
    for entry in image_names(folder):
        path = folder / entry
        digits = re.search(r"(\d+)$", path.stem)
        if digits is None:
            continue
        number = int(digits.group(1))
        if number in found:
            raise InputError(
                f"{folder}: {found[number].name} and {entry} are both frame {number}; remove one of them."
            )
        found[number] = path
    return dict(sorted(found.items()))


def plain_name(name: str) -> str:
    """A name without the differences between distributions: case, and ``- . _`` between parts."""
    return re.sub(r"[-._ ]+", "_", name).lower()


def find_by_name(kind: str, wanted: str, names: Iterable[str]) -> str:
    """The one of `names` that `wanted` means: exactly, else up to case and separators.

    Raises:
        UnknownNameError: with the nearest names.
    """
    known = list(names)
    if wanted in known:
        return wanted
    plain: Mapping[str, str] = {plain_name(name): name for name in known}
    if plain_name(wanted) in plain:
        return plain[plain_name(wanted)]
    raise unknown_name(kind, wanted, known)


def sequence_digest(sequence: Sequence) -> str:
    """A short fingerprint of annotation and images (names, three file sizes), to notice exchanged data."""
    digest = hashlib.sha256(np.ascontiguousarray(sequence.ground_truth, dtype=np.float64).tobytes())
    digest.update("\n".join(frame.name for frame in sequence.frames).encode())
    for frame in (sequence.frames[0], sequence.frames[len(sequence) // 2], sequence.frames[-1]):
        digest.update(f"{frame.name}:{frame.stat().st_size if frame.exists() else -1}".encode())
    return digest.hexdigest()[:16]
