"""Crops around a target: which part of the image, how it is padded and scaled, and where boxes end up in it.

Boxes are xywh in px with x, y the left and top edges; a crop scales edges, so a box as wide as the crop
region is as wide as the crop.
"""

import math
from collections.abc import Sequence
from typing import Literal, TypeAlias, get_args

import cv2
import numpy as np
import numpy.typing as npt

from ebm.exceptions import DomainError
from ebm.lookup import lookup
from ltr.data.scratch import borrow

__all__ = [
    "CropMode",
    "Region",
    "crop_region",
    "extract_region",
    "reduced_region",
    "sample_target",
    "sample_target_adaptive",
    "target_image_crop",
    "transform_box_to_crop",
    "transform_image_to_crop",
]

CropMode: TypeAlias = Literal["replicate", "inside", "inside_major", "centred"]
Image: TypeAlias = npt.NDArray[np.uint8]
Boxes: TypeAlias = npt.NDArray[np.floating] | Sequence[float]
Region: TypeAlias = tuple[int, int, int, int]

_MODES = {mode: mode for mode in get_args(CropMode)}


def _require_box(box: Boxes) -> npt.NDArray[np.float32]:
    """A box that can be cropped around.

    Raises:
        DomainError: if it is not four finite numbers with an area.
    """
    values = np.asarray(box, dtype=np.float32)
    if values.shape != (4,) or not np.isfinite(values).all() or min(values[2:]) <= 0:
        shown = np.asarray(box).tolist()
        raise DomainError(f"Cannot crop around the box {shown}: it must be four finite numbers, w, h > 0.")
    return values


def _place(centre: float, length: int, image_length: int) -> int:
    """First column (or row) of a region: moved inside the image, or centred over it if larger."""
    start = round(centre - length / 2)
    end = start + length
    start += max(0, -start) + min(0, image_length - end)
    overflow = (max(0, -start) + max(0, start + length - image_length)) // 2
    return -overflow if overflow > 0 else start


def crop_region(
    image_size: tuple[int, int],
    box: Boxes,
    search_area_factor: float,
    output_sz: tuple[int, int],
    mode: CropMode = "replicate",
    max_scale_change: float | None = None,
) -> Region:
    """The part of an image that a crop shows.

    ``"centred"`` leaves the region where the target is, as the ATOM family does. In the other modes a region
    that fits is moved fully inside the image, in ``"replicate"`` too; one that does not fit is centred over
    the image on that axis. ``"inside"`` shrinks it until both axes fit,
    ``"inside_major"`` until the axis that overflows less does, neither by more than `max_scale_change`.

    Args:
        image_size: width and height, px.
        box: xywh of the target, px.
        search_area_factor: side of the region / sqrt(target area), for a square crop.
        output_sz: width and height of the crop, px; the region has its aspect ratio.
        mode: what to do with a region larger than the image.
        max_scale_change: limit of the shrinking; None: no limit.

    Returns:
        Left, top, width, height, px; it may reach beyond the image.

    Raises:
        DomainError: if the box has no area, or is so small that the region would be empty.
        UnknownNameError: if `mode` is not one of the three.

    Source: published DiMP trackers. The size is computed in single precision and the shrinking in double, as
    theirs are: that decides the rounding, which is sometimes one pixel off exact arithmetic.
    """
    x, y, width, height = (float(value) for value in _require_box(box))
    lookup("crop type", mode, _MODES)
    output = np.array(output_sz, dtype=np.float32)
    area = np.float32(width) * np.float32(height)
    exact = np.ceil(output * np.sqrt(area / output.prod()) * np.float32(search_area_factor))
    side = [float(length) for length in exact]
    if mode in ("inside", "inside_major"):
        overflow = [length / whole for length, whole in zip(side, image_size, strict=True)]
        shrink = max(1.0, max(overflow) if mode == "inside" else min(overflow))
        side = [math.floor(length / min(shrink, max_scale_change or math.inf)) for length in side]
    if min(side) < 1:
        raise DomainError(f"The box {[x, y, width, height]} is too small to crop around.")
    w, h = int(side[0]), int(side[1])
    if mode == "centred":
        return round(x + width / 2 - w / 2), round(y + height / 2 - h / 2), w, h
    return _place(x + width / 2, w, image_size[0]), _place(y + height / 2, h, image_size[1]), w, h


def extract_region(
    image: Image, region: Region, output_sz: tuple[int, int] | None = None, out: Image | None = None
) -> Image:
    """The pixels of a region, border pixels repeated where it leaves the image.

    Only the part that is needed is touched: slice (no copy), pad, one resize.

    Args:
        image: ``[H, W, C]``.
        region: left, top, width, height, px.
        output_sz: width and height to scale to, bilinear; None: not scaled.
        out: where to put them, ``[h, w, C]`` without gaps; None: a new array.

    Returns:
        ``[h, w, C]``, in memory of its own.

    Raises:
        DomainError: if the region lies wholly outside the image.
    """
    left, top, width, height = region
    rows, columns = image.shape[:2]
    x0, x1, y0, y1 = max(left, 0), min(left + width, columns), max(top, 0), min(top + height, rows)
    if x0 >= x1 or y0 >= y1:
        raise DomainError(f"The crop {list(region)} lies outside the image of {columns} x {rows} px.")
    part: Image = image[y0:y1, x0:x1]
    pads = (y0 - top, top + height - y1, x0 - left, left + width - x1)
    if any(pads):
        room = borrow("border", (height, width, image.shape[2]))
        part = np.asarray(cv2.copyMakeBorder(part, *pads, cv2.BORDER_REPLICATE, dst=room), dtype=np.uint8)
    if output_sz is None or output_sz == (width, height):
        if out is None:
            return part.copy()
        out[...] = part
        return out
    return np.asarray(cv2.resize(part, output_sz, dst=out, interpolation=cv2.INTER_LINEAR), dtype=np.uint8)


def reduced_region(region: Region, output_sz: tuple[int, int]) -> tuple[Region, int]:
    """By how much an image may be reduced before a region is cut from it, and the region on that grid.

    Args:
        region: left, top, width, height, px of the image.
        output_sz: width and height of the crop, px.

    Returns:
        The region, moved and shortened by less than the factor, so that it begins and ends with a whole pixel
        of the reduced image; and the factor, 1, 2, 4 or 8: the largest at which the crop is not magnified.
    """
    shrink = min(length // wanted for length, wanted in zip(region[2:], output_sz, strict=True))
    factor = max(f for f in (1, 2, 4, 8) if f <= max(shrink, 1))
    left, top, width, height = (length // factor * factor for length in region)
    return (left, top, width, height), factor


def sample_target_adaptive(
    image: Image,
    box: Boxes,
    search_area_factor: float,
    output_sz: int | tuple[int, int],
    mode: CropMode = "replicate",
    max_scale_change: float | None = None,
) -> tuple[Image, Region]:
    """A crop around a target, as the DiMP family cuts it; arguments and errors as `crop_region`.

    Args:
        image: ``[H, W, 3]``.
        box: xywh of the target, px.
        search_area_factor: side of the region / sqrt(target area).
        output_sz: side of a square crop, or its width and height, px.
        mode: what to do with a region larger than the image.
        max_scale_change: limit of the shrinking; None: no limit.

    Returns:
        The crop ``[output_h, output_w, 3]`` and its region in the image.
    """
    size = (output_sz, output_sz) if isinstance(output_sz, int) else output_sz
    image_size = (image.shape[1], image.shape[0])
    region = crop_region(image_size, box, search_area_factor, size, mode, max_scale_change)
    return extract_region(image, region, size), region


def transform_box_to_crop(
    box: Boxes, region: Region, crop_size: int | tuple[int, int]
) -> npt.NDArray[np.float32]:
    """Boxes of the image in the coordinates of a crop.

    Args:
        box: ``[..., 4]`` xywh, px of the image.
        region: what the crop shows: left, top, width, height, px of the image.
        crop_size: side of the crop, or its width and height, px.

    Returns:
        ``[..., 4]`` xywh, px of the crop.
    """
    boxes = np.asarray(box, dtype=np.float32)
    left, top, width, height = region
    scale = np.asarray(crop_size, dtype=np.float32) / np.array((width, height), dtype=np.float32)
    corner = (boxes[..., :2] - np.array((left, top), dtype=np.float32)) * scale
    return np.concatenate((corner, boxes[..., 2:] * scale), axis=-1)


def target_image_crop(
    image: Image,
    box_extract: Boxes,
    box_gt: Boxes,
    search_area_factor: float,
    output_sz: int | tuple[int, int],
    mode: CropMode = "replicate",
    max_scale_change: float | None = None,
) -> tuple[Image, npt.NDArray[np.float32]]:
    """A crop around one box and another box's place in it; arguments and errors as `sample_target_adaptive`.

    Args:
        image: ``[H, W, 3]``.
        box_extract: xywh to crop around, e.g. a jittered target, px.
        box_gt: xywh of the target, px.
        search_area_factor: side of the region / sqrt(area of `box_extract`).
        output_sz: side of a square crop, or its width and height, px.
        mode: what to do with a region larger than the image.
        max_scale_change: limit of the shrinking; None: no limit.

    Returns:
        The crop and `box_gt` in px of the crop, ``[4]``.
    """
    crop, region = sample_target_adaptive(
        image, box_extract, search_area_factor, output_sz, mode, max_scale_change
    )
    return crop, transform_box_to_crop(box_gt, region, output_sz)


def sample_target(
    image: Image, box: Boxes, search_area_factor: float, output_sz: int | None = None
) -> tuple[Image, float]:
    """A square crop centred on a target, as the ATOM family cuts it.

    Args:
        image: ``[H, W, 3]``.
        box: xywh of the target, px.
        search_area_factor: side of the region / sqrt(target area).
        output_sz: side of the crop, px; None: not scaled.

    Returns:
        The crop and the factor by which it was scaled.

    Raises:
        DomainError: if the box has no area, or the region lies outside the image.
    """
    x, y, width, height = (float(value) for value in _require_box(box))
    side = math.ceil(search_area_factor * math.sqrt(width * height))
    region = (round(x + width / 2 - side / 2), round(y + height / 2 - side / 2), side, side)
    crop = extract_region(image, region, None if output_sz is None else (output_sz, output_sz))
    return crop, 1.0 if output_sz is None else output_sz / side


def transform_image_to_crop(
    box: Boxes, box_extract: Boxes, resize_factor: float, crop_sz: int | tuple[int, int]
) -> npt.NDArray[np.float32]:
    """A box of the image in the coordinates of a `sample_target` crop.

    Args:
        box: xywh, px of the image.
        box_extract: xywh that was cropped around, px.
        resize_factor: as `sample_target` returned it.
        crop_sz: side of the crop, or its width and height, px.

    Returns:
        ``[4]`` xywh, px of the crop. The published rule puts the crop's centre at ``(side - 1) / 2``: about
        half a pixel from where `transform_box_to_crop` has it.
    """
    inner, outer = np.asarray(box, dtype=np.float64), np.asarray(box_extract, dtype=np.float64)
    offset = (inner[:2] + inner[2:] / 2) - (outer[:2] + outer[2:] / 2)
    size = inner[2:] * resize_factor
    centre = (np.broadcast_to(np.asarray(crop_sz, dtype=np.float64), 2) - 1) / 2 + offset * resize_factor
    return np.concatenate((centre - size / 2, size)).astype(np.float32)
