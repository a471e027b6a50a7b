"""Archives of results from elsewhere, unpacked only after their list of contents has been looked at."""

import atexit
import shutil
import stat
import tarfile
import tempfile
import zipfile
from functools import cache
from pathlib import Path, PurePosixPath

from ebm.exceptions import InputError

__all__ = ["is_archive", "is_unpacked", "unpacked"]

_PREFIX = "ebmtrack-results-"  # of the temporary folders

_LARGEST_RATIO = 1000  # bytes out for each byte in; box files give 3 to 6
_LARGEST_SIZE = 8 << 30  # bytes
_MOST_ENTRIES = 2_000_000
_SUFFIXES = (".zip", ".tar", ".tar.gz", ".tgz", ".tar.xz", ".tar.bz2")


def is_archive(path: Path) -> bool:
    """Whether a file is named like an archive that `unpacked` takes."""
    return path.is_file() and path.name.lower().endswith(_SUFFIXES)


def is_unpacked(folder: Path) -> bool:
    """Whether a folder lies in one that `unpacked` has made."""
    return any(part.startswith(_PREFIX) for part in folder.parts)


def unpacked(path: Path) -> Path:
    """The contents of an archive in a temporary folder, which is removed when the program ends.

    Args:
        path: a zip or tar file.

    Raises:
        InputError: if it is damaged, has a path outside itself, a link or a device, or contents that are
            a thousandfold of its size.
    """
    return _unpacked(str(path.resolve()), path.stat().st_mtime_ns)


@cache
def _unpacked(name: str, changed: int) -> Path:
    path = Path(name)
    folder = Path(tempfile.mkdtemp(prefix=_PREFIX))
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    try:
        if path.name.lower().endswith(".zip"):
            _unpack_zip(path, folder)
        else:
            _unpack_tar(path, folder)
    except (zipfile.BadZipFile, tarfile.TarError, EOFError, OSError, NotImplementedError) as error:
        raise InputError(f"{path} is no whole archive ({error}); download it again.") from error
    except RuntimeError as error:  # what zipfile says of a password
        raise InputError(f"{path} cannot be unpacked ({error}).") from error
    return folder


def _unpack_zip(path: Path, folder: Path) -> None:
    with zipfile.ZipFile(path) as archive:
        members = archive.infolist()
        for member in members:
            _require_inside(path, member.filename)
            mode = member.external_attr >> 16
            if stat.S_ISLNK(mode):
                raise InputError(f"{path} holds a link, {member.filename}; results are plain files.")
        _require_size(path, [member.file_size for member in members])
        archive.extractall(folder)


def _unpack_tar(path: Path, folder: Path) -> None:
    members, total = [], 0
    with tarfile.open(path) as archive:
        for member in archive:
            _require_inside(path, member.name)
            if not (member.isfile() or member.isdir()):
                raise InputError(f"{path} holds a link or a device, {member.name}; results are plain files.")
            members.append(member)
            total += member.size
            _require_size(path, [total])
        archive.extractall(folder, members=members, filter="data")


def _require_inside(path: Path, name: str) -> None:
    parts = PurePosixPath(name.replace("\\", "/"))
    if parts.is_absolute() or ".." in parts.parts or (parts.parts and parts.parts[0].endswith(":")):
        raise InputError(
            f"{path} holds {name!r}, a path outside the archive; nothing was unpacked. Do not trust "
            "this file."
        )


def _require_size(path: Path, sizes: list[int]) -> None:
    total, packed = sum(sizes), max(path.stat().st_size, 1)
    if total > _LARGEST_SIZE or total > _LARGEST_RATIO * packed or len(sizes) > _MOST_ENTRIES:
        raise InputError(
            f"{path} of {packed} bytes claims to hold {total} bytes in {len(sizes)} files, which no results "
            "do; nothing was unpacked."
        )
