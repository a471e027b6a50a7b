"""What a command is going to write, checked before its first byte against what it reads."""

import os
import stat
import tempfile
from collections import deque
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from itertools import combinations
from pathlib import Path

from ebm.exceptions import InputError

__all__ = ["Output", "require_outputs"]

_ENTRIES = 20_000  # looked at for links where nothing is overwritten; the upper levels of a large data set


@dataclass(frozen=True, kw_only=True)
class Output:
    """A place that is going to be written.

    Attributes:
        name: what the user calls it, e.g. ``--out``.
        path: a file, or a folder that files go to; need not exist.
        folder: whether it is a folder.
        owned: of a folder: whether whatever lies there may be replaced, so that no input may lie in it.
        stream: of a file: whether it is written from front to back, so that a pipe or a device will do.
    """

    name: str
    path: Path
    folder: bool = False
    owned: bool = False
    stream: bool = False

    def __str__(self) -> str:
        return f"{self.name} {self.path}"


def require_outputs(
    outputs: Iterable[Output], inputs: Mapping[str, Path | Iterable[Path] | None] | None = None
) -> None:
    """Refuse outputs that would destroy an input or each other, or that cannot be written.

    A path is compared by what it leads to: through symbolic and hard links, other spellings, and folders that
    are not there yet. Nothing is written, and no folder is made.

    Args:
        outputs: everything that is going to be written, places of files left to a default included.
        inputs: name as the user knows it -> what is read. Of a file nobody may write that file; of a folder
            nothing may be written into it, at any depth. None and files that do not exist are skipped.

    Raises:
        InputError: if an output is an input, lies in a folder that is read, or holds inputs that it may
            replace; if two outputs are one file; if a file is asked for where a folder is, or the reverse;
            if the place cannot be written to or is full.
    """
    wanted = list(outputs)
    given = [(name, path) for name, paths in (inputs or {}).items() for path in _each(paths)]
    for output in wanted:
        _require_kind(output)
        for name, path in given:
            _require_apart(output, name, path)
    for one, other in combinations(wanted, 2):
        _require_different(one, other)
    for output in wanted:
        _require_place(output)


def _each(paths: Path | Iterable[Path] | None) -> Iterator[Path]:
    if paths is None:
        return
    for path in [paths] if isinstance(paths, Path) else paths:
        if os.path.lexists(path):
            yield path


def _status(path: Path, what: object) -> os.stat_result | None:
    """What is there, through links; None if nothing is."""
    try:
        return path.stat()
    except (FileNotFoundError, NotADirectoryError):
        return None
    except OSError as error:  # a loop of links, a name that is too long, a folder that may not be entered
        raise InputError(f"{what} cannot be written: {error.strerror or error}.") from error


def _require_kind(output: Output) -> None:
    found = _status(output.path, output)
    if found is None:
        return
    is_folder = stat.S_ISDIR(found.st_mode)
    if is_folder and not output.folder:
        raise InputError(f"{output} is a folder; choose a file.")
    if output.folder and not is_folder:
        raise InputError(f"{output} is a file; choose a folder.")
    if not (is_folder or stat.S_ISREG(found.st_mode) or output.stream):
        raise InputError(f"{output} is a device or a pipe; choose a file.")


def _require_apart(output: Output, name: str, path: Path) -> None:
    """Refuse an output that is the input `path`, lies in it, or may replace it."""
    if output.owned and any(_within(place, output.path) for place in _places(path)):
        raise InputError(
            f"{output} may be replaced as a whole, and {name} {path} lies in it. Choose another place."
        )
    if not path.is_dir():
        if not output.folder and _same(output.path, path):
            raise InputError(f"{output} is {name} {path}, which would be lost. Choose another path.")
        return
    if any(_within(place, path) for place in _places(output.path)) or _reached(output, path):
        raise InputError(
            f"{output} lies in {name} {path}, a folder that is read and stays as it is. Choose another place."
        )


def _require_different(one: Output, other: Output) -> None:
    if one.folder and other.folder:
        return
    if _same(one.path, other.path):
        raise InputError(f"{one} and {other} are the same file. Choose two.")
    for file, below in ((one, other), (other, one)):
        if not file.folder and any(_within(place, file.path) for place in _places(below.path)):
            raise InputError(f"{below} lies below {file}, which is going to be a file. Choose another path.")


def _places(path: Path) -> tuple[Path, Path]:
    """Where a name is, and where what it leads to is: they differ for a link."""
    full = Path(os.path.abspath(path))
    return Path(os.path.realpath(full.parent)) / full.name, Path(os.path.realpath(path))


def _same(one: Path, other: Path) -> bool:
    try:
        return one.samefile(other)  # sees hard links, and case where the file system ignores it
    except OSError:
        return bool(set(_places(one)) & set(_places(other)))


def _within(place: Path, folder: Path) -> bool:
    """Whether a resolved path is `folder` or lies below it."""
    return any(_same(above, folder) for above in (place, *place.parents))


def _reached(output: Output, folder: Path) -> bool:
    """Whether links in a folder that is read lead to the output, or to a folder around it."""
    found = _status(output.path, output)
    overwritten = found is not None and stat.S_ISREG(found.st_mode)
    places = _places(output.path)
    for count, entry in enumerate(_entries(folder)):
        if not overwritten and count >= _ENTRIES:
            return False
        if entry.is_symlink():
            target = Path(os.path.realpath(entry.path))
            if any(_within(place, target) for place in places):
                return True
        elif (
            found is not None
            and found.st_nlink > 1  # a hard link has no target, only a number that it shares
            and entry.inode() == found.st_ino
            and _same(Path(entry.path), output.path)
        ):
            return True
    return False


def _entries(folder: Path) -> Iterator[os.DirEntry[str]]:
    """Everything below a folder, level by level; links to folders are followed, each folder once."""
    waiting, seen = deque([str(folder)]), set[str]()
    while waiting:
        current = os.path.realpath(waiting.popleft())
        if current in seen:
            continue
        seen.add(current)
        try:
            with os.scandir(current) as entries:
                for entry in entries:
                    yield entry
                    if entry.is_dir():
                        waiting.append(entry.path)
        except OSError:  # what cannot be listed cannot be read either
            continue


def _require_place(output: Output) -> None:
    """Refuse a place that nothing can be written to; tried, since permissions do not tell all."""
    for place in dict.fromkeys(_places(output.path)):
        found = _status(place, output)
        if found is not None and not stat.S_ISDIR(found.st_mode):
            if not os.access(place, os.W_OK):
                raise InputError(f"{output} cannot be written: it is read-only. Choose another path.")
            if not stat.S_ISREG(found.st_mode):
                return
        folder = place if output.folder else place.parent
        while not folder.exists():
            folder = folder.parent
        try:
            with tempfile.TemporaryFile(dir=folder) as file:
                file.write(bytes(4096))
                file.flush()
                os.fsync(file.fileno())
        except OSError as error:
            raise InputError(
                f"{output} cannot be written: {error.strerror or error} ({folder}). Choose another path."
            ) from error
