"""Features of pictures that were computed once: found again by the content of the file."""

import hashlib
import os
import time
import warnings
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from ebm.bars import terminal_bar
from ebm.exceptions import InputError
from ebm.files import expanded, require_writable_folder
from ebm.images.features import Extractor
from ebm.images.reading import Frame, Source, read_picture, require_pillow
from ebm.integrity.array_archives import read_array_archive, write_array_archive

__all__ = ["FeatureCache", "Found", "Speed", "default_folder"]

# Pictures of a file of the cache, which is what Ctrl-C may cost, and of a call of the backbone.
BLOCK, BATCH = 256, 32
KEY = 32  # bytes of SHA-256


@dataclass(frozen=True)
class Speed:
    """How fast features came.

    Attributes:
        computed: pictures that were not in the cache.
        known: pictures that were.
        seconds: that the former took.
        waiting: share of it in which the backbone waited for pixels.
    """

    computed: int
    known: int
    seconds: float
    waiting: float

    def __str__(self) -> str:
        if not self.computed:
            return f"all {self.known} pictures were in the cache"
        rate = self.computed / max(self.seconds, 1e-9)
        return (
            f"{self.computed} pictures at {rate:.1f} a second, {100 * self.waiting:.0f} % of the time "
            f"waiting for pixels; {self.known} were in the cache"
        )


class Found(NamedTuple):
    """Features of pictures.

    Attributes:
        features: ``(N, V, F)`` float16; of pictures that cannot be read 0.
        faults: what is wrong, by the place of the picture.
        notes: what was converted, by the place.
        speed: how long it took.
    """

    features: Tensor
    faults: dict[int, str]
    notes: dict[int, str]
    speed: Speed


def default_folder() -> Path:
    """Where features are kept unless told otherwise: ``$EBMTRACK_FEATURES``, else the user's cache."""
    named = os.environ.get("EBMTRACK_FEATURES")
    if named:
        return expanded(named)
    base = os.environ.get("XDG_CACHE_HOME") or "~/.cache"
    return expanded(base) / "ebmtrack" / "features"


class FeatureCache:
    """Computes features, and keeps them as float16 in files of `BLOCK` pictures, each whole or not at all.

    A picture is known by the SHA-256 of its file, so that one that moved is known and one that changed is
    not. What is there when a run is killed is there for the next; several runs may share the folder.

    Args:
        extractor: computes them; other recipes and weights have folders of their own.
        folder: None keeps nothing.
        tell: takes sentences for the user.
    """

    def __init__(
        self, extractor: Extractor, folder: Path | None, tell: Callable[[str], None] | None = None
    ) -> None:
        self.extractor, self.tell = extractor, tell or (lambda _: None)
        self.folder = None if folder is None else folder / extractor.digest[:16]
        self._known: dict[bytes, NDArray[np.float16]] = {}
        self._read: set[str] = set()

    @property
    def bytes_each(self) -> int:
        """Bytes that a picture's features take."""
        return 2 * self.extractor.recipe.views * self.extractor.width

    def features(self, paths: Sequence[Source], progress: bool = False) -> Found:
        """Features of pictures, computed where they are not known.

        Args:
            paths: of the files, N.
            progress: show a bar, where tqdm is installed and the output is a terminal.

        Raises:
            InputError: if the folder cannot be written to.
            MissingPackageError: if Pillow is not installed.
        """
        require_pillow()
        self._load()
        faults: dict[int, str] = {}
        keys = [self._key(path, place, faults) for place, path in enumerate(paths)]
        wanted: dict[bytes, int] = {}
        for place, key in enumerate(keys):
            if key is not None and key not in self._known:
                wanted.setdefault(key, place)
        known = len(paths) - len(wanted) - len(faults)
        if wanted:
            self._say_size(len(wanted), known)
        notes: dict[int, str] = {}
        work = _Work(self.extractor, [(paths[place], place) for place in wanted.values()], faults, notes)
        blocks, total = work.blocks(), -(-len(wanted) // BLOCK)
        bar = terminal_bar(blocks, desc="features", unit=f"x{BLOCK}", total=total)
        for block in bar if progress and total else blocks:
            self._keep([(keys[place], row) for place, row in block])
        shape = (len(paths), self.extractor.recipe.views, self.extractor.width)
        features = torch.zeros(shape, dtype=torch.float16)
        for place, key in enumerate(keys):
            if key in self._known:
                features[place] = torch.from_numpy(self._known[key])
            elif place not in faults:  # the same content as one that is broken
                faults[place] = faults[wanted[key]]  # type: ignore[index]
        return Found(features, faults, notes, Speed(len(wanted), known, work.seconds, work.waiting))

    def _say_size(self, missing: int, known: int) -> None:
        needed = missing * self.bytes_each / 2**20
        place = "in memory alone" if self.folder is None else f"in {self.folder}"
        recipe = self.extractor.recipe
        self.tell(
            f"features of {missing} pictures ({known} are known): {recipe.views} x {self.extractor.width} "
            f"numbers each, {needed:.1f} MB {place}"
        )

    def _load(self) -> None:
        """What other runs have left since the last look."""
        if self.folder is None or not self.folder.is_dir():
            return
        for file in sorted(self.folder.glob("*.npz")):
            if file.name in self._read:
                continue
            self._read.add(file.name)
            try:
                arrays = read_array_archive(file)
                own, rows = arrays["keys"], arrays["features"]
                expected = (len(own), self.extractor.recipe.views, self.extractor.width)
                if own.shape != (len(own), KEY) or own.dtype != np.uint8 or rows.shape != expected:
                    raise InputError(f"{file} holds other features than its folder says")
            except (InputError, OSError, KeyError) as error:
                warnings.warn(f"{error}; its pictures are computed again.", stacklevel=3)
                continue
            self._known |= {key.tobytes(): row for key, row in zip(own, rows.astype(np.float16, copy=False))}

    def _keep(self, rows: list[tuple[bytes | None, NDArray[np.float16]]]) -> None:
        own = {key: row for key, row in rows if key is not None}
        if not own:
            return
        self._known |= own
        if self.folder is None:
            return
        require_writable_folder(self.folder)
        keys = np.frombuffer(b"".join(own), dtype=np.uint8).reshape(-1, KEY)
        name = f"{hashlib.sha256(keys.tobytes()).hexdigest()[:24]}.npz"
        write_array_archive(self.folder / name, {"keys": keys, "features": np.stack([*own.values()])})
        self._read.add(name)

    @staticmethod
    def _key(path: Source, place: int, faults: dict[int, str]) -> bytes | None:
        if isinstance(path, Frame):
            return hashlib.sha256(repr(path.pixels.shape).encode() + path.pixels.tobytes()).digest()
        try:
            return hashlib.sha256(path.read_bytes()).digest()
        except OSError as error:
            faults[place] = f"{path} cannot be read: {error.strerror or error}"
            return None


class _Work:
    """Reads pictures on another thread while the backbone computes; what fails is noted and left out."""

    def __init__(
        self,
        extractor: Extractor,
        todo: Sequence[tuple[Source, int]],
        faults: dict[int, str],
        notes: dict[int, str],
    ) -> None:
        self.extractor, self.todo, self.faults, self.notes = extractor, todo, faults, notes
        self.seconds = self.waited = 0.0

    @property
    def waiting(self) -> float:
        """Share of the time that went by without pixels."""
        return self.waited / self.seconds if self.seconds else 0.0

    def blocks(self) -> Iterator[list[tuple[int, NDArray[np.float16]]]]:
        """Places and features, a block at a time."""
        start = time.perf_counter()
        block: list[tuple[int, NDArray[np.float16]]] = []
        batches = [self.todo[k : k + BATCH] for k in range(0, len(self.todo), BATCH)]
        with ThreadPoolExecutor(1) as pool:
            waiting = [pool.submit(self._pixels, batch) for batch in batches[:2]]
            for number in range(len(batches)):
                asked = time.perf_counter()
                places, pixels = waiting.pop(0).result()
                self.waited += time.perf_counter() - asked
                if number + 2 < len(batches):
                    waiting.append(pool.submit(self._pixels, batches[number + 2]))
                if places:
                    block += zip(places, self._halved(self.extractor(np.stack(pixels))))
                if len(block) >= BLOCK or number + 1 == len(batches):
                    self.seconds = time.perf_counter() - start
                    yield block
                    block = []

    def _pixels(self, batch: Sequence[tuple[Source, int]]) -> tuple[list[int], list[NDArray[np.uint8]]]:
        places, pixels = [], []
        for path, place in batch:
            try:
                picture = read_picture(path, self.extractor.recipe.size)
            except InputError as error:
                self.faults[place] = str(error)
                continue
            if picture.converted:
                self.notes[place] = picture.converted
            places.append(place)
            pixels.append(picture.pixels)
        return places, pixels

    def _halved(self, features: Tensor) -> Iterable[NDArray[np.float16]]:
        limit = float(torch.finfo(torch.float16).max)
        if bool((features.abs() > limit).any()):
            raise InputError(
                f"features of {self.extractor.recipe.backbone} reach {features.abs().max():.3g}, beyond what "
                "16 bits hold; choose other layers of it."
            )
        return iter(features.half().numpy())
