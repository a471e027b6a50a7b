"""A picture file as RGB pixels, or why it cannot be one."""

from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ebm.exceptions import InputError
from ebm.extras import explain_missing

__all__ = ["Frame", "Picture", "Source", "picture_size", "read_picture", "read_whole", "require_pillow"]

AGAIN = "Extract or download it again"
# Modes of Pillow that hold more than 8 bits a sample.
DEEP = ("I;16", "I;16B", "I;16L", "I;16N", "I", "F")
DEEP_MAX = 65535
ORIENTATION = 0x0112  # EXIF entry
QUARTER_TURNS = (5, 6, 7, 8)  # its values under which width and height are exchanged


@dataclass(frozen=True)
class Picture:
    """Pixels, and what was done to the file's own to get them.

    Attributes:
        pixels: ``(H, W, 3)`` RGB, 0 to 255; ``(size, size, 3)`` where a square was asked for.
        converted: in words, empty where nothing but the size changed.
    """

    pixels: NDArray[np.uint8]
    converted: str = ""


@dataclass(frozen=True, eq=False)
class Frame:
    """A picture of an archive.

    Attributes:
        name: for messages.
        pixels: ``(H, W, 3)`` RGB, uint8.
    """

    name: str
    pixels: NDArray[np.uint8]

    def __str__(self) -> str:
        return self.name


Source = Path | Frame


def require_pillow() -> Any:
    """The module ``PIL.Image``.

    Raises:
        MissingPackageError: if Pillow is not installed.
    """
    try:
        return import_module("PIL.Image")
    except ModuleNotFoundError as error:
        raise explain_missing("reading pictures", "PIL") from error


def read_picture(path: Source, size: int) -> Picture:
    """A file's picture, squeezed into a square.

    It is turned as its EXIF entry says, grey becomes RGB, CMYK is converted, 16 bits become 8 (the upper
    ones), transparency is dropped; of several pictures in a file the first is taken.

    Args:
        path: JPEG, PNG, TIFF, WebP, BMP or whatever else Pillow reads; or pixels that are there.
        size: side of the square, px.

    Raises:
        InputError: if the file is missing, empty, cut off, no picture or would be black in 8 bits; says what
            to do.
        MissingPackageError: if Pillow is not installed.
    """
    library = require_pillow()
    if isinstance(path, Frame):
        whole = library.fromarray(path.pixels)
        return Picture(np.asarray(whole.resize((size, size), library.Resampling.BILINEAR)))
    image, told = _decoded(path, library, (2 * size, 2 * size))
    square = image.resize((size, size), library.Resampling.BILINEAR)
    return Picture(np.asarray(square), ", ".join(told))


def read_whole(
    path: Path, shown: tuple[int, int] | None = None, least: tuple[int, int] | None = None
) -> Picture:
    """A file's picture in its own size, as `read_picture` converts it.

    Args:
        path: as `read_picture`.
        shown: width and height that others know it by, px. A picture that has them only as stored, before it
            is turned as its EXIF entry says, is not turned: boxes given for it are meant so.
        least: width and height that will do, px: a larger JPEG may be decoded at a half, a quarter or an
            eighth of its size.

    Returns:
        Pixels ``(H, W, 3)``.

    Raises:
        InputError: as `read_picture`; or if it is neither turned nor unturned of the size `shown`.
        MissingPackageError: if Pillow is not installed.
    """
    image, told = _decoded(path, require_pillow(), least, shown)
    return Picture(np.asarray(image), ", ".join(told))


def picture_size(path: Path) -> tuple[int, int]:
    """Width and height of a picture turned as its EXIF entry says, px; its pixels are not decoded.

    Raises:
        InputError: if the file is missing or no picture.
        MissingPackageError: if Pillow is not installed.
    """
    library = require_pillow()
    _require_file(path)
    try:
        with library.open(path) as file:
            return _turned_size(file)
    except (OSError, SyntaxError, ValueError, library.DecompressionBombError) as error:
        raise InputError(_why_not(path, error)) from error


def _turned_size(file: Any) -> tuple[int, int]:
    width, height = file.size
    return (height, width) if file.getexif().get(ORIENTATION, 1) in QUARTER_TURNS else (width, height)


def _require_file(path: Path) -> None:
    if not path.is_file():
        raise InputError(
            f"{path} {'is a folder' if path.is_dir() else 'is missing'}. {AGAIN}, or drop its row."
        )


def _decoded(
    path: Path, library: Any, least: tuple[int, int] | None, shown: tuple[int, int] | None = None
) -> tuple[Any, list[str]]:
    """An image of Pillow in RGB, and what was done to it."""
    _require_file(path)
    try:
        with library.open(path) as file:
            turning = _is_turned(file, path, shown)
            if least is not None:
                file.draft("RGB", least)
            turned = import_module("PIL.ImageOps").exif_transpose(file) if turning else file
            told = [f"{file.mode} to RGB"] * (file.mode not in ("RGB", *DEEP))
            told += ["turned as its EXIF entry says"] * turning
            if turned.mode in DEEP:
                turned = library.fromarray(_shallow(np.asarray(turned), path))
                told.append("16 bits to 8")
            return turned.convert("RGB"), told
    except InputError:
        raise
    except (OSError, SyntaxError, ValueError, library.DecompressionBombError) as error:
        raise InputError(_why_not(path, error)) from error


def _is_turned(file: Any, path: Path, shown: tuple[int, int] | None) -> bool:
    """Whether to turn an opened picture as its EXIF entry says."""
    if shown is not None and shown != _turned_size(file):
        if shown != file.size:
            raise InputError(
                f"{path} is {file.size[0]} x {file.size[1]} px, its annotation is of {shown[0]} x {shown[1]} "
                "px: it is another picture, or one was resized. Get the one that was annotated."
            )
        return False
    return bool(file.getexif().get(ORIENTATION, 1) != 1)


def _shallow(samples: NDArray[Any], path: Path) -> NDArray[np.uint8]:
    """The upper 8 of 16 bits."""
    highest = float(samples.max())
    if not 255 < highest <= DEEP_MAX or float(samples.min()) < 0:
        raise InputError(
            f"{path} has more than 8 bits a sample, of up to {highest:g} where white is {DEEP_MAX}: it would "
            "be black or white. Convert it to 8 bits in the way that suits it."
        )
    return (samples.astype(np.float64) / (DEEP_MAX / 255)).astype(np.uint8)


def _why_not(path: Path, error: Exception) -> str:
    data = path.read_bytes()
    if not data:
        return f"{path} is empty. {AGAIN}."
    if "truncated" in str(error).lower() or "broken" in str(error).lower():
        return f"{path} is truncated ({error}). {AGAIN}."
    if isinstance(error, OSError) and "cannot identify" in str(error):
        return (
            f"{path} is no picture that can be read: it starts with {data[:8]!r}. Convert it to JPEG or PNG."
        )
    return (
        f"{path} cannot be decoded ({type(error).__name__}: {error}). {AGAIN}, or convert it to JPEG or PNG."
    )
