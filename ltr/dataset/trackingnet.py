"""TrackingNet: twelve training sets, one annotation file a video."""

import os
from collections.abc import Sequence
from pathlib import Path

from ebm.exceptions import InputError
from ltr.data.video import Annotation
from ltr.dataset.annotations import make_annotation, read_boxes
from ltr.dataset.base import SequenceFolders, check_length, generated_sequences, open_root, select_names

__all__ = ["TrackingNet"]

_PREFIX = "TRAIN_"


def _sets_of(root: Path, set_ids: Sequence[int] | None) -> list[str]:
    """Folder names of the sets to use, in the order asked for; all that are there if None.

    Raises:
        InputError: if one of them is missing, or there is none.
    """
    there = sorted(
        (entry.name for entry in os.scandir(root) if entry.is_dir() and entry.name.startswith(_PREFIX)),
        key=lambda name: (len(name), name),
    )
    wanted = there if set_ids is None else [f"{_PREFIX}{number}" for number in set_ids]
    missing = [name for name in wanted if name not in there]
    if missing or not wanted:
        raise InputError(
            f"TrackingNet at {root} lacks {', '.join(missing) or 'its TRAIN_<n> folders'}; it has "
            f"{', '.join(there) or 'none of them'}. Extract them there, or choose among those that are there."
        )
    return wanted


def _videos(root: Path, name: str) -> list[str]:
    """``TRAIN_<n>/<video>`` of every annotation file of a set.

    Raises:
        InputError: if the set has no folder of annotations.
    """
    folder = root / name / "anno"
    if not folder.is_dir():
        raise InputError(f"TrackingNet: no annotations at {folder}. Extract the set's anno folder there.")
    return sorted(f"{name}/{file[: -len('.txt')]}" for file in os.listdir(folder) if file.endswith(".txt"))


class TrackingNet(SequenceFolders):
    """TrackingNet, unpadded frames from 0. Source: Mueller et al., ECCV 2018, arXiv:1803.10794.

    Sequence names are ``TRAIN_<n>/<video>``. The target counts as visible in every frame that has a box.
    """

    name = "trackingnet"

    def __init__(self, root: str | Path | None = None, set_ids: Sequence[int] | None = None) -> None:
        """Open a root.

        Args:
            root: the folder of the ``TRAIN_<n>`` folders; None: the configured one.
            set_ids: which sets; None: all that are there. A generated root has its own list instead.

        Raises:
            InputError: if the root or a set is missing, or holds no video.
        """
        folder = open_root("trackingnet", root)
        listed = generated_sequences(folder)
        sets = _sets_of(folder, None if listed is not None else set_ids)
        names = [video for name in sets for video in _videos(folder, name)]
        if listed is not None:
            by_video = {name.rpartition("/")[2]: name for name in names}
            names = select_names("TrackingNet", folder, [by_video.get(n, n) for n in listed], names)
        super().__init__(folder, names)

    def frame_path(self, index: int, frame: int) -> Path:
        """Image file of a frame, counted from 0."""
        name, _, video = self.names[index].partition("/")
        return self.root / name / "frames" / video / f"{frame}.jpg"

    def _read(self, index: int) -> Annotation:
        name, _, video = self.names[index].partition("/")
        file = self.root / name / "anno" / f"{video}.txt"
        boxes = read_boxes(file)
        check_length(self.names[index], file, len(boxes), self.root / name / "frames" / video, ".jpg")
        return make_annotation(boxes)
