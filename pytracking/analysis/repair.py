"""Predicted tracks made as long as their annotations and repaired, as a protocol prescribes."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from ebm.exceptions import DomainError, InputError
from pytracking.analysis.protocols import Protocol
from pytracking.analysis.truths import Truths, check_boxes, column_wise

__all__ = ["Repaired", "repaired"]

_FAR_AWAY = 1e9  # px; what a tracker says beyond it is as wrong, and would overflow


@dataclass(frozen=True)
class Repaired:
    """The tracks of S sequences, N frames in all, ready to be measured.

    Args:
        boxes: xywh, px, ``[N, 4]``, column after column in memory; zeros where nothing was predicted.
        missed: numbers of the frames that fail whatever their boxes are.
        unspoken: numbers of the frames that the results have no row for.
    """

    boxes: np.ndarray
    missed: np.ndarray
    unspoken: np.ndarray


def repaired(predictions: Sequence[np.ndarray], truths: Truths, places: Sequence[str | Path]) -> Repaired:
    """The predictions with as many rows as the annotations.

    Args:
        predictions: xywh, px, ``[P, 4]`` each.
        truths: the annotations, and the protocol that says what is done to rows that are missing, too many,
            without area or no boxes.
        places: where each prediction comes from, for errors.

    Raises:
        DomainError: for NaN or negative sizes, where the protocol does not say what becomes of them.
        InputError: if there are too few or too many rows, likewise.
        ShapeError: if a prediction is not rows of four numbers.
    """
    boxes, unspoken = _laid_out(predictions, truths, places)
    missed = _mend_broken(boxes, truths, places)
    if boxes.max() > _FAR_AWAY or boxes.min() < -_FAR_AWAY:
        np.clip(boxes, -_FAR_AWAY, _FAR_AWAY, out=boxes)
    missed = np.union1d(missed, _mend_empty(boxes, truths, unspoken))
    if truths.protocol.first_frame == "truth":
        firsts = truths.starts[:-1]
        boxes[firsts] = truths.boxes[firsts]
        missed = np.setdiff1d(missed, firsts)
    return Repaired(boxes, missed, unspoken)


def _laid_out(
    predictions: Sequence[np.ndarray], truths: Truths, places: Sequence[str | Path]
) -> tuple[np.ndarray, np.ndarray]:
    """All boxes one after the other, zeros where there are none, and the numbers of those frames."""
    boxes, unspoken = column_wise(int(truths.starts[-1])), []
    for number, (track, place) in enumerate(zip(predictions, places, strict=True)):
        check_boxes(track, "result", place)
        start, end = int(truths.starts[number]), int(truths.starts[number + 1])
        rows, frames = len(track), end - start
        _require_length(rows, frames, truths.protocol, place)
        boxes[start : start + min(rows, frames)] = track[:frames]
        if rows < frames:
            boxes[start + rows : end] = 0.0
            unspoken.append(np.arange(start + rows, end))
    return boxes, np.concatenate([np.empty(0, dtype=np.intp), *unspoken])


def _mend_broken(boxes: np.ndarray, truths: Truths, places: Sequence[str | Path]) -> np.ndarray:
    """What is no box repeats the one before, fails, or is refused; the numbers of frames that fail."""
    none = np.empty(0, dtype=np.intp)
    with np.errstate(over="ignore"):  # a sum is finite only if all parts are
        if np.isfinite(boxes.sum()) and boxes[:, 2:].min() >= 0:
            return none
    broken = np.flatnonzero(~np.isfinite(boxes).all(axis=1) | (boxes[:, 2:] < 0).any(axis=1))
    if not len(broken):
        return none
    protocol = truths.protocol
    if protocol.broken_box == "error":
        number = int(truths.sequence[broken[0]])
        row = int(broken[0] - truths.starts[number])
        raise DomainError(
            f"{places[number]}: row {row + 1} is {boxes[broken[0]].tolist()}; boxes must be finite with "
            f"sizes of at least 0 under rule {protocol.name!r}. Run the tracker on this sequence again."
        )
    firsts = set(truths.starts.tolist())
    for row in broken.tolist():  # in order: one may repeat one that was mended
        before = protocol.broken_box == "previous" and row not in firsts
        boxes[row] = boxes[row - 1] if before else 0.0
    return none if protocol.broken_box == "previous" else broken


def _mend_empty(boxes: np.ndarray, truths: Truths, unspoken: np.ndarray) -> np.ndarray:
    """Boxes without area repeat the one before them, or fail; the numbers of frames that fail."""
    empty = (boxes[:, 2] == 0) | (boxes[:, 3] == 0)
    empty[unspoken] = False
    rows = np.flatnonzero(empty) if truths.protocol.empty_box != "saved" else np.empty(0, dtype=np.intp)
    if truths.protocol.empty_box == "miss":
        return rows
    firsts = set(truths.starts.tolist())
    for row in rows[np.isfinite(truths.boxes[rows]).all(axis=1)].tolist():
        if row not in firsts:
            boxes[row] = boxes[row - 1]
    return np.empty(0, dtype=np.intp)


def _require_length(rows: int, frames: int, protocol: Protocol, source: str | Path) -> None:
    """Refuse another number of rows than of frames, where the protocol does not say what to do with it."""
    refused = rows < frames and protocol.short_result == "error"
    if refused or (rows > frames and protocol.long_result == "error"):
        raise InputError(
            f"{source}: {rows} rows for {frames} frames, which rule {protocol.name!r} does not score here; "
            "run the tracker on this sequence again."
        )
