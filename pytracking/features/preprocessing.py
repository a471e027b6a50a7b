"""Patches of a frame: exact crop geometry, one resize, no copy of the whole frame."""

from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING

import cv2
import numpy as np
from numpy.typing import NDArray

from ebm.exceptions import DomainError
from ebm.input_statistics import IMAGENET_MEAN, IMAGENET_STD, Channels

if TYPE_CHECKING:  # an exported tracker cuts its patches without torch
    import torch
    from torch import Tensor

__all__ = ["BORDER_MODES", "Image", "Patch", "Pixels", "images_to_tensor", "normalize_images", "sample_patch"]

BORDER_MODES = ("replicate", "inside", "inside_major")

Image = NDArray[np.uint8]  # a frame, RGB [H, W, 3]
Pixels = NDArray[np.float32]  # a patch of it, RGB in 0..255 [h, w, 3]
Pair = tuple[float, float]


@dataclass(frozen=True, kw_only=True)
class Patch:
    """A resized piece of a frame and where it came from.

    Attributes:
        image: float32 RGB in 0..255 ``[h, w, 3]``.
        corners: top, left, bottom, right in image px; bottom and right are exclusive. Exact: the centre of
            the patch lies at ``(top + bottom - 1) / 2``, also after decimation, where corners may be
            half-integers.
    """

    image: Pixels
    corners: tuple[float, float, float, float]

    @property
    def center(self) -> Pair:
        """Centre (y, x), image px, in the convention in which pixel i has its centre at i."""
        top, left, bottom, right = self.corners
        return (top + bottom - 1) / 2, (left + right - 1) / 2

    @property
    def scale(self) -> float:
        """Image px per patch px, geometric mean over both axes."""
        top, left, bottom, right = self.corners
        height, width = self.image.shape[:2]
        return float(np.sqrt((bottom - top) / height * ((right - left) / width)))


def sample_patch(
    image: Image,
    center: Pair,
    sample_size: Pair,
    output_size: tuple[int, int] | None = None,
    *,
    mode: str = "replicate",
    max_scale_change: float | None = None,
    nominal_corners: bool = False,
) -> Patch:
    """Cut `sample_size` px around `center` out of `image` and resize it to `output_size`.

    Args:
        image: uint8 ``[H, W, C]``.
        center: (y, x), image px; truncated to whole pixels.
        sample_size: (h, w), image px.
        output_size: (h, w) of the patch, px; None keeps the crop's own size.
        mode: what happens at the border. ``"replicate"`` pads; ``"inside"`` shrinks and moves the crop until
            it fits on both axes; ``"inside_major"`` until it fits on the axis where it is relatively
            smallest.
        max_scale_change: largest shrinkage of the two inside modes; None is unbounded.
        nominal_corners: give corners that leave out at which pixel a decimated reading starts, as the
            published trackers do.

    Returns:
        The patch, with the corners it truly covers.

    Raises:
        DomainError: if `mode` is unknown.

    Source: the published DiMP trackers. Two repairs: corners use floor divisions whatever the framework
        version, and the decimation offset is part of the reported corners.
    """
    if mode not in BORDER_MODES:
        raise DomainError(f"Unknown border mode {mode!r}; one of {', '.join(BORDER_MODES)}.")
    limits = image.shape[:2]
    size = (float(sample_size[0]), float(sample_size[1]))
    if mode != "replicate":
        size = _shrunk(size, limits, mode, max_scale_change)
    step = _decimation(size, output_size)
    spans = [
        _span(int(center[axis]), size[axis], limits[axis], step, move=mode != "replicate") for axis in (0, 1)
    ]
    (top, rows, y0), (left, columns, x0) = spans
    crop = _take(image[y0::step, x0::step], top, rows, left, columns)
    # In float: OpenCV's bilinear resize of bytes is no faster and its rounding darkens by an eighth of a
    # grey level.
    pixels = crop.astype(np.float32)
    if output_size is not None and crop.shape[:2] != tuple(output_size):
        pixels = np.asarray(cv2.resize(pixels, (output_size[1], output_size[0])), dtype=np.float32)
    # Striding samples pixel o + d*k: this shift puts centre and extent of the decimated crop where they
    # truly are.
    corners = [
        step * edge + (0 if nominal_corners else offset - (step - 1) / 2)
        for edge, offset in ((top, y0), (left, x0), (top + rows, y0), (left + columns, x0))
    ]
    return Patch(image=pixels, corners=(corners[0], corners[1], corners[2], corners[3]))


def _shrunk(size: Pair, limits: tuple[int, ...], mode: str, bound: float | None) -> Pair:
    """Sample size after shrinking towards the image, whole px."""
    ratios = (size[0] / limits[0], size[1] / limits[1])
    factor = max(1.0, max(ratios) if mode == "inside" else min(ratios))
    if bound is not None:
        factor = min(factor, bound)
    # The small constant keeps 639.9999999 = 700 / (700 / 640) from losing a pixel to truncation.
    return float(int(size[0] / factor + 1e-6)), float(int(size[1] / factor + 1e-6))


def _decimation(size: Pair, output_size: tuple[int, int] | None) -> int:
    """Stride at which the image is read before the resize."""
    if output_size is None:
        return 1
    return max(int(min(size[0] / output_size[0], size[1] / output_size[1]) - 0.1), 1)


def _span(center: int, size: float, limit: int, step: int, *, move: bool) -> tuple[int, int, int]:
    """First index, count and offset along one axis, in pixels of the decimated image."""
    offset = center % step
    middle = (center - offset) // step
    length = len(range(offset, limit, step))
    count = max(round(size / step), 2)
    first = middle - (count - 1) // 2
    if move:
        first += max(-first, 0) - max(first + count - length, 0)
        outside = (max(-first, 0) + max(first + count - length, 0)) // 2
        if outside > 0:
            first = -outside
    return first, count, offset


def _take(image: Image, top: int, rows: int, left: int, columns: int) -> Image:
    """Rows and columns of `image`, the border repeated where they lie outside."""
    height, width = image.shape[:2]
    above, below = max(-top, 0), max(top + rows - height, 0)
    before, after = max(-left, 0), max(left + columns - width, 0)
    if not (above or below or before or after):
        return np.ascontiguousarray(image[top : top + rows, left : left + columns])
    if (
        above >= rows or below >= rows or before >= columns or after >= columns
    ):  # no pixel of the image inside
        ys = np.clip(np.arange(top, top + rows), 0, height - 1)
        xs = np.clip(np.arange(left, left + columns), 0, width - 1)
        return image[ys[:, None], xs[None, :]]
    inner = image[top + above : top + rows - below, left + before : left + columns - after]
    inner = np.ascontiguousarray(inner)
    padded = cv2.copyMakeBorder(inner, above, below, before, after, cv2.BORDER_REPLICATE)
    return np.asarray(padded, dtype=np.uint8)


def images_to_tensor(
    images: list[Pixels],
    device: "torch.device",
    *,
    mean: Channels = IMAGENET_MEAN,
    std: Channels = IMAGENET_STD,
) -> "Tensor":
    """Stack patches and normalise them on `device`: ``[h, w, 3]`` in 0..255 each -> float32 ``[N, 3, h, w]``.

    The result is channels-last in memory, which is how the patches lie anyway.

    Args:
        images: the patches.
        device: where they go.
        mean: what the network takes for zero, RGB in [0, 1].
        std: what it takes for one.
    """
    import torch

    stacked = images[0][None] if len(images) == 1 else np.stack(images)
    return normalize_images(torch.from_numpy(stacked).to(device).permute(0, 3, 1, 2), mean=mean, std=std)


def normalize_images(
    images: "Tensor", *, mean: Channels = IMAGENET_MEAN, std: Channels = IMAGENET_STD
) -> "Tensor":
    """RGB in 0..255 ``[N, 3, h, w]`` -> float32 of mean 0 and standard deviation 1 per channel."""
    middle, width = _channel_statistics(images.device, mean, std)
    return images.float().sub(middle).div_(width)


@lru_cache(maxsize=8)
def _channel_statistics(device: "torch.device", mean: Channels, std: Channels) -> "tuple[Tensor, Tensor]":
    """Both ``[1, 3, 1, 1]`` in 0..255; kept, as sending them waits for the device."""
    import torch

    values = torch.tensor([mean, std]).mul(255).to(device).view(2, 1, 3, 1, 1)
    return values[0], values[1]
