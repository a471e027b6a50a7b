"""Overlap and distance per frame, success and precision curves: arrays in, arrays out."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from ebm.exceptions import DomainError, InputError, ShapeError
from pytracking.analysis.protocols import Protocol

__all__ = [
    "CENTRE_THRESHOLDS",
    "NORMALISED_THRESHOLDS",
    "OVERLAP_THRESHOLDS",
    "Curves",
    "SequenceErrors",
    "box_centre",
    "centre_error",
    "has_ground_truth",
    "iou",
    "normalised_error",
    "sequence_curves",
    "sequence_errors",
]

OVERLAP_THRESHOLDS = np.round(np.arange(21) * 0.05, 2)  # IoU
CENTRE_THRESHOLDS = np.arange(51, dtype=np.float64)  # px
_FAR_AWAY = 1e9  # px; what a tracker says beyond it is as wrong, and would overflow
NORMALISED_THRESHOLDS = np.round(np.arange(51) * 0.01, 2)  # box sides


def box_centre(boxes: np.ndarray) -> np.ndarray:
    """Centre (x, y) of xywh boxes, px, ``[..., 4] -> [..., 2]``: columns 0..w-1 centre at (w - 1) / 2."""
    return boxes[..., :2] + 0.5 * (boxes[..., 2:] - 1.0)


def centre_error(prediction: np.ndarray, truth: np.ndarray) -> np.ndarray:
    """Distance of the centres in px, ``[T]``, of xywh boxes ``[T, 4]``."""
    return np.linalg.norm(box_centre(prediction) - box_centre(truth), axis=-1)


def normalised_error(prediction: np.ndarray, truth: np.ndarray) -> np.ndarray:
    """Distance of the centres in true widths and heights, ``[T]``; not finite for an empty truth."""
    with np.errstate(divide="ignore", invalid="ignore"):
        offset = (box_centre(prediction) - box_centre(truth)) / truth[..., 2:]
    return np.linalg.norm(offset, axis=-1)


def iou(prediction: np.ndarray, truth: np.ndarray) -> np.ndarray:
    """Intersection over union, ``[T]``, of xywh boxes ``[T, 4]``; 0 where neither box has area.

    At most 1: rounding must not lift equal boxes over the last threshold.
    """
    low = np.maximum(prediction[..., :2], truth[..., :2])
    high = np.minimum(prediction[..., :2] + prediction[..., 2:], truth[..., :2] + truth[..., 2:])
    shared = np.clip(high - low, 0.0, None).prod(axis=-1)
    union = prediction[..., 2:].prod(axis=-1) + truth[..., 2:].prod(axis=-1) - shared
    return np.minimum(np.divide(shared, union, out=np.zeros_like(shared), where=union > 0), 1.0)


@dataclass(frozen=True)
class SequenceErrors:
    """Measures of one tracker on one sequence.

    Args:
        overlap: IoU, ``[T]``; -1 on invalid frames.
        centre: px, ``[T]``; the protocol's value on invalid frames.
        normalised: box sides, ``[T]``; likewise.
        valid: frames that are scored, bool ``[T]``.
        denominator: frames a rate is divided by.
    """

    overlap: np.ndarray
    centre: np.ndarray
    normalised: np.ndarray
    valid: np.ndarray
    denominator: int


@dataclass(frozen=True)
class Curves:
    """Rates in [0, 1] over the thresholds, and the mean overlap of the valid frames (NaN without any)."""

    success: np.ndarray
    precision: np.ndarray
    normalised: np.ndarray
    mean_overlap: float


def has_ground_truth(truth: np.ndarray) -> bool:
    """Whether frames beyond the first are annotated, ``[T, 4]``; some servers keep the rest to themselves."""
    return bool(len(truth) == 1 or np.isfinite(truth[1:]).all(axis=1).any())


def sequence_errors(
    prediction: np.ndarray,
    truth: np.ndarray,
    protocol: Protocol,
    visible: np.ndarray | None = None,
    *,
    source: str | Path = "the result",
) -> SequenceErrors:
    """Per-frame measures of a predicted track under a protocol.

    Args:
        prediction: xywh, px, ``[P, 4]``; the protocol says what happens where P is not T.
        truth: xywh, px, ``[T, 4]``; NaN where not annotated.
        protocol: the rules.
        visible: bool ``[T]``, or None where the benchmark does not say.
        source: names the result in errors.

    Raises:
        DomainError: for NaN or negative sizes in the prediction, and for NaN that the protocol does not
            expect in the truth.
        InputError: if the result has another number of rows and the protocol neither pads nor cuts.
        ShapeError: if an array has the wrong shape.

    Source: pytracking's toolkit for the ``pytracking`` rule; Wu et al., TPAMI 2015, for the curves.
    """
    _check_arrays(prediction, truth, protocol, visible, source)
    aligned = _aligned(prediction, truth, protocol, source)
    overlap = iou(aligned, truth)
    centre = centre_error(aligned, truth)
    normalised = normalised_error(aligned, truth)
    scored = truth if protocol.valid_box == "all_positive" else truth[:, 2:]
    valid = (scored > 0).all(axis=1) & np.isfinite(truth).all(axis=1)
    if visible is not None and protocol.uses_visibility:
        valid &= visible
    overlap[~valid] = -1.0
    centre[~valid] = protocol.invalid_centre
    normalised[~valid] = protocol.invalid_normalised
    if visible is not None and protocol.hidden_distance is not None:
        centre[~visible] = normalised[~visible] = protocol.hidden_distance
    frames = len(truth) if protocol.denominator == "all" else int(valid.sum())
    return SequenceErrors(overlap, centre, normalised, valid, frames)


def sequence_curves(errors: SequenceErrors) -> Curves:
    """Success (overlap > t) and precision (distance <= t) rates of one sequence.

    Raises:
        DomainError: if the protocol leaves no frame to divide by.
    """
    if errors.denominator == 0:
        raise DomainError(
            "No frame of the sequence can be scored under this protocol; leave the sequence out."
        )
    valid = errors.overlap[errors.valid]

    def rate(hits: np.ndarray) -> np.ndarray:
        return hits.sum(axis=0) / errors.denominator

    return Curves(
        success=rate(errors.overlap[:, None] > OVERLAP_THRESHOLDS),
        precision=rate(errors.centre[:, None] <= CENTRE_THRESHOLDS),
        normalised=rate(errors.normalised[:, None] <= NORMALISED_THRESHOLDS),
        mean_overlap=float(valid.mean()) if len(valid) else float("nan"),
    )


def _check_arrays(
    prediction: np.ndarray,
    truth: np.ndarray,
    protocol: Protocol,
    visible: np.ndarray | None,
    source: str | Path,
) -> None:
    for what, array in (("result", prediction), ("annotation", truth)):
        if array.ndim != 2 or array.shape[1] != 4 or not len(array):
            raise ShapeError(f"{source}: the {what} has shape {array.shape}, expected rows of x, y, w, h.")
    if visible is not None and visible.shape != (len(truth),):
        raise ShapeError(f"{source}: {visible.shape} visibility flags for {len(truth)} annotation rows.")
    bad = ~np.isfinite(prediction).all(axis=1) | (prediction[:, 2:] < 0).any(axis=1)
    if bad.any():
        row = int(np.argmax(bad))
        raise DomainError(
            f"{source}: row {row + 1} is {prediction[row].tolist()}; boxes must be finite with sizes of at "
            "least 0. Run the tracker on this sequence again."
        )
    unknown = ~np.isfinite(truth).all(axis=1)
    if unknown.any() and protocol.nan_truth == "error":
        raise DomainError(
            f"{source}: annotation row {int(np.argmax(unknown)) + 1} is not finite, which rule "
            f"{protocol.name!r} does not expect for this dataset."
        )


def _aligned(prediction: np.ndarray, truth: np.ndarray, protocol: Protocol, source: str | Path) -> np.ndarray:
    """The prediction with as many rows as the truth, repaired as the protocol repairs."""
    boxes = np.clip(prediction, -_FAR_AWAY, _FAR_AWAY).astype(np.float64)
    if protocol.empty_box == "previous":
        for row in np.flatnonzero((boxes == 0)[:, 2:].any(axis=1)):
            if row > 0 and (row >= len(truth) or np.isfinite(truth[row]).all()):
                boxes[row] = boxes[row - 1]
    _refuse_length(len(boxes), len(truth), protocol, source)
    boxes = boxes[: len(truth)]
    boxes = np.concatenate([boxes, np.zeros((len(truth) - len(boxes), 4))])
    if protocol.first_frame == "truth":
        boxes[0] = truth[0]
    return boxes


def _refuse_length(rows: int, frames: int, protocol: Protocol, source: str | Path) -> None:
    """Refuse another number of rows than of frames, where the protocol does not say what to do with it."""
    refused = rows < frames and protocol.short_result == "error"
    if refused or (rows > frames and protocol.long_result == "error"):
        raise InputError(
            f"{source}: {rows} rows for {frames} frames, which rule {protocol.name!r} does not score here; "
            "run the tracker on this sequence again."
        )
