"""Tracks laid over the frames of their sequence: as many rows, and their overlap with the annotation."""

from collections.abc import Iterable

import numpy as np

from pytracking.analysis.metrics import iou
from pytracking.analysis.sources import BoxSource
from pytracking.evaluation.data import Sequence

__all__ = ["aligned_tracks", "overlap_over_time", "shown_truth"]


def aligned_tracks(runs: Iterable[BoxSource], sequence: Sequence) -> np.ndarray:
    """The boxes of K runs, xywh, px, ``[K, T, 4]``: rows beyond the frames are cut, missing ones NaN."""
    tracks = []
    for run in runs:
        kept = run.boxes(sequence)[: len(sequence)]
        tracks.append(np.concatenate([kept, np.full((len(sequence) - len(kept), 4), np.nan)]))
    return np.stack(tracks)


def shown_truth(sequence: Sequence) -> np.ndarray:
    """The annotated boxes, xywh, px, ``[T, 4]``; NaN where there is no box, or the target is hidden."""
    truth = sequence.ground_truth
    shown = np.isfinite(truth).all(axis=1) & (truth[:, 2:] > 0).all(axis=1)
    if sequence.target_visible is not None:
        shown &= sequence.target_visible
    return np.where(shown[:, None], truth, np.nan)


def overlap_over_time(tracks: np.ndarray, truth: np.ndarray) -> np.ndarray:
    """IoU in every frame, ``[K, T]``; 0 where a track has no box, NaN where there is none to find.

    Args:
        tracks: xywh, px, ``[K, T, 4]``.
        truth: as `shown_truth` gives it.
    """
    found = np.stack([iou(track, np.nan_to_num(truth)) for track in np.nan_to_num(tracks)])
    return np.where(np.isnan(truth[:, 0]), np.nan, found)
