"""Check pictures with boxes, as detectors are trained on them: each file, and every annotated object."""

from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ebm.annotations.texts import read_json
from ebm.bars import progress_bar
from ebm.exceptions import InputError
from ebm.images.reading import picture_size
from ebm.tasks.detection.data.opening import coco_jsons, detection_format, open_detection_set
from ebm.tasks.detection.data.records import DetectionImage, DetectionSet
from ebm.tasks.detection.data.yolo_txt import yolo_splits
from ltr.dataset.tools.faults import WHOLE, Finding
from ltr.dataset.tools.sequences import check_image

__all__ = ["check_pictures", "holds_pictures"]

_OF_VIDEOS = {"video_id", "video", "frame_id", "frame_index"}
_OF_TRACKS = {"track_id", "instance_id"}


def holds_pictures(path: Path, split: str | None = None) -> bool:
    """Whether a path is a set of single pictures with boxes and no videos: of VOC, of YOLO, or COCO's json.

    A folder that holds ``annotations.json`` alone is one if a split is named: trackers have such tables too.

    Args:
        path: a folder or file.
        split: part of it, None: all.

    Raises:
        InputError: if a json cannot be read.
    """
    found = detection_format(path)
    if found == "coco":
        if path.is_dir():
            return split is not None or bool(coco_jsons(path))
        return _is_of_pictures(read_json(path))
    return found is not None


def _is_of_pictures(content: Any) -> bool:
    """Whether a COCO-like json says nothing of videos and names its categories, as tracks need not."""
    if not isinstance(content, dict) or content.get("videos") or not content.get("categories"):
        return False
    images, annotations = content.get("images"), content.get("annotations")
    if not isinstance(images, list) or not isinstance(annotations, list):
        return False
    return not any(
        isinstance(entry, dict) and not marks.isdisjoint(entry)
        for part, marks in ((images, _OF_VIDEOS), (annotations, _OF_TRACKS))
        for entry in part
    )


def check_pictures(
    path: Path, split: str | None, deep: bool
) -> tuple[list[Finding], list[tuple[list[Finding], int]]]:
    """Check a set of pictures with boxes.

    Args:
        path: see `holds_pictures`.
        split: part of it; None: all.
        deep: decode every picture; otherwise its size and its end are looked at.

    Returns:
        What was found in the annotations; and what was found in each picture, with its number of objects.

    Raises:
        InputError: if nothing of it can be read.
    """
    found: list[Finding] = []
    checked: list[tuple[list[Finding], int]] = []
    parts = _parts(path, split)
    for part in parts:
        try:
            detection_set, problems = open_detection_set(part.path, part.split)
        except InputError as error:
            if len(parts) == 1:
                raise
            found.append(Finding(WHOLE, "unusable split", f"{part.label}: {error}"))
            continue
        found += [Finding(WHOLE, one.kind, f"{one.count}{part}, first: {one.first}") for one in problems]
        found += _notes(detection_set, part)
        title = f"Checking {path.name}"
        bar = progress_bar(detection_set.images, desc=title, leave=False, unit="picture", delay=2)
        checked += [(_faults(image, deep), len(image)) for image in bar]
    return found, checked


@dataclass(frozen=True)
class _Part:
    """What is opened at a time, and what its split is called; "" where it has no name."""

    path: Path
    split: str | None
    label: str

    def __str__(self) -> str:
        return f" of {self.label}" if self.label else ""


def _parts(path: Path, split: str | None) -> list[_Part]:
    if split is None and detection_format(path) == "yolo":
        return [_Part(path, name, name) for name in yolo_splits(path)] or [_Part(path, None, "")]
    if split is None and path.is_dir() and detection_format(path) == "coco":
        return [_Part(file, None, _split_of(file, path)) for file in coco_jsons(path)]
    return [_Part(path, split, split or "")]


def _split_of(file: Path, folder: Path) -> str:
    """``val2017`` of ``annotations/instances_val2017.json`` and of ``val2017/_annotations.coco.json``."""
    if file.stem.startswith("instances_"):
        return file.stem.removeprefix("instances_")
    return "" if file.parent == folder else file.parent.name


def _notes(detection_set: DetectionSet, part: _Part) -> list[Finding]:
    """What is worth knowing of a set and no fault."""
    counts = Counter(label for image in detection_set.images for label in image.labels.tolist())
    unseen = [name for label, name in enumerate(detection_set.names) if not counts[label]]
    empty = sum(not len(image) for image in detection_set.images)
    crowds = sum(int(image.crowd.sum()) for image in detection_set.images)
    notes = {
        "pictures without objects": f"{empty} of {len(detection_set)}{part}" * bool(empty),
        "crowds": f"{crowds}{part}, not trained on" * bool(crowds),
        "categories without objects": f"{len(unseen)} of {len(detection_set.categories)}{part}"
        * bool(unseen),
    }
    return [Finding(WHOLE, kind, detail, note=True) for kind, detail in notes.items() if detail]


def _faults(image: DetectionImage, deep: bool) -> list[Finding]:
    kind, detail = check_image(image.path, deep)
    if not kind:
        kind, detail = _size_fault(image)
    return [Finding(image.path.name, kind.replace("frame", "image"), detail)] if kind else []


def _size_fault(image: DetectionImage) -> tuple[str, str]:
    try:
        width, height = picture_size(image.path)
    except InputError as error:
        return "corrupt image", str(error)
    if {width, height} == {image.width, image.height}:  # turned by its EXIF entry, or not
        return "", ""
    return "image of another size", f"{width} x {height} px, annotated as {image.width} x {image.height}"
