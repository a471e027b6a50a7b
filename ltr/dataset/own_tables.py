"""A user's own videos as one CSV table, or one JSON file in the manner of COCO."""

import csv
from collections import defaultdict
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from ebm.annotations.ids import plain_box, plain_ids
from ebm.annotations.picture_folders import find_pictures
from ebm.annotations.texts import CONVERT, read_json, read_text
from ebm.exceptions import InputError
from ebm.images.listing import natural_key
from ebm.number_texts import parse_number, parse_whole
from ltr.dataset.annotations import make_annotation
from ltr.dataset.listed import ListedSequence, ListedVideos, list_images
from ltr.dataset.own_folders import find_image_folder

__all__ = ["open_csv", "open_json"]

_NAMES = {  # column -> spellings
    "sequence": ("sequence", "seq", "video"),
    "frame": ("frame", "image", "file"),
    "x": ("x",),
    "y": ("y",),
    "w": ("w", "width"),
    "h": ("h", "height"),
}


def _columns(file: Path, header: list[str]) -> dict[str, int]:
    """Column -> position.

    Raises:
        InputError: if one is missing.
    """
    plain = [name.strip().lower() for name in header]
    for key, names in _NAMES.items():
        given = [name for name in plain if name in names]
        if len(given) > 1:
            raise InputError(f"{file}, line 1: {' and '.join(given)} both stand for {key}; keep one column.")
    found = {key: plain.index(name) for key, names in _NAMES.items() for name in names if name in plain}
    missing = [key for key in _NAMES if key not in found]
    if missing and len(plain) == 1 and {";", "\t"} & set(plain[0]):
        raise InputError(
            f"{file}, line 1: {plain[0]!r} is separated by semicolons or tabs, as Excel saves tables in many "
            f"countries. Save it with commas and decimal points, or convert it: {CONVERT} {file} --out NEW."
        )
    if missing:
        raise InputError(
            f"{file}, line 1: no column {', '.join(missing)}; there is {', '.join(plain) or 'nothing'}. The "
            "first line reads sequence,frame,x,y,w,h or sequence,frame,x,y,w,h,visible."
        )
    return found | ({"visible": plain.index("visible")} if "visible" in plain else {})


class _Table:
    """One video's rows of a CSV file, while they are read."""

    def __init__(self, file: Path, name: str) -> None:
        self.folder = find_image_folder(file.parent / name)
        self.images = list_images(self.folder)
        self.position = {image: number for number, image in enumerate(self.images)}
        self.boxes = np.full((len(self.images), 4), np.nan)
        self.hidden = np.zeros(len(self.images), dtype=bool)
        self.seen: set[int] = set()

    def frame(self, text: str) -> int:
        """Number of a frame that is given by its file name, or by its number counted from 0."""
        number = self.position.get(text, parse_whole(text))
        if number is None or not 0 <= number < len(self.images):
            raise ValueError(f"no image {text!r} among the {len(self.images)} in {self.folder}")
        if number in self.seen:
            raise ValueError(f"frame {text!r} has a second box")
        self.seen.add(number)
        return number


def _below(root: Path, path: Path) -> Path:
    """A path as seen from a folder; one elsewhere as it is."""
    return path.relative_to(root) if path.is_relative_to(root) else path


def _add_row(table: _Table, columns: Mapping[str, int], row: list[str]) -> None:
    """Take in one line.

    Raises:
        ValueError: if it is not one.
    """
    number = table.frame(row[columns["frame"]].strip())
    for column, key in enumerate("xywh"):
        field = row[columns[key]].strip()
        if "," in field:
            raise ValueError(
                f"{key} is {field!r}, with a decimal comma; write a point, or convert the table: {CONVERT} "
                "FILE --out NEW.csv"
            )
        table.boxes[number, column] = parse_number(field)
    if "visible" in columns:
        flag = row[columns["visible"]].strip()
        if flag not in {"0", "1"}:
            raise ValueError(f"visible is 0 or 1, not {flag!r}")
        table.hidden[number] = flag == "0"


def _lines(file: Path) -> tuple[list[str], list[list[str]]]:
    """The names of the columns, and the other rows.

    Raises:
        InputError: if it is no such file, naming the line.
    """
    rows = csv.reader(read_text(file, "table").splitlines())
    found: list[list[str]] = []
    try:
        found.extend(rows)
    except csv.Error as error:
        raise InputError(f"{file}, line {rows.line_num}: {error}.") from error
    return (found[0] if found else []), found[1:]


def open_csv(file: Path) -> ListedVideos:
    """Videos of a table ``sequence,frame,x,y,w,h[,visible]``, one line a box.

    The images of a sequence lie in the folder of that name beside the table, or in ``img`` and the like
    there. A frame is the name of its image, or its number in sorted order, counted from 0. Images without a
    line have no target.

    Raises:
        InputError: if it is no such table, naming the line; or images are missing.
    """
    header, rows = _lines(file)
    columns = _columns(file, header)
    tables: dict[str, _Table] = {}
    for line, row in enumerate(rows, start=2):
        if not row:
            continue
        try:
            if any(cell.strip() for cell in row[len(header) :]):
                raise ValueError(
                    f"{len(row)} columns, the first line names {len(header)}; numbers with decimal commas? "
                    f"Write points, or convert the table: {CONVERT} FILE --out NEW.csv"
                )
            name = row[columns["sequence"]].strip()
            if name not in tables:
                tables[name] = _Table(file, name)
            _add_row(tables[name], columns, row)
        except (ValueError, IndexError, OSError) as error:  # OS: a name that is too long
            problem = "too few columns" if isinstance(error, IndexError) else str(error)
            raise InputError(f"{file}, line {line}: {problem}.") from error
    sequences = [
        ListedSequence(
            name,
            [str(_below(file.parent, table.folder / image)) for image in table.images],
            make_annotation(table.boxes, table.hidden),
        )
        for name, table in tables.items()
    ]
    return ListedVideos("csv", file.parent, sequences)


def _video_of(image: Mapping[str, Any], videos: Mapping[Any, str]) -> str:
    """The video of an image: as stated, or the folder that it lies in; empty if neither."""
    if "video_id" in image:
        return videos.get(image["video_id"], str(image["video_id"]))
    return str(image.get("video", Path(image["file_name"]).parent.as_posix())).strip(".")


def _order(image: Mapping[str, Any]) -> tuple[float, tuple[list[str | int], str]]:
    """Place of an image in its video."""
    number = image.get("frame_id", image.get("frame_index", 0))
    place = parse_number(str(number))
    if place != place:
        raise ValueError("a frame_id is no number")
    return place, natural_key(image["file_name"])


def _yes(value: Any) -> bool:
    """A flag as a truth, also where it is the text ``"0"``."""
    return bool(parse_number(value)) if isinstance(value, str) else bool(value)


def _track(
    images: list[dict[str, Any]], entries: list[dict[str, Any]], name: str, kinds: Mapping[Any, str]
) -> ListedSequence:
    """One target's frames: all images of its video between its first and its last box."""
    by_image: dict[Any, dict[str, Any]] = {}
    for entry in entries:
        if entry["image_id"] in by_image:
            raise InputError(
                f"sequence {name}: image {entry['image_id']} has two boxes. Give every object its own "
                "track_id."
            )
        by_image[entry["image_id"]] = entry
    at = [number for number, image in enumerate(images) if image["id"] in by_image]
    part = images[at[0] : at[-1] + 1]
    boxes = np.full((len(part), 4), np.nan)
    hidden = np.zeros(len(part), dtype=bool)
    for number, image in enumerate(part):
        found = by_image.get(image["id"])
        if found is not None:
            boxes[number] = plain_box(found)
            hidden[number] = _yes(found.get("occluded", 0)) or not _yes(found.get("visible", 1))
    kind = kinds.get(entries[0].get("category_id"), "")
    return ListedSequence(name, [image["file_name"] for image in part], make_annotation(boxes, hidden), kind)


def _sequences(content: Mapping[str, Any]) -> tuple[list[ListedSequence], bool]:
    """The tracks of a JSON file, or, where it knows no videos, each object on its own; and which it was."""
    videos = {video["id"]: str(video.get("name", video["id"])) for video in content.get("videos", [])}
    kinds = {kind["id"]: str(kind["name"]) for kind in content.get("categories", [])}
    images = {image["id"]: image for image in content["images"]}
    entries = [entry for entry in content["annotations"] if not entry.get("iscrowd", 0)]
    of_video: dict[str, list[dict[str, Any]]] = defaultdict(list)
    for image in sorted(content["images"], key=_order):
        of_video[_video_of(image, videos)].append(image)
    if set(of_video) == {""}:
        single = [
            _track(
                [images[e["image_id"]]], [e], f"{images[e['image_id']]['file_name']}, object {e['id']}", kinds
            )
            for e in entries
        ]
        return [found for found in single if found.annotation.valid[0]], False
    tracks: dict[tuple[str, str], list[dict[str, Any]]] = defaultdict(list)
    for entry in entries:
        given = entry.get("track_id", entry.get("instance_id"))
        track = "" if given is None else str(given)
        tracks[_video_of(images[entry["image_id"]], videos), track].append(entry)
    names = {key: key[0] + (f"#{key[1]}" if key[1] else "") for key in tracks}
    return [_track(of_video[key[0]], found, names[key], kinds) for key, found in tracks.items()], True


def open_json(file: Path) -> ListedVideos:
    """Videos of a JSON file in the manner of COCO.

    ``images`` have id, file_name, and a video_id (of ``videos``), a video, or a folder in their name;
    frame_id orders them, otherwise the name does. ``annotations`` have image_id, bbox ``[x, y, w, h]`` in px,
    and a track_id where an image shows several objects; visible (0 or 1) or occluded are optional. Without
    videos every object is a sequence of one image.

    Raises:
        InputError: if it is no such file, or images are missing.
    """
    content = read_json(file)
    try:
        sequences, is_video = _sequences(plain_ids(content))
    except InputError as error:
        raise InputError(f"{file}: {error}") from error
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise InputError(
            f"{file} is no JSON file in the manner of COCO ({type(error).__name__}: {error}). It needs "
            "images with id and file_name, and annotations with id, image_id and bbox."
        ) from error
    if not sequences:
        raise InputError(f"{file} has no object with a box.")
    root = find_pictures(file, (name for sequence in sequences for name in sequence.files))
    return ListedVideos("json", root, sequences, is_video)
