"""Photos with boxes: folders in the layout of COCO side by side, each object a sequence of one frame."""

from bisect import bisect_right
from pathlib import Path

import numpy as np

from ebm.exceptions import InputError
from ltr.data.usable import Skipped
from ltr.data.video import Annotation
from ltr.dataset.base import open_root
from ltr.dataset.coco import MSCOCOSeq
from ltr.dataset.subfolders import subfolders

__all__ = ["LEAST_SIDE", "Photos", "texture_folder"]

LEAST_SIDE = 16.0  # px; the error of an annotation is a large part of smaller boxes


class Photos:
    """The objects of several sets of photos as one: ``<set>/annotations/instances_<split>*.json``.

    Crowds, boxes without area and objects with a side below `LEAST_SIDE` are left out.
    """

    name = "photos"
    is_video = False

    def __init__(
        self, root: str | Path | None = None, split: str = "train", *, allow_missing: bool = False
    ) -> None:
        """Open every set of a root.

        Args:
            root: the folder that holds the sets; None: the configured one.
            split: ``"train"`` or ``"val"``.
            allow_missing: use the images that are there.

        Raises:
            InputError: if there is no set, or one of them is broken or lacks the split.
        """
        self.root = open_root("photos", root)
        folders = _sets(self.root)
        self.sets = [MSCOCOSeq(folder, split, allow_missing=allow_missing) for folder in folders]
        self._kept = [_large_enough(one) for one in self.sets]
        self._starts = np.cumsum([0] + [len(kept) for kept in self._kept]).tolist()

    @property
    def skipped(self) -> list[Skipped]:
        """What was left out: what a set leaves out, and small objects, which are meant to be."""
        return [skipped for one in self.sets for skipped in one.skipped]

    @property
    def missing(self) -> tuple[str, ...]:
        """Images that are annotated, but not there."""
        return tuple(name for one in self.sets for name in one.missing)

    def _of(self, index: int) -> tuple[MSCOCOSeq, int]:
        """The set of an object, and its number there."""
        which = bisect_right(self._starts, index) - 1
        return self.sets[which], int(self._kept[which][index - self._starts[which]])

    def __len__(self) -> int:
        return int(self._starts[-1])

    def sequence_name(self, index: int) -> str:
        """Set, image file and annotation id of an object."""
        one, number = self._of(index)
        return f"{one.root.name}/{one.sequence_name(number)}"

    def class_name(self, index: int) -> str | None:
        """The object's category; None if it has none."""
        one, number = self._of(index)
        return one.class_name(number)

    def annotation(self, index: int) -> Annotation:
        """The object's box as a sequence of one frame."""
        one, number = self._of(index)
        return one.annotation(number)

    def frame_path(self, index: int, frame: int) -> Path:
        """The object's image, whatever the frame."""
        one, number = self._of(index)
        return one.frame_path(number, 0)


def _sets(root: Path) -> list[Path]:
    """The folders of a root that hold annotations; the root itself if it does.

    Raises:
        InputError: if there is none.
    """
    if (root / "annotations").is_dir():
        return [root]
    found = [root / name for name in subfolders(root) if (root / name / "annotations").is_dir()]
    if not found:
        raise InputError(
            f"{root} holds no photos with boxes: expected folders <set>/ with "
            "annotations/instances_train.json and train/, as COCO's, and the same with val."
        )
    return found


def _large_enough(one: MSCOCOSeq) -> "np.ndarray[tuple[int], np.dtype[np.intp]]":
    sides = np.array([one.annotation(number).boxes[0, 2:].min() for number in range(len(one))])
    return np.flatnonzero(sides >= LEAST_SIDE)


def texture_folder(root: Path) -> Path | None:
    """The training pictures of the first set that has some in ``train``, as textures for drawn videos."""
    return next((folder / "train" for folder in _sets(root) if (folder / "train").is_dir()), None)
