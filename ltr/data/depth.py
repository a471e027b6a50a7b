"""Pictures of more than 8 bits: which value is black and which is white, the same for a whole folder."""

import sys
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import lru_cache
from multiprocessing import parent_process
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt

from ebm.images.listing import image_names
from ltr.data.jpeg import tiff_tag

__all__ = [
    "PNG_START",
    "Levels",
    "decode_samples",
    "find_levels",
    "folder_levels",
    "may_be_deep",
    "tiff_samples",
    "to_eight_bits",
]

Samples = npt.NDArray[Any]  # [H, W, 3] RGB of any type

_DEPTHS = (8, 10, 12, 14, 16)  # bits of cameras
_LOOKED_AT = 16  # pictures, spread over the folder
_OUTLIERS = 1e-4  # share of pixels at either end that do not count: a camera has dead pixels
_PEDESTAL = 0.25  # data in less than this share of its range is stretched, as that of thermal cameras
_TIFF = (b"II*\0", b"MM\0*")
PNG_START = b"\x89PNG\r\n\x1a\n"


@dataclass(frozen=True)
class Levels:
    """The values that become 0 and 255."""

    black: float
    white: float


def decode_samples(data: bytes) -> Samples | None:
    """OpenCV's reading of a picture that is no JPEG, at the depth it is stored in, turned as it says.

    Args:
        data: the file.

    Returns: ``[H, W, 3]`` RGB of any type; None if it cannot be decoded.
    """
    if data.startswith(PNG_START) and not _parts_fit(data):
        return None
    raw = np.frombuffer(data, dtype=np.uint8)
    if data.startswith(PNG_START) and not may_be_deep(data):
        return cv2.imdecode(raw, cv2.IMREAD_COLOR_RGB)  # the most frequent case, without a second pass
    bits, kind = tiff_samples(data)
    if kind == 3 or bits > 16:  # the conversion to colours fails on these
        image = cv2.imdecode(raw, cv2.IMREAD_UNCHANGED)
        if image is None:
            return None
        if image.ndim == 2 or image.shape[2] < 3:
            return np.repeat(image.reshape(*image.shape[:2], -1)[..., :1], 3, axis=2)
        return np.ascontiguousarray(image[..., 2::-1])
    # Blue first, and turned round here: OpenCV 5 mixes up neighbours where it is asked for a TIFF of 16 bits
    # with red first.
    image = cv2.imdecode(raw, cv2.IMREAD_COLOR_BGR | cv2.IMREAD_ANYDEPTH)
    return None if image is None else _red_first(image)


def may_be_deep(data: bytes) -> bool:
    """Whether a picture that is no JPEG may have more than 8 bits, by the first bytes of its file."""
    if data.startswith(PNG_START):
        return data[24:25] == b"\x10"  # bits of a sample, in the header that comes first
    return not data.startswith((b"BM", b"GIF8")) and not (data[:4] == b"RIFF" and data[8:12] == b"WEBP")


def _parts_fit(data: bytes) -> bool:
    """Whether the parts of a PNG lie within it: OpenCV makes room for what one states, up to gigabytes."""
    at = len(PNG_START)
    while at + 8 <= len(data):
        length, name = int.from_bytes(data[at : at + 4], "big"), data[at + 4 : at + 8]
        if at + 12 + length > len(data):  # length, name, content, CRC-32
            return False
        if name == b"IEND":
            return True
        at += 12 + length
    return False


def _red_first(image: Samples) -> Samples:
    """A picture ``[H, W, 3]`` BGR as RGB; by OpenCV where it can, which takes a fortieth of NumPy's time."""
    if image.dtype in (np.uint8, np.uint16, np.float32):
        return cv2.cvtColor(image, cv2.COLOR_BGR2RGB)
    return np.ascontiguousarray(image[..., ::-1])


def tiff_samples(data: bytes) -> tuple[int, int]:
    """Bits of a sample and its kind (1 whole, 2 signed, 3 float) of a TIFF; (8, 1) for anything else."""
    if not data.startswith(_TIFF):
        return 8, 1
    return tiff_tag(data, 258) or 1, tiff_tag(data, 339) or 1


def find_levels(pictures: Iterable[Samples]) -> Levels:
    """Black and white of some pictures of one camera.

    Whole numbers without sign: black is 0, white the end of the smallest of 8, 10, 12, 14 and 16 bits that
    holds them; unless they lie in less than a quarter of that. Float: 0 and 1, or 0 and 255, where they lie
    within. Else the smallest and the largest. A ten-thousandth of the pixels at either end does not count.
    """
    lows, highs, whole = [], [], True
    for picture in pictures:
        values = picture[np.isfinite(picture)] if picture.dtype.kind == "f" else picture.ravel()
        if values.size:
            low, high = np.quantile(values, (_OUTLIERS, 1 - _OUTLIERS), method="nearest")
            lows.append(float(low))
            highs.append(float(high))
        whole = whole and picture.dtype.kind == "u"
    if not lows:
        return Levels(0.0, 1.0)
    low, high = min(lows), max(highs)
    ends = tuple(2.0**bits - 1 for bits in _DEPTHS) if whole else (1.0, 255.0)
    white = next((end for end in ends if high <= end), None) if low >= 0 else None
    if white is not None and (not whole or high - low >= _PEDESTAL * white or high == low):
        return Levels(0.0, white)
    return Levels(low, high if high > low else low + 1.0)


def to_eight_bits(picture: Samples, levels: Levels) -> npt.NDArray[np.uint8]:
    """A picture scaled so that `levels` become 0 and 255; what lies outside is cut, NaN becomes 0."""
    scaled = (picture.astype(np.float64) - levels.black) * (255.0 / (levels.white - levels.black))
    return np.rint(np.clip(np.nan_to_num(scaled, nan=0.0, posinf=255.0, neginf=0.0), 0, 255)).astype(np.uint8)


@lru_cache(maxsize=4096)
def folder_levels(folder: Path, read: Callable[[Path], Samples | None]) -> Levels:
    """Black and white of a folder, from up to 16 of its pictures, spread evenly; said once a process.

    Args:
        folder: of one video.
        read: the samples of a file; None if it has no more than 8 bits, or cannot be read.
    """
    names = image_names(folder)
    step = max(1.0, len(names) / _LOOKED_AT)
    chosen = dict.fromkeys(names[int(at * step)] for at in range(min(_LOOKED_AT, len(names))))
    levels = find_levels(found for name in chosen if (found := read(folder / name)) is not None)
    _say(folder, levels)
    return levels


@lru_cache(maxsize=1)
def _once() -> list[Path]:
    return []


def _say(folder: Path, levels: Levels) -> None:
    if _once() or parent_process() is not None:  # workers would say it again
        return
    _once().append(folder)
    print(
        f"note: the pictures of {folder} have more than 8 bits; {levels.black:g} is shown as black, "
        f"{levels.white:g} as white, in all of them. Other folders are scaled by their own data.",
        file=sys.stderr,
    )
