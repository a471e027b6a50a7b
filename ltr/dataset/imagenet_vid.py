"""ImageNet VID: one XML file a frame; every object, from its first frame to its first gap, is a sequence."""

import logging
import os
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from xml.etree import ElementTree

import numpy as np
import numpy.typing as npt

from ebm.bars import progress_bar
from ebm.exceptions import DomainError, InputError
from ebm.images.listing import is_stranger, own_names
from ebm.number_texts import parse_number, parse_whole
from ltr.data.usable import Skipped
from ltr.data.video import Annotation
from ltr.dataset.annotations import make_annotation
from ltr.dataset.array_file import Arrays, read_arrays, write_arrays
from ltr.dataset.base import open_root, select_names
from ltr.dataset.index import index_file, stamp_of
from ltr.dataset.store import AnnotationStore

__all__ = ["ImagenetVID", "Track", "parse_video"]

_FORMAT = "imagenet vid 2"
_THREADS = 8

_log = logging.getLogger(__name__)


@dataclass(frozen=True, eq=False)
class Track:
    """One object of a video."""

    video: str  # set and video, ILSVRC2015_VID_train_0000/ILSVRC2015_train_00000000
    number: int  # the object's trackid
    kind: str  # WordNet id of its class, n02691156
    first: int  # its first frame
    size: tuple[int, int]  # width and height of the first frame, px
    annotation: Annotation

    @property
    def name(self) -> str:
        """Video and object."""
        return f"{self.video.rpartition('/')[2]}#{self.number}"

    @property
    def extent(self) -> float:
        """Square root of the share of the first frame that the target takes."""
        width, height = (float(side) for side in self.annotation.boxes[0, 2:])
        return (max(width * height, 0.0) / max(self.size[0] * self.size[1], 1)) ** 0.5


_Row = tuple[int, str, list[float], bool]  # trackid, class, xywh, occluded


def _whole(element: ElementTree.Element, path: str) -> int:
    text = element.findtext(path, "").strip()
    number = parse_whole(text)
    if number is None:
        raise ValueError(f"{path} is {text[:40]!r}, no whole number")
    return number


def _parse_frame(file: Path) -> tuple[tuple[int, int], list[_Row]]:
    """Size of a frame and its objects.

    Raises:
        InputError: if the file is missing or no such XML, naming it.
    """
    try:
        root = ElementTree.parse(file).getroot()
        size = (_whole(root, "size/width"), _whole(root, "size/height"))
        rows: list[_Row] = []
        for entry in root.iterfind("object"):
            x0, x1, y0, y1 = (
                parse_number(entry.findtext(f"bndbox/{k}", "")) for k in ("xmin", "xmax", "ymin", "ymax")
            )
            occluded = entry.findtext("occluded", "0").strip() == "1"
            number, kind = _whole(entry, "trackid"), entry.findtext("name", "")
            rows.append((number, kind, [x0, y0, x1 - x0, y1 - y0], occluded))
    except (OSError, ElementTree.ParseError, LookupError, ValueError) as error:  # Lookup: of the encoding
        raise InputError(f"{file} is no annotation of ImageNet VID ({error}). Extract it again.") from error
    return size, rows


def parse_video(folder: Path, video: str) -> list[Track]:
    """The objects of a video, in the order in which they appear.

    Args:
        folder: of its XML files, ``000000.xml`` and so on.
        video: its name.

    Raises:
        InputError: if a file is broken, naming it.
    """
    found: dict[int, list[_Row]] = {}
    begin: dict[int, tuple[int, tuple[int, int]]] = {}
    for file in (folder / name for name in sorted(own_names(os.listdir(folder))) if name.endswith(".xml")):
        frame = parse_whole(file.stem)
        if frame is None:
            raise InputError(
                f"{file} is named after no frame; the files of a video are 000000.xml and so on."
            )
        size, rows = _parse_frame(file)
        for row in rows:
            first, _ = begin.setdefault(row[0], (frame, size))
            track = found.setdefault(row[0], [])
            if first + len(track) == frame:  # otherwise it comes after a gap
                track.append(row)
    return [
        Track(
            video,
            number,
            rows[0][1],
            *begin[number],
            make_annotation(np.array([row[2] for row in rows]), np.array([row[3] for row in rows])),
        )
        for number, rows in found.items()
    ]


def _stamp(folder: Path) -> int:
    """Changes with any XML file of a video: stat of each, which is thirty times quicker than parsing them."""
    with os.scandir(folder) as entries:
        return stamp_of([Path(entry.path) for entry in entries if entry.name.endswith(".xml")])


def _as_arrays(tracks: Sequence[Track], videos: Sequence[str], stamps: npt.NDArray[np.int64]) -> Arrays:
    """Tracks in flat arrays."""
    row = {video: number for number, video in enumerate(videos)}
    store = AnnotationStore(len(tracks))
    for index, track in enumerate(tracks):
        store.get(index, lambda _, found=track.annotation: found)  # type: ignore[misc]
    store.pack()
    facts = [(row[t.video], t.number, t.first, *t.size) for t in tracks]
    return {
        **store.arrays(),
        "stamps": stamps,
        "facts": np.array(facts, dtype=np.int64).reshape(-1, 5),
        "kinds": np.array([t.kind.encode() for t in tracks], dtype=np.bytes_),
    }


def _from_arrays(arrays: Arrays, videos: Sequence[str]) -> Iterator[Track]:
    """The inverse of `_as_arrays`."""
    store = AnnotationStore(0)
    store.adopt(np.arange(len(arrays["facts"])), arrays)
    for index, (video, number, first, width, height) in enumerate(arrays["facts"].tolist()):
        annotation = store.get(index, _nothing_to_parse)
        kind = bytes(arrays["kinds"][index]).decode()
        yield Track(videos[video], number, kind, first, (width, height), annotation)


def _nothing_to_parse(index: int) -> Annotation:
    """In place of a parser where everything is known."""
    raise IndexError(index)


def _load_tracks(root: Path, videos: list[str]) -> list[Track]:
    """The tracks of all videos, from the index of an earlier run where it still holds.

    Raises:
        InputError: if an XML file is broken.
    """
    file, folder = index_file("imagenetvid", root), root / "Annotations" / "VID" / "train"
    with ThreadPoolExecutor(_THREADS) as pool:
        stamps = np.fromiter(
            pool.map(lambda v: _stamp(folder / v), videos), dtype=np.int64, count=len(videos)
        )
    known: dict[str, list[Track]] = {}
    try:
        meta, arrays = read_arrays(file, "annotation index")
        if meta.get("format") == _FORMAT:
            old = dict(zip(meta["videos"], arrays["stamps"].tolist(), strict=True))
            known = {v: [] for v, stamp in zip(videos, stamps.tolist(), strict=True) if old.get(v) == stamp}
            for track in _from_arrays(arrays, meta["videos"]):
                if track.video in known:
                    known[track.video].append(track)
    except InputError as error:
        if file.exists():
            _log.warning("%s It is built anew.", error)
    stale = [video for video in videos if video not in known]
    for video in progress_bar(stale, desc="Indexing ImageNet VID", unit="video", delay=3, leave=False):
        known[video] = parse_video(folder / video, video)
    tracks = [track for video in videos for track in known[video]]
    if stale:
        try:
            write_arrays(file, {"format": _FORMAT, "videos": videos}, _as_arrays(tracks, videos, stamps))
        except InputError as error:
            _log.warning("annotations are parsed again next time: %s", error)
    return tracks


class ImagenetVID:
    """ImageNet VID's training videos. Source: Russakovsky et al., IJCV 2015, arXiv:1409.0575.

    A target counts as visible where it is not marked as occluded.
    """

    name = "imagenetvid"
    is_video = True

    def __init__(
        self,
        root: str | Path | None = None,
        *,
        min_length: int = 0,
        max_target_area: float = 1.0,
        allow_missing: bool = False,
    ) -> None:
        """Open a root; the first time all XML files are parsed, which takes minutes.

        Args:
            root: the folder of ``Annotations/VID/train`` and ``Data/VID/train``; None: the configured one.
            min_length: objects seen in fewer frames without a gap are left out.
            max_target_area: as are those whose box takes this or more of the first frame, as the root of the
                share.
            allow_missing: use the videos whose images are there; `missing` names the others.

        Raises:
            DomainError: if a limit is out of range.
            InputError: if the root is missing, a file is broken, the images of a video are missing, or no
                object is left.
        """
        if min_length < 0 or max_target_area <= 0:
            raise DomainError(
                f"min_length ({min_length}) and max_target_area ({max_target_area}) must be positive."
            )
        self.root = open_root("imagenetvid", root)
        folder = self.root / "Annotations" / "VID" / "train"
        if not folder.is_dir():
            raise InputError(f"ImageNet VID: no annotations at {folder}. Extract ILSVRC2015_VID there.")
        annotated = sorted(
            p.relative_to(folder).as_posix()
            for p in folder.glob("*/*")
            if p.is_dir() and not is_stranger(p.name)
        )
        images = self.root / "Data" / "VID" / "train"
        there = [video for video in annotated if (images / video).is_dir()]
        videos, missing = select_names("ImageNet VID", images, annotated, there, allow_missing)
        self.missing = tuple(missing)
        tracks = [
            track
            for track in _load_tracks(self.root, videos)
            if len(track.annotation) >= min_length and track.extent < max_target_area
        ]
        if not tracks:
            raise InputError(
                f"ImageNet VID at {self.root}: none of the objects of {len(videos)} videos has {min_length} "
                f"frames and covers less than {max_target_area} of the picture. Is everything extracted?"
            )
        self.names = [track.name for track in tracks]
        self._tracks = _as_arrays(tracks, videos, np.empty(0, dtype=np.int64))
        self._videos = videos
        self._store = AnnotationStore(len(tracks))
        self._store.adopt(np.arange(len(tracks)), self._tracks)

    def __len__(self) -> int:
        return len(self.names)

    def sequence_name(self, index: int) -> str:
        """Video and number of an object."""
        return self.names[index]

    @property
    def skipped(self) -> list[Skipped]:
        """What was left out because its images are not there, if that was asked for."""
        total = len(self._videos) + len(self.missing)
        return [Skipped(self.name, self.missing, total, "images not there")] if self.missing else []

    def class_name(self, index: int) -> str | None:
        """WordNet id of an object's class."""
        return bytes(self._tracks["kinds"][index]).decode() or None

    def annotation(self, index: int) -> Annotation:
        """Boxes and flags of an object."""
        return self._store.get(index, _nothing_to_parse)

    def frame_path(self, index: int, frame: int) -> Path:
        """Image file of a frame, counted from 0 at the object's first."""
        video, _, first, _, _ = self._tracks["facts"][index].tolist()
        return self.root / "Data" / "VID" / "train" / self._videos[video] / f"{first + frame:06d}.JPEG"
