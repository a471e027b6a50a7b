"""Ids and boxes of files in the manner of COCO: numbers, whatever stands for them; ids each given once."""

from collections.abc import Mapping
from typing import Any

from ebm.exceptions import InputError
from ebm.number_texts import parse_number

__all__ = ["plain_box", "plain_id", "plain_ids", "plain_number"]

_IDS = ("id", "image_id", "category_id", "video_id", "track_id", "instance_id", "iscrowd")


def plain_id(value: Any) -> Any:
    """An id as it is meant: the text ``"7"`` and the number 7.0 are 7; anything else stays."""
    if isinstance(value, str) and value.strip().removeprefix("-").isdecimal():
        return int(value)
    if isinstance(value, float) and value.is_integer():
        return int(value)
    return value


def plain_box(entry: Mapping[str, Any]) -> list[float]:
    """The four numbers of an annotation's ``bbox``, xywh, px; those too large for a float are infinite.

    Raises:
        InputError: if it is anything but four numbers, or texts of them.
        KeyError: if there is none.
    """
    box = entry["bbox"]
    try:
        if len(box) == 4:
            return [plain_number(value) for value in box]
    except (TypeError, ValueError, KeyError):
        pass
    raise InputError(
        f"annotation {entry.get('id')} has the bbox {str(box)[:80]}; it must be four numbers x, y, w, h."
    )


def plain_number(value: Any) -> float:
    """A number as it is meant: a text of one is one; what is too large for a float is infinite.

    Raises:
        ValueError: if it is none.
    """
    if type(value) is float:
        return value
    if isinstance(value, str):
        return parse_number(value)
    if type(value) is not int:
        raise ValueError("it is no number")
    try:
        return float(value)
    except OverflowError:
        return float("inf") if value > 0 else float("-inf")


def plain_ids(content: Mapping[str, Any]) -> Mapping[str, Any]:
    """The content of a file in the manner of COCO, with its ids made plain, in place.

    Raises:
        InputError: if two images, categories or videos have one id, an annotation names an image that
            is not among them, or its iscrowd is neither 0 nor 1.
        KeyError, TypeError, ValueError, AttributeError: if it is no such file.
    """
    for part in ("images", "categories", "videos", "annotations"):
        for entry in content.get(part, ()):
            for key in _IDS:
                if key in entry and type(entry[key]) is not int:
                    entry[key] = plain_id(entry[key])
    for part, name in (("images", "file_name"), ("categories", "name"), ("videos", "name")):
        seen: dict[Any, Any] = {}
        for entry in content.get(part, ()):
            title = entry.get(name)
            if seen.setdefault(entry["id"], title) != title:
                raise InputError(
                    f"two of its {part} have the id {entry['id']!r}: {seen[entry['id']]} and {title}. Give "
                    "each an id of its own."
                )
    for entry in content["images"]:
        entry["file_name"].encode()  # text that no file system can hold
    images = {entry["id"] for entry in content["images"]}
    for entry in content["annotations"]:
        if entry.get("iscrowd") not in (None, 0, 1):
            raise InputError(
                f"annotation {entry.get('id')} has the iscrowd {str(entry['iscrowd'])[:40]!r}, not 0 or 1."
            )
        if entry["image_id"] not in images:
            raise InputError(
                f"annotation {entry.get('id')} is of image {entry['image_id']!r}, which is not among its "
                "images."
            )
    return content
