"""Annotations of a root, parsed once and kept on disk; parsed again where size or time have changed."""

import contextlib
import hashlib
import logging
import os
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from ebm.bars import progress_bar
from ebm.exceptions import InputError
from ltr.data.video import Annotation
from ltr.dataset.array_file import Arrays, read_arrays, write_arrays
from ltr.dataset.cache import cache_folder
from ltr.dataset.store import AnnotationStore

__all__ = ["AnnotationIndex", "Source", "index_file", "stamp_of"]

_FORMAT = "annotations 1"
_KEPT = 64  # index files in the cache; the ones that were not used for longest go
_THREADS = 8  # a cold or remote disk answers many questions at once

_log = logging.getLogger(__name__)


def index_file(dataset: str, root: Path) -> Path:
    """Where the index of a root lies."""
    digest = hashlib.blake2b(os.fsencode(root.resolve()), digest_size=10).hexdigest()
    return cache_folder() / "annotations" / f"{dataset}-{digest}.idx"


def stamp_of(paths: Iterable[Path]) -> int:
    """A number that changes with the size or the time of any of some files, or with whether they are there.

    A folder counts by its time alone, which changes when a file is added, removed or renamed in it.
    """
    facts: list[tuple[int, int]] = []
    for path in paths:
        try:
            found = os.stat(path)
        except OSError:
            facts.append((-1, -1))
        else:
            is_folder = (found.st_mode & 0o170000) == 0o040000
            facts.append((-2 if is_folder else found.st_size, found.st_mtime_ns))
    return int.from_bytes(
        hashlib.blake2b(repr(facts).encode(), digest_size=8).digest(), "little", signed=True
    )


@dataclass(frozen=True)
class Source:
    """What an index knows of a sequence: its name, how to see whether it changed, how to parse it."""

    name: str
    stamp: Callable[[], int]
    read: Callable[[], Annotation]


class AnnotationIndex:
    """Annotations of a root that earlier runs have parsed. Missing, stale and damaged ones are parsed again.

    Several processes may build the same index at once: each writes it whole, under a temporary name, and the
    last one wins. A cache that cannot be written costs time, never a run.
    """

    def __init__(self, dataset: str, root: Path) -> None:
        """Name an index; nothing is read yet."""
        self.dataset, self.root = dataset, root
        self.file = index_file(dataset, root)

    def load(self, sources: Sequence[Source], store: AnnotationStore) -> dict[int, str]:
        """Fill a store with the annotations of some sequences.

        Args:
            sources: the sequences, in the order of the store.
            store: filled in place.

        Returns:
            What is wrong with those that cannot be parsed, by position.
        """
        names, arrays = self._read()
        rows = {name: row for row, name in enumerate(names)}
        with ThreadPoolExecutor(_THREADS) as pool:
            stamps = np.fromiter(pool.map(lambda s: s.stamp(), sources), dtype=np.int64, count=len(sources))
        known = np.array([rows.get(source.name, -1) for source in sources], dtype=np.int64)
        fresh = known >= 0
        fresh[fresh] = arrays["stamps"][known[fresh]] == stamps[fresh]
        known[~fresh] = -1
        store.adopt(known, arrays)
        stale = [int(index) for index in np.flatnonzero(~fresh)]
        if not stale:
            return {}
        broken = self._parse(sources, stale, store)
        good = np.array([index for index in stale if index not in broken], dtype=np.int64)
        if len(good):
            self._merge(sources, stamps, good, names, arrays, store)
        return broken

    def _read(self) -> tuple[list[str], Arrays]:
        """Names and arrays of the index file; none if there is no usable one."""
        try:
            meta, arrays = read_arrays(self.file, "annotation index")
            if meta.get("format") == _FORMAT and meta.get("root") == str(self.root.resolve()):
                with contextlib.suppress(OSError):  # a read-only cache still serves
                    os.utime(self.file)  # used: not the one to go when the cache is full
                return list(meta["names"]), arrays
        except InputError as error:
            if self.file.exists():
                _log.warning("%s It is built anew.", error)
        empty = AnnotationStore(0).arrays()
        return [], {**empty, "stamps": np.empty(0, dtype=np.int64)}

    def _parse(self, sources: Sequence[Source], stale: list[int], store: AnnotationStore) -> dict[int, str]:
        """Parse sequences into the store; what is wrong with those that cannot be."""

        def read(index: int) -> str:
            try:
                store.get(index, lambda _: sources[index].read())
            except InputError as error:
                return str(error)
            return ""

        # A bar only where it takes long: cold disks need minutes for tens of thousands of small files.
        with ThreadPoolExecutor(_THREADS) as pool:
            done = progress_bar(
                pool.map(read, stale),
                desc=f"Indexing {self.dataset}",
                total=len(stale),
                unit="seq",
                delay=3,
                leave=False,
            )
            return {index: problem for index, problem in zip(stale, done, strict=True) if problem}

    def _merge(
        self,
        sources: Sequence[Source],
        stamps: npt.NDArray[np.int64],
        good: npt.NDArray[np.int64],
        names: list[str],
        arrays: Arrays,
        store: AnnotationStore,
    ) -> None:
        """Write what the index held and is not superseded, and what was parsed; map it into the store."""
        store.pack()
        new = {sources[index].name for index in good}
        kept = np.array([row for row, name in enumerate(names) if name not in new], dtype=np.int64)
        old = AnnotationStore(len(names))
        old.adopt(np.arange(len(names)), arrays)
        combined = AnnotationStore.joined([(old, kept), (store, good)])
        combined["stamps"] = np.concatenate((arrays["stamps"][kept], stamps[good]))
        all_names = [names[row] for row in kept] + [sources[index].name for index in good]
        meta = {
            "format": _FORMAT,
            "dataset": self.dataset,
            "root": str(self.root.resolve()),
            "names": all_names,
        }
        try:
            write_arrays(self.file, meta, combined)
            _forget_oldest(self.file.parent)
            _, combined = read_arrays(self.file, "annotation index")
        except (InputError, OSError) as error:
            _log.warning("annotations are parsed again next time: %s", error)
        position = {name: row for row, name in enumerate(all_names)}
        store.adopt(np.array([position.get(s.name, -1) for s in sources], dtype=np.int64), combined)


def _forget_oldest(folder: Path) -> None:
    """Keep the cache small: the index files that were used last."""
    ours = "*-" + "[0-9a-f]" * 20 + ".idx"  # see `index_file`; other files in the folder are not ours
    files = sorted(folder.glob(ours), key=lambda file: file.stat().st_mtime, reverse=True)
    for file in files[_KEPT:]:
        file.unlink(missing_ok=True)
