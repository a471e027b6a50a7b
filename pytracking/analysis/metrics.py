"""Overlap and distance per frame, and rates over thresholds: arrays in, arrays out."""

from collections.abc import Iterator

import numpy as np

__all__ = [
    "CENTRE_THRESHOLDS",
    "NORMALISED_THRESHOLDS",
    "OVERLAP_THRESHOLDS",
    "blocks",
    "box_centre",
    "centre_error",
    "grid_places",
    "hits_below",
    "iou",
    "normalised_error",
    "overlap_thresholds",
    "precision_rates",
    "success_rates",
]


def overlap_thresholds(count: int) -> np.ndarray:
    """`count` IoU thresholds from 0 to 1, as decimals: 21 for most toolkits, 101 for GOT-10k."""
    return np.round(np.linspace(0.0, 1.0, count), 6)


OVERLAP_THRESHOLDS = overlap_thresholds(21)  # IoU
CENTRE_THRESHOLDS = np.arange(51, dtype=np.float64)  # px
NORMALISED_THRESHOLDS = np.round(np.arange(51) * 0.01, 2)  # box sides
_BLOCK = 1 << 14  # rows


def blocks(rows: int) -> Iterator[slice]:
    """Parts of an array so small that what is computed from one stays in the processor's cache."""
    return (slice(start, start + _BLOCK) for start in range(0, rows, _BLOCK))


def _columns(boxes: np.ndarray) -> Iterator[np.ndarray]:
    """x, y, w, h of boxes ``[..., 4]``."""
    return iter(np.moveaxis(boxes, -1, 0))


def box_centre(boxes: np.ndarray) -> np.ndarray:
    """Centre (x, y) of xywh boxes, px, ``[..., 4] -> [..., 2]``: columns 0..w-1 centre at (w - 1) / 2."""
    return boxes[..., :2] + 0.5 * (boxes[..., 2:] - 1.0)


def _offsets(prediction: np.ndarray, truth: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Horizontal and vertical distance of the centres, px."""
    px, py, pw, ph = _columns(prediction)
    tx, ty, tw, th = _columns(truth)
    return (px + 0.5 * pw) - (tx + 0.5 * tw), (py + 0.5 * ph) - (ty + 0.5 * th)


def centre_error(prediction: np.ndarray, truth: np.ndarray) -> np.ndarray:
    """Distance of the centres in px, ``[T]``, of xywh boxes ``[T, 4]``."""
    across, down = _offsets(prediction, truth)
    return np.sqrt(across * across + down * down)


def normalised_error(prediction: np.ndarray, truth: np.ndarray) -> np.ndarray:
    """Distance of the centres in true widths and heights, ``[T]``; not finite for an empty truth."""
    across, down = _offsets(prediction, truth)
    with np.errstate(divide="ignore", invalid="ignore"):
        across /= truth[..., 2]
        down /= truth[..., 3]
    return np.sqrt(across * across + down * down)


def iou(prediction: np.ndarray, truth: np.ndarray) -> np.ndarray:
    """Intersection over union, ``[T]``, of xywh boxes ``[T, 4]``; 0 where neither box has area.

    At most 1: rounding must not lift equal boxes over the last threshold.
    """
    px, py, pw, ph = _columns(prediction)
    tx, ty, tw, th = _columns(truth)
    wide = np.minimum(px + pw, tx + tw) - np.maximum(px, tx)
    high = np.minimum(py + ph, ty + th) - np.maximum(py, ty)
    shared = np.maximum(wide, 0.0) * np.maximum(high, 0.0)
    union = pw * ph + tw * th - shared
    return np.minimum(np.divide(shared, union, out=np.zeros_like(shared), where=union > 0), 1.0)


def grid_places(values: np.ndarray, thresholds: np.ndarray) -> np.ndarray:
    """How many thresholds lie below each value, ``[T]`` in 0..K; NaN and infinity: K.

    The same as ``np.searchsorted(thresholds, values)`` for thresholds of equal steps, without its search: a
    guess by division is put right by comparing with the thresholds beside it.

    Args:
        values: ``[T]``.
        thresholds: ``[K]``, ascending in equal steps from 0.
    """
    count = len(thresholds)
    edges = np.concatenate([[-np.inf], thresholds, [np.inf]])
    found = np.empty(len(values), dtype=np.intp)
    for rows in blocks(len(values)):
        value = values[rows]
        steps = np.fmin(value * ((count - 1) / thresholds[-1]), count)  # NaN: count
        places = np.ceil(np.maximum(steps, 0.0, out=steps), out=steps).astype(np.intp)
        places -= edges[places] >= value  # a threshold counted that is not below
        places += edges[places + 1] < value  # one not counted that is
        found[rows] = places
    return found


def hits_below(places: np.ndarray, sequence: np.ndarray, sequences: int, thresholds: int) -> np.ndarray:
    """How many frames of each sequence have at most k thresholds below, ``[S, K + 1]``, k = 0..K.

    Args:
        places: as `grid_places` gives them, ``[N]``.
        sequence: number of each frame's sequence, ``[N]`` in 0..S-1.
        sequences: S.
        thresholds: K.
    """
    width = thresholds + 1
    counts = np.bincount(sequence * width + places, minlength=sequences * width)
    return counts.reshape(sequences, width).cumsum(axis=1)


def success_rates(
    overlap: np.ndarray, sequence: np.ndarray, denominator: np.ndarray, thresholds: np.ndarray
) -> np.ndarray:
    """Share of the frames with overlap > t, ``[S, K]``.

    Args:
        overlap: IoU, ``[N]``; -1 is a failure.
        sequence: number of each frame's sequence, ``[N]`` in 0..S-1.
        denominator: frames to divide by, ``[S]``.
        thresholds: ``[K]``, as `grid_places` takes them.
    """
    hits = hits_below(grid_places(overlap, thresholds), sequence, len(denominator), len(thresholds))
    return (hits[:, -1:] - hits[:, :-1]) / denominator[:, None]


def precision_rates(
    distance: np.ndarray, sequence: np.ndarray, denominator: np.ndarray, thresholds: np.ndarray
) -> np.ndarray:
    """Share of the frames with distance <= t, ``[S, K]``, as `success_rates`; -1 hits, infinity misses."""
    hits = hits_below(grid_places(distance, thresholds), sequence, len(denominator), len(thresholds))
    return hits[:, :-1] / denominator[:, None]
