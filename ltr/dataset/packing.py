"""Pack a dataset: copy its images into shards, verified; an interrupted run goes on where it was."""

import hashlib
import json
import time
from collections import deque
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from ebm.bars import progress_bar
from ebm.exceptions import DomainError, InputError
from ebm.files import write_atomic
from ltr.data.image_loader import ImageSource, encode_png, open_image
from ltr.data.usable import Prepared
from ltr.data.video import VideoDataset
from ltr.dataset.array_file import write_arrays
from ltr.dataset.packed import INDEX_FILE, PACK_FORMAT, PackedVideos, is_packed, shard_name
from ltr.dataset.shard_writer import PROGRESS_FILE, ShardWriter
from ltr.dataset.store import AnnotationStore

__all__ = ["PackReport", "pack_dataset"]

SHARD_BYTES = 1 << 30
_PLAN = "pack.json"
_AHEAD = 64  # images being read while others are written


@dataclass(frozen=True, kw_only=True)
class PackReport:
    """What packing has done."""

    sequences: int
    pictures: int
    bytes: int
    shards: int
    resumed: int  # pictures that an earlier run had packed
    seconds: float

    def __str__(self) -> str:
        went_on = f", {self.resumed} of them by an earlier run" if self.resumed else ""
        return (
            f"{self.sequences} sequences, {self.pictures} pictures{went_on}, {self.bytes / 1e9:.2f} GB in "
            f"{self.shards} shard{'s' * (self.shards != 1)}, every byte read back; {self.seconds:.0f} s"
        )


def _sources(dataset: VideoDataset) -> Iterator[tuple[str, int, ImageSource]]:
    """Sequence, frame and place of every picture, each once, always in the same order."""
    seen: set[ImageSource] = set()
    for index in range(len(dataset)):
        name = dataset.sequence_name(index)
        for frame in range(len(dataset.annotation(index))):
            source = dataset.frame_path(index, frame)
            if dataset.is_video:
                yield name, frame, source
            elif source not in seen:
                seen.add(source)
                yield name, frame, source


def _picture_rows(dataset: VideoDataset) -> npt.NDArray[np.int64]:
    """``[F]`` picture of every frame; empty if each frame has its own, in order."""
    if dataset.is_video:
        return np.empty(0, dtype=np.int64)
    rows: dict[ImageSource, int] = {}
    found = [rows.setdefault(dataset.frame_path(index, 0), len(rows)) for index in range(len(dataset))]
    return np.array(found, dtype=np.int64)


def _fingerprint(dataset: VideoDataset) -> str:
    """Stands for names and lengths of the sequences: an interrupted run goes on with the same data only."""
    digest = hashlib.blake2b(f"{dataset.name}\n".encode(), digest_size=16)
    for index in range(len(dataset)):
        digest.update(f"{dataset.sequence_name(index)} {len(dataset.annotation(index))}\n".encode())
    return digest.hexdigest()


def _claim(out: Path, dataset: VideoDataset, shard_bytes: int) -> None:
    """Make the folder ours, or find that it is.

    Raises:
        InputError: if it holds anything but the beginning of the same work.
    """
    plan = {"format": PACK_FORMAT, "of": _fingerprint(dataset), "shard_bytes": shard_bytes}
    file = out / _PLAN
    if file.is_file():
        try:
            same = json.loads(file.read_text()) == plan
        except ValueError:
            same = False
        if not same:
            raise InputError(
                f"{out} holds an unfinished packing of other data, or with other options. Delete the folder, "
                "or choose another one."
            )
        return
    if out.exists() and (not out.is_dir() or any(out.iterdir())):
        raise InputError(f"{out} is not an empty folder. Choose another one for the shards.")
    write_atomic(file, json.dumps(plan))


def _read(name: str, frame: int, source: ImageSource) -> bytes:
    """The bytes of a picture, whole; of more than 8 bits: as an 8-bit PNG, since a shard has no folders."""
    image = open_image(source, sequence=name, frame=frame)
    return encode_png(image.pixels()) if image.is_deep else image.data


def _copy(dataset: VideoDataset, shards: ShardWriter, progress: bool) -> None:
    """Copy every picture that is not there yet; several are read at a time, since that is what takes long."""
    skip, waiting = len(shards), deque[Future[bytes]]()
    total = sum(len(dataset.annotation(i)) for i in range(len(dataset))) if dataset.is_video else None
    packing = f"Packing {dataset.name}"
    bar = progress_bar(total=total, initial=skip, desc=packing, unit="img", disable=not progress)
    with bar, ThreadPoolExecutor(4) as pool:
        try:
            for number, source in enumerate(_sources(dataset)):
                if number < skip:
                    continue
                waiting.append(pool.submit(_read, *source))
                if len(waiting) >= _AHEAD:
                    shards.add(waiting.popleft().result())
                    bar.update()
            while waiting:
                shards.add(waiting.popleft().result())
                bar.update()
        finally:
            for future in waiting:
                future.cancel()
    shards.finish()


def _write_index(dataset: VideoDataset, out: Path, place: npt.NDArray[np.int64]) -> None:
    """Write the index; with it the packed dataset exists."""
    count = len(dataset)
    store = AnnotationStore(count)
    for index in range(count):
        store.get(index, dataset.annotation)
    store.pack()
    kind = getattr(dataset, "class_name", lambda index: None)
    meta = {
        "format": PACK_FORMAT,
        "dataset": dataset.name,
        "is_video": dataset.is_video,
        "names": [dataset.sequence_name(index) for index in range(count)],
        "kinds": [kind(index) or "" for index in range(count)],
        "shards": [(out / shard_name(n)).stat().st_size for n in range(int(place[-1, 0]) + 1)],
    }
    arrays = AnnotationStore.joined([(store, np.arange(count))])
    arrays |= {"picture": _picture_rows(dataset), "place": place}
    write_arrays(out / INDEX_FILE, meta, arrays)


def _require_whole(dataset: VideoDataset) -> None:
    """Have all annotations read before anything is copied.

    Raises:
        InputError: if some are broken, naming them.
    """
    broken = dataset.prepare() if isinstance(dataset, Prepared) else {}
    if broken:
        names = ", ".join(dataset.sequence_name(index) for index in list(broken)[:5])
        raise InputError(
            f"{dataset.name}: {len(broken)} broken sequences cannot be packed ({names}). The first: "
            f"{next(iter(broken.values()))}"
        )


def pack_dataset(
    dataset: VideoDataset, out: Path, *, shard_bytes: int = SHARD_BYTES, progress: bool = True
) -> PackReport:
    """Pack a dataset into a folder of shards. Images are copied as they are: nothing is encoded anew.

    Called again after an interruption it goes on where it was; called again when it is done, it says so.

    Args:
        dataset: any reader.
        out: a folder that is new or empty, or left by an interrupted run over the same data.
        shard_bytes: size beyond which a new shard begins.
        progress: show a bar.

    Raises:
        DomainError: if `shard_bytes` is not positive.
        InputError: if an annotation or an image is missing or broken, the folder holds something else, or it
            cannot be written, e.g. because the disk is full.
    """
    if shard_bytes < 1:
        raise DomainError(f"a shard must be able to hold a byte, got {shard_bytes}.")
    start = time.perf_counter()
    _require_whole(dataset)
    if not is_packed(out):
        _claim(out, dataset, shard_bytes)
    shards = ShardWriter(out, shard_bytes)
    resumed = len(shards)
    if not is_packed(out):
        try:
            with shards:
                _copy(dataset, shards, progress)
            _write_index(dataset, out, shards.table())
        except OSError as error:
            raise InputError(
                f"packing into {out} stopped after {shards.safe} pictures: {error.strerror or error}. They "
                "are kept: make room, and give the same command again to go on."
            ) from error
    packed = PackedVideos(out)
    if packed.names != [dataset.sequence_name(index) for index in range(len(dataset))]:
        raise InputError(
            f"{out} already holds {packed.name}, packed from other sequences. Choose another folder."
        )
    for name in (_PLAN, PROGRESS_FILE):
        (out / name).unlink(missing_ok=True)
    sizes = [file.stat().st_size for file in sorted(out.glob("shard-*.bin"))]
    return PackReport(
        sequences=len(packed),
        pictures=packed.num_pictures,
        bytes=sum(sizes),
        shards=len(sizes),
        resumed=resumed,
        seconds=time.perf_counter() - start,
    )
