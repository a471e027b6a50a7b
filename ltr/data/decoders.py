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
from ltr.data.depth import Levels, decode_samples, find_levels, to_eight_bits
from ltr.data.jpeg import JpegHeader, as_shown, jpeg_header

__all__ = [
    "AUTO",
    "DECODERS",
    "OPENCV",
    "Decoder",
    "DecodingError",
    "choose_decoder",
    "decode_deep",
    "strict_fault",
]

Image = npt.NDArray[np.uint8]

AUTO = "auto"

# JPEGs are decoded as stored and turned here, so that all libraries agree; OpenCV turns the other kinds.
_FLAGS = cv2.IMREAD_COLOR_RGB | cv2.IMREAD_IGNORE_ORIENTATION
_REDUCED = {  # OpenCV has no RGB flavour of these
    2: cv2.IMREAD_REDUCED_COLOR_2 | cv2.IMREAD_IGNORE_ORIENTATION,
    4: cv2.IMREAD_REDUCED_COLOR_4 | cv2.IMREAD_IGNORE_ORIENTATION,
    8: cv2.IMREAD_REDUCED_COLOR_8 | cv2.IMREAD_IGNORE_ORIENTATION,
}
_CMYK = 4  # channels; rare, and libraries disagree on them, so all of them go through OpenCV
_DENSEST = 4096  # pixels that a byte can stand for: 512 if a bit stands for a block of 8 x 8, and to spare
JPEG_START = b"\xff\xd8"


class DecodingError(ValueError):
    """The bytes are no image that can be decoded; whoever knows the file says which."""


def _opencv(data: bytes, reduce: int) -> Image:
    """A JPEG as stored, by OpenCV's bundled libjpeg-turbo."""
    raw = np.frombuffer(data, dtype=np.uint8)
    try:
        image = cv2.imdecode(raw, _FLAGS if reduce == 1 else _REDUCED[reduce])
    except cv2.error as error:
        raise DecodingError(str(error).strip()) from error
    if image is None:
        raise DecodingError("it cannot be decoded")
    return np.asarray(image if reduce == 1 else cv2.cvtColor(image, cv2.COLOR_BGR2RGB), dtype=np.uint8)


def decode_deep(data: bytes) -> npt.NDArray[np.generic]:
    """A picture that is no JPEG at the depth it is stored in, as shown: ``[H, W, 3]`` RGB of any type.

    Raises:
        DecodingError: if it cannot be decoded.
    """
    try:
        samples = decode_samples(data)
    except cv2.error as error:
        raise DecodingError(str(error).strip()) from error
    if samples is None:
        raise DecodingError("it cannot be decoded")
    return samples


def _simplejpeg(library: ModuleType, data: bytes, reduce: int, out: Image | None = None) -> Image:
    """simplejpeg; lenient as libjpeg and the other libraries are, so that all accept the same files."""
    header = jpeg_header(data) if reduce > 1 else None
    least = (-(-header.height // reduce), -(-header.width // reduce)) if header else (0, 0)
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


def _require_plausible(header: JpegHeader | None, data: bytes) -> None:
    """Refuse a JPEG whose header states a size that its bytes cannot hold, before gigabytes are set aside.

    Raises:
        DecodingError: if it does.
    """
    if header is not None and header.width * header.height > _DENSEST * len(data):
        raise DecodingError(
            f"its header states {header.width} x {header.height} px, far more than {len(data)} bytes can hold"
        )


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

    def decode(self, data: bytes, reduce: int = 1, levels: Callable[[], Levels] | None = None) -> Image:
        """Decode the bytes of an image file.

        Args:
            data: JPEG; what is not JPEG goes to OpenCV, as do CMYK pictures.
            reduce: 1, 2, 4 or 8: how many times smaller the result is. JPEG only; it is made from a part of
                the stored frequencies, which is faster than decoding everything, and does not alias.
            levels: asked for black and white of a picture of more than 8 bits; its own where left out.

        Returns:
            ``[H, W, 3]`` RGB, 0..255, turned as EXIF says; sides are divided by `reduce` and rounded up.

        Raises:
            DecodingError: if they cannot be decoded.
            DomainError: if `reduce` is not one of the four.
        """
        if reduce not in (1, *_REDUCED):
            raise DomainError(f"an image can be decoded at 1, 1/2, 1/4 or 1/8 of its size, not 1/{reduce}.")
        if not data.startswith(JPEG_START):
            samples = decode_deep(data)
            if samples.dtype == np.uint8:
                return np.asarray(samples, dtype=np.uint8)
            return to_eight_bits(samples, levels() if levels else find_levels([samples]))
        header = jpeg_header(data)
        _require_plausible(header, data)
        stored = self._stored(data, reduce, header is None or header.channels == _CMYK)
        return as_shown(stored, header.orientation) if header and header.orientation > 1 else stored

    def _stored(self, data: bytes, reduce: int, by_opencv: bool) -> Image:
        """A JPEG, not turned."""
        library = _LIBRARIES.get(self.name)
        if library is None or by_opencv or (reduce > 1 and not library.reduces):
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
        header = jpeg_header(data)
        _require_plausible(header, data)
        if self.in_place and header is not None and header.channels != _CMYK and header.orientation == 1:
            library: Any = _LIBRARIES[self.name]
            try:
                if library.call(_load(self.name), data, reduce, out).shape == out.shape:
                    return
            except DecodingError:  # OpenCV has the last word, as in `decode`
                pass
        image = self.decode(data, reduce)
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
    header = jpeg_header(data)
    if header is None or header.channels == _CMYK:
        return ""
    try:
        library.decode_jpeg(data, "RGB", strict=True)
    except ValueError as error:
        return str(error)
    return ""
