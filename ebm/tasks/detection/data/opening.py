"""Open a detection set by its place: the reader follows from what lies there."""

from pathlib import Path

from ebm.exceptions import InputError
from ebm.files import expanded
from ebm.tasks.detection.data.coco_json import read_coco
from ebm.tasks.detection.data.records import DetectionSet
from ebm.tasks.detection.data.voc_xml import has_voc_splits, is_voc, read_voc
from ebm.tasks.detection.data.yolo_txt import is_yolo, read_yolo, yolo_splits
from ebm.tasks.detection.problems import Problems

__all__ = ["FORMATS", "coco_jsons", "detection_format", "has_splits", "open_detection_set"]

FORMATS = ("coco", "voc", "yolo")
# Where tools leave a json in the manner of COCO in a folder that they export.
_JSONS = ("annotations/instances_{split}*.json", "{split}/_annotations.coco.json", "annotations/{split}.json")
_OF_SPLITS = ("annotations/instances_*.json", "*/_annotations.coco.json")
_OF_PICTURES = (*_OF_SPLITS, "_annotations.coco.json")
_ANY = (*_OF_PICTURES, "annotations.json")


def detection_format(path: Path) -> str | None:
    """The form of a detection set: ``"coco"``, ``"voc"``, ``"yolo"``; None if it is none of them.

    A ``.json`` file counts as COCO's whatever it holds.
    """
    if path.is_file():
        return {".json": "coco", ".yaml": "yolo", ".yml": "yolo"}.get(path.suffix.lower())
    if not path.is_dir():
        return None
    if any(next(path.glob(pattern), None) for pattern in _ANY):
        return "coco"
    if is_voc(path):
        return "voc"
    return "yolo" if is_yolo(path) else None


def has_splits(path: Path) -> bool:
    """Whether a set has parts that are named: a folder of COCO, lists of Pascal VOC, folders of YOLO.

    Raises:
        InputError: if what lists the parts of YOLO cannot be read.
    """
    found = detection_format(path)
    if found == "yolo":
        return bool(yolo_splits(path))
    if found == "voc":
        return has_voc_splits(path)
    return path.is_dir() and any(next(path.glob(pattern), None) for pattern in _OF_SPLITS)


def open_detection_set(
    path: str | Path, split: str | None = None, pictures: Path | None = None, *, require_pictures: bool = True
) -> tuple[DetectionSet, Problems]:
    """Pictures with boxes, in any of the forms that are known.

    Args:
        path: a file in the manner of COCO; a folder in COCO's layout, of Pascal VOC, or of YOLO; YOLO's
            ``data.yaml``.
        split: part of a folder, e.g. ``"train"``; None: all of VOC, the only one there is of the others.
        pictures: where COCO's file names count from; None: where they usually lie.
        require_pictures: of COCO: whether there must be pictures; scores need none.

    Returns:
        The set; and rows that were left out.

    Raises:
        InputError: if nothing of the kind is there, or a split is missing or must be chosen.
    """
    place = expanded(path)
    found = detection_format(place)
    if found == "coco":
        file = place if place.is_file() else _instances(place, split)
        return read_coco(file, pictures, require_pictures=require_pictures)
    if pictures is not None:
        raise InputError(
            f"a folder of pictures goes with a json in the manner of COCO, which {place} is not."
        )
    if found is not None:
        return (read_voc if found == "voc" else read_yolo)(place, split)
    problem = "is no set of pictures with boxes" if place.exists() else "is not there"
    raise InputError(
        f"{place} {problem}. Expected a .json in the manner of COCO, a folder with "
        "annotations/instances_<split>.json, one of Pascal VOC with Annotations/ and JPEGImages/, or one of "
        "YOLO with images/, labels/ and data.yaml or classes.txt."
    )


def coco_jsons(folder: Path) -> list[Path]:
    """Files of a folder of COCO, one for each split, by their names; not an ``annotations.json`` alone."""
    return sorted({file for pattern in _OF_PICTURES for file in folder.glob(pattern)})


def _instances(folder: Path, split: str | None) -> Path:
    """The json of a split in a folder."""
    patterns = _ANY if split is None else tuple(pattern.format(split=split) for pattern in _JSONS)
    found = sorted({file for pattern in patterns for file in folder.glob(pattern)})
    if len(found) == 1:
        return found[0]
    there = sorted({str(file.relative_to(folder)) for pattern in _ANY for file in folder.glob(pattern)})
    problem = f"has {len(found)} files" if found else "has no file"
    raise InputError(
        f"{folder} {problem}{f' of the split {split!r}' if split else ''}; there is {', '.join(there)}. "
        "Name one of them."
    )
