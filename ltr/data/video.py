"""What a training dataset is to the rest of the code: named sequences of frames with one box each."""

import os
import weakref
from contextlib import suppress
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Protocol, runtime_checkable

import numpy as np
import numpy.typing as npt

__all__ = ["Annotation", "Slice", "VideoDataset"]


@dataclass(frozen=True, eq=False)
class Annotation:
    """One sequence's boxes and flags, in compact arrays (19 to 23 bytes a frame); never modified."""

    boxes: npt.NDArray[np.float32]  # [T, 4] xywh, px of the frame
    valid: npt.NDArray[np.bool_]  # [T] the box is finite and has an area
    visible: npt.NDArray[np.bool_]  # [T] valid, and the target can be seen
    visible_ratio: npt.NDArray[np.float32] | None = None  # [T] share of the target that is seen, 0..1

    def __len__(self) -> int:
        return len(self.boxes)


class _Opened:
    """An open file, closed when nobody holds it any more, at the latest when the program ends."""

    def __init__(self, path: str) -> None:
        self.file = Path(path).open("rb", buffering=0)  # noqa: SIM115  closed by the next line
        weakref.finalize(self, self.file.close)
        if hasattr(os, "posix_fadvise"):  # samples jump about: reading ahead of a picture is not worth it
            os.posix_fadvise(self.file.fileno(), 0, 0, os.POSIX_FADV_RANDOM)


@lru_cache(maxsize=256)  # open files of this process, so that a picture costs one read and no open
def _opened(path: str) -> _Opened:
    return _Opened(path)


@dataclass(frozen=True)
class Slice:
    """A part of a file that holds one image: what a path is to loose images."""

    path: str
    offset: int  # bytes
    length: int  # bytes
    crc: int | None = None  # CRC-32 of the bytes, where it is known

    def __str__(self) -> str:
        return f"{self.path}, bytes {self.offset} to {self.offset + self.length}"

    def prefetch(self) -> None:
        """Have the bytes fetched in the background, so that several pictures come from the disk at once.

        Nothing happens where the system cannot do that, or the file is missing: reading will tell.
        """
        if hasattr(os, "posix_fadvise"):
            with suppress(OSError):
                opened = _opened(self.path)
                os.posix_fadvise(opened.file.fileno(), self.offset, self.length, os.POSIX_FADV_WILLNEED)

    def read_bytes(self) -> bytes:
        """The bytes; fewer than `length` if the file ends before.

        Raises:
            OSError: if the file is missing or cannot be read.
        """
        opened = _opened(self.path)  # held while it is read, whatever the cache drops meanwhile
        if hasattr(os, "pread"):  # moves no file position, which forked workers would share
            return os.pread(opened.file.fileno(), self.length, self.offset)
        opened.file.seek(self.offset)
        return opened.file.read(self.length)


@runtime_checkable
class VideoDataset(Protocol):
    """A dataset to sample from: sequences of many frames (video) or of one frame (images)."""

    name: str
    is_video: bool

    def __len__(self) -> int:
        """Number of sequences."""
        ...

    def sequence_name(self, index: int) -> str:
        """Name of a sequence as its makers write it."""
        ...

    def annotation(self, index: int) -> Annotation:
        """Boxes and flags of a sequence; parsed on first use, in memory afterwards."""
        ...

    def frame_path(self, index: int, frame: int) -> Path | Slice:
        """Where the image of a frame lies, counted from 0: a file, or a part of one."""
        ...
