"""Zip archives from anywhere, opened without harm: no path outside, no link, no flood, no name twice."""

import stat
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path, PurePosixPath

from ebm.exceptions import InputError
from ebm.integrity.zips import ZIP_ERRORS
from pytracking.leaderboards.findings import Finding

__all__ = ["Archive", "look_inside", "opened"]

_RATIO = 1000  # times its packed size; boxes that never move pack to a hundredth or two
_FREE = 1 << 20  # bytes that any entry may unpack to
_ENTRY = 1 << 28  # bytes of one entry: a million frames take a tenth
_ENTRIES = 1_000_000
_WHOLE = 1 << 33


class Archive:
    """An open archive whose entries have been looked at.

    Attributes:
        names: of its files, in order; folders aside.
        folders: entries that are folders.
    """

    def __init__(self, file: zipfile.ZipFile, path: Path) -> None:
        self._file, self._path = file, path
        self._entries = {e.filename: e for e in file.infolist() if not e.is_dir()}
        self.names = list(self._entries)
        self.folders = [e.filename for e in file.infolist() if e.is_dir()]

    def read(self, name: str) -> bytes:
        """The bytes of a file, never more than the directory of the archive states.

        Raises:
            InputError: if it is damaged or longer than stated.
        """
        entry = self._entries[name]
        try:
            with self._file.open(entry) as stream:
                data = stream.read(entry.file_size)
                if stream.read(1):
                    raise InputError(f"{self._path}: {name} is longer than the archive says.")
        except ZIP_ERRORS as error:
            raise InputError(f"{self._path}: {name} cannot be unpacked ({error}).") from error
        return data


@contextmanager
def opened(path: Path) -> Iterator[Archive]:
    """An archive to read from, after `look_inside` has found nothing fatal.

    Raises:
        InputError: if it is no zip archive or not safe to read.
    """
    findings = look_inside(path)
    if findings:
        raise InputError(f"{path} is not read: {findings[0].where or 'it'}: {findings[0].what}")
    with zipfile.ZipFile(path) as file:
        yield Archive(file, path)


def look_inside(path: Path) -> list[Finding]:
    """What makes an archive unsafe or unreadable; nothing is unpacked.

    Raises:
        InputError: if there is no such file.
    """
    if not path.is_file():
        raise InputError(f"There is no archive {path}.")
    try:
        with zipfile.ZipFile(path) as file:
            entries = file.infolist()
    except ZIP_ERRORS as error:
        return [Finding("not-a-zip", "", f"it is not a whole zip archive ({error}); pack it again.")]
    found = [finding for entry in entries if (finding := _unsafe(entry)) is not None]
    seen: dict[str, str] = {}
    for entry in entries:
        name = entry.filename.casefold()
        if name in seen:
            found.append(Finding("twice", entry.filename, f"the archive holds {seen[name]} too."))
        seen.setdefault(name, entry.filename)
    if len(entries) > _ENTRIES or sum(entry.file_size for entry in entries) > _WHOLE:
        found.append(Finding("flood", "", "it unpacks to far more than results of boxes can be."))
    return found


def _unsafe(entry: zipfile.ZipInfo) -> Finding | None:
    """Why an entry may not be unpacked."""
    name = entry.orig_filename
    path = PurePosixPath(name)
    if path.is_absolute() or ".." in path.parts or "\\" in name or ":" in name or "\0" in name:
        return Finding("path", name, "its name leads outside the archive, or is not one that zip allows.")
    mode = entry.external_attr >> 16
    if mode and stat.S_ISLNK(mode):
        return Finding("link", name, "it is a symbolic link; pack the file that it leads to.")
    if entry.flag_bits & 0x1:
        return Finding("encrypted", name, "it is encrypted; pack it without a password.")
    if entry.file_size > _ENTRY or entry.file_size > max(_RATIO * entry.compress_size, _FREE):
        what = f"{entry.compress_size} bytes would unpack to {entry.file_size}; that is no file of boxes."
        return Finding("flood", name, what)
    return None
