"""A user's own videos as folders: images and a text file of boxes, no code needed."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from ebm.exceptions import InputError
from ebm.files import expanded
from ebm.images.listing import IMAGE_SUFFIXES
from ltr.data.usable import Skipped
from ltr.data.video import Annotation
from ltr.dataset.base import SequenceFiles, SequenceFolders, read_sequence, select_names
from ltr.dataset.foreign import explain_folder
from ltr.dataset.listed import list_images
from ltr.dataset.subfolders import links_back, subfolders

__all__ = ["BOX_FILES", "FolderVideos", "find_image_folder"]

BOX_FILES = ("groundtruth.txt", "groundtruth_rect.txt", "boxes.txt")
_IMAGE_FOLDERS = ("img", "images", "frames", "color", ".")
_HIDDEN = ("full_occlusion.txt", "out_of_view.txt", "absence.label", "hidden.txt")


def find_image_folder(folder: Path) -> Path:
    """Where the images of a video lie: ``img``, ``images``, ``frames`` or ``color``, or its own folder."""
    return next((folder / inner for inner in _IMAGE_FOLDERS if (folder / inner).is_dir()), folder)


def _box_file(root: Path, name: str) -> Path | None:
    """The file of boxes of a video: in its folder, or beside it under its name; None if there is none."""
    candidates = [*(root / name / file for file in BOX_FILES), root / f"{name}.txt"]
    return next((file for file in candidates if file.is_file()), None)


def _videos(root: Path) -> tuple[list[str], tuple[str, ...]]:
    """Names of the folders that have boxes, and of those that have images alone.

    Raises:
        InputError: if there are none with boxes.
    """
    names = subfolders(root)
    found = [name for name in names if _box_file(root, name) is not None]
    if found:
        others = (name for name in names if name not in set(found))
        return found, tuple(name for name in others if list_images(find_image_folder(root / name)))
    if _box_file(root.parent, root.name) is not None:
        raise InputError(f"{root} is one video; give the folder that holds it, {root.parent}.")
    raise InputError(
        f"{root} holds no videos: expected folders <video>/ with images (or <video>/img/) and boxes, one "
        f"line x,y,w,h for every image, in {BOX_FILES[0]}; or annotations.csv or annotations.json. Video "
        "files must be cut into images first: ffmpeg -i clip.mp4 -q:v 2 clip/img/%06d.jpg."
        + explain_folder(root)
    )


class FolderVideos(SequenceFolders):
    """Folders of videos: ``<video>/*.jpg`` or ``<video>/img/*.jpg``, and ``<video>/groundtruth.txt``.

    Boxes are x,y,w,h in px, one line an image, images in the order of their names (numbers count as numbers).
    A target that is not there has a line of zeros or NaN, or a 1 in ``full_occlusion.txt``,
    ``out_of_view.txt``, ``absence.label`` or ``hidden.txt``; ``cover.label`` is read as GOT-10k's.
    """

    name = "folder"

    def __init__(
        self, root: str | Path, names: Sequence[str] | None = None, *, allow_missing: bool = False
    ) -> None:
        """Open a folder of videos.

        Args:
            root: the folder.
            names: the videos to use; None: all that have boxes.
            allow_missing: use the videos that are there; `missing` names the others.

        Raises:
            InputError: if it is missing or holds no videos.
        """
        folder = expanded(root)
        if not folder.is_dir():
            raise InputError(f"there is no folder {folder}.")
        present, self.without_boxes = _videos(folder)
        wanted = present if names is None else list(names)
        super().__init__(folder, *select_names("the folder", folder, wanted, present, allow_missing))
        listed = [self._listing(name) for name in self.names]
        self._images = np.array([image.encode() for images in listed for image in images] or [b""])
        self._starts = np.cumsum([0] + [len(images) for images in listed])

    @property
    def skipped(self) -> list[Skipped]:
        """What was left out because it is not there, has no boxes, or is there twice."""
        total = len(self.names) + len(self.without_boxes)
        bare = Skipped(self.name, self.without_boxes, total, f"images, but no {BOX_FILES[0]}")
        twice = Skipped(self.name, tuple(links_back(self.root)), total, "a link to what is there already")
        return super().skipped + [skipped for skipped in (bare, twice) if skipped.names]

    def _listing(self, name: str) -> list[str]:
        """Images of a video."""
        return list_images(find_image_folder(self.root / name))

    def files(self, index: int) -> SequenceFiles:
        """Where a video lies."""
        name = self.names[index]
        folder = self.root / name
        return SequenceFiles(
            boxes=_box_file(self.root, name) or folder / BOX_FILES[0],
            frames=find_image_folder(folder),
            hidden=tuple(folder / file for file in _HIDDEN),
            cover=folder / "cover.label",
            suffix=IMAGE_SUFFIXES,
        )

    def frame_path(self, index: int, frame: int) -> Path:
        """Image file of a frame, counted from 0."""
        name = bytes(self._images[self._starts[index] + frame]).decode()
        return find_image_folder(self.root / self.names[index]) / name

    def _read(self, index: int) -> Annotation:
        """Parse a video's boxes, of which there must be as many as images."""
        annotation = read_sequence(self.names[index], self.files(index))
        listed = int(self._starts[index + 1] - self._starts[index])
        if len(annotation) != listed:  # images came or went since the folder was opened
            raise InputError(f"sequence {self.names[index]}: {listed} images, {len(annotation)} boxes.")
        return annotation
