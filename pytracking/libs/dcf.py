"""Windows, Gaussian labels, interpolation and maxima of correlation filters."""

from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

__all__ = ["fourier_upsampling", "gauss_label_1d", "hann1d", "hann2d", "max2d"]

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


@lru_cache(maxsize=16)
def fourier_upsampling(size: int, output: int, *, odd: bool) -> Array:
    """Trigonometric interpolation of one axis of a score map as a matrix, ``[output, size]``.

    Its row ``output // 2`` is the score of no displacement. The result is kept and must not be written to.

    Args:
        size: number of cells, which are taken to repeat.
        output: number of places at which the scores are wanted, at least `size`.
        odd: whether the filter's side is odd, so that no displacement is cell ``(size - 1) / 2``; an even
            filter's is ``size / 2``.

    Source: the published ATOM tracker. One repair: the highest frequency of an even size counts once.
    """
    zero = (size - odd) / 2
    places = (np.arange(output) - output // 2) * (size / output) + zero
    distance = places[:, None] - np.arange(size)
    frequencies = np.arange(1, (size + 1) // 2)
    waves = 1 + 2 * np.cos(2 * np.pi / size * frequencies * distance[..., None]).sum(-1)
    if size % 2 == 0:
        waves = waves + np.cos(np.pi * distance)
    return waves / size


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
