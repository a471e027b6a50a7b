"""Precise pooling of boxes on feature maps in closed form, and its gradient in the boxes."""

from typing import Any

import numpy as np
import torch
from torch import Tensor

__all__ = ["Array", "Pooling", "as_tensor"]

THINNEST = 1e-4  # cells; narrower bins are averaged as if they were this wide
Array = Any  # numpy.ndarray or Tensor


def as_tensor(values: Array) -> Tensor:
    """The tensor on a numpy array's memory; a tensor as it is."""
    return values if isinstance(values, Tensor) else torch.from_numpy(values)


class Pooling:
    """Precise pooling of boxes on square maps, S on each of T, and its gradient in the boxes.

    Elementwise work is written in what numpy and torch have in common; matrix products are torch's.

    Args:
        axes: boxes in cells, ``[2 (corner, extent), 2 (x, y), T * S, 1]``, map by map; an empty box
            pools to zero and has no gradient.
        bins: cells per side of the result.
        parts: the bins' edges as parts of the extent, ``[bins + 1]``.
        windows: the cells that the boxes touch, ``[T, K, K, C]``.
        places: their coordinates, x then y, ``[2, T * S, 1, K]``, or ``[2, 1, 1, K]`` if they are the same.
    """

    def __init__(self, axes: Array, bins: int, parts: Array, windows: Tensor, places: Array) -> None:
        extent = axes[1].clip(0)
        # All edges of an empty box coincide: its weights are zero whatever they are divided by.
        self.step = (extent / bins).clip(THINNEST)[:, :, :, None]
        self.filled, self.parts, self.windows = extent[:, :, 0] > 0, parts, windows
        t = ((axes[0] + extent * parts)[:, :, :, None] - places).clip(-1, 1)  # [2, S, bins + 1, K]
        self.offsets, self.hats = t, abs(t)
        integral = t - t * self.hats * 0.5  # of the hat function, up to a constant
        self.hats = 1 - self.hats
        self.weights = (integral[:, :, 1:] - integral[:, :, :-1]) / self.step  # [2, S, bins, K]
        count, (maps, size, _, channels) = axes.shape[2], windows.shape
        columns, rows = as_tensor(self.weights)
        self.columns = columns[:, None].expand(-1, bins, -1, -1).reshape(count * bins, bins, size)
        half = torch.matmul(rows.reshape(maps, -1, size), windows.reshape(maps, size, -1))
        self.half = half.reshape(-1, size, channels)
        self.pooled = torch.bmm(self.columns, self.half).reshape(count, -1)  # [S, bins * bins * C]

    def gradient(self, upstream: Tensor) -> Array:
        """Gradient of ``(pooled * upstream).sum()`` for upstream ``[S, bins * bins * C]``.

        Returns:
            ``[2 (corner, extent), 2 (x, y), S]``.
        """
        _, count, bins, size = self.weights.shape
        channels = self.windows.shape[3]
        above = upstream.reshape(count * bins, bins, -1)
        by_column = torch.bmm(above, self.half.transpose(1, 2)).reshape(count, bins, bins, size).sum(1)
        by_half = torch.bmm(self.columns.transpose(1, 2), above).reshape(
            len(self.windows), -1, size * channels
        )
        flat = self.windows.reshape(-1, size, size * channels)
        by_row = torch.matmul(by_half, flat.transpose(1, 2)).reshape(count, bins, size)
        both = torch.stack((by_column, by_row))
        by_weight = (both.numpy() if isinstance(self.step, np.ndarray) else both) / self.step
        # A weight is (I(e_k+1) - I(e_k)) / step with I' = hat and e_k = corner + extent * part_k.
        moved = self.hats[:, :, 1:] - self.hats[:, :, :-1]
        grown = self.hats * self.parts[:, None]
        grown = grown[:, :, 1:] - grown[:, :, :-1] - self.weights / bins
        by_corner = (by_weight * moved).sum((2, 3))
        by_extent = (by_weight * grown).sum((2, 3)) * self.filled
        return (
            np.stack((by_corner, by_extent))
            if isinstance(by_corner, np.ndarray)
            else torch.stack((by_corner, by_extent))
        )
