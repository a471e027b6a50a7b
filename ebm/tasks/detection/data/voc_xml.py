"""Detection sets as Pascal VOC's XML: a file for each picture, read and written."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from xml.etree import ElementTree

from ebm.annotations.texts import read_text
from ebm.exceptions import InputError
from ebm.images.listing import IMAGE_SUFFIXES, natural_key
from ebm.images.reading import picture_size
from ebm.number_texts import parse_number, parse_whole
from ebm.tasks.detection.data.ids import ids_of
from ebm.tasks.detection.data.records import Category, DetectionImage, DetectionSet
from ebm.tasks.detection.data.rows import Row, image_of
from ebm.tasks.detection.problems import Problems

__all__ = ["VOC_NAMES", "has_voc_splits", "is_voc", "read_voc", "write_voc"]

CLASSES = "classes.txt"
VOC_NAMES = (
    "aeroplane", "bicycle", "bird", "boat", "bottle", "bus", "car", "cat", "chair", "cow", "diningtable",
    "dog", "horse", "motorbike", "person", "pottedplant", "sheep", "sofa", "train", "tvmonitor",
)  # fmt: skip
_PICTURES = ("JPEGImages", "images", "img", ".")


@dataclass(frozen=True)
class _File:
    """What an XML file says."""

    path: Path
    picture: str
    size: tuple[int, int] | None
    objects: tuple[tuple[str, tuple[float, float, float, float], bool], ...]


def is_voc(folder: Path) -> bool:
    """Whether a folder has ``Annotations/*.xml``, or XML files itself."""
    return (
        next(folder.glob("Annotations/*.xml"), None) is not None
        or next(folder.glob("*.xml"), None) is not None
    )


def has_voc_splits(root: Path) -> bool:
    """Whether lists in ``ImageSets/Main`` divide a folder; programs for drawing boxes write none."""
    return next(_lists(root).glob("*.txt"), None) is not None


def _lists(root: Path) -> Path:
    return root / "ImageSets" / "Main"


def read_voc(root: Path, split: str | None = None) -> tuple[DetectionSet, Problems]:
    """A folder in the layout of Pascal VOC: ``Annotations/*.xml``, ``JPEGImages/``, ``ImageSets/Main/``.

    Pixels count from 1 there, and a box ends with its last pixel: ``xmin - 1, ymin - 1, xmax, ymax`` are its
    corners here. Difficult objects are marked as crowds: they are not trained on, and finding one is neither
    right nor wrong. Labels follow ``classes.txt`` in the root where it is, a name a line; otherwise VOC's 20
    where no other occurs; otherwise the names in all files, sorted. Ids of categories count from 1; a
    picture's id is its name without suffix, as a number where it is one.

    Args:
        root: the folder; one that holds the XML files themselves will do.
        split: a list in ``ImageSets/Main``, e.g. ``"train"``; None: all files.

    Returns:
        The set; and what was left out.

    Raises:
        InputError: if there is nothing that can be read, or no such split.
    """
    folder = root / "Annotations" if (root / "Annotations").is_dir() else root
    problems = Problems()
    files = _parsed(sorted(folder.glob("*.xml"), key=lambda file: natural_key(file.name)), problems)
    if not files:
        raise InputError(
            f"{folder} has no XML file of VOC that can be read.{f' {problems}' * bool(len(problems))}"
        )
    names = _names(root, files)
    chosen = list(files) if split is None else _listed(root, split, files, problems)
    labels = {name: label for label, name in enumerate(names)}
    ids = ids_of(chosen)
    images = (_image(root, files[stem], ids[stem], labels, problems) for stem in chosen)
    categories = tuple(Category(label + 1, name) for label, name in enumerate(names))
    return DetectionSet(tuple(image for image in images if image is not None), categories), problems


def _parsed(files: Iterable[Path], problems: Problems) -> dict[str, _File]:
    found = {}
    for file in files:
        try:
            found[file.stem] = _parse(file)
        except (OSError, ElementTree.ParseError, LookupError, ValueError) as error:  # Lookup: of the encoding
            problems.add("files that are no annotation of VOC", f"{file} ({error})")
    return found


def _parse(file: Path) -> _File:
    root = ElementTree.parse(file).getroot()
    width, height = (parse_whole(root.findtext(f"size/{side}", "").strip()) for side in ("width", "height"))
    size = (width, height) if width and height else None
    objects = tuple(
        (entry.findtext("name", "").strip(), _corners(entry), entry.findtext("difficult", "0").strip() == "1")
        for entry in root.iterfind("object")
    )
    # The path of another machine may stand there.
    name = root.findtext("filename", "").strip().replace("\\", "/").rpartition("/")[2]
    return _File(file, name, size, objects)


def _corners(entry: ElementTree.Element) -> tuple[float, float, float, float]:
    left, top, right, bottom = (
        parse_number(entry.findtext(f"bndbox/{key}", "")) for key in ("xmin", "ymin", "xmax", "ymax")
    )
    return left - 1, top - 1, right, bottom


def _names(root: Path, files: dict[str, _File]) -> Sequence[str]:
    if (root / CLASSES).is_file():
        names = [line.strip() for line in read_text(root / CLASSES, "list of classes").splitlines()]
        return list(dict.fromkeys(name for name in names if name))
    seen = {name for file in files.values() for name, _, _ in file.objects}
    return VOC_NAMES if seen <= set(VOC_NAMES) else sorted(seen)


def _listed(root: Path, split: str, files: dict[str, _File], problems: Problems) -> list[str]:
    """The files of a split, in the order of its list."""
    place = _lists(root) / f"{split}.txt"
    if not place.is_file():
        there = sorted(file.stem for file in place.parent.glob("*.txt") if "_" not in file.stem)
        raise InputError(f"{place} is missing; there is {', '.join(there) or 'no list of a split'}.")
    stems = [line.split()[0] for line in read_text(place, "list of pictures").splitlines() if line.strip()]
    for stem in stems:
        if stem not in files:
            problems.add("pictures of the split without annotation", f"{stem} of {place}")
    return [stem for stem in dict.fromkeys(stems) if stem in files]


def _image(
    root: Path, file: _File, image_id: int | str, labels: dict[str, int], problems: Problems
) -> DetectionImage | None:
    path = _picture(root, file)
    try:
        size = file.size or picture_size(path)
    except InputError as error:
        problems.add("pictures of unknown size", f"{file.path}: {error}")
        return None
    rows = []
    for number, (name, corners, difficult) in enumerate(file.objects, start=1):
        where = f"object {number} of {file.path}"
        if name in labels:
            rows.append(Row(where, corners, labels[name], difficult))
        else:
            problems.add("objects of unknown categories", f"{where}: {name!r}")
    return image_of(image_id, path, size, rows, problems)


def _picture(root: Path, file: _File) -> Path:
    """The picture of an XML file: of the name that it says, otherwise of its own."""
    folders = [*(root / name for name in _PICTURES), file.path.parent]
    names = [
        file.picture or f"{file.path.stem}.jpg",
        *(f"{file.path.stem}{suffix}" for suffix in IMAGE_SUFFIXES),
    ]
    tried = [folder / name for name in dict.fromkeys(names) for folder in folders]
    return next((path for path in tried if path.is_file()), tried[0])


def write_voc(root: Path, detection_set: DetectionSet, names: Sequence[str], split: str) -> None:
    """The inverse of `read_voc`, but for ids; crowds become difficult, areas are lost.

    Args:
        root: the folder; pictures are expected in ``JPEGImages`` there.
        detection_set: what is in it.
        names: the pictures' file names, without folders, in the order of the images.
        split: name of the list.

    Raises:
        OSError: if a file cannot be written.
    """
    annotations, lists = root / "Annotations", _lists(root)
    for folder in (annotations, lists):
        folder.mkdir(parents=True, exist_ok=True)
    for image, name in zip(detection_set.images, names, strict=True):
        text = _xml(image, name, detection_set.names)
        (annotations / f"{Path(name).stem}.xml").write_text(text, encoding="utf-8")
    stems = "".join(f"{Path(name).stem}\n" for name in names)
    (lists / f"{split}.txt").write_text(stems, encoding="utf-8")
    classes = "".join(f"{name}\n" for name in detection_set.names)
    (root / CLASSES).write_text(classes, encoding="utf-8")


def _xml(image: DetectionImage, name: str, names: Sequence[str]) -> str:
    root = ElementTree.Element("annotation")
    ElementTree.SubElement(root, "folder").text = "JPEGImages"
    ElementTree.SubElement(root, "filename").text = name
    size = ElementTree.SubElement(root, "size")
    for key, value in (("width", image.width), ("height", image.height), ("depth", 3)):
        ElementTree.SubElement(size, key).text = str(value)
    for box, label, crowd in zip(image.boxes.tolist(), image.labels.tolist(), image.crowd.tolist()):
        entry = ElementTree.SubElement(root, "object")
        ElementTree.SubElement(entry, "name").text = names[label]
        ElementTree.SubElement(entry, "difficult").text = str(int(crowd))
        corners = ElementTree.SubElement(entry, "bndbox")
        for key, value in zip(("xmin", "ymin", "xmax", "ymax"), (box[0] + 1, box[1] + 1, *box[2:])):
            ElementTree.SubElement(corners, key).text = f"{round(value, 3):.10g}"
    ElementTree.indent(root)
    return ElementTree.tostring(root, encoding="unicode") + "\n"
