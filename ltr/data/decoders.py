"""JPEG decoders of four libraries behind one interface: which work here, and which is fastest."""

import importlib
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from types import ModuleType
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt

from ebm.exceptions import DomainError, InputError
from ebm.lookup import lookup

__all__ = [
    "AUTO",
    "DECODERS",
    "OPENCV",
    "Decoder",
    "DecodingError",
    "choose_decoder",
    "jpeg_size",
    "strict_fault",
]

Image = npt.NDArray[np.uint8]

AUTO = "auto"

# As stored, whatever the EXIF orientation says: boxes are annotated, and published networks were trained,
# that way.
_FLAGS = cv2.IMREAD_COLOR_RGB | cv2.IMREAD_IGNORE_ORIENTATION
_REDUCED = {  # OpenCV has no RGB flavour of these
    2: cv2.IMREAD_REDUCED_COLOR_2 | cv2.IMREAD_IGNORE_ORIENTATION,
    4: cv2.IMREAD_REDUCED_COLOR_4 | cv2.IMREAD_IGNORE_ORIENTATION,
    8: cv2.IMREAD_REDUCED_COLOR_8 | cv2.IMREAD_IGNORE_ORIENTATION,
}
_CMYK = 4  # channels; rare, and libraries disagree on them, so all of them go through OpenCV
_FRAME_MARKERS = frozenset({0xC0, 0xC1, 0xC2, 0xC3, 0xC5, 0xC6, 0xC7, 0xC9, 0xCA, 0xCB, 0xCD, 0xCE, 0xCF})


class DecodingError(ValueError):
    """The bytes are no image that can be decoded; whoever knows the file says which."""


def jpeg_size(data: bytes) -> tuple[int, int, int] | None:
    """Width, height (px) and channels that a JPEG's header states; None if there is no such header.

    Reading it costs microseconds, and allows to choose the crop before anything is decoded.
    """
    at = 2
    while at + 9 < len(data) and data[at] == 0xFF:
        marker = data[at + 1]
        if marker in _FRAME_MARKERS:
            height, width = (
                int.from_bytes(data[at + 5 : at + 7], "big"),
                int.from_bytes(data[at + 7 : at + 9], "big"),
            )
            return (width, height, data[at + 9]) if width and height else None
        if marker == 0xFF:  # padding in front of a marker
            at += 1
        elif marker == 0xDA:
            return None
        else:
            at += 2 + int.from_bytes(data[at + 2 : at + 4], "big")
    return None


def _opencv(data: bytes, reduce: int) -> Image:
    """OpenCV's bundled libjpeg-turbo; also every format that is not JPEG."""
    raw = np.frombuffer(data, dtype=np.uint8)
    try:
        image = cv2.imdecode(raw, _FLAGS if reduce == 1 else _REDUCED[reduce])
    except cv2.error as error:
        raise DecodingError(str(error).strip()) from error
    if image is None:
        raise DecodingError("it cannot be decoded")
    return np.asarray(image if reduce == 1 else cv2.cvtColor(image, cv2.COLOR_BGR2RGB), dtype=np.uint8)


def _simplejpeg(library: ModuleType, data: bytes, reduce: int, out: Image | None = None) -> Image:
    """simplejpeg; lenient as libjpeg and the other libraries are, so that all accept the same files."""
    size = jpeg_size(data) if reduce > 1 else None
    least = (-(-size[1] // reduce), -(-size[0] // reduce)) if size else (0, 0)
    try:
        image = library.decode_jpeg(
            data, "RGB", False, False, least[0], least[1], reduce, buffer=out, strict=False
        )
    except ValueError as error:
        raise DecodingError(str(error)) from error
    return np.asarray(image)


def _torchvision(library: ModuleType, data: bytes) -> Image:
    """torchvision, whose result lies channels-last in memory: the transposed view copies nothing."""
    torch = importlib.import_module("torch")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # about bytes that cannot be written to, which nobody does
        raw = torch.frombuffer(data, dtype=torch.uint8)
    try:
        image = library.decode_jpeg(raw, mode=library.ImageReadMode.RGB)
    except RuntimeError as error:
        raise DecodingError(str(error).splitlines()[0]) from error
    return np.ascontiguousarray(image.permute(1, 2, 0).numpy())


def _jpeg4py(library: ModuleType, data: bytes) -> Image:
    """jpeg4py over the system's libjpeg-turbo."""
    try:
        return np.asarray(library.JPEG(np.frombuffer(data, dtype=np.uint8)).decode())
    except (library.JPEGRuntimeError, ValueError) as error:
        raise DecodingError(str(error)) from error


@dataclass(frozen=True)
class _Library:
    """How a decoding library is imported and called, and what to install where it is missing."""

    module: str
    call: Callable[..., Image]
    remedy: str
    reduces: bool = False  # whether it can decode at a fraction of the size, and into memory that is given


_LIBRARIES = {
    "simplejpeg": _Library(
        "simplejpeg", _simplejpeg, "pip install 'ebmtrack[jpeg]', or pip install simplejpeg", reduces=True
    ),
    "torchvision": _Library("torchvision.io", _torchvision, "pip install torchvision"),
    "jpeg4py": _Library(
        "jpeg4py",
        _jpeg4py,
        "pip install 'ebmtrack[jpeg]', and the system's libjpeg-turbo (Debian, Ubuntu: libturbojpeg0)",
    ),
}
# Fastest first, as benchmarks/decoders.py measures them.
DECODERS = ("simplejpeg", "torchvision", "opencv", "jpeg4py")


@cache
def _load(name: str) -> ModuleType:
    """A library that has decoded one image in this process.

    Raises:
        InputError: if it is not installed or does not work, naming what to install.
    """
    library = _LIBRARIES[name]
    _, probe = cv2.imencode(".jpg", np.full((8, 8, 3), 90, dtype=np.uint8))
    data = probe.tobytes()
    try:
        module = importlib.import_module(library.module)
        if name == "jpeg4py":  # its image type breaks when the system library is missing: ask that one first
            module.initialize()
        good = library.call(module, data, 1).shape if library.reduces else library.call(module, data).shape
    except Exception as error:  # whatever a library does when it is half installed
        raise InputError(
            f"the JPEG decoder {name!r} cannot be used here ({type(error).__name__}: {error}). Install it: "
            f"{library.remedy}; or choose decoder 'auto', which takes one that works."
        ) from error
    if good != (8, 8, 3):
        raise InputError(f"the JPEG decoder {name!r} does not work here; choose decoder 'auto'.")
    return module


@dataclass(frozen=True)
class Decoder:
    """A decoding library by name, so that it travels to worker processes. Get one from `choose_decoder`."""

    name: str

    def decode(self, data: bytes, reduce: int = 1) -> Image:
        """Decode the bytes of an image file.

        Args:
            data: JPEG; what is not JPEG goes to OpenCV, as do CMYK pictures.
            reduce: 1, 2, 4 or 8: how many times smaller the result is. JPEG only; it is made from a part of
                the stored frequencies, which is faster than decoding everything, and does not alias.

        Returns:
            ``[H, W, 3]`` RGB, 0..255; sides are divided by `reduce` and rounded up.

        Raises:
            DecodingError: if they cannot be decoded.
            DomainError: if `reduce` is not one of the four.
        """
        if reduce not in (1, *_REDUCED):
            raise DomainError(f"an image can be decoded at 1, 1/2, 1/4 or 1/8 of its size, not 1/{reduce}.")
        library = _LIBRARIES.get(self.name)
        if library is None or (reduce > 1 and not library.reduces) or not data.startswith(b"\xff\xd8"):
            return _opencv(data, reduce)
        header = jpeg_size(data)
        if header is None or header[2] == _CMYK:
            return _opencv(data, reduce)
        module: Any = _load(self.name)
        try:
            return library.call(module, data, reduce) if library.reduces else library.call(module, data)
        except DecodingError:
            # OpenCV has the last word: some libraries refuse a stray byte that costs no pixel, and which
            # files can be trained on must not depend on what is installed.
            return _opencv(data, reduce)

    @property
    def in_place(self) -> bool:
        """Whether `decode_into` saves a copy, which it does with some libraries only."""
        return self.name in _LIBRARIES and _LIBRARIES[self.name].reduces

    def decode_into(self, out: Image, data: bytes, reduce: int = 1) -> None:
        """`decode` into memory that is there; errors as there.

        Args:
            out: ``[H, W, 3]`` without gaps, of the size that `decode` would give.
            data: a JPEG.
            reduce: 1, 2, 4 or 8.

        Raises:
            DecodingError: besides, if the picture has another size.
        """
        header = jpeg_size(data)
        if self.in_place and header is not None and header[2] != _CMYK:
            library: Any = _LIBRARIES[self.name]
            try:
                if library.call(_load(self.name), data, reduce, out).shape == out.shape:
                    return
            except DecodingError:  # OpenCV has the last word, as in `decode`
                pass
        image = _opencv(data, reduce) if self.in_place else self.decode(data, reduce)
        if image.shape != out.shape:
            raise DecodingError(f"it has {image.shape[1]} x {image.shape[0]} px, its header says otherwise")
        out[...] = image


OPENCV = Decoder("opencv")


def choose_decoder(name: str = AUTO) -> Decoder:
    """A decoder by name, tried out; ``"auto"``: the fastest one that works here.

    Raises:
        UnknownNameError: if there is no such decoder.
        InputError: if its library is missing, naming what to install.
    """
    lookup("decoder", name, dict.fromkeys((AUTO, *DECODERS)))
    if name != AUTO:
        if name in _LIBRARIES:
            _load(name)
        return Decoder(name)
    for candidate in DECODERS:
        try:
            return choose_decoder(candidate)
        except InputError:
            continue
    return OPENCV  # not reached: OpenCV is among them and always installed


def strict_fault(data: bytes) -> str:
    """What a decoder that takes no damage finds wrong with a JPEG; empty if nothing or if none is here.

    Decoders repair what they can: damage in the middle of a file gives grey or smeared pixels and no error.
    """
    try:
        library = _load("simplejpeg")
    except InputError:
        return ""
    header = jpeg_size(data)
    if header is None or header[2] == _CMYK:
        return ""
    try:
        library.decode_jpeg(data, "RGB", strict=True)
    except ValueError as error:
        return str(error)
    return ""
