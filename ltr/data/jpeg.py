"""What the head of a picture says before anything is decoded: size, depth, and how it is to be turned."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

__all__ = ["JpegHeader", "as_shown", "jpeg_header", "tiff_tag"]

_FRAME_MARKERS = frozenset({0xC0, 0xC1, 0xC2, 0xC3, 0xC5, 0xC6, 0xC7, 0xC9, 0xCA, 0xCB, 0xCD, 0xCE, 0xCF})
_EXIF = b"Exif\0\0"
_ORIENTATION = 0x0112


@dataclass(frozen=True)
class JpegHeader:
    """The header of a JPEG."""

    width: int  # px, as stored
    height: int  # px, as stored
    channels: int
    bits: int  # of a sample
    orientation: int  # 1..8 of EXIF; 1: as stored

    @property
    def shown(self) -> tuple[int, int]:
        """Width and height, px, as a person sees the picture."""
        return (self.height, self.width) if self.orientation >= 5 else (self.width, self.height)


def jpeg_header(data: bytes) -> JpegHeader | None:
    """What a JPEG's header states; None if there is no such header.

    Reading it costs microseconds, and allows to choose the crop before anything is decoded.
    """
    at, orientation = 2, 0
    while at + 9 < len(data) and data[at] == 0xFF:
        marker = data[at + 1]
        length = int.from_bytes(data[at + 2 : at + 4], "big")
        if marker in _FRAME_MARKERS:
            height = int.from_bytes(data[at + 5 : at + 7], "big")
            width = int.from_bytes(data[at + 7 : at + 9], "big")
            found = JpegHeader(width, height, data[at + 9], data[at + 4], orientation or 1)
            return found if width and height else None
        if marker == 0xE1 and not orientation and data[at + 4 : at + 10] == _EXIF:
            value = tiff_tag(data[at + 10 : at + 2 + length], _ORIENTATION)
            orientation = value if value is not None and 1 <= value <= 8 else 0
        if marker == 0xFF:  # padding in front of a marker
            at += 1
        elif marker == 0xDA:
            return None
        else:
            at += 2 + length
    return None


def tiff_tag(data: bytes, tag: int) -> int | None:
    """The first value of a tag of whole numbers in the first directory of a TIFF or an EXIF block.

    Args:
        data: starts with ``II*`` or ``MM``; of EXIF what follows ``Exif`` and two zeros.
        tag: its number.

    Returns: None if there is no such tag, or the block is damaged.
    """
    if data[:4] == b"II*\0":
        order = "little"
    elif data[:4] == b"MM\0*":
        order = "big"
    else:
        return None

    def number(at: int, size: int) -> int:
        return int.from_bytes(data[at : at + size], order)  # type: ignore[arg-type]

    first = number(4, 4)
    for entry in range(first + 2, first + 2 + 12 * min(number(first, 2), 4096), 12):
        if entry + 12 > len(data):
            return None
        if number(entry, 2) == tag:
            size = {1: 1, 3: 2, 4: 4}.get(number(entry + 2, 2))
            if size is None:
                return None
            at = entry + 8 if size * number(entry + 4, 4) <= 4 else number(entry + 8, 4)
            return number(at, size) if at + size <= len(data) else None
    return None


def as_shown(image: npt.NDArray[np.uint8], orientation: int) -> npt.NDArray[np.uint8]:
    """A picture ``[H, W, C]`` turned as EXIF's orientation 1..8 says; without gaps in memory.

    Source: Exif 2.32 (CIPA DC-008-2019), tag 0x0112 "Orientation".
    """
    if orientation >= 5:  # rows and columns change places
        image = image.transpose(1, 0, 2)
    if orientation in (3, 4, 7, 8):
        image = image[::-1]
    if orientation in (2, 3, 6, 7):
        image = image[:, ::-1]
    return np.ascontiguousarray(image)
