"""LaSOT: one folder a sequence below one folder a class."""

import os
from collections.abc import Sequence
from pathlib import Path

from ebm.annotations.texts import read_json
from ebm.lookup import lookup
from ltr.dataset.base import (
    SequenceFiles,
    SequenceFolders,
    generated_sequences,
    open_root,
    select_names,
)
from ltr.dataset.subfolders import subfolders

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
    folders = subfolders(root)
    return {name for kind in folders for name in os.listdir(root / kind) if name.startswith(f"{kind}-")}


class LaSOT(SequenceFolders):
    """LaSOT, 1-based frames of eight digits. Source: Fan et al., CVPR 2019, arXiv:1809.07845.

    A frame's target is visible unless ``full_occlusion.txt`` or ``out_of_view.txt`` say otherwise; without
    these files it is visible in every frame with a box.
    """

    name = "lasot"

    def __init__(
        self,
        root: str | Path | None = None,
        split: str | Sequence[str] = "train",
        *,
        allow_missing: bool = False,
    ) -> None:
        """Open a root.

        Args:
            root: the folder of the class folders; None: the configured one.
            split: ``"train"``, ``"test"`` or sequence names. A generated root has its own list instead of
                splits.
            allow_missing: use the sequences that are there; `missing` names the others.

        Raises:
            InputError: if the root is missing or lacks sequences.
            UnknownNameError: if there is no such split.
        """
        folder = open_root("lasot", root)
        if isinstance(split, str):
            wanted = generated_sequences(folder) or lasot_names(split)
        else:
            wanted = list(split)
        super().__init__(folder, *select_names("LaSOT", folder, wanted, _present(folder), allow_missing))

    def class_name(self, index: int) -> str:
        """The class, which is the first part of the name."""
        return self.names[index].rpartition("-")[0]

    def files(self, index: int) -> SequenceFiles:
        """Where a sequence lies: class, then name."""
        folder = self.root / self.class_name(index) / self.names[index]
        return SequenceFiles(
            boxes=folder / "groundtruth.txt",
            frames=folder / "img",
            hidden=(folder / "full_occlusion.txt", folder / "out_of_view.txt"),
        )
