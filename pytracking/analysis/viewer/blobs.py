"""Tracks as small binary blobs: overlap a byte a frame, boxes as changes of rounded numbers."""

import base64
import zlib

import numpy as np

__all__ = ["UNSCORED", "box_bytes", "overlap_bytes", "packed", "unpacked_boxes"]

UNSCORED = 255  # the byte of a frame that has no overlap
_STEPS = 254
_LIMIT = 32_000  # of a rounded coordinate


def overlap_bytes(overlap: np.ndarray) -> np.ndarray:
    """IoU ``[..., T]`` to uint8: 0 to 254 for 0 to 1, 255 for NaN, where a frame is not scored."""
    steps = np.rint(np.nan_to_num(overlap) * _STEPS)
    return np.where(np.isnan(overlap), UNSCORED, steps).astype(np.uint8)


def box_bytes(boxes: np.ndarray, step: int, scale: float) -> np.ndarray:
    """Every `step`-th box as its change from the one before, ``[K, T, 4]`` to uint16 ``[K, T / step, 4]``.

    A coordinate is a multiple of ``1 / scale`` px; even numbers are 0, 1, 2 ... steps, odd ones -1, -2 ...
    A box that is not finite repeats the one before.
    """
    kept = boxes[:, ::step]
    fine = np.isfinite(kept).all(axis=-1)
    last = np.maximum.accumulate(np.where(fine, np.arange(kept.shape[1]), 0), axis=1)
    kept = np.nan_to_num(np.take_along_axis(kept, last[..., None], axis=1))
    whole = np.clip(np.rint(kept * scale), -_LIMIT, _LIMIT).astype(np.int32)
    change = np.diff(whole, axis=1, prepend=0)
    zigzag = np.where(change >= 0, 2 * change, -2 * change - 1)
    return np.minimum(zigzag, 0xFFFF).astype(np.uint16)


def unpacked_boxes(data: np.ndarray, scale: float) -> np.ndarray:
    """The inverse of `box_bytes`, as the page computes it: px, ``[K, N, 4]``."""
    zigzag = data.astype(np.int64)
    change = np.where(zigzag % 2, -(zigzag + 1) // 2, zigzag // 2)
    return np.asarray(change.cumsum(axis=1) / scale)


def packed(parts: list[np.ndarray], level: int = 6) -> str:
    """Arrays one behind the other, deflated, in base64; of uint16 all low bytes first, then the high ones."""
    flat = np.concatenate([part.reshape(-1) for part in parts]) if parts else np.empty(0, np.uint8)
    if flat.dtype == np.uint16:
        flat = np.concatenate([(flat & 0xFF).astype(np.uint8), (flat >> 8).astype(np.uint8)])
    return base64.b64encode(zlib.compress(flat.tobytes(), level)).decode("ascii")
