"""Detection sets from one form into another: COCO's json, Pascal VOC's XML, YOLO's texts."""

import os
import shutil
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from ebm.exceptions import InputError
from ebm.images.reading import picture_size
from ebm.outputs import Output, require_outputs
from ebm.tasks.detection.data.coco_json import write_coco
from ebm.tasks.detection.data.opening import FORMATS, detection_format, open_detection_set
from ebm.tasks.detection.data.records import DetectionSet
from ebm.tasks.detection.data.voc_xml import write_voc
from ebm.tasks.detection.data.yolo_txt import write_yolo, yolo_splits
from ebm.tasks.detection.problems import Problems

__all__ = ["Converted", "convert_set"]


@dataclass(frozen=True)
class Converted:
    """What a conversion has written, and what it has left out: `problems` of rows that cannot be used."""

    told: str
    problems: Problems

    def __str__(self) -> str:
        lines = [self.told, *(f"left out: {problem}" for problem in self.problems)]
        return "\n".join(lines)


def convert_set(
    source: Path,
    out: Path,
    target: str | None = None,
    split: str | None = None,
    *,
    pictures: Path | None = None,
    copy: bool = False,
) -> Converted:
    """Write a detection set anew in another form, pictures and all.

    Args:
        source: see `open_detection_set`.
        out: a new folder in the layout of the form: COCO's ``annotations/instances_<split>.json`` and
            ``<split>/``, VOC's ``Annotations``, ``JPEGImages`` and ``ImageSets/Main``, YOLO's
            ``images/<split>``, ``labels/<split>`` and ``data.yaml``.
        target: ``"coco"``, ``"voc"`` or ``"yolo"``; None: COCO's for the other two.
        split: part of the source, and the new one's name; None: that of the file, as in
            ``instances_val.json``, the only one of YOLO, or ``train``.
        pictures: where COCO's file names count from; None: where they usually lie.
        copy: copy pictures instead of linking to them.

    Returns:
        What was written and what was left out; its text is for the user.

    Raises:
        InputError: if the source is no such set or pictures of it are missing; if `out` is there already or
            cannot be written. Nothing is left behind then.
    """
    given = detection_format(source)
    if given is None:
        open_detection_set(source, split)  # says what it could be
    target = target or ("coco" if given in ("voc", "yolo") else None)
    if target not in FORMATS:
        raise InputError(f"say which form {source} is to be converted to: {', '.join(FORMATS)}.")
    if out.exists() or out.is_symlink():
        raise InputError(f"{out} is there already; give a new name, so that nothing is overwritten.")
    detection_set, problems = open_detection_set(source, split, pictures)
    folders = {image.path.parent for image in detection_set.images}
    read: dict[str, Path | list[Path]] = {"the data set": source, "the folder of pictures": sorted(folders)}
    require_outputs([Output(name="--out", path=out, folder=True)], read)
    _require_pictures(detection_set)
    name, names = _split_name(source, split), _flat_names(detection_set)
    try:
        out.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(prefix=f".{out.name}.", dir=out.parent) as part:
            made = Path(part) / out.name
            left = _write(made, detection_set, names, target, name)
            _place(made / _PICTURES[target].format(split=name), detection_set, names, copy)
            made.rename(out)
    except OSError as error:
        raise InputError(
            f"{out} cannot be written ({error.strerror or error}). Choose another place."
        ) from error
    objects, kinds = sum(map(len, detection_set.images)) - left, len(detection_set.categories)
    told = f"{out}: {len(detection_set)} pictures with {objects} objects of {kinds} kinds."
    if left:
        told += f"\nleft out: {left} objects, crowds or outside their picture, which {target} cannot hold."
    return Converted(told, problems)


_PICTURES = {"coco": "{split}", "voc": "JPEGImages", "yolo": "images/{split}"}


def _split_name(source: Path, split: str | None) -> str:
    parts = yolo_splits(source) if detection_format(source) == "yolo" else []
    own = parts[0] if parts else source.stem.partition("_")[2] * source.is_file()
    name = split or own or "train"
    if Path(name).name != name:
        raise InputError(f"{name!r} is no name of a split: no folders.")
    return name


def _require_pictures(detection_set: DetectionSet) -> None:
    """Refuse to go on without pictures, or with files that are none: they are going to be copied.

    Raises:
        InputError: if there are such.
    """
    missing = [image.path for image in detection_set.images if not image.path.is_file()]
    if missing:
        raise InputError(
            f"{len(missing)} of {len(detection_set)} pictures are missing, first {missing[0]}. Extract them, "
            "or take them out of the annotations."
        )
    for image in detection_set.images:
        picture_size(image.path)


def _flat_names(detection_set: DetectionSet) -> list[str]:
    """File names without folders, whose names without suffix differ: annotations are called by these.

    Raises:
        InputError: if two pictures would get one name.
    """
    names = [image.path.name for image in detection_set.images]
    if len({Path(name).stem for name in names}) < len(names):
        root = Path(os.path.commonpath([image.path.parent for image in detection_set.images]))
        names = ["_".join(image.path.relative_to(root).parts) for image in detection_set.images]
    seen: dict[str, str] = {}
    for name in names:
        if Path(name).stem in seen:
            raise InputError(
                f"two pictures are called {Path(name).stem}: {seen[Path(name).stem]} and {name}; rename one."
            )
        seen[Path(name).stem] = name
    return names


def _write(root: Path, detection_set: DetectionSet, names: Sequence[str], target: str, split: str) -> int:
    """Write annotations; returns how many objects the form could not hold."""
    if target == "yolo":
        return write_yolo(root, detection_set, names, split)
    if target == "voc":
        write_voc(root, detection_set, names, split)
    else:
        write_coco(root / "annotations" / f"instances_{split}.json", detection_set, names)
    return 0


def _place(folder: Path, detection_set: DetectionSet, names: Sequence[str], copy: bool) -> None:
    folder.mkdir(parents=True)
    for image, name in zip(detection_set.images, names, strict=True):
        if copy:
            shutil.copyfile(image.path, folder / name)
        else:
            os.symlink(image.path.resolve(), folder / name)
