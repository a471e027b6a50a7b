"""Boxes of result files that earlier runs have parsed, kept in the user's cache folder.

One file a folder of results; every byte of it is checked when it is opened, nothing in it is executed. Boxes
are taken from it where size and times of the result file are those of when it was parsed, and parsed again
otherwise. A cache that cannot be written costs time, never a result.
"""

import contextlib
import hashlib
import os
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from ebm.exceptions import InputError
from ltr.dataset.array_file import read_arrays, write_arrays
from ltr.dataset.cache import cache_folder

__all__ = ["cache_file", "cached_boxes"]

_FORMAT = "boxes 1"  # another one where `parse` comes to read a file otherwise
_MOST = 1 << 30  # bytes of all cache files; those that were not used for longest go
_YOUNG = 2_000_000_000  # ns: a file this new may be written again within the same tick of its clock

Stamp = tuple[int, int, int]  # bytes, time of the content, time of content or attributes, ns


def cached_boxes(
    files: Iterable[Path], folder: Path, parse: Callable[[Path], np.ndarray]
) -> dict[Path, np.ndarray]:
    """The boxes of result files, xywh, px, ``[T, 4]`` each, read-only.

    Args:
        files: of one folder, at any depth.
        folder: which the cache goes by.
        parse: reads a file.

    Raises:
        EBMError: of `parse`.
    """
    wanted = list(files)
    store = _Store.of(folder)
    found: dict[Path, np.ndarray] = {}
    new: dict[str, tuple[Stamp, np.ndarray]] = {}
    for file in wanted:
        name, stamp = file.relative_to(folder).as_posix(), _stamp(file)
        known = store.boxes(name, stamp)
        if known is None:
            known = parse(file)
            if stamp is not None and stamp == _stamp(file) and not _is_young(stamp):
                new[name] = (stamp, known)
        known.setflags(write=False)
        found[file] = known
    if new:
        store.write(new)
    return found


def cache_file(folder: Path) -> Path:
    """Where the boxes of a folder's results are kept."""
    digest = hashlib.blake2b(os.fsencode(folder.resolve()), digest_size=10).hexdigest()
    return cache_folder() / "results" / f"{digest}.boxes"


def _stamp(file: Path) -> Stamp | None:
    try:
        found = file.stat()
    except OSError:
        return None
    return found.st_size, found.st_mtime_ns, found.st_ctime_ns


def _is_young(stamp: Stamp) -> bool:
    return time.time_ns() - max(stamp[1:]) < _YOUNG


@dataclass(frozen=True)
class _Store:
    """What is known of a folder: by file name, its stamp and its rows of `rows`."""

    folder: Path
    entries: Mapping[str, tuple[Stamp, int, int]] = field(default_factory=dict)
    rows: np.ndarray = field(default_factory=lambda: np.empty((0, 4)))

    @classmethod
    def of(cls, folder: Path) -> "_Store":
        """The cache of a folder; an empty one where there is none, or it is damaged or of another folder."""
        file = cache_file(folder)
        try:
            meta, arrays = read_arrays(file, "cache of results")
            if meta["format"] != _FORMAT or meta["folder"] != str(folder.resolve()):
                return cls(folder)
            ends = np.cumsum([count for _, _, count in meta["files"]]).tolist()
            entries = {
                name: ((stamp[0], stamp[1], stamp[2]), end - count, end)
                for (name, stamp, count), end in zip(meta["files"], ends, strict=True)
            }
            rows = arrays["boxes"]
            if rows.shape != (ends[-1] if ends else 0, 4) or rows.dtype != np.float64:
                return cls(folder)
        except (InputError, LookupError, TypeError, ValueError):
            return cls(folder)
        with contextlib.suppress(OSError):  # a read-only cache still serves
            os.utime(file)  # used: not the one to go
        return cls(folder, entries, rows)

    def boxes(self, name: str, stamp: Stamp | None) -> np.ndarray | None:
        """The boxes of a file whose stamp is this, or None."""
        known = self.entries.get(name)
        return None if known is None or known[0] != stamp else self.rows[known[1] : known[2]]

    def write(self, new: Mapping[str, tuple[Stamp, np.ndarray]]) -> None:
        """Keep what was parsed, beside what is still as it was."""
        kept = {
            name: (stamp, self.rows[start:end])
            for name, (stamp, start, end) in self.entries.items()
            if name not in new and _stamp(self.folder / name) == stamp
        }
        both = {**kept, **new}
        meta = {
            "format": _FORMAT,
            "folder": str(self.folder.resolve()),
            "files": [[name, list(stamp), len(boxes)] for name, (stamp, boxes) in both.items()],
        }
        rows = np.concatenate([boxes for _, boxes in both.values()])
        file = cache_file(self.folder)
        with contextlib.suppress(InputError, OSError):
            write_arrays(file, meta, {"boxes": rows.astype(np.float64, copy=False)})
            _forget_oldest(file.parent)


def _forget_oldest(folder: Path) -> None:
    """Keep the cache small: the files that were used last."""
    files = [(file.stat(), file) for file in folder.glob("[0-9a-f]" * 20 + ".boxes")]
    total = 0
    for status, file in sorted(files, key=lambda item: -item[0].st_mtime):
        total += status.st_size
        if total > _MOST:
            file.unlink(missing_ok=True)
