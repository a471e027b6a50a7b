"""TrackingNet: twelve training sets, one annotation file a video."""

import os
from collections.abc import Mapping, Sequence
from pathlib import Path

from ebm.annotations.texts import read_text
from ebm.exceptions import InputError
from ebm.images.listing import own_names
from ltr.dataset.base import SequenceFiles, SequenceFolders, generated_sequences, open_root, select_names
from ltr.dataset.subfolders import subfolders

__all__ = ["TRACKINGNET_SETS", "TrackingNet", "read_class_map"]

TRACKINGNET_SETS = tuple(range(12))  # all there are

_PREFIX = "TRAIN_"
_CLASS_MAP = "classmap.txt"  # looked for under the root


def _sets_of(root: Path, set_ids: Sequence[int] | None) -> list[str]:
    """Folder names of the sets to use, in the order asked for; all that are there if None.

    Raises:
        InputError: if one of them is missing, or there is none.
    """
    there = sorted(
        (name for name in subfolders(root) if name.startswith(_PREFIX)),
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
    return sorted(
        f"{name}/{file[: -len('.txt')]}" for file in own_names(os.listdir(folder)) if file.endswith(".txt")
    )


def read_class_map(file: Path) -> dict[str, str]:
    """Video -> class, from lines ``video<TAB>class``.

    Raises:
        InputError: if the file is missing or a line is neither blank nor such a pair, naming the line.
    """
    found: dict[str, str] = {}
    for number, line in enumerate(read_text(file, "class map").splitlines(), start=1):
        video, tab, kind = line.strip().partition("\t")
        if not line.strip():
            continue
        if not tab or not kind.strip():
            raise InputError(f"{file}, line {number}: expected video<TAB>class, found {line.strip()!r}.")
        found[video] = kind.strip()
    return found


class TrackingNet(SequenceFolders):
    """TrackingNet, unpadded frames from 0. Source: Mueller et al., ECCV 2018, arXiv:1803.10794.

    Sequence names are ``TRAIN_<n>/<video>``. The target counts as visible in every frame that has a box.
    """

    name = "trackingnet"

    def __init__(
        self,
        root: str | Path | None = None,
        set_ids: Sequence[int] | None = None,
        *,
        names: Sequence[str] | None = None,
        class_map: str | Path | None = None,
        allow_missing: bool = False,
    ) -> None:
        """Open a root.

        Args:
            root: the folder of the ``TRAIN_<n>`` folders; None: the configured one.
            set_ids: which sets of `TRACKINGNET_SETS`; None: all that are there. A generated root has its own
                list instead.
            names: only these videos of the sets, as ``TRAIN_<n>/<video>``; None: all.
            class_map: file of the videos' classes; None: ``classmap.txt`` under the root if it is there. A
                video that it lacks has no class, which is no reason not to train on it.
            allow_missing: use the videos that are there; `missing` names the others.

        Raises:
            InputError: if the root or a set is missing, or holds no video; if the class map is broken.
        """
        folder = open_root("trackingnet", root)
        listed = generated_sequences(folder)
        sets = _sets_of(folder, None if listed is not None else set_ids)
        present = [video for name in sets for video in _videos(folder, name)]
        wanted = list(present if names is None else names)
        if listed is not None and names is None:
            by_video = {name.rpartition("/")[2]: name for name in present}
            wanted = [by_video.get(name, name) for name in listed]
        super().__init__(folder, *select_names("TrackingNet", folder, wanted, present, allow_missing))
        file = folder / _CLASS_MAP if class_map is None else Path(class_map)
        there = class_map is not None or file.is_file()
        self.class_map: Mapping[str, str] | None = read_class_map(file) if there else None

    def class_name(self, index: int) -> str | None:
        """The class that the class map gives a video; None if it has none."""
        return (self.class_map or {}).get(self.names[index].partition("/")[2])

    def files(self, index: int) -> SequenceFiles:
        """Where a video lies."""
        chunk, _, video = self.names[index].partition("/")
        folder = self.root / chunk
        return SequenceFiles(folder / "anno" / f"{video}.txt", folder / "frames" / video, first=0, digits=1)
