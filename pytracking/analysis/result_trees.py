"""What lies in a folder or archive of results: one tracker or several, runs, folders of sequences."""

import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from ebm.exceptions import InputError
from pytracking.analysis.archives import is_archive, unpacked
from pytracking.analysis.result_names import result_stems, trackers_in

__all__ = ["ResultSet", "result_sets"]

_DEEPEST = 4
_MOST_SHOWN = 3


@dataclass(frozen=True)
class ResultSet:
    """One run of one tracker in a tree.

    Args:
        label: name of its tracker.
        folder: where the files are.
        end: what follows a sequence's name, ``_KCF``.
        run: of GOT-10k's layout ``SEQUENCE/SEQUENCE_001.txt``, ``_001``; empty: files lie side by side.
    """

    label: str
    folder: Path
    end: str = ""
    run: str = ""


def result_sets(path: Path) -> list[ResultSet]:
    """The trackers and runs of a folder or an archive.

    A folder of result files is one tracker (several where all names end in a tracker's); of folders of
    sequences with numbered files, as GOT-10k's toolkit leaves them, its runs; of other folders, what these
    hold, by their names.

    Raises:
        InputError: if it holds no results, or is an archive that cannot be trusted.
    """
    name = path.name
    root = path
    if is_archive(path):
        root, name = unpacked(path), path.name.partition(".")[0]
    found = list(_sets(root, name, 0))
    if not found:
        raise InputError(
            f"{path} holds no results: expected files SEQUENCE.txt of boxes, or folders of them for several "
            f"trackers; there is {_some(root)}."
        )
    return found


def _sets(folder: Path, label: str, depth: int) -> Iterator[ResultSet]:
    entries = sorted(os.listdir(folder))
    if result_stems(entries):
        ends = trackers_in(entries)
        for end in ends or [""]:
            yield ResultSet(end[1:] if len(ends) > 1 else label, folder, end)
        return
    below = [folder / entry for entry in entries if (folder / entry).is_dir() and entry[0] not in "._"]
    runs = _runs(below)
    if runs:
        yield from (ResultSet(label, folder, run=run) for run in runs)
        return
    for inside in below if depth < _DEEPEST else ():
        # A lone folder is a wrapping: the name that the user gave says more.
        yield from _sets(inside, label if len(below) == 1 and depth == 0 else inside.name, depth + 1)


def _runs(folders: list[Path]) -> list[str]:
    """The runs of GOT-10k's layout, ``X/X_001.txt`` ... in the first folder X: ``_001`` ...; else none."""
    if not folders:
        return []
    name = folders[0].name
    stems = result_stems(os.listdir(folders[0]))
    ends = sorted(stem[len(name) :] for stem in stems if stem.startswith(f"{name}_"))
    return [end for end in ends if end[1:].isdecimal()]


def _some(folder: Path) -> str:
    entries = sorted(os.listdir(folder))
    shown = ", ".join(entries[:_MOST_SHOWN])
    return f"{shown}{' ...' if len(entries) > _MOST_SHOWN else ''}" if entries else "nothing"
