"""Windows, Gaussian labels and maxima of correlation filters."""

import numpy as np
from numpy.typing import NDArray

__all__ = ["gauss_label_1d", "hann1d", "hann2d", "max2d"]

Array = NDArray[np.float64]


def hann1d(size: int, *, centered: bool = True) -> Array:
    """Hann window without its zero end points, ``[size]``.

    Args:
        size: number of samples, at least 1.
        centered: peak in the middle; otherwise the peak stands at index 0 and the window is
            periodic-symmetric.

    Source: shared definition of the ATOM and DiMP trackers.
    """
    if centered:
        return 0.5 * (1 - np.cos(2 * np.pi * np.arange(1, size + 1) / (size + 1)))
    half = 0.5 * (1 + np.cos(2 * np.pi * np.arange(size // 2 + 1) / (size + 2)))
    return np.concatenate((half, half[1 : size - size // 2][::-1]))


def hann2d(size: tuple[int, int], *, centered: bool = True) -> Array:
    """Outer product of two Hann windows, ``[h, w]`` for `size` = (h, w)."""
    return np.outer(hann1d(size[0], centered=centered), hann1d(size[1], centered=centered))


def gauss_label_1d(size: int, sigma: float, center: float, *, end_pad: int = 0) -> Array:
    """Gaussian of peak 1 on the grid ``-(size-1)/2 ... (size-1)/2``, step 1, ``[size + end_pad]``.

    Args:
        size: number of cells.
        sigma: standard deviation, cells.
        center: position of the peak relative to the grid's middle, cells.
        end_pad: further samples after the end, for the larger output of even kernels.
    """
    grid = np.arange(size + end_pad) - (size - 1) / 2
    return np.exp(-((grid - center) ** 2) / (2 * sigma**2))


def max2d(maps: Array) -> tuple[float, tuple[int, ...]]:
    """Largest value of an array and its index, first one among equals."""
    index = np.unravel_index(int(np.argmax(maps)), maps.shape)
    return float(maps[index]), tuple(int(i) for i in index)
