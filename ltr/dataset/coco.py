"""COCO: every annotated object of an image as a sequence of one frame."""

import logging
import os
import re
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from ebm.annotations.ids import plain_box, plain_ids
from ebm.annotations.picture_folders import split_folders
from ebm.annotations.texts import read_json
from ebm.exceptions import InputError
from ltr.data.usable import Skipped
from ltr.data.video import Annotation
from ltr.dataset.array_file import read_arrays, write_arrays
from ltr.dataset.base import open_root
from ltr.dataset.index import index_file, stamp_of

__all__ = ["MSCOCOSeq"]

_FORMAT = "coco objects 2"

_log = logging.getLogger(__name__)


@dataclass(frozen=True, eq=False)
class _Objects:
    """The kept objects of an instances file, in flat arrays: COCO has 860,000 of them."""

    ids: npt.NDArray[np.int64]  # [N] annotation id
    boxes: npt.NDArray[np.float32]  # [N, 4] xywh, px
    image: npt.NDArray[np.int32]  # [N] row in files
    files: npt.NDArray[np.bytes_]  # [images] file name, UTF-8
    category: npt.NDArray[np.int32]  # [N] row in categories
    categories: npt.NDArray[np.bytes_]  # [categories] name, UTF-8; the last, "", is for objects without one
    crowds: npt.NDArray[np.int64]  # annotation ids of objects left out because they are crowds
    without_area: npt.NDArray[np.int64]  # and because their box has no area or is not finite


def _find_version(root: Path, split: str, version: str | None) -> str:
    """The release to use: the one asked for, otherwise 2014 (published recipes), else the one there.

    Raises:
        InputError: if it is not there.
    """
    pattern = re.compile(rf"instances_{re.escape(split)}(\w*)\.json")
    folder = root / "annotations"
    matches = [pattern.fullmatch(name) for name in sorted(os.listdir(folder))] if folder.is_dir() else []
    there = [match[1] for match in matches if match]
    chosen = version or ("2014" if "2014" in there else there[0] if there else "")
    if chosen not in there:
        raise InputError(
            f"COCO at {root} has no annotations/instances_{split}{version or '2014'}.json; there is "
            f"{', '.join(f'instances_{split}{v}.json' for v in there) or f'none for the split {split!r}'}. "
            "Extract the annotations there, or choose another version or split."
        )
    return chosen


def _parse(file: Path) -> _Objects:
    """The objects of an instances file that can be tracked.

    Raises:
        InputError: if the file is not an instances file.
    """
    content = read_json(file)
    try:
        every, crowd = _every_object(content)
    except InputError as error:
        raise InputError(f"{file}: {error}") from error
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise InputError(
            f"{file} is no COCO instances file ({type(error).__name__}: {error}). Get "
            "instances_<split>.json from the COCO annotations archive."
        ) from error
    _refuse_repeated(file, every)
    has_area = np.isfinite(every.boxes).all(axis=1) & (every.boxes[:, 2:] > 0).all(axis=1)
    keep = ~crowd & has_area
    if not keep.any():
        raise InputError(f"{file} has no object to track: {len(keep)} objects, all crowds or without area.")
    return replace(
        every,
        ids=every.ids[keep],
        boxes=every.boxes[keep],
        image=every.image[keep],
        category=every.category[keep],
        crowds=every.ids[crowd],
        without_area=every.ids[~crowd & ~has_area],
    )


def _every_object(content: Any) -> tuple[_Objects, npt.NDArray[np.bool_]]:
    """All objects of an instances file, and which of them are crowds.

    Raises:
        InputError: if an id or a box is not one.
        KeyError, TypeError, ValueError, AttributeError: if the content is of no such file.
    """
    plain_ids(content)
    rows = {image["id"]: row for row, image in enumerate(content["images"])}
    objects: list[dict[str, Any]] = content["annotations"]
    kinds = {kind["id"]: row for row, kind in enumerate(content.get("categories", []))}
    ids = np.array([_whole(o["id"]) for o in objects], dtype=np.int64)
    every = _Objects(
        ids=ids,
        boxes=_boxes(objects),
        image=np.array([rows[o["image_id"]] for o in objects], dtype=np.int32),
        files=np.array([image["file_name"].encode() for image in content["images"]]),
        category=np.array([kinds.get(o.get("category_id"), len(kinds)) for o in objects], dtype=np.int32),
        categories=np.array([kind["name"].encode() for kind in content.get("categories", [])] + [b""]),
        crowds=ids[:0],
        without_area=ids[:0],
    )
    return every, np.array([bool(o.get("iscrowd", 0)) for o in objects], dtype=bool)


def _boxes(objects: list[dict[str, Any]]) -> npt.NDArray[np.float32]:
    """The boxes of objects, xywh, px, ``[N, 4]``; what float32 cannot hold becomes infinite."""
    rows = [plain_box(entry) for entry in objects]
    with np.errstate(over="ignore"):
        return np.array(rows, dtype=np.float32).reshape(-1, 4)


def _whole(value: Any) -> int:
    """An annotation's id."""
    if type(value) is not int or abs(value) >= 1 << 63:
        raise InputError(f"an annotation has the id {value!r}; expected a whole number of 63 bits.")
    return value


def _refuse_repeated(file: Path, every: _Objects) -> None:
    """Make sure that image and id together name one object."""
    pairs = np.stack([every.image.astype(np.int64), every.ids], axis=1)
    pairs, counts = np.unique(pairs, axis=0, return_counts=True)
    if (counts > 1).any():
        row, number = pairs[int(np.argmax(counts > 1))]
        raise InputError(
            f"{file}: {int((counts > 1).sum())} ids of annotations are given twice, first {number} in "
            f"{bytes(every.files[row]).decode()}. Number the annotations anew."
        )


def _indexed(file: Path) -> _Objects:
    """`_parse`, or what an earlier run has left of it: the file's JSON takes ten seconds for all of COCO.

    Raises:
        InputError: as `_parse`.
    """
    index, stamp = index_file("coco", file), stamp_of([file])
    try:
        meta, arrays = read_arrays(index, "annotation index")
        if meta == {"format": _FORMAT, "stamp": stamp}:
            return _Objects(**arrays)
    except InputError as error:
        if index.exists():
            _log.warning("%s It is built anew.", error)
    objects = _parse(file)
    try:
        write_arrays(index, {"format": _FORMAT, "stamp": stamp}, vars(objects))
    except InputError as error:
        _log.warning("annotations are parsed again next time: %s", error)
    return objects


def _image_folder(root: Path, name: str) -> Path:
    """The folder that holds the images, ``images/<name>`` or ``<name>``.

    Raises:
        InputError: if there is none.
    """
    for folder in split_folders(root, name):
        if folder.is_dir():
            return folder
    raise InputError(f"COCO: no images at {root / 'images' / name}. Extract the {name} images there.")


def _with_image(folder: Path, objects: _Objects, allow_missing: bool) -> tuple[_Objects, tuple[str, ...]]:
    """The objects whose images are there, and the images that are not.

    Raises:
        InputError: if some are missing that may not be, or all are.
    """
    present = set(os.listdir(os.fsencode(folder)))
    needed = np.unique(objects.image)
    absent = [int(row) for row in needed if bytes(objects.files[row]) not in present]
    missing = tuple(bytes(objects.files[row]).decode() for row in absent)
    if len(missing) == len(needed) or (missing and not allow_missing):
        raise InputError(
            f"COCO: {len(missing)} of {len(needed)} images are missing in {folder}, e.g. {missing[0]}. "
            f"Extract the {folder.name} images there, or allow images to be missing."
        )
    if not missing:
        return objects, ()
    keep = ~np.isin(objects.image, absent)
    kept = {key: getattr(objects, key)[keep] for key in ("ids", "boxes", "image", "category")}
    return replace(objects, **kept), missing


class MSCOCOSeq:
    """COCO objects as one-frame sequences. Source: Lin et al., ECCV 2014, arXiv:1405.0312.

    Crowds and boxes without area are left out; `dropped` says how many.
    """

    name = "coco"
    is_video = False

    def __init__(
        self,
        root: str | Path | None = None,
        split: str = "train",
        version: str | None = None,
        *,
        allow_missing: bool = False,
    ) -> None:
        """Open a root.

        Args:
            root: the folder of ``annotations/`` and ``images/``; None: the configured one.
            split: ``"train"`` or ``"val"``.
            version: the release, e.g. ``"2014"`` or ``"2017"``; None: 2014 if it is there, otherwise what is,
                also a file without one, ``instances_train.json`` beside ``train/``.
            allow_missing: use the images that are there; `missing` names the others.

        Raises:
            InputError: if root, annotations or images are missing or broken.
        """
        self.root = open_root("coco", root)
        self.version = _find_version(self.root, split, version)
        objects = _indexed(self.root / "annotations" / f"instances_{split}{self.version}.json")
        self._folder = _image_folder(self.root, f"{split}{self.version}")
        self._objects, self.missing = _with_image(self._folder, objects, allow_missing)

    @property
    def dropped(self) -> dict[str, int]:
        """How many objects were left out, by reason."""
        return {"crowd": len(self._objects.crowds), "without area": len(self._objects.without_area)}

    @property
    def skipped(self) -> list[Skipped]:
        """What was left out: objects whose boxes have no area, missing images; crowds are meant to be."""
        names = tuple(f"object {number}" for number in self._objects.without_area)
        total = len(self) + len(names)
        flat = [Skipped(self.name, names, total, "box without area")] if names else []
        absent = [Skipped(self.name, self.missing, total, "image not there")] if self.missing else []
        return flat + absent

    def class_name(self, index: int) -> str | None:
        """The object's category; None if it has none."""
        return bytes(self._objects.categories[self._objects.category[index]]).decode() or None

    def __len__(self) -> int:
        return len(self._objects.ids)

    def sequence_name(self, index: int) -> str:
        """Image file and annotation id of an object."""
        return f"{self.frame_path(index, 0).name}, object {self._objects.ids[index]}"

    def annotation(self, index: int) -> Annotation:
        """The object's box as a sequence of one frame; nothing is parsed or copied."""
        yes = np.ones(1, dtype=bool)
        return Annotation(boxes=self._objects.boxes[index : index + 1], valid=yes, visible=yes)

    def frame_path(self, index: int, frame: int) -> Path:
        """The object's image, whatever the frame."""
        return self._folder / self._objects.files[self._objects.image[index]].decode()
