"""A packed dataset: the original image bytes one behind the other in a few large files, and one index."""

import zlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch

from ebm.exceptions import InputError
from ebm.files import expanded
from ltr.data.usable import Skipped
from ltr.data.video import Annotation, Slice
from ltr.dataset.array_file import Arrays, read_arrays
from ltr.dataset.base import select_names
from ltr.dataset.store import AnnotationStore

__all__ = ["INDEX_FILE", "PACK_FORMAT", "PackedVideos", "Picture", "is_packed", "shard_name"]

INDEX_FILE = "index.ebt"
PACK_FORMAT = "ebmtrack shards 1"
_AGAIN = "Copy it there again, or pack the dataset again."
_SHARED = ("_first", "_picture", "_place")


def shard_name(number: int) -> str:
    """File of a shard, counted from 0."""
    return f"shard-{number:05d}.bin"


def is_packed(root: Path) -> bool:
    """Whether a folder holds a packed dataset."""
    return (root / INDEX_FILE).is_file()


@dataclass(frozen=True)
class Picture:
    """One image of a packed dataset."""

    sequence: str
    frame: int
    where: Slice

    def problem(self) -> str:
        """What is wrong with its bytes; empty if nothing is."""
        try:
            data = self.where.read_bytes()
        except OSError as error:
            return f"cannot be read ({error.strerror or error})"
        if len(data) < self.where.length:
            return f"the shard ends after {len(data)} of its {self.where.length} bytes"
        return "" if zlib.crc32(data) == self.where.crc else "its bytes are not those that were packed"


def _read_index(root: Path) -> tuple[dict[str, Any], Arrays]:
    """The index of a packed dataset, its shards all there and as long as they should be.

    Raises:
        InputError: if not; names the shard.
    """
    try:
        meta, arrays = read_arrays(root / INDEX_FILE, "index of packed data")
    except InputError as error:
        raise InputError(f"{error} {_AGAIN}") from error
    if meta.get("format") != PACK_FORMAT:
        raise InputError(
            f"{root / INDEX_FILE} has the format {meta.get('format')!r}, this version reads {PACK_FORMAT!r}. "
            "Pack the dataset again."
        )
    for number, size in enumerate(meta["shards"]):
        file = root / shard_name(number)
        try:
            there = file.stat().st_size
        except OSError as error:
            raise InputError(
                f"packed {meta['dataset']} at {root}: shard {file.name} cannot be read ({error.strerror}). "
                f"{_AGAIN}"
            ) from error
        if there != size:
            raise InputError(
                f"packed {meta['dataset']} at {root}: shard {file.name} has {there} bytes instead of {size}: "
                f"it is truncated or not the right one. {_AGAIN}"
            )
    shard, offset, length = arrays["place"][:, :3].T
    sizes = np.array(meta["shards"], dtype=np.int64)
    known = (shard >= 0) & (shard < len(sizes)) & (offset >= 0) & (length >= 0)
    if not known.all() or (length > sizes[shard] - offset).any():
        raise InputError(f"{root / INDEX_FILE} places pictures outside its shards. {_AGAIN}")
    return meta, arrays


class PackedVideos:
    """What ``ebmtrack dataset pack`` has written, read as the dataset that it was made from.

    A picture costs one read at a known place of an open file: no path is looked up, no file opened.
    """

    def __init__(
        self, root: str | Path, names: Sequence[str] | None = None, *, allow_missing: bool = False
    ) -> None:
        """Open a folder of shards.

        Args:
            root: the folder.
            names: sequences to use; None: all.
            allow_missing: use the sequences that are there; `missing` names the others.

        Raises:
            InputError: if the index or a shard is missing, truncated or damaged, or sequences are missing.
        """
        self.root = expanded(root)
        meta, arrays = _read_index(self.root)
        self.name: str = meta["dataset"]
        self.is_video: bool = meta["is_video"]
        present: list[str] = meta["names"]
        self.names, missing = select_names(
            f"packed {self.name}", self.root, present if names is None else names, present, allow_missing
        )
        self.missing = tuple(missing)
        position = {name: row for row, name in enumerate(present)}
        rows = np.array([position[name] for name in self.names], dtype=np.int64)
        self._kinds: list[str] = [meta["kinds"][row] for row in rows]
        self._shards = [str(self.root / shard_name(number)) for number in range(len(meta["shards"]))]
        self._first = arrays["starts"][rows]  # [N] first frame of each sequence
        self._picture = arrays["picture"]  # [F] of each frame; empty: picture = frame
        self._place = arrays["place"]  # [P, 4] shard, offset, length, CRC-32
        self._store = AnnotationStore(len(self.names))
        self._store.adopt(rows, arrays)

    def __getstate__(self) -> dict[str, Any]:
        """Large arrays as tensors, which travel to a worker process as handles to shared memory."""
        state = dict(self.__dict__)
        return state | {key: torch.from_numpy(state[key]) for key in _SHARED}

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__dict__ = state | {key: state[key].numpy() for key in _SHARED}

    def __len__(self) -> int:
        return len(self.names)

    @property
    def skipped(self) -> list[Skipped]:
        """What was left out because it is not there, if that was asked for."""
        total = len(self.names) + len(self.missing)
        return [Skipped(self.name, self.missing, total, "not there")] if self.missing else []

    @property
    def num_pictures(self) -> int:
        """Images in the shards, whichever sequences are used."""
        return len(self._place)

    def sequence_name(self, index: int) -> str:
        """Name of a sequence as its makers write it."""
        return self.names[index]

    def class_name(self, index: int) -> str | None:
        """Class of a sequence's target; None if nothing says so."""
        return self._kinds[index] or None

    def annotation(self, index: int) -> Annotation:
        """Boxes and flags of a sequence; nothing is parsed."""
        return self._store.get(index, _not_there)

    def prepare(self) -> dict[int, str]:
        """Nothing to do, and nothing can be wrong: packing has checked every annotation."""
        return {}

    def _entry(self, index: int, frame: int) -> list[int]:
        """Shard, offset, length and CRC-32 of a frame."""
        at = int(self._first[index]) + (frame if self.is_video else 0)
        found: list[int] = self._place[self._picture[at] if len(self._picture) else at].tolist()
        return found

    def frame_path(self, index: int, frame: int) -> Slice:
        """Where the image of a frame lies."""
        shard, offset, length, crc = self._entry(index, frame)
        return Slice(self._shards[shard], offset, length, crc)

    def pictures(self) -> Iterator[Picture]:
        """Every image of the sequences, each once, for a check of its bytes."""
        seen: set[tuple[int, int]] = set()
        for index, name in enumerate(self.names):
            for frame in range(len(self.annotation(index))):
                shard, offset, length, crc = self._entry(index, frame)
                if not self.is_video:
                    if (shard, offset) in seen:
                        continue
                    seen.add((shard, offset))
                yield Picture(name, frame, Slice(self._shards[shard], offset, length, crc))


def _not_there(index: int) -> Annotation:
    raise IndexError(index)
