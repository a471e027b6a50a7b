"""Checksums inside the files that we write, verified before anything is taken from them.

Zip containers (those of torch and numpy) carry the SHA-256 of all their bytes as the comment of the archive,
which other readers skip. Files without one are read, and said to have none.
"""

import hashlib
import io
import logging
from pathlib import Path
from typing import IO, Any

from ebm.exceptions import InputError

__all__ = [
    "SealingWriter",
    "damaged",
    "note_unchecked",
    "require_sha256",
    "sealed_zip",
    "seal_holds",
    "sha256_of",
]

_MARK = b"ebmtrack sha256 "
_COMMENT = len(_MARK) + 64  # bytes of the comment: mark and hex digits
_TAIL = 2 + _COMMENT  # with the length field ahead of it, the last of a zip without comment
_CHUNK = 1 << 20

_log = logging.getLogger(__name__)
_noted: set[Path] = set()


def damaged(path: Path, why: object) -> InputError:
    """The error for a file whose bytes are not those that were written."""
    return InputError(f"{path} is damaged: {why}. Copy it again, or use another one; nothing of it was used.")


def note_unchecked(path: Path, what: str = "damage to it may go unnoticed") -> None:
    """Say once of a file that it carries no checksum of ours.

    Args:
        path: the file.
        what: what that means for it.
    """
    if path not in _noted:
        _noted.add(path)
        _log.warning(
            "note: %s carries no checksum, as older versions and other programs write it; %s.", path, what
        )


class SealingWriter:
    """A binary file that is being written as a zip, and its checksum; `seal` ends it.

    Args:
        file: where the bytes go, opened for writing and seeking.
    """

    def __init__(self, file: IO[bytes]) -> None:
        self._file = file
        self._hash = hashlib.sha256()

    def write(self, data: bytes) -> int:
        """Pass bytes on."""
        self._hash.update(data)
        return self._file.write(data)

    def flush(self) -> None:
        """Pass everything on that is still in buffers."""
        self._file.flush()

    def seal(self) -> None:
        """Write the checksum of what was written as the comment of the archive."""
        self._file.seek(-2, io.SEEK_END)
        self._file.write(_COMMENT.to_bytes(2, "little") + _MARK + self._hash.hexdigest().encode())


def sealed_zip(content: bytes) -> bytes:
    """A zip archive without comment, with its checksum as the comment."""
    stream = io.BytesIO()
    writer = SealingWriter(stream)
    writer.write(content)
    writer.seal()
    return stream.getvalue()


def seal_holds(path: Path) -> bool:
    """Verify the checksum in the comment of a zip archive, whatever else is in the file.

    Returns: True if it holds, False if there is none.

    Raises:
        InputError: if it does not hold.
        OSError: if the file cannot be read.
    """
    size = path.stat().st_size
    with path.open("rb") as file:
        if size <= _TAIL:
            return False
        file.seek(size - _TAIL)
        tail = file.read(_TAIL)
        if tail[2 : 2 + len(_MARK)] != _MARK:
            return False
        file.seek(0)
        digest = _digest(file, size - _TAIL)
    digest.update(b"\0\0")  # the length of the comment as it was when there was none
    if tail[:2] != _COMMENT.to_bytes(2, "little") or tail[2 + len(_MARK) :] != digest.hexdigest().encode():
        raise damaged(path, "its checksum (SHA-256) does not fit its bytes")
    return True


def _digest(file: IO[bytes], length: int) -> Any:
    """SHA-256 of the next bytes, not all of them in memory at once."""
    digest, buffer = hashlib.sha256(), memoryview(bytearray(_CHUNK))
    while length > 0:
        got = file.readinto(buffer[: min(length, _CHUNK)])  # type: ignore[attr-defined]
        if not got:
            break
        digest.update(buffer[:got])
        length -= got
    return digest


def require_sha256(path: Path, expected: str) -> None:
    """Refuse a file that is not the one meant; of the right one nothing is noted.

    Args:
        path: the file.
        expected: its SHA-256, hex digits.

    Raises:
        InputError: if it cannot be read, or has another.
    """
    if sha256_of(path) != expected:
        raise damaged(path, f"its SHA-256 is not {expected}")
    _noted.add(path)


def sha256_of(path: Path) -> str:
    """SHA-256 of a file, hex digits.

    Raises:
        InputError: if it cannot be read.
    """
    try:
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except OSError as error:
        raise InputError(f"{path} cannot be read: {error.strerror or error}.") from error
