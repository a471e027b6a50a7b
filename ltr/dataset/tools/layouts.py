"""Check whole datasets: which sequences there should be, which there are, and each of them."""

import os
import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from functools import cache, partial
from pathlib import Path
from typing import Any

from ebm.bars import progress_bar
from ebm.exceptions import InputError
from ebm.images.listing import own_names
from ltr.data.video import Slice, VideoDataset
from ltr.dataset.base import SequenceFolders, generated_sequences, read_names
from ltr.dataset.coco import MSCOCOSeq
from ltr.dataset.got10k import Got10k, split_names
from ltr.dataset.lasot import LaSOT, lasot_names
from ltr.dataset.opening import detect_kind, open_path
from ltr.dataset.own_folders import FolderVideos
from ltr.dataset.packed import PackedVideos
from ltr.dataset.photos import Photos
from ltr.dataset.subfolders import subfolders
from ltr.dataset.tools.faults import WHOLE, Finding, Report
from ltr.dataset.tools.pictures import check_pictures, holds_pictures
from ltr.dataset.tools.sequences import check_annotation, check_image, check_sequence, check_sizes, image_size
from ltr.dataset.trackingnet import TRACKINGNET_SETS, TrackingNet

__all__ = ["check_dataset"]

_THREADS = 8
_TRIED = 8  # sequences after which it shows what a check waits for
Checked = tuple[list[Finding], int]  # what was found, images
Check = Callable[[Path, str | None, bool], tuple[list[Finding], list[Checked]]]


def _missing(wanted: Iterable[str], there: Iterable[str], place: str) -> Iterator[Finding]:
    """Sequences that should be there."""
    present = set(there)
    for name in dict.fromkeys(wanted):
        if name not in present:
            yield Finding(name, "missing sequence", f"no folder for it under {place}")


def _each(dataset: SequenceFolders, deep: bool) -> list[Checked]:
    """Check every sequence of a reader; annotations that an earlier run has indexed are not parsed again."""
    broken = dataset.prepare()

    def one(index: int) -> Checked:
        annotation = None if index in broken else dataset.annotation(index)
        found = check_sequence(dataset.names[index], dataset.files(index), annotation, deep)
        if index in broken and not [f for f in found[0] if not f.note]:  # never silent about what is refused
            found[0].append(Finding(dataset.names[index], "unreadable annotation", broken[index]))
        return found

    return list(_bar(dataset.name, _worked(one, len(dataset), deep), len(dataset)))


def _bar(name: str, checked: Iterable[Any], count: int) -> Iterable[Any]:
    """A bar over the sequences of a data set, where it takes long."""
    bar: Iterable[Any] = progress_bar(
        checked, desc=f"Checking {name}", total=count, leave=False, unit="seq", delay=2
    )
    return bar


def _worked(one: Callable[[int], Checked], count: int, deep: bool) -> Iterator[Checked]:
    """`one` of 0 .. `count` - 1, in order, on as many threads as pay.

    Threads make decoding and slow disks faster. Where the disk answers at once they hinder each other, since
    looking up a file is too short a time to leave the interpreter to another one.
    """
    tried = min(count, 0 if deep else _TRIED)
    wall, busy = time.perf_counter(), time.process_time()
    first = [one(index) for index in range(tried)]
    waited = 1 - (time.process_time() - busy) / (time.perf_counter() - wall)
    yield from first
    if deep or waited > 0.5:
        with ThreadPoolExecutor(_THREADS) as pool:
            yield from pool.map(one, range(tried, count))
    else:
        yield from map(one, range(tried, count))


def _check_lasot(root: Path, split: str | None, deep: bool) -> tuple[list[Finding], list[Checked]]:
    listed = generated_sequences(root)
    official = {*lasot_names("train"), *lasot_names("test")}
    wanted = listed or (lasot_names(split) if split else sorted(official))
    present: dict[str, str] = {}
    found: list[Finding] = []
    for kind in subfolders(root):
        for name in sorted(own_names(os.listdir(root / kind))):
            if not (root / kind / name).is_dir():
                if name.endswith(".zip"):
                    found.append(Finding(name[:-4], "not unpacked", f"{kind}/{name}", note=True))
            elif name.rpartition("-")[0] != kind:
                found.append(Finding(name, "misplaced sequence", f"it lies in {kind}/"))
            else:
                present[name] = kind
    known = set(listed) if listed else official
    for name in sorted(present.keys() - known):
        found.append(Finding(name, "unknown sequence", "in no list of this dataset"))
    found += _missing(wanted, present, str(root))
    asked = set(wanted)
    chosen = [name for name in present if name in asked]
    return found, _each(LaSOT(root, chosen), deep) if chosen else []


def _check_got10k(root: Path, split: str | None, deep: bool) -> tuple[list[Finding], list[Checked]]:
    folder = root / "train" if not (root / "list.txt").is_file() and (root / "train").is_dir() else root
    present = subfolders(folder)
    known = set(present)
    found: list[Finding] = []
    if (folder / "list.txt").is_file():
        listed = read_names(folder / "list.txt")
        found += [
            Finding(name, "duplicate name", f"{times} times in list.txt")
            for name, times in Counter(listed).items()
            if times > 1
        ]
        unlisted = sorted(known - set(listed))
        found += [Finding(name, "unknown sequence", "not in list.txt") for name in unlisted]
    else:
        listed = generated_sequences(folder) or present
        found.append(Finding(WHOLE, "no list.txt", f"under {folder}; every folder counts", note=True))
    if split:
        listed = split_names(folder, split, list(dict.fromkeys(listed)))
    found += _missing(listed, present, str(folder))
    there = [name for name in dict.fromkeys(listed) if name in known]
    return found, _each(Got10k(folder, there), deep) if there else []


def _check_trackingnet(root: Path, split: str | None, deep: bool) -> tuple[list[Finding], list[Checked]]:
    dataset = TrackingNet(root, allow_missing=True)
    found = [Finding(name, "missing sequence", "in generated.json only") for name in dataset.missing]
    chunks = sorted({name.partition("/")[0] for name in dataset.names}, key=lambda n: (len(n), n))
    absent = [f"TRAIN_{n}" for n in TRACKINGNET_SETS if f"TRAIN_{n}" not in chunks]
    if absent and generated_sequences(root) is None:
        found.append(Finding(WHOLE, "missing sets", ", ".join(absent), note=True))
    known = set(dataset.names)
    for chunk in chunks:
        frames = root / chunk / "frames"
        if frames.is_dir():
            videos = subfolders(frames)
            found += [
                Finding(f"{chunk}/{video}", "missing annotation", f"frames, but no {chunk}/anno/{video}.txt")
                for video in videos
                if f"{chunk}/{video}" not in known
            ]
    counts = Counter(name.partition("/")[2] for name in dataset.names)
    found += [
        Finding(video, "duplicate name", f"in {times} sets") for video, times in counts.items() if times > 1
    ]
    if dataset.class_map is not None:
        found += [
            Finding(name, "no class map entry", "classmap.txt does not name it", note=True)
            for index, name in enumerate(dataset.names)
            if dataset.class_name(index) is None
        ]
    return found, _each(dataset, deep)


def _check_files(dataset: VideoDataset, deep: bool) -> list[Checked]:
    """Sequences of a reader that lists its images: each is there, and whole where `deep`."""
    seen: set[Path | Slice] = set()
    size_of = cache(image_size)  # many objects of COCO lie in one image

    def one(index: int) -> Checked:
        name, annotation = dataset.sequence_name(index), dataset.annotation(index)
        found = list(check_annotation(name, annotation)) if dataset.is_video else []
        count = 0
        for frame in range(len(annotation)):
            source = dataset.frame_path(index, frame)
            if not dataset.is_video and source in seen:
                continue
            seen.add(source) if not dataset.is_video else None
            count += 1
            if deep or frame in (0, len(annotation) - 1) or not _has_bytes(source):
                kind, detail = check_image(source, deep)
                found += [Finding(name, kind, detail)] if kind else []
        first = dataset.frame_path(index, 0)
        if isinstance(first, Path):
            found += check_sizes(name, [size_of(first)], annotation.boxes)
        return found, count

    return [one(index) for index in _bar(dataset.name, range(len(dataset)), len(dataset))]


def _has_bytes(source: Path | Slice) -> bool:
    """Whether an image is there and not empty."""
    try:
        return (source.stat().st_size if isinstance(source, Path) else source.length) > 0
    except OSError:
        return False


def _check_pictures(
    reader: type[MSCOCOSeq] | type[Photos], root: Path, split: str | None, deep: bool
) -> tuple[list[Finding], list[Checked]]:
    dataset = reader(root, split or "train", allow_missing=True)
    found = [Finding(image, "missing image", "annotated, but not there") for image in dataset.missing]
    found += [
        Finding(name, "box without area", "left out", note=True)
        for skipped in dataset.skipped
        if skipped.reason == "box without area"
        for name in skipped.names
    ]
    return found, _check_files(dataset, deep)


def _check_packed(root: Path, split: str | None, deep: bool) -> tuple[list[Finding], list[Checked]]:
    dataset = PackedVideos(root)
    found: list[Finding] = []
    if deep:
        count = dataset.num_pictures
        pictures = progress_bar(dataset.pictures(), desc="Reading shards", total=count, leave=False, delay=2)
        for picture in pictures:
            problem = picture.problem()
            if problem:
                found.append(
                    Finding(
                        picture.sequence,
                        "corrupt image",
                        f"frame {picture.frame}, {picture.where}: {problem}",
                    )
                )
    checked: list[Checked] = []
    for index in range(len(dataset)):
        annotation = dataset.annotation(index)
        notes = check_annotation(dataset.names[index], annotation) if dataset.is_video else ()
        checked.append(([n for n in notes if n.note], len(annotation)))
    return found, checked


def _check_other(root: Path, split: str | None, deep: bool) -> tuple[list[Finding], list[Checked]]:
    dataset = open_path(root, allow_missing=True)
    missing = getattr(dataset, "missing", ())
    bare = dataset.without_boxes if isinstance(dataset, FolderVideos) else ()
    found = [Finding(name, "missing sequence", "annotated, but its images are not there") for name in missing]
    found += [
        Finding(name, "left out", skipped.reason, note=True)
        for skipped in getattr(dataset, "skipped", ())
        for name in skipped.names
        if name not in missing and name not in bare
    ]
    found += [Finding(name, "missing annotation", "images, but no boxes") for name in bare]
    return found, _each(dataset, deep) if isinstance(dataset, FolderVideos) else _check_files(dataset, deep)


_CHECKS: Mapping[str, Check] = {
    "lasot": _check_lasot,
    "got10k": _check_got10k,
    "trackingnet": _check_trackingnet,
    "coco": partial(_check_pictures, MSCOCOSeq),
    "photos": partial(_check_pictures, Photos),
    "packed": _check_packed,
}


def check_dataset(
    path: Path, kind: str | None = None, split: str | None = None, deep: bool = False
) -> Report:
    """Check a dataset on disk. Nothing is changed, but for the annotation index that later runs use.

    Args:
        path: its root, or a ``.csv`` or ``.json`` file.
        kind: its layout, see `ltr.dataset.opening`; None: what lies there decides.
        split: part of it, for datasets that have some; None: all.
        deep: decode every image; otherwise only sizes and ends are looked at.

    Raises:
        InputError: if there is no such thing at all, or an index or a shard is unusable as a whole.
    """
    start = time.perf_counter()
    if not path.exists():
        raise InputError(f"there is nothing at {path}.")
    layout = detect_kind(path) if path.is_dir() else "file"
    if layout != "packed" and kind is not None:
        layout = kind
    asked = layout in ("folder", "file") or (kind is None and (split is not None or layout == "coco"))
    pictures = asked and holds_pictures(path, split)
    check = check_pictures if pictures else _CHECKS.get(layout, _check_other)
    own, checked = check(path, split, deep)
    findings = own + [finding for found, _ in checked for finding in found]
    if not checked and all(finding.note for finding in findings):  # no faults in nothing is no good news
        findings.append(Finding(WHOLE, "no sequences", f"nothing of {layout} lies under {path}"))
    return Report(
        dataset=layout,
        root=str(path),
        deep=deep,
        sequences=len(checked),
        frames=sum(count for _, count in checked),
        seconds=time.perf_counter() - start,
        findings=tuple(findings),
        counted=("picture", "object") if pictures else ("sequence", "frame"),
    )
