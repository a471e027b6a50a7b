"""Zip containers checked as a whole before a reader that checks nothing opens them."""

import struct
import zipfile
import zlib
from pathlib import Path

from ebm.integrity.checksums import damaged, note_unchecked, seal_holds

__all__ = ["ZIP_ERRORS", "require_sound_zip", "verified_zip"]

_EXPANSION = 20  # times the size of the file; weights hardly compress at all
_ALWAYS = 1 << 24  # bytes that any file may unpack to
_CHUNK = 1 << 20
_FOLDER = 0x10  # DOS attribute: readers skip the bytes of such an entry
_END, _END_BYTES = b"PK\x05\x06", 22  # of the record that ends an archive, without the comment
ZIP_ERRORS = (  # of zipfile on damage: also on versions, methods and passwords that it does not know
    zipfile.BadZipFile,
    NotImplementedError,
    RuntimeError,
    ValueError,
    LookupError,
    EOFError,
    OverflowError,
    struct.error,
    zlib.error,
)


def require_sound_zip(path: Path, said_of: Path | None = None) -> dict[str, int]:
    """Verify a zip archive: our checksum of the whole, else the CRC-32 of every part; and its sizes.

    Args:
        path: the file.
        said_of: what is said to have no checksum if this file has none; by default the file.

    Returns:
        Bytes of every part by name, as its reader will unpack it.

    Raises:
        InputError: if it is damaged, truncated, or would unpack to far more than its size.
        OSError: if it cannot be read.
    """
    sealed, sizes = verified_zip(path)
    if not sealed:
        note_unchecked(said_of or path, "the CRC-32 of its parts was verified")
    return sizes


def verified_zip(path: Path) -> tuple[bool, dict[str, int]]:
    """Whether a zip archive carries our checksum, and its parts; as `require_sound_zip`, without a word."""
    sealed = seal_holds(path)
    try:
        with zipfile.ZipFile(path) as archive:
            _require_end(path, archive.comment)
            sizes = _sizes(archive, path.stat().st_size)
            if not sealed:
                for entry in archive.infolist():
                    with archive.open(entry) as part:
                        while part.read(_CHUNK):
                            pass  # the last read compares the CRC-32
    except ZIP_ERRORS as error:
        raise damaged(path, f"truncated or not intact as a zip archive ({_words(error)})") from error
    return sealed, sizes


def _words(error: Exception) -> str:
    return next(iter(str(error).splitlines()), "").rstrip(".") or type(error).__name__


def _require_end(path: Path, comment: bytes) -> None:
    """Have the archive end where it says that it does; `zipfile` forgives a comment cut short.

    Raises:
        ValueError: if it ends earlier or later.
    """
    with path.open("rb") as file:
        file.seek(max(path.stat().st_size - _END_BYTES - len(comment), 0))
        end = file.read(_END_BYTES)
    if end[:4] != _END or end[-2:] != len(comment).to_bytes(2, "little"):
        raise ValueError("it does not end as it says")


def _sizes(archive: zipfile.ZipFile, size: int) -> dict[str, int]:
    """Bytes of every part.

    Raises:
        ValueError: if the directory of the archive is not to be believed.
    """
    entries = archive.infolist()
    for entry in entries:
        if (
            entry.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)
            or entry.external_attr & _FOLDER
        ):
            raise ValueError(f"part {entry.filename!r} is stored in a way that is not used for weights")
        if entry.compress_type == zipfile.ZIP_STORED and entry.file_size != entry.compress_size:
            raise ValueError(f"part {entry.filename!r} has two sizes")
    if len({entry.filename.casefold() for entry in entries}) < len(entries):
        raise ValueError("two parts have one name")
    total = sum(entry.file_size for entry in entries)
    if total > max(_EXPANSION * size, _ALWAYS):
        raise ValueError(f"{size} bytes would unpack to {total}")
    return {entry.filename: entry.file_size for entry in entries}
