"""Named arrays and some JSON in one file, which is checked when it is opened and then mapped, not read."""

import json
import math
import zlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from ebm.exceptions import InputError
from ebm.files import write_atomic

__all__ = ["Arrays", "read_arrays", "write_arrays"]

Arrays = dict[str, npt.NDArray[Any]]

_MAGIC = b"EBMTARR1"
_ALIGN = 64  # bytes; arrays begin at multiples of it
_CHUNK = 1 << 24  # bytes read at once while checking
_FAULTS = (  # of a file that is not what it says
    OSError,
    ValueError,
    LookupError,
    TypeError,
    AttributeError,
    ArithmeticError,
    RecursionError,
)


def _padded(length: int) -> int:
    """`length` rounded up to the alignment."""
    return -(-length // _ALIGN) * _ALIGN


def write_arrays(path: Path, meta: Mapping[str, Any], arrays: Mapping[str, npt.NDArray[Any]]) -> None:
    """Write a file; readers see all of it or nothing.

    Args:
        path: the file.
        meta: what JSON can hold.
        arrays: by name; numbers or fixed-length bytes.

    Raises:
        InputError: if it cannot be written, e.g. because the disk is full.
    """
    table: dict[str, dict[str, Any]] = {}
    parts: list[bytes | memoryview] = []
    at = 0
    for name, array in arrays.items():
        raw = _raw(np.ascontiguousarray(array))
        table[name] = {
            "dtype": array.dtype.str,
            "shape": list(array.shape),
            "offset": at,
            "crc": zlib.crc32(raw),
        }
        parts += [raw, bytes(_padded(len(raw)) - len(raw))]
        at += _padded(len(raw))
    header = json.dumps({"meta": meta, "arrays": table, "size": at}, ensure_ascii=False).encode()
    start = _MAGIC + len(header).to_bytes(4, "little") + zlib.crc32(header).to_bytes(4, "little") + header
    write_atomic(path, [start.ljust(_padded(len(start)), b"\0"), *parts])


def _raw(array: npt.NDArray[Any]) -> memoryview:
    """The bytes of a contiguous array, not copied."""
    return array.reshape(-1).view(np.uint8).data


def _header(path: Path) -> tuple[dict[str, Any], int]:
    """The header of a file and where the arrays begin.

    Raises:
        ValueError: if it is not one of ours or is damaged.
    """
    with path.open("rb") as file:
        start = file.read(len(_MAGIC) + 8)
        if start[: len(_MAGIC)] != _MAGIC or len(start) < len(_MAGIC) + 8:
            raise ValueError("it does not begin as such a file does")
        length, crc = (int.from_bytes(start[at : at + 4], "little") for at in (len(_MAGIC), len(_MAGIC) + 4))
        text = file.read(min(length, path.stat().st_size))
    if len(text) != length or zlib.crc32(text) != crc:
        raise ValueError("its header is damaged")
    header: dict[str, Any] = json.loads(text)
    begin = _padded(len(start) + length)
    if path.stat().st_size != begin + header["size"]:
        raise ValueError(f"it has {path.stat().st_size} bytes instead of {begin + header['size']}")
    return header, begin


def _crc(array: npt.NDArray[Any]) -> int:
    """Checksum of an array, read piece by piece so that a mapped one does not fill memory."""
    raw, crc = _raw(array), 0
    for at in range(0, len(raw), _CHUNK):
        crc = zlib.crc32(raw[at : at + _CHUNK], crc)
    return crc


def read_arrays(path: Path, what: str) -> tuple[dict[str, Any], Arrays]:
    """Open a file and check every byte of it.

    Args:
        path: the file.
        what: what it is to the reader, for messages.

    Returns:
        The JSON part, and the arrays, mapped into memory: processes share them, and writing to them changes
        nothing on disk.

    Raises:
        InputError: if the file is missing, not one of ours, truncated or damaged.
    """
    try:
        header, begin = _header(path)
        arrays: Arrays = {}
        for name, entry in header["arrays"].items():
            arrays[name] = _checked(path, name, entry, begin, header["size"])
    except FileNotFoundError as error:
        raise InputError(f"{what} {path} is missing.") from error
    except _FAULTS as error:
        raise InputError(f"{what} {path} cannot be used: {error}.") from error
    return header["meta"], arrays


def _checked(path: Path, name: str, entry: Mapping[str, Any], begin: int, size: int) -> npt.NDArray[Any]:
    """An array of a file, every byte of it checked.

    Args:
        path: the file.
        name: of the array.
        entry: what the header says of it.
        begin: where the arrays begin, bytes.
        size: of all of them, bytes.

    Raises:
        ValueError: if it would lie elsewhere, or its bytes are not those that were written.
    """
    offset, shape, dtype = entry["offset"], tuple(entry["shape"]), np.dtype(entry["dtype"])
    if not all(isinstance(n, int) and n >= 0 for n in (offset, *shape)) or (
        offset + math.prod(shape) * dtype.itemsize > size
    ):
        raise ValueError(f"its part {name!r} would lie outside of it")
    array: npt.NDArray[Any] = np.empty(shape, dtype)
    if array.size:
        array = np.asarray(np.memmap(path, dtype, mode="c", offset=begin + offset, shape=shape))
    if _crc(array) != entry["crc"]:
        raise ValueError(f"its part {name!r} is damaged")
    return array
