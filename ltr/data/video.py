"""What a training dataset is to the rest of the code: named sequences of frames with one box each."""

from dataclasses import dataclass
from pathlib import Path
from typing import Protocol, runtime_checkable

import numpy as np
import numpy.typing as npt

__all__ = ["Annotation", "VideoDataset"]


@dataclass(frozen=True, eq=False)
class Annotation:
    """One sequence's boxes and flags, in compact arrays (19 to 23 bytes a frame); never modified."""

    boxes: npt.NDArray[np.float32]  # [T, 4] xywh, px of the frame
    valid: npt.NDArray[np.bool_]  # [T] the box is finite and has an area
    visible: npt.NDArray[np.bool_]  # [T] valid, and the target can be seen
    visible_ratio: npt.NDArray[np.float32] | None = None  # [T] share of the target that is seen, 0..1

    def __len__(self) -> int:
        return len(self.boxes)


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

    def frame_path(self, index: int, frame: int) -> Path:
        """Image file of a frame, counted from 0."""
        ...
