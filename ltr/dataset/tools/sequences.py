"""Check one sequence of a folder: its annotation, its images, and whether they belong together."""

import os
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

import numpy as np
import numpy.typing as npt

from ebm.exceptions import InputError
from ebm.images.listing import image_entries, natural_key
from ltr.data.decoders import OPENCV, DecodingError, strict_fault
from ltr.data.image_loader import JPEG_END, JPEG_START, ImageSource, is_cut_off
from ltr.data.jpeg import jpeg_header
from ltr.data.video import Annotation
from ltr.dataset.annotations import read_boxes, read_flags, read_levels
from ltr.dataset.base import FULLY_SEEN, SequenceFiles
from ltr.dataset.tools.faults import Finding, first_few

__all__ = ["MIN_LENGTH", "check_annotation", "check_image", "check_sequence", "check_sizes", "image_size"]

MIN_LENGTH = 20  # frames; training leaves shorter sequences out
_HEADER = 1 << 16  # bytes in which a JPEG states its size


def check_image(source: ImageSource, deep: bool) -> tuple[str, str]:
    """What is wrong with an image, as kind and detail; ``("", "")`` if nothing is.

    Args:
        source: where it lies.
        deep: decode it, with a decoder that does not repair damage where there is one.
    """
    try:
        if not deep and isinstance(source, Path) and _ends_well(source):
            return "", ""
        data = source.read_bytes()
    except OSError as error:
        return "missing frame", f"{source} cannot be read ({error.strerror or error})"
    if not data:
        return "empty image", f"{source.name if isinstance(source, Path) else source} has no bytes"
    name = source.name if isinstance(source, Path) else str(source)
    if is_cut_off(data):
        return "truncated image", f"{name} stops before its end marker, after {len(data)} bytes"
    if deep:
        try:
            OPENCV.decode(data)
        except DecodingError as error:
            return "corrupt image", f"{name}: {error}"
        damage = strict_fault(data)
        if damage:
            return "corrupt image", f"{name}: {damage}"
    return "", ""


def _ends_well(path: Path) -> bool:
    """Whether a JPEG ends with its end marker: nearly always, and it costs two bytes instead of the file."""
    with path.open("rb", buffering=0) as file:
        if file.read(2) != JPEG_START:
            return False
        file.seek(-2, os.SEEK_END)
        return file.read(2) == JPEG_END


def image_size(path: Path) -> tuple[int, int] | None:
    """Width and height of a JPEG, from its first bytes; None if they do not tell."""
    try:
        with path.open("rb") as file:
            found = jpeg_header(file.read(_HEADER))
    except OSError:
        return None
    return None if found is None else found.shown


def check_annotation(name: str, annotation: Annotation) -> Iterator[Finding]:
    """What is wrong with the boxes and flags of a sequence, all of whose files could be read."""
    boxes, valid = annotation.boxes, annotation.valid
    lines = np.flatnonzero(~np.isfinite(boxes).all(axis=1)) + 1
    if len(lines):
        yield Finding(name, "NaN box", f"line {first_few(lines.tolist())}")
    if not valid.any():
        yield Finding(name, "no usable box", f"none of {len(boxes)} boxes has an area")
        return
    flat = int((~valid).sum()) - len(lines)
    if flat:
        yield Finding(name, "boxes without area", f"{flat} of {len(boxes)} frames", note=True)
    if not annotation.visible.any():
        yield Finding(name, "never visible", f"all {len(boxes)} frames are marked as hidden")
    if len(boxes) < MIN_LENGTH:
        yield Finding(name, "short", f"{len(boxes)} frames; training uses {MIN_LENGTH} or more", note=True)


def _lengths(name: str, files: SequenceFiles) -> Iterator[Finding | int]:
    """Faults of each annotation file by itself; and the number of boxes, if they can be read."""
    if not files.boxes.is_file():
        yield Finding(name, "missing annotation", f"no {files.boxes.name}")
        return
    try:
        count = len(read_boxes(files.boxes))
    except InputError as error:
        yield Finding(name, "unreadable annotation", _shortened(str(error), files.boxes))
        return
    yield count
    readers: list[tuple[Path, Callable[[Path], npt.NDArray[np.generic]]]] = [
        (file, read_flags) for file in files.hidden
    ]
    if files.cover is not None:
        readers.append((files.cover, lambda file: read_levels(file, FULLY_SEEN)))
    for file, read in readers:
        if file.is_file():
            try:
                entries = len(read(file))
            except InputError as error:
                yield Finding(name, "unreadable flags", _shortened(str(error), file))
                continue
            if entries != count:
                yield Finding(name, "flags of other length", f"{file.name}: {entries} entries, {count} boxes")


def _shortened(message: str, file: Path) -> str:
    """A message with the file's name in place of its path."""
    return message.replace(str(file), file.name).removesuffix(".")


def _images(name: str, files: SequenceFiles) -> dict[str, int] | Finding:
    """Size by name of the images of a sequence."""
    folder = None
    try:
        # Relative to an open folder: looking its path up for each of its images would take as long again.
        folder = os.open(files.frames, os.O_RDONLY) if os.scandir in os.supports_fd else None
        entries = image_entries(files.frames if folder is None else folder, files.suffix)
        return {entry.name: entry.stat().st_size for entry in entries}
    except OSError as error:
        archive = next(iter(sorted(files.frames.parent.glob(f"{files.frames.name}*.zip"))), None)
        unpack = f"; {archive.name} is not unpacked" if archive else ""
        return Finding(name, "missing frame folder", f"{files.frames} ({error.strerror}){unpack}")
    finally:
        if folder is not None:
            os.close(folder)


def _numbering(name: str, files: SequenceFiles, images: dict[str, int], count: int) -> Iterator[Finding]:
    """Images that are missing or more than the annotation has lines."""
    if not isinstance(files.suffix, str):  # any names: only their number can be wrong
        if len(images) != count:
            kind = "annotation too long" if len(images) < count else "annotation too short"
            yield Finding(name, kind, f"{len(images)} images, {count} boxes")
        return
    pattern = f"%0{files.digits}d{files.suffix.replace('%', '%%')}"  # the quickest way for millions of names
    expected = list(map(pattern.__mod__, range(files.first, files.first + count)))
    if len(images) == count and all(map(images.__contains__, expected)):
        return
    missing = [frame for frame in expected if frame not in images]
    extra = sorted(images.keys() - set(expected), key=natural_key)
    tail = expected[count - len(missing) :]
    if missing and missing == tail:
        yield Finding(name, "annotation too long", f"{count} boxes, {count - len(missing)} images")
    elif missing:
        yield Finding(name, "missing frame", first_few(missing))
    if extra:
        yield Finding(name, "annotation too short", f"no box for {first_few(extra)}")


def check_sizes(
    name: str, sizes: Iterable[tuple[int, int] | None], boxes: npt.NDArray[np.float32] | None
) -> Iterator[Finding]:
    """A change of resolution, as far as the sizes of some images show it; boxes outside of it."""
    distinct = list(dict.fromkeys(size for size in sizes if size is not None))
    if len(distinct) > 1:
        shown = ", ".join(f"{width} x {height}" for width, height in distinct)
        yield Finding(name, "resolution change", f"{shown} px", note=True)
    if boxes is None or len(distinct) != 1:
        return
    (width, height), (x, y, w, h) = distinct[0], boxes.T
    with np.errstate(invalid="ignore"):
        outside = (w > 0) & (h > 0) & ((x >= width) | (y >= height) | (x + w <= 0) | (y + h <= 0))
    if outside.any():
        lines = (np.flatnonzero(outside) + 1).tolist()
        yield Finding(name, "box outside image", f"{width} x {height} px, line {first_few(lines)}")


def check_sequence(
    name: str, files: SequenceFiles, annotation: Annotation | None, deep: bool
) -> tuple[list[Finding], int]:
    """Everything that is wrong with a sequence.

    Args:
        name: of the sequence.
        files: where it lies.
        annotation: its annotation, if that could be read; None to find out why it could not.
        deep: decode every image instead of looking at the ends of the first, the middle one and the last.

    Returns:
        What was found, and the number of images.
    """
    found: list[Finding] = []
    count = len(annotation) if annotation is not None else None
    if annotation is not None:
        found += check_annotation(name, annotation)
    else:
        for item in _lengths(name, files):
            if isinstance(item, int):
                count = item
            else:
                found.append(item)
    images = _images(name, files)
    if isinstance(images, Finding):
        return [*found, images], 0
    if count is not None:
        counted = list(_numbering(name, files, images, count))
        if any(finding.kind.startswith("annotation") for finding in counted):  # the flags are right
            found = [finding for finding in found if finding.kind != "flags of other length"]
        found += counted
    whole = sorted(images, key=None if _is_regular(images) else natural_key)
    if not all(images.values()):
        found.append(Finding(name, "empty image", first_few([i for i in whole if not images[i]])))
        whole = [image for image in whole if images[image]]
    looked = whole if deep else list(dict.fromkeys([*whole[:1], *whole[len(whole) // 2 :][:1], *whole[-1:]]))
    problems: dict[str, list[str]] = {}
    for image in looked:
        kind, detail = check_image(files.frames / image, deep)
        if kind:
            problems.setdefault(kind, []).append(detail)
    found += [Finding(name, kind, first_few(details, 3)) for kind, details in problems.items()]
    sizes = (image_size(files.frames / image) for image in looked)
    found += check_sizes(name, sizes, annotation.boxes if annotation is not None else None)
    return found, len(images)


def _is_regular(images: dict[str, int]) -> bool:
    """Whether names of one length sort as their numbers do."""
    return len(set(map(len, images))) <= 1
