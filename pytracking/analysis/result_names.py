"""Which file of a folder is the result of which sequence, whatever a toolkit calls it."""

import os
from collections import defaultdict
from collections.abc import Iterable
from functools import lru_cache
from pathlib import Path

from ebm.exceptions import InputError
from pytracking.evaluation.data import RESULT_SUFFIXES, Sequence, plain_name
from pytracking.evaluation.places import official_table
from pytracking.evaluation.result_files import RESULT_FILES

__all__ = ["find_result", "result_stems", "trackers_in", "written_names"]

_BESIDE = (*RESULT_SUFFIXES, "_object_presence_scores", "_all_boxes", "_all_scores", "_confidence")


def result_stems(entries: Iterable[str]) -> dict[str, str]:
    """File names that may be results of sequences, by their stems; times and scores beside them left out."""
    found: dict[str, str] = {}
    for entry in entries:
        stem, dot, suffix = entry.rpartition(".")
        boxes = f"{dot}{suffix}".lower() in RESULT_FILES and not stem.endswith(_BESIDE)
        if boxes and stem and not stem.startswith("."):
            found.setdefault(stem, entry)
    return found


def trackers_in(entries: Iterable[str]) -> list[str]:
    """The ends ``_TRACKER`` of the names of a folder's results, if all sequences have one of each end.

    ``bike1_KCF.txt``, ``bird1_1_KCF.txt`` give ``_KCF``; plain names, ``Jogging_1.txt``, give none.
    """
    of: dict[str, set[str]] = defaultdict(set)
    for stem in result_stems(entries):
        name, _, end = stem.rpartition("_")
        if not name or end.isdecimal():
            return []
        of[end].add(name)
    sequences = list(of.values())
    if not sequences or len(sequences[0]) < 2 or any(names != sequences[0] for names in sequences):
        return []
    return [f"_{end}" for end in sorted(of)]


def written_names(sequence: Sequence) -> tuple[str, ...]:
    """The names that a sequence goes by: ours, without the data set's tag, and those of other toolkits."""
    tag = sequence.dataset.partition("_")[0]
    names = [sequence.name, sequence.name.removeprefix(f"{tag}_")]
    if sequence.dataset.startswith("otb"):
        names += official_table("otb").get(sequence.name, {}).get("aliases", [])
    elif sequence.name == names[1] and tag in ("uav", "uav123", "uav20l"):
        names.append(f"uav_{sequence.name}")
    return tuple(dict.fromkeys(names))


@lru_cache(maxsize=64)
def _index(folder: str, end: str, changed: int) -> dict[str, list[str]]:
    """File names by their sequence's plain name; `changed` tells one state of the folder from the next."""
    found: dict[str, list[str]] = defaultdict(list)
    for stem, entry in result_stems(sorted(os.listdir(folder))).items():
        if stem.endswith(end):
            found[plain_name(stem[: len(stem) - len(end)])].append(entry)
    return found


def find_result(folder: Path, sequence: Sequence, end: str = "") -> Path | None:
    """The result file of a sequence, or None.

    Args:
        folder: where it is looked for.
        sequence: by any of its names, up to case and separators.
        end: what follows the sequence's name, ``_KCF``.

    Raises:
        InputError: if two files may be meant.
    """
    names = written_names(sequence)
    for name in names:
        exact = folder / f"{name}{end}.txt"
        if exact.is_file():
            return exact
    if not folder.is_dir():
        return None
    index = _index(str(folder), end, folder.stat().st_mtime_ns)
    for name in names:
        files = index.get(plain_name(name), [])
        if len(files) > 1:
            raise InputError(
                f"{folder}: {' and '.join(files)} may both be the result of {sequence.name}; rename one to "
                f"{sequence.name}{end}.txt."
            )
        if files:
            return folder / files[0]
    return None
