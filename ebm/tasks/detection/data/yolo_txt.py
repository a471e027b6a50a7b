"""Detection sets as YOLO's texts: a row ``class cx cy w h`` for each object, in shares of the picture."""

import importlib
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ebm.annotations.texts import read_text
from ebm.exceptions import InputError
from ebm.extras import explain_missing
from ebm.images.listing import IMAGE_SUFFIXES, image_names, natural_key
from ebm.images.reading import picture_size
from ebm.number_texts import parse_number, parse_whole
from ebm.tasks.detection.data.ids import ids_of
from ebm.tasks.detection.data.records import Category, DetectionImage, DetectionSet
from ebm.tasks.detection.data.rows import Row, image_of
from ebm.tasks.detection.problems import Problems

__all__ = ["is_yolo", "read_yolo", "write_yolo", "yolo_splits"]

_CONFIGS = ("data.yaml", "data.yml", "dataset.yaml")
_CLASSES = ("classes.txt", "obj.names", "labels/classes.txt")
_OTHER_NAME = {"val": "valid", "valid": "val"}
_NO_SHARE = 0.01  # by which a share may lie outside of 0 to 1; more is a pixel


@dataclass(frozen=True)
class _Layout:
    """A folder of YOLO.

    Attributes:
        root: of the folder.
        names: of the classes.
        parts: split -> folders of pictures or lists of them, as ``data.yaml`` has it.
    """

    root: Path
    names: Sequence[str]
    parts: Mapping[str, Sequence[str]]


def is_yolo(folder: Path) -> bool:
    """Whether a folder has ``data.yaml``, or classes and ``labels``."""
    if any((folder / name).is_file() for name in _CONFIGS):
        return True
    classes = any((folder / name).is_file() for name in _CLASSES)
    return classes and any((folder / name).is_dir() for name in ("images", "labels"))


def yolo_splits(place: Path) -> list[str]:
    """Names of the splits of a folder of YOLO, or of its ``data.yaml``; empty if it has none.

    Raises:
        InputError: as `read_yolo`.
    """
    return _splits(_layout(place))


def read_yolo(place: Path, split: str | None = None) -> tuple[DetectionSet, Problems]:
    """A set in one of the layouts of YOLO: ``images/<split>``, ``<split>/images`` or ``images``.

    A picture's rows are in the text of its name in the folder ``labels`` that stands for ``images`` in its
    path, or beside it; one without is background. A row is a box, or the polygon of an outline, whose box is
    taken. Classes are named by ``data.yaml``, or by ``classes.txt`` or ``obj.names``, a name a line. Ids of
    categories are the classes' numbers plus 1; a picture's id is its name without suffix, as a number where
    it is one.

    Args:
        place: the folder, or its ``data.yaml``.
        split: ``"train"`` or the like; None: the only one, or ``images`` itself.

    Returns:
        The set; and what was left out.

    Raises:
        InputError: if there is no such layout, or no such split.
        MissingPackageError: if there is a ``data.yaml``, and PyYAML is not installed.
    """
    layout = _layout(place)
    pictures = _pictures(layout, split)
    problems = Problems()
    keys = [path.stem for path in pictures]
    if len(set(keys)) < len(keys):
        keys = [str(path.with_suffix("")) for path in pictures]
    ids = ids_of(keys)
    images = []
    for key, path in zip(keys, pictures, strict=True):
        try:
            size = picture_size(path)
        except InputError as error:
            problems.add("pictures that cannot be read", str(error))
            continue
        rows = list(_rows(_label_file(path), size, len(layout.names), problems))
        images.append(image_of(ids[key], path, size, rows, problems))
    categories = tuple(Category(label + 1, name) for label, name in enumerate(layout.names))
    return DetectionSet(tuple(images), categories), problems


def _layout(place: Path) -> _Layout:
    folder = place if place.is_dir() else place.parent
    config = place if place.is_file() else next((f for n in _CONFIGS if (f := folder / n).is_file()), None)
    if config is not None:
        return _configured(config)
    file = next((folder / name for name in _CLASSES if (folder / name).is_file()), None)
    if file is None:
        raise InputError(f"{folder} has neither {_CONFIGS[0]} nor {_CLASSES[0]}: nothing names its classes.")
    names = [line.strip() for line in read_text(file, "list of classes").splitlines() if line.strip()]
    return _Layout(folder, names, {})


def _configured(file: Path) -> _Layout:
    """What a ``data.yaml`` says."""
    try:
        yaml: Any = importlib.import_module("yaml")
    except ModuleNotFoundError as error:
        raise explain_missing(f"reading {file.name}", "yaml") from error
    try:
        content = yaml.safe_load(read_text(file, "YAML file"))
        given = content["names"]
        names = [_text(given[number]) for number in range(len(given))]
        parts = {
            key: [_text(one) for one in (value if isinstance(value, list) else [value])]
            for key in ("train", "val", "valid", "test")
            if (value := content.get(key))
        }
        root = file.parent / _text(content.get("path") or ".")
    except (yaml.YAMLError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise InputError(
            f"{file} is no description of a YOLO data set ({type(error).__name__}: {error}). It needs names, "
            "as a list or as numbers from 0, and best train and val."
        ) from error
    return _Layout(root if root.is_dir() else file.parent, names, parts)


def _splits(layout: _Layout) -> list[str]:
    there = (folder.name for folder in (layout.root / "images").glob("*") if folder.is_dir())
    return sorted(layout.parts) or sorted(there)


def _text(value: object) -> str:
    """A value of YAML as a text; nested ones could stand for gigabytes of it."""
    if isinstance(value, str | int | float):
        return str(value)
    raise TypeError("a list or mapping stands where a text must be")


def _pictures(layout: _Layout, split: str | None) -> list[Path]:
    """The pictures of a split."""
    root = layout.root
    if split is None:
        flat, parts = root / "images", _splits(layout)
        if not parts and flat.is_dir():
            return [flat / name for name in image_names(flat)]
        if len(parts) != 1:
            raise InputError(f"{root} has the splits {', '.join(parts) or '(none)'}; name one of them.")
        split = parts[0]
    for name in (split, _OTHER_NAME.get(split, split)):
        given = layout.parts.get(name, ())
        places = [place for one in given if (place := _resolved(root, one)) is not None]
        places = places or [f for f in (root / "images" / name, root / name / "images") if f.is_dir()]
        found = [path for place in places for path in _in_place(place)]
        if found:
            return found
    raise InputError(
        f"{root} has no pictures of the split {split!r}: expected images/{split}/ or {split}/images/, or a "
        f"place in data.yaml, which names {', '.join(layout.parts) or 'none'}."
    )


def _resolved(root: Path, text: str) -> Path | None:
    """A place of ``data.yaml``; exporters write ``../train/images`` and mean ``train/images``."""
    tried = (root / text, root / text.removeprefix("../"))
    return next((place for place in tried if place.exists()), None)


def _in_place(place: Path) -> list[Path]:
    if place.is_file():
        lines = read_text(place, "list of pictures").splitlines()
        return [place.parent / line.strip() for line in lines if line.strip()]
    found = (path for path in place.rglob("*") if path.suffix.lower() in IMAGE_SUFFIXES)
    return sorted(found, key=lambda path: natural_key(str(path)))


def _label_file(picture: Path) -> Path:
    """Where the rows of a picture are."""
    parts = list(picture.with_suffix(".txt").parts)
    for at in range(len(parts) - 2, -1, -1):
        if parts[at] == "images":
            parts[at] = "labels"
            break
    return Path(*parts)


def _rows(file: Path, size: tuple[int, int], classes: int, problems: Problems) -> Iterator[Row]:
    """The objects of a picture."""
    if not file.is_file():
        return
    for number, line in enumerate(read_text(file, "labels").splitlines(), start=1):
        if not line.strip():
            continue
        where = f"{file}, line {number}"
        try:
            label, corners, area = _parse(line, size)
        except ValueError as error:
            problems.add("rows that are no class and shares of the picture", f"{where}: {error}")
            continue
        if label >= classes:
            problems.add("objects of unknown categories", f"{where}: class {label} of {classes}")
        else:
            yield Row(where, corners, label, area=area)


def _parse(line: str, size: tuple[int, int]) -> tuple[int, tuple[float, float, float, float], float | None]:
    """Class, corners in px, and the area of an outline in px^2.

    Raises:
        ValueError: if it is no such row.
    """
    fields = line.split()
    label = parse_whole(fields[0].removesuffix(".0"))
    values = [parse_number(field) for field in fields[1:]]
    is_box, is_outline = len(values) in (4, 5), len(values) >= 6 and len(values) % 2 == 0
    if label is None or not (is_box or is_outline):
        raise ValueError(f"{line.strip()[:80]!r}")
    if not all(-_NO_SHARE <= value <= 1 + _NO_SHARE for value in values):
        raise ValueError(f"{line.strip()[:80]!r} has numbers outside of 0 to 1; are they pixels?")
    width, height = size
    if is_box:
        x, y, w, h = values[0] * width, values[1] * height, values[2] * width, values[3] * height
        return label, (x - w / 2, y - h / 2, x + w / 2, y + h / 2), None
    xs, ys = [value * width for value in values[::2]], [value * height for value in values[1::2]]
    area = abs(sum(x * ys[k - 1] - xs[k - 1] * y for k, (x, y) in enumerate(zip(xs, ys)))) / 2
    return label, (min(xs), min(ys), max(xs), max(ys)), area


def write_yolo(root: Path, detection_set: DetectionSet, names: Sequence[str], split: str) -> int:
    """The inverse of `read_yolo`, but for ids. Boxes are cut at the border; crowds are left out: no row of
    YOLO says that it is one.

    Args:
        root: the folder; pictures are expected in ``images/<split>`` there.
        detection_set: what is in it.
        names: the pictures' file names, without folders, in the order of the images.
        split: of the set.

    Returns:
        How many objects were left out.

    Raises:
        OSError: if a file cannot be written.
    """
    left_out, labels = 0, root / "labels" / split
    labels.mkdir(parents=True, exist_ok=True)
    for image, name in zip(detection_set.images, names, strict=True):
        lines = list(_lines(image))
        left_out += len(image) - len(lines)
        (labels / f"{Path(name).stem}.txt").write_text("".join(lines), encoding="utf-8")
    # A string of JSON is one of YAML, whatever is in it.
    titles = "".join(f"  {label}: {json.dumps(name)}\n" for label, name in enumerate(detection_set.names))
    config = f"path: .\n{split}: images/{split}\nnames:\n{titles}"
    (root / "data.yaml").write_text(config, encoding="utf-8")
    return left_out


def _lines(image: DetectionImage) -> Iterator[str]:
    for box, label, crowd in zip(image.boxes.tolist(), image.labels.tolist(), image.crowd.tolist()):
        left, right = (min(max(value / image.width, 0), 1) for value in box[::2])
        top, bottom = (min(max(value / image.height, 0), 1) for value in box[1::2])
        if crowd or right <= left or bottom <= top:
            continue
        shares = ((left + right) / 2, (top + bottom) / 2, right - left, bottom - top)
        yield f"{label} {' '.join(f'{value:.9f}' for value in shares)}\n"
