"""Tracks against annotations under a protocol: all sequences of a benchmark in one pass over arrays."""

from collections.abc import Sequence
from dataclasses import dataclass, fields
from pathlib import Path

import numpy as np

from ebm.exceptions import DomainError
from pytracking.analysis.metrics import (
    CENTRE_THRESHOLDS,
    NORMALISED_THRESHOLDS,
    blocks,
    centre_error,
    iou,
    normalised_error,
    overlap_thresholds,
    precision_rates,
    success_rates,
)
from pytracking.analysis.protocols import Protocol
from pytracking.analysis.repair import repaired
from pytracking.analysis.truths import Annotation, Truths

__all__ = [
    "Curves",
    "TrackErrors",
    "sequence_curves",
    "sequence_errors",
    "track_curves",
    "track_errors",
]


@dataclass(frozen=True)
class TrackErrors:
    """Measures of one tracker on S sequences, N frames in all.

    Args:
        truths: what it was measured against.
        overlap: IoU, ``[N]``; -1 on invalid frames.
        centre: px, ``[N]``; the protocol's value on invalid frames.
        normalised: box sides, ``[N]``; likewise.
        valid: frames that are scored, bool ``[N]``.
        denominator: frames the rates of each sequence are divided by, ``[S]``.
    """

    truths: Truths
    overlap: np.ndarray
    centre: np.ndarray
    normalised: np.ndarray
    valid: np.ndarray
    denominator: np.ndarray


@dataclass(frozen=True)
class Curves:
    """Rates in [0, 1] over the thresholds, and mean overlaps of the valid frames (NaN without any).

    For S sequences ``success`` is ``[S, K]``, ``precision`` and ``normalised`` are ``[S, 51]``, the mean
    overlap and the number of frames that rates are divided by ``[S]``; without the S for one sequence.
    """

    success: np.ndarray
    precision: np.ndarray
    normalised: np.ndarray
    mean_overlap: np.ndarray
    frames: np.ndarray


def track_errors(
    predictions: Sequence[np.ndarray], truths: Truths, places: Sequence[str | Path] = ()
) -> TrackErrors:
    """Per-frame measures of the predicted tracks of S sequences.

    Args:
        predictions: xywh, px, ``[P, 4]`` each; the protocol says what happens where P is not T.
        truths: the annotations.
        places: where each prediction comes from, for errors; the annotations' where left out.

    Raises:
        DomainError, InputError, ShapeError: as `repaired`.

    Source: the toolkits' papers; pytracking.md 5.1 and 5.2; NEEDS.md E3 for where they differ.
    """
    tracks = repaired(predictions, truths, places or [item.source for item in truths.annotations])
    valid = truths.valid
    if truths.protocol.short_result == "cut" and len(tracks.unspoken):
        valid = valid.copy()
        valid[tracks.unspoken] = False
    errors = TrackErrors(truths, *_measures(tracks.boxes, truths), valid, truths.denominator(valid))
    errors.overlap[tracks.missed] = 0.0
    errors.centre[tracks.missed] = errors.normalised[tracks.missed] = np.inf
    _mark_invalid(errors)
    return errors


def _measures(boxes: np.ndarray, truths: Truths) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Overlap, distance and normalised distance of all frames, ``[N]`` each."""
    found = np.empty((3, len(boxes)))
    sizes = truths.image_sizes
    for rows in blocks(len(boxes)):
        box, truth = boxes[rows], truths.boxes[rows]
        found[1, rows], found[2, rows] = centre_error(box, truth), normalised_error(box, truth)
        if sizes is not None:
            box, truth = _clipped(box, sizes[rows]), _clipped(truth, sizes[rows])
        found[0, rows] = iou(box, truth)
    return found[0], found[1], found[2]


def track_curves(errors: TrackErrors) -> Curves:
    """Success (overlap > t) and precision (distance <= t) rates of each sequence.

    Raises:
        DomainError: if the protocol leaves no frame of a sequence to divide by.
    """
    truths = errors.truths
    if not errors.denominator.all():
        number = int(np.argmin(errors.denominator))
        raise DomainError(
            f"{truths.annotations[number].source}: no frame of the sequence can be scored under rule "
            f"{truths.protocol.name!r}; leave the sequence out."
        )
    of, frames = truths.sequence, errors.denominator
    counted = np.bincount(of, weights=errors.valid, minlength=len(frames))
    total = np.bincount(of, weights=np.where(errors.valid, errors.overlap, 0.0), minlength=len(frames))
    return Curves(
        success=success_rates(
            errors.overlap, of, frames, overlap_thresholds(truths.protocol.success_thresholds)
        ),
        precision=precision_rates(errors.centre, of, frames, CENTRE_THRESHOLDS),
        normalised=precision_rates(errors.normalised, of, frames, NORMALISED_THRESHOLDS),
        mean_overlap=np.divide(total, counted, out=np.full(len(frames), np.nan), where=counted > 0),
        frames=frames,
    )


def sequence_errors(
    prediction: np.ndarray,
    truth: np.ndarray,
    protocol: Protocol,
    visible: np.ndarray | None = None,
    *,
    source: str | Path = "the result",
) -> TrackErrors:
    """Per-frame measures of one predicted track under a protocol: `track_errors` of one sequence.

    Args:
        prediction: xywh, px, ``[P, 4]``; the protocol says what happens where P is not T.
        truth: xywh, px, ``[T, 4]``; NaN where not annotated.
        protocol: the rules.
        visible: bool ``[T]``, or None where the benchmark does not say.
        source: names the result in errors.

    Raises:
        DomainError, InputError, ShapeError: as `track_errors`.
    """
    return track_errors([prediction], Truths([Annotation(truth, visible, source=source)], protocol))


def sequence_curves(errors: TrackErrors) -> Curves:
    """The rates of a single sequence: `track_curves` without the axis of sequences.

    Raises:
        DomainError: if the protocol leaves no frame to divide by.
    """
    found = track_curves(errors)
    return Curves(*(getattr(found, field.name)[0] for field in fields(Curves)))


def _mark_invalid(errors: TrackErrors) -> None:
    """Give frames without a scored target the values that the protocol has for them."""
    truths, protocol = errors.truths, errors.truths.protocol
    odd = truths.odd if errors.valid is truths.valid else np.flatnonzero(~errors.valid)
    errors.overlap[odd] = -1.0
    errors.centre[odd] = protocol.invalid_centre
    errors.normalised[odd] = protocol.invalid_normalised
    if truths.hidden is not None and protocol.hidden_distance is not None:
        errors.centre[truths.hidden] = errors.normalised[truths.hidden] = protocol.hidden_distance


def _clipped(boxes: np.ndarray, sizes: np.ndarray) -> np.ndarray:
    """What of the boxes, xywh ``[N, 4]``, lies inside images of these widths and heights, ``[N, 2]``."""
    low = np.clip(boxes[:, :2], 0.0, sizes)
    high = np.clip(boxes[:, :2] + boxes[:, 2:], 0.0, sizes)
    return np.concatenate([low, high - low], axis=1)
