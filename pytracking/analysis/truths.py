"""The annotations of a benchmark as arrays over all of its frames."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np

from ebm.exceptions import DomainError, ShapeError
from pytracking.analysis.protocols import Protocol

__all__ = ["Annotation", "Truths", "check_boxes", "column_wise", "has_ground_truth"]


@dataclass(frozen=True)
class Annotation:
    """What one sequence is scored against.

    Args:
        boxes: xywh, px, ``[T, 4]``; NaN where not annotated.
        visible: bool ``[T]``, or None where the benchmark does not say.
        image_size: width and height, px, or None where it is not known.
        source: names it in errors.
    """

    boxes: np.ndarray
    visible: np.ndarray | None = None
    image_size: tuple[float, float] | None = None
    source: str | Path = "the result"


class Truths:
    """The annotations of S sequences, N frames in all, under one protocol.

    Args:
        annotations: one a sequence.
        protocol: the rules.

    Attributes:
        starts: first frame of each sequence, and N at the end, ``[S + 1]``.
        boxes: xywh, px, ``[N, 4]``, column after column in memory.
        valid: frames that are scored, bool ``[N]``.
        sequence: number of each frame's sequence, ``[N]``.

    Raises:
        DomainError: for NaN that the protocol does not expect.
        ShapeError: if an array has the wrong shape.
    """

    def __init__(self, annotations: Sequence[Annotation], protocol: Protocol) -> None:
        for item in annotations:
            _check_annotation(item, protocol)
        self.annotations, self.protocol = annotations, protocol
        lengths = np.array([len(item.boxes) for item in annotations])
        self.starts = np.concatenate([[0], lengths.cumsum()])
        self.sequence = np.repeat(np.arange(len(lengths)), lengths)
        self.boxes = column_wise(int(self.starts[-1]))
        np.concatenate([item.boxes for item in annotations], out=self.boxes)
        self._hidden = self._hidden_frames()
        self.valid = self._valid_frames()

    def __len__(self) -> int:
        return len(self.annotations)

    def _hidden_frames(self) -> np.ndarray | None:
        if all(item.visible is None for item in self.annotations):
            return None
        parts = [np.ones(len(a.boxes), bool) if a.visible is None else a.visible for a in self.annotations]
        return ~np.concatenate(parts)

    def _valid_frames(self) -> np.ndarray:
        valid: np.ndarray = np.isfinite(self.boxes).all(axis=1)
        if self.protocol.valid_box != "finite":
            scored = self.boxes if self.protocol.valid_box == "all_positive" else self.boxes[:, 2:]
            valid &= (scored > 0).all(axis=1)
        if self._hidden is not None and self.protocol.uses_visibility:
            valid &= ~self._hidden
        if self.protocol.first_frame == "left_out":
            valid[self.starts[:-1]] = False
        return valid

    @cached_property
    def odd(self) -> np.ndarray:
        """Numbers of the frames that are not valid."""
        return np.flatnonzero(~self.valid)

    @cached_property
    def hidden(self) -> np.ndarray | None:
        """Numbers of the frames whose target is hidden, where the protocol gives them a distance."""
        if self._hidden is None or self.protocol.hidden_distance is None:
            return None
        return np.flatnonzero(self._hidden)

    @cached_property
    def image_sizes(self) -> np.ndarray | None:
        """Width and height of each frame's image, ``[N, 2]``, infinite where unknown; None if boxes may leave
        it."""
        if not self.protocol.inside_image:
            return None
        sizes = [(np.inf, np.inf) if a.image_size is None else a.image_size for a in self.annotations]
        return np.asarray(np.array(sizes)[self.sequence])

    def denominator(self, valid: np.ndarray) -> np.ndarray:
        """Frames that the rates of each sequence are divided by, ``[S]``.

        Args:
            valid: frames that are scored, bool ``[N]``.
        """
        if self.protocol.denominator == "all":
            return np.diff(self.starts)
        return np.bincount(self.sequence[valid], minlength=len(self))


def has_ground_truth(truth: np.ndarray) -> bool:
    """Whether frames beyond the first are annotated, ``[T, 4]``; some servers keep the rest to themselves."""
    return bool(len(truth) == 1 or np.isfinite(truth[1:]).all(axis=1).any())


def column_wise(rows: int) -> np.ndarray:
    """Room for boxes ``[N, 4]``, column after column in memory: what is done to one column is fast."""
    return np.empty((4, rows)).T


def check_boxes(boxes: np.ndarray, what: str, source: str | Path) -> None:
    """Require rows of four numbers.

    Raises:
        ShapeError: naming the shape there is.
    """
    if boxes.ndim != 2 or boxes.shape[1] != 4 or not len(boxes):
        raise ShapeError(f"{source}: the {what} has shape {boxes.shape}, expected rows of x, y, w, h.")


def _check_annotation(item: Annotation, protocol: Protocol) -> None:
    check_boxes(item.boxes, "annotation", item.source)
    if item.visible is not None and item.visible.shape != (len(item.boxes),):
        raise ShapeError(
            f"{item.source}: {item.visible.shape} visibility flags for {len(item.boxes)} annotation rows."
        )
    if protocol.nan_truth != "error" or np.isfinite(item.boxes.sum()):
        return
    unknown = ~np.isfinite(item.boxes).all(axis=1)
    if unknown.any():
        raise DomainError(
            f"{item.source}: annotation row {int(np.argmax(unknown)) + 1} is not finite, which rule "
            f"{protocol.name!r} does not expect for this dataset."
        )
