"""Read an image file, or say exactly why it cannot be read."""

import zlib
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import TypeAlias

import cv2
import numpy as np
import numpy.typing as npt

from ebm.exceptions import InputError
from ltr.data.decoders import OPENCV, Decoder, DecodingError, decode_deep
from ltr.data.depth import PNG_START, Levels, folder_levels, may_be_deep, tiff_samples
from ltr.data.jpeg import jpeg_header
from ltr.data.video import Slice

__all__ = [
    "JPEG_END",
    "JPEG_START",
    "EncodedImage",
    "ImageSource",
    "encode_png",
    "is_cut_off",
    "open_image",
    "read_image",
]

ImageSource: TypeAlias = Path | Slice  # where the bytes of an image lie

JPEG_START, JPEG_END = b"\xff\xd8", b"\xff\xd9"
_JPEG_SCAN, _PNG_END = b"\xff\xda", b"IEND"

REMEDY_FILE = "Extract or download it again."
REMEDY_SHARD = "The shard is damaged: copy it there again, or pack the data set again."


def is_cut_off(data: bytes) -> bool:
    """Whether a JPEG or PNG stops before its end marker.

    Decoders do not tell: libjpeg fills what is missing of a truncated file with grey and only warns on
    stderr, so training would silently see grey targets. The marker is looked for from the back and costs
    microseconds. Inside a JPEG scan the two bytes cannot occur (0xff is escaped there), but an embedded
    thumbnail has an end marker of its own: only one after the last scan counts.
    """
    if data.startswith(JPEG_START):
        if data.endswith(
            JPEG_END
        ):  # nearly always; and a file cut right behind its thumbnail has no scan to decode
            return False
        return data.rfind(JPEG_END) < data.rfind(_JPEG_SCAN)
    if data.startswith(PNG_START):
        return data.rfind(_PNG_END) < 0
    return False


def _why_not(data: bytes, remedy: str) -> str:
    """Why a file that is there gave no image, and what to do."""
    if not data:
        return f"the image is corrupt: the file is empty. {remedy}"
    if is_cut_off(data):
        return f"the image is truncated: its {len(data)} bytes stop before the end marker. {remedy}"
    depth = _unusual_depth(data)
    if depth:
        return f"{depth}, which no decoder here reads. Convert it to a PNG of 8 or 16 bits."
    if data.startswith((JPEG_START, PNG_START)) or _is_known(data):
        return f"the image is corrupt: it cannot be decoded. {remedy}"
    return (
        f"no decoder for this kind of file (it starts with {data[:8]!r}). Convert it to JPEG or PNG; if it "
        "should be an image already, it was not downloaded properly."
    )


def _unusual_depth(data: bytes) -> str:
    """The depth of a picture that OpenCV cannot decode because of it; empty if that is not the reason."""
    if data.startswith(JPEG_START):
        header = jpeg_header(data)
        return f"it is a JPEG of {header.bits} bits a sample" if header and header.bits != 8 else ""
    bits, kind = tiff_samples(data)
    usual = {1: (1, 2, 4, 8, 10, 12, 14, 16, 32), 2: (8, 16, 32), 3: (32, 64)}.get(kind, ())
    what = {1: "whole numbers", 2: "whole numbers with a sign", 3: "floating point"}.get(
        kind, "other numbers"
    )
    return "" if bits in usual else f"it is a TIFF of {what} of {bits} bits"


def _deep_samples(file: Path) -> npt.NDArray[np.generic] | None:
    """The samples of a picture of more than 8 bits; None of any other, or if it cannot be read."""
    try:
        return _samples(file.read_bytes())
    except OSError:
        return None


def _samples(data: bytes) -> npt.NDArray[np.generic] | None:
    """The samples of a picture of more than 8 bits; None of any other, or if it cannot be decoded."""
    try:
        samples = decode_deep(data) if not data.startswith(JPEG_START) and may_be_deep(data) else None
    except DecodingError:
        return None
    return None if samples is None or samples.dtype == np.uint8 else samples


def encode_png(image: npt.NDArray[np.uint8]) -> bytes:
    """A picture ``[H, W, 3]`` RGB as a PNG."""
    return bytes(cv2.imencode(".png", image[..., ::-1])[1])


def _is_known(data: bytes) -> bool:
    """Whether the first bytes are those of a format that OpenCV reads (BMP, GIF, TIFF, WebP)."""
    starts = (b"BM", b"GIF8", b"II*\0", b"MM\0*")
    return data.startswith(starts) or (data[:4] == b"RIFF" and data[8:12] == b"WEBP")


class EncodedImage:
    """The bytes of an image, decoded when the pixels are asked for, at the size that is needed."""

    def __init__(
        self,
        data: bytes,
        where: str,
        decoder: Decoder = OPENCV,
        remedy: str = REMEDY_FILE,
        levels: Callable[[], Levels] | None = None,
    ) -> None:
        """Use `open_image`.

        Args:
            data: content of the file; neither empty nor cut off.
            where: file, sequence and frame, for messages.
            decoder: decodes them.
            remedy: what to do if that fails, for messages.
            levels: gives black and white if the picture has more than 8 bits; its own where left out.
        """
        self.levels = levels
        self.data, self.where, self.decoder, self.remedy = data, where, decoder, remedy
        # Whether pixels are kept for whoever asks next. A large array that is given back before the next one
        # is asked for costs no page faults, and a worker holds one full-size frame instead of six.
        self.keep = not self.can_reduce
        self._size: tuple[int, int] | None = None
        self._pixels: dict[int, npt.NDArray[np.uint8]] = {}

    @property
    def size(self) -> tuple[int, int]:
        """Width and height as shown, px; from the header of a JPEG, otherwise by decoding."""
        if self._size is None:
            header = jpeg_header(self.data) if self.data.startswith(JPEG_START) else None
            self._size = header.shown if header else (self.pixels().shape[1], self.pixels().shape[0])
        return self._size

    @property
    def can_reduce(self) -> bool:
        """Whether `pixels` can decode a fraction of the size."""
        return self.data.startswith(JPEG_START)

    def pixels(self, reduce: int = 1) -> npt.NDArray[np.uint8]:
        """The pixels, decoded once if they are to be kept; `reduce` times smaller, see `Decoder.decode`.

        Returns:
            ``[H, W, 3]`` RGB, 0..255; shared by all callers, never to be written to.

        Raises:
            InputError: if they cannot be decoded; names file, sequence and frame.
        """
        if reduce in self._pixels:
            return self._pixels[reduce]
        try:
            pixels = self.decoder.decode(self.data, reduce, self.levels)
        except DecodingError as error:
            raise InputError(f"{self.where}: {_why_not(self.data, self.remedy)}") from error
        if self.keep:
            self._pixels[reduce] = pixels
        return pixels

    @property
    def is_deep(self) -> bool:
        """Whether its samples have more than 8 bits; decodes it where its first bytes do not tell."""
        return not self.can_reduce and _samples(self.data) is not None

    @property
    def decodes_in_place(self) -> bool:
        """Whether `decode_into` saves memory and time."""
        return self.can_reduce and self.decoder.in_place

    def decode_into(self, out: npt.NDArray[np.uint8], reduce: int = 1) -> None:
        """The pixels, into memory that is there; errors as `pixels`.

        Args:
            out: ``[H, W, 3]`` without gaps, of the size that `pixels` would give; a JPEG's only.
            reduce: as in `pixels`.
        """
        try:
            self.decoder.decode_into(out, self.data, reduce)
        except DecodingError as error:
            raise InputError(f"{self.where}: {_why_not(self.data, self.remedy)}") from error


def open_image(
    source: str | ImageSource, *, sequence: str = "", frame: int | None = None, decoder: Decoder = OPENCV
) -> EncodedImage:
    """Read the bytes of an image, without decoding them.

    Args:
        source: a file, or the part of a shard that holds it.
        sequence: name of the sequence that it belongs to, for messages.
        frame: its number in the sequence, counted from 0, for messages.
        decoder: decodes it later.

    Raises:
        InputError: if the file is missing, cannot be read, is empty or stops before its end, or its bytes in
            a shard are not those that were packed.
    """
    file = Path(source) if isinstance(source, str) else source
    where = f"{file}" + (f" (sequence {sequence}" if sequence else "")
    where += (f", frame {frame})" if frame is not None else ")") if sequence else ""
    try:
        data = file.read_bytes()
    except FileNotFoundError as error:
        raise InputError(
            f"{where}: the image is missing. Extract the sequence again, or leave it out."
        ) from error
    except OSError as error:
        raise InputError(f"{where}: the image cannot be read ({error.strerror or error}).") from error
    remedy = REMEDY_SHARD if isinstance(file, Slice) else REMEDY_FILE
    if not data or is_cut_off(data):
        raise InputError(f"{where}: {_why_not(data, remedy)}")
    if isinstance(file, Slice) and file.crc is not None and zlib.crc32(data) != file.crc:
        raise InputError(f"{where}: the image is corrupt: its bytes are not those that were packed. {remedy}")
    levels = None if isinstance(file, Slice) else partial(folder_levels, file.parent, _deep_samples)
    return EncodedImage(data, where, decoder, remedy, levels)


def read_image(
    path: str | ImageSource, *, sequence: str = "", frame: int | None = None, decoder: Decoder = OPENCV
) -> npt.NDArray[np.uint8]:
    """Decode an image.

    Args:
        path: a file, or the part of a shard that holds the image.
        sequence: name of the sequence that it belongs to, for messages.
        frame: its number in the sequence, counted from 0, for messages.
        decoder: decodes it; `ltr.data.decoders.choose_decoder` gives others than OpenCV.

    Returns:
        ``[H, W, 3]`` RGB, 0..255, turned as EXIF says; grey images are repeated over the channels, those of
        more than 8 bits scaled by the data of their folder, see `ltr.data.depth.find_levels`.

    Raises:
        InputError: if the file is missing, corrupt or truncated, or of a kind that cannot be decoded; the
            three read differently, and all name the file, the sequence and the frame.
    """
    return open_image(path, sequence=sequence, frame=frame, decoder=decoder).pixels()
