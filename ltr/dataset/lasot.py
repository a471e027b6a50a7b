"""LaSOT: one folder a sequence below one folder a class."""

import os
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from ebm.lookup import lookup
from ltr.data.video import Annotation
from ltr.dataset.annotations import make_annotation, read_boxes, read_flags
from ltr.dataset.base import (
    SequenceFolders,
    check_length,
    generated_sequences,
    match_length,
    open_root,
    read_json,
    select_names,
)

__all__ = ["LaSOT", "lasot_names"]

_SPEC = Path(__file__).parent / "specs" / "lasot.json"


def lasot_names(split: str) -> list[str]:
    """The official names of a split: ``"train"`` (1120) or ``"test"`` (280), protocol II.

    Raises:
        UnknownNameError: if there is no such split.
    """
    content = read_json(_SPEC)
    splits: dict[str, list[str]] = {key: content[key] for key in ("train", "test")}
    return lookup("LaSOT split", split, splits)


def _present(root: Path) -> set[str]:
    """Names of the sequence folders under a root."""
    with os.scandir(root) as classes:
        folders = [entry.path for entry in classes if entry.is_dir()]
    return {name for folder in folders for name in os.listdir(folder)}


class LaSOT(SequenceFolders):
    """LaSOT, 1-based frames of eight digits. Source: Fan et al., CVPR 2019, arXiv:1809.07845.

    A frame's target is visible unless ``full_occlusion.txt`` or ``out_of_view.txt`` say otherwise; without
    these files it is visible in every frame with a box.
    """

    name = "lasot"

    def __init__(self, root: str | Path | None = None, split: str | Sequence[str] = "train") -> None:
        """Open a root.

        Args:
            root: the folder of the class folders; None: the configured one.
            split: ``"train"``, ``"test"`` or sequence names. A generated root has its own list instead of
                splits.

        Raises:
            InputError: if the root is missing or lacks sequences.
            UnknownNameError: if there is no such split.
        """
        folder = open_root("lasot", root)
        if isinstance(split, str):
            wanted = generated_sequences(folder) or lasot_names(split)
        else:
            wanted = list(split)
        super().__init__(folder, select_names("LaSOT", folder, wanted, _present(folder)))

    def _folder(self, index: int) -> Path:
        """Folder of a sequence: class, then name."""
        name = self.names[index]
        return self.root / name.rpartition("-")[0] / name

    def frame_path(self, index: int, frame: int) -> Path:
        """Image file of a frame, counted from 0."""
        return self._folder(index) / "img" / f"{frame + 1:08d}.jpg"

    def _read(self, index: int) -> Annotation:
        name, folder = self.names[index], self._folder(index)
        boxes = read_boxes(folder / "groundtruth.txt")
        check_length(name, folder / "groundtruth.txt", len(boxes), folder / "img", ".jpg")
        hidden = np.zeros(len(boxes), dtype=bool)
        for file in (folder / "full_occlusion.txt", folder / "out_of_view.txt"):
            if file.is_file():
                hidden |= match_length(file, name, len(boxes), read_flags(file))
        return make_annotation(boxes, hidden)
