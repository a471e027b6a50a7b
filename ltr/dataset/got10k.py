"""GOT-10k: the training folder, one folder a sequence."""

import os
import random
import re
from collections.abc import Sequence
from pathlib import Path

from ebm.annotations.texts import read_text
from ebm.exceptions import InputError
from ebm.lookup import lookup
from ebm.number_texts import parse_whole
from ltr.dataset.base import (
    SequenceFiles,
    SequenceFolders,
    generated_sequences,
    open_root,
    read_names,
    select_names,
)
from ltr.dataset.subfolders import subfolders

__all__ = ["GOT10K_SPLITS", "PROHIBITED_FILE", "Got10k", "held_out", "split_names"]

GOT10K_SPLITS = ("all", "train", "val", "vottrain", "votval")
PROHIBITED_FILE = "list0_prohibited_1000.txt"  # the name under which the VOT challenge gives it out
PROHIBITED_FILES = (PROHIBITED_FILE, "got10k_vot_exclude.txt")  # and under which PyTracking has it

_PROHIBITED_AT = f"http://www.votchallenge.net/vot2019/res/{PROHIBITED_FILE}"
_NAME = re.compile(r"GOT-10k_(Train|Val)_\d{6}")
_HELD_OUT = 0.15  # share of the sequences that validate


def held_out(names: Sequence[str]) -> set[str]:
    """The sequences that validate and do not train: fifteen of a hundred, chosen by their names alone."""
    return set(random.Random("got10k").sample(sorted(names), int(len(names) * _HELD_OUT)))


def _train_folder(root: Path) -> Path:
    """The folder of the sequences: `root` itself, or its ``train`` folder if a whole GOT-10k was given."""
    inner = root / "train"
    return inner if not (root / "list.txt").is_file() and inner.is_dir() else root


def _all_names(folder: Path) -> list[str]:
    """Every sequence, in the order of ``list.txt`` where there is one, since index lists count in it."""
    listed = folder / "list.txt"
    if listed.is_file():
        return read_names(listed)
    return subfolders(folder)


def _listed_names(file: Path, names: Sequence[str]) -> list[str]:
    """A user's list: sequence names, or 0-based positions in ``list.txt``.

    Raises:
        InputError: if the file is missing, empty or counts too far.
    """
    lines = read_names(file)
    if not all(line.isascii() and line.isdigit() for line in lines):
        return lines
    places = [parse_whole(line) for line in lines]
    too_far = [line for line, at in zip(lines, places, strict=True) if at is None or at >= len(names)]
    if too_far:
        raise InputError(
            f"{file} asks for sequence number {too_far[0][:40]} (counted from 0), but this GOT-10k has "
            f"{len(names)}. Use a list made for it, or a list of sequence names."
        )
    return [names[at] for at in places if at is not None]


def _prohibited(folder: Path, given: str | Path | None) -> set[str]:
    """The names that the VOT challenge forbids, from the file given or the one beside the sequences.

    Raises:
        InputError: if there is no such file, saying where it is to be had.
    """
    beside = [place / name for name in PROHIBITED_FILES for place in (folder, folder.parent)]
    file = Path(given) if given is not None else next((f for f in beside if f.is_file()), None)
    if file is None:
        raise InputError(
            "GOT-10k's splits vottrain and votval leave out the 1000 sequences that the VOT challenge "
            f"forbids, by name, and need their list. Get it from {_PROHIBITED_AT} and put it at {beside[0]}; "
            f"PyTracking's {PROHIBITED_FILES[1]} there does as well."
        )
    names = read_names(file)
    odd = next((name for name in names if not _NAME.fullmatch(name)), None)
    if odd is not None:
        raise InputError(
            f"{file} is no list of GOT-10k sequences: {odd[:60]!r} is not a name like GOT-10k_Train_000001. "
            f"Get it from {_PROHIBITED_AT} again."
        )
    return set(names)


def split_names(
    folder: Path, split: str | Path, names: Sequence[str], prohibited: str | Path | None = None
) -> list[str]:
    """Names of a named split, or of a file's.

    Args:
        folder: where the list of forbidden sequences may lie.
        split: one of `GOT10K_SPLITS`, or a file.
        names: all sequences.
        prohibited: that list, if it lies elsewhere.

    Raises:
        InputError: if a file that it needs is missing or broken.
        UnknownNameError: if it is neither a split nor a file.
    """
    if isinstance(split, Path) or split not in GOT10K_SPLITS:
        file = Path(split)
        if isinstance(split, str) and not file.suffix and not file.exists():
            lookup("GOT-10k split", split, dict.fromkeys(GOT10K_SPLITS))
        return _listed_names(file, names)
    if split == "all":
        return list(names)
    banned = _prohibited(folder, prohibited) if split.startswith("vot") else set()
    validate = held_out(names)
    return [n for n in names if (n in validate) == split.endswith("val") and n not in banned]


class Got10k(SequenceFolders):
    """GOT-10k, 1-based frames of eight digits. Source: Huang et al., TPAMI 2021, arXiv:1810.11981.

    Visible is what ``absence.label`` does not call absent and ``cover.label`` does not call fully covered;
    either file may be missing, and the target then counts as present and seen.
    """

    name = "got10k"

    def __init__(
        self,
        root: str | Path | None = None,
        split: str | Path | Sequence[str] = "all",
        *,
        exclude: Sequence[str] = (),
        prohibited: str | Path | None = None,
        allow_missing: bool = False,
    ) -> None:
        """Open a root.

        Args:
            root: the ``train`` folder, or the folder above it; None: the configured one.
            split: ``"all"``; ``"train"`` or ``"val"``, 85 and 15 of a hundred; ``"vottrain"`` or
                ``"votval"``, the same without what the VOT challenge forbids; a text file of names or of
                0-based positions in ``list.txt``; or names.
            exclude: names to leave out. Names, because positions in a list shift: excluding by position is
                how published splits kept 890 of 1000 forbidden sequences.
            prohibited: file of the names that the VOT challenge forbids; None: `PROHIBITED_FILE` in the
                ``train`` folder or above it.
            allow_missing: use the sequences that are there; `missing` names the others.

        Raises:
            InputError: if the root or a list is missing, or sequences are.
            UnknownNameError: if there is no such split.
        """
        folder = _train_folder(open_root("got10k", root))
        names = generated_sequences(folder) or _all_names(folder)
        if isinstance(split, str | Path):
            wanted = split_names(folder, split, names, prohibited)
        else:
            wanted = list(split)
        banned = set(exclude)
        wanted = [name for name in wanted if name not in banned]
        super().__init__(folder, *select_names("GOT-10k", folder, wanted, os.listdir(folder), allow_missing))

    def class_name(self, index: int) -> str | None:
        """The object class of ``meta_info.ini``; None if that file is missing or does not say."""
        try:
            text = read_text(self.root / self.names[index] / "meta_info.ini", "meta file")
        except InputError:
            return None
        for line in text.splitlines():
            key, colon, value = line.partition(":")
            if colon and key.strip() == "object_class":
                return value.strip() or None
        return None

    def files(self, index: int) -> SequenceFiles:
        """Where a sequence lies; the images are beside the annotation."""
        folder = self.root / self.names[index]
        return SequenceFiles(
            boxes=folder / "groundtruth.txt",
            frames=folder,
            hidden=(folder / "absence.label",),
            cover=folder / "cover.label",
        )
