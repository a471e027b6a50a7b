"""Detection sets as COCO's json: the instances files of COCO, and any other in their manner."""

from collections.abc import Iterable, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np

from ebm.annotations.ids import plain_box, plain_ids, plain_number
from ebm.annotations.picture_folders import find_pictures
from ebm.annotations.texts import read_json
from ebm.exceptions import InputError
from ebm.files import write_json
from ebm.images.reading import picture_size
from ebm.tasks.detection.data.records import Category, DetectionImage, DetectionSet
from ebm.tasks.detection.data.rows import LARGEST, Row, image_of
from ebm.tasks.detection.problems import Problems

__all__ = ["coco_set", "read_coco", "write_coco"]


def read_coco(
    file: Path, pictures: Path | None = None, *, require_pictures: bool = True
) -> tuple[DetectionSet, Problems]:
    """A file in the manner of COCO's ``instances_<split>.json``.

    Crowds are kept, and marked. Boxes that are not finite, have no area or lie outside their picture, and
    objects of unknown categories are left out, and counted.

    Args:
        file: with ``images`` of id, file_name, and best width and height; ``annotations`` of image_id,
            category_id, bbox (x, y, w, h in px), and perhaps iscrowd and area; ``categories`` of id and name.
        pictures: the folder that file names count from; None: where they usually lie, see
            `ebm.annotations.picture_folders`.
        require_pictures: whether there must be pictures; scores need none.

    Returns:
        All images, those without boxes too, in the order of the file; and what was left out.

    Raises:
        InputError: if it is no such file, an id is given twice, or a picture's size is nowhere.
    """
    return coco_set(file, read_json(file), pictures, require_pictures=require_pictures)


def coco_set(
    file: Path, content: Any, pictures: Path | None = None, *, require_pictures: bool = True
) -> tuple[DetectionSet, Problems]:
    """As `read_coco`, of what has been read from the file already."""
    try:
        plain_ids(content)
        categories = tuple(map(_category, content["categories"]))
        folder = _folder(file, content["images"], pictures, require_pictures)
        return _read(content, folder, categories)
    except InputError as error:
        raise InputError(str(error) if str(file) in str(error) else f"{file}: {error}") from error
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise InputError(
            f"{file} is no JSON file in the manner of COCO ({type(error).__name__}: {error}). It needs "
            "images with id and file_name, annotations with image_id, category_id and bbox, and categories "
            "with id and name."
        ) from error


def _folder(file: Path, images: list[dict[str, Any]], given: Path | None, required: bool) -> Path:
    if given is not None:
        if required and not given.is_dir():
            raise InputError(f"there is no folder of pictures {given}.")
        return given
    try:
        return find_pictures(file, (image["file_name"] for image in images))
    except InputError:
        if required:
            raise
        return file.parent


def _read(
    content: Mapping[str, Any], folder: Path, categories: tuple[Category, ...]
) -> tuple[DetectionSet, Problems]:
    labels = {category.category_id: label for label, category in enumerate(categories)}
    if len(labels) < len(categories):
        raise InputError("two of its categories have one id. Give each an id of its own.")
    problems = Problems()
    rows: dict[Any, list[Row]] = {image["id"]: [] for image in content["images"]}
    for place, entry in enumerate(content["annotations"]):
        where = f"annotation {entry.get('id', f'number {place + 1}')} of image {entry['image_id']}"
        label = labels.get(entry["category_id"])
        if label is None:
            problems.add("objects of unknown categories", f"{where}: category_id {entry['category_id']!r}")
            continue
        area = entry.get("area")
        rows[entry["image_id"]].append(
            Row(
                where,
                _corners(entry),
                label,
                bool(entry.get("iscrowd")),
                None if area is None else plain_number(area),
            )
        )
    images = (_image(image, folder, rows[image["id"]], problems) for image in content["images"])
    return DetectionSet(tuple(images), categories), problems


def _corners(entry: Mapping[str, Any]) -> tuple[float, float, float, float]:
    x, y, w, h = plain_box(entry)
    return x, y, x + w, y + h


def _image(entry: Mapping[str, Any], folder: Path, rows: list[Row], problems: Problems) -> DetectionImage:
    path = folder / entry["file_name"]
    if entry.get("width") is None or entry.get("height") is None:
        size = picture_size(path)
    else:
        size = _whole(entry["width"]), _whole(entry["height"])
    if not 1 <= min(size) <= max(size) < LARGEST:
        raise InputError(
            f"image {entry['id']} has the width and height {str(size[0])[:12]} and {str(size[1])[:12]}."
        )
    if "\0" in entry["file_name"]:
        raise InputError(f"image {entry['id']} has a file_name that no file can have.")
    return image_of(_image_id(entry["id"]), path, size, rows, problems)


def _category(kind: Mapping[str, Any]) -> Category:
    name = kind["name"]
    if not isinstance(name, str | int | float):
        raise InputError(f"category {kind['id']} has the name {str(name)[:80]}; it must be a text.")
    return Category(_whole(kind["id"]), str(name))


def _image_id(value: Any) -> int | str:
    if isinstance(value, int | str):
        return value
    raise InputError(f"an image has the id {str(value)[:80]!r}; it must be a whole number or a text.")


def _whole(value: Any) -> int:
    with suppress(TypeError, ValueError, OverflowError):
        if int(value) == value and not isinstance(value, bool):
            return int(value)
    raise InputError(f"{str(value)[:80]!r} stands where a whole number must be.")


def write_coco(file: Path, detection_set: DetectionSet, names: Iterable[str]) -> None:
    """The inverse of `read_coco`.

    Args:
        file: to write, whole or not at all.
        detection_set: what is in it. Ids of annotations are counted from 1.
        names: the pictures' file names, in the order of the images.

    Raises:
        InputError: if it cannot be written.
    """
    images: list[dict[str, Any]] = []
    annotations: list[dict[str, Any]] = []
    for image, name in zip(detection_set.images, names, strict=True):
        images.append({"id": image.image_id, "file_name": name, "width": image.width, "height": image.height})
        for box, label, crowd, area in zip(image.boxes.astype(float), image.labels, image.crowd, image.areas):
            annotations.append(
                {
                    "id": len(annotations) + 1,
                    "image_id": image.image_id,
                    "category_id": detection_set.categories[label].category_id,
                    "bbox": [_short(value) for value in (*box[:2], *(box[2:] - box[:2]))],
                    "area": _short(area),
                    "iscrowd": int(crowd),
                }
            )
    categories = [{"id": kind.category_id, "name": kind.name} for kind in detection_set.categories]
    write_json(file, {"images": images, "annotations": annotations, "categories": categories})


def _short(value: np.floating[Any]) -> float:
    """A number to a thousandth of a pixel, which float32 holds up to 8192 px."""
    return round(float(value), 3)
