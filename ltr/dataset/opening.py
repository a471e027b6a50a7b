"""Open a dataset by its name or its place: the reader follows from what lies there."""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from ebm.exceptions import EBMError, InputError
from ebm.files import expanded
from ebm.integrity.json_files import read_sealed_json
from ebm.lookup import lookup, unknown_name
from ltr.admin.environment import require_dataset_root
from ltr.data.video import VideoDataset
from ltr.dataset.packed import PackedVideos, is_packed
from ltr.dataset.subfolders import subfolders

__all__ = ["KINDS", "detect_kind", "open_dataset", "open_path", "places_of", "read_places"]

CSV_FILE, JSON_FILE = "annotations.csv", "annotations.json"


def _lasot(root: Path, **options: Any) -> VideoDataset:
    from ltr.dataset.lasot import LaSOT

    return LaSOT(root, **options)


def _got10k(root: Path, **options: Any) -> VideoDataset:
    from ltr.dataset.got10k import Got10k

    return Got10k(root, **options)


def _trackingnet(root: Path, **options: Any) -> VideoDataset:
    from ltr.dataset.trackingnet import TrackingNet

    return TrackingNet(root, **options)


def _coco(root: Path, **options: Any) -> VideoDataset:
    from ltr.dataset.coco import MSCOCOSeq

    return MSCOCOSeq(root, **options)


def _imagenetvid(root: Path, **options: Any) -> VideoDataset:
    from ltr.dataset.imagenet_vid import ImagenetVID

    return ImagenetVID(root, **options)


def _photos(root: Path, **options: Any) -> VideoDataset:
    from ltr.dataset.photos import Photos

    return Photos(root, **options)


def _folder(root: Path, **options: Any) -> VideoDataset:
    from ltr.dataset.own_folders import FolderVideos

    return FolderVideos(root, **options)


KINDS: Mapping[str, Callable[..., VideoDataset]] = {
    "lasot": _lasot,
    "got10k": _got10k,
    "trackingnet": _trackingnet,
    "coco": _coco,
    "imagenetvid": _imagenetvid,
    "photos": _photos,
    "videos": _folder,
}


def detect_kind(root: Path) -> str:
    """The layout of a folder: a name of `KINDS`, ``"packed"``, or ``"folder"`` for anything else.

    Raises:
        InputError: if there is no such folder.
    """
    if not root.is_dir():
        raise InputError(f"there is no folder {root}.")
    if is_packed(root):
        return "packed"
    if (root / "generated.json").is_file():
        layout = read_sealed_json(root / "generated.json").get("layout")
        if isinstance(layout, str) and layout in KINDS:
            return layout
    if (root / "list.txt").is_file() or (root / "train" / "list.txt").is_file():
        return "got10k"
    if any(root.glob("TRAIN_*/anno")):
        return "trackingnet"
    if any((root / "annotations").glob("instances_*.json")):
        return "coco"
    if (root / "Annotations" / "VID" / "train").is_dir():
        return "imagenetvid"
    classes = subfolders(root)
    return "lasot" if any(any((root / name).glob("*/groundtruth.txt")) for name in classes) else "folder"


def open_path(path: Path, **options: Any) -> VideoDataset:
    """A dataset by its place.

    Args:
        path: a packed dataset; a folder in the layout of a known dataset; a user's own videos: a folder of
            folders, a table ``.csv`` or a COCO-like ``.json``, or a folder that holds one of these as
            ``annotations.csv`` or ``annotations.json``.
        **options: of the reader.

    Raises:
        InputError: if nothing of the kind is there.
    """
    from ltr.dataset.own_tables import open_csv, open_json

    path = expanded(path)
    table = _table_of(path)
    if table is not None:
        return open_csv(table) if table.suffix.lower() == ".csv" else open_json(table)
    if path.exists() and not path.is_dir():
        raise InputError(f"{path} is no folder of videos, no .csv table and no .json file.")
    kind = detect_kind(path)
    if kind == "packed":
        return PackedVideos(path, **options)
    return KINDS.get(kind, _folder)(path, **options)


def _table_of(path: Path) -> Path | None:
    """The table that a path is, or that lies in it under the usual name; None if there is none."""
    file = next((path / name for name in (CSV_FILE, JSON_FILE) if (path / name).is_file()), path)
    return file if file.suffix.lower() in {".csv", ".json"} and file.is_file() else None


def read_places(path: Path) -> list[Path]:
    """The files and folders that `open_path` reads: the path and, of a table, its folders of images."""
    if _table_of(path) is None:
        return [path]
    try:
        return places_of(path, open_path(path))
    except EBMError:  # told by whoever opens it to use it
        return [path]


def places_of(path: Path, dataset: VideoDataset) -> list[Path]:
    """As `read_places`, of a dataset that has been opened from that path already."""
    from ltr.dataset.listed import ListedVideos

    return [path, *(dataset.places() if isinstance(dataset, ListedVideos) else [])]


def open_dataset(name: str, root: str | Path | None = None, **options: Any) -> VideoDataset:
    """A dataset by its name, packed or not.

    Args:
        name: one of `KINDS`, or ``"folder:PATH"`` for anything that `open_path` opens.
        root: where it lies; None: where it is configured.
        **options: of the reader.

    Raises:
        InputError: if it is not there, or something else is.
        UnknownNameError: if there is no such dataset.
    """
    prefix, colon, place = name.partition(":")
    if colon and prefix == "folder":
        return open_path(Path(place), **options)
    if name not in KINDS:
        raise unknown_name("dataset", name, KINDS, "Your own videos: folder:PATH.")
    found = require_dataset_root(name, root)
    if not is_packed(found):
        return lookup("dataset", name, KINDS)(found, **options)
    if "split" in options:
        raise InputError(f"{found} holds packed {name}: what was packed is its only split; leave it out.")
    packed = PackedVideos(found, **options)
    if packed.name != name:
        raise InputError(f"{found} holds packed {packed.name}, not {name}.")
    return packed
