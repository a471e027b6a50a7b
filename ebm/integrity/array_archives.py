"""Named arrays as an npz archive with a checksum, read without trusting a size that it states."""

import io
import math
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from ebm.files import write_atomic
from ebm.integrity.checksums import damaged, sealed_zip
from ebm.integrity.zips import require_sound_zip

__all__ = ["read_array_archive", "write_array_archive"]

_VERSIONS = {(1, 0): np.lib.format.read_array_header_1_0, (2, 0): np.lib.format.read_array_header_2_0}


def write_array_archive(path: Path, arrays: Mapping[str, np.ndarray]) -> None:
    """Write arrays of numbers, whole or not at all; `numpy.load` reads them as well.

    Raises:
        InputError: if the file cannot be written.
    """
    stream = io.BytesIO()
    np.savez_compressed(stream, allow_pickle=False, **arrays)
    write_atomic(path, sealed_zip(stream.getvalue()))


def read_array_archive(path: Path, *, said_of: Path | None = None) -> dict[str, np.ndarray]:
    """The arrays of an npz archive by name.

    Args:
        path: the file.
        said_of: what is said to have no checksum if this file has none, e.g. the folder of many like it.

    Raises:
        InputError: if the file is damaged or truncated, or an array is of another size than it states.
        OSError: if it is missing or cannot be read.
    """
    require_sound_zip(path, said_of)
    arrays = {}
    with zipfile.ZipFile(path) as archive:
        for name in archive.namelist():
            try:
                arrays[name.removesuffix(".npy")] = _array(archive.read(name))
            except (ValueError, KeyError) as error:
                raise damaged(path, f"part {name!r} holds no array ({error})") from error
    return arrays


def _array(content: bytes) -> np.ndarray[Any, Any]:
    """The array in a part.

    Raises:
        ValueError: if there is none, or fewer or more numbers than it states.
        KeyError: if its format is of an unknown version.
    """
    stream = io.BytesIO(content)
    shape, by_columns, dtype = _VERSIONS[np.lib.format.read_magic(stream)](stream)
    there = len(content) - stream.tell()
    if dtype.hasobject or min(shape, default=0) < 0 or math.prod(shape) * dtype.itemsize != there:
        raise ValueError(f"it states {shape} of {dtype} and has {there} bytes of them")
    flat = np.frombuffer(content, dtype, offset=stream.tell())
    return flat.reshape(shape, order="F" if by_columns else "C").copy()
