"""Where evaluated boxes come from: a folder of result files, or a tracker too cheap to need one."""

from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import numpy as np

from ebm.lookup import unknown_name
from pytracking.evaluation.data import Sequence
from pytracking.evaluation.results import ResultFolder

__all__ = ["BoxSource", "FirstBoxSource", "FolderSource", "find_sources"]


class BoxSource(Protocol):
    """One run of one tracker."""

    @property
    def label(self) -> str:
        """Name in tables and legends; runs with the same label are repetitions of one tracker."""

    def has(self, sequence: Sequence) -> bool:
        """Whether there is a result of this sequence."""

    def boxes(self, sequence: Sequence) -> np.ndarray:
        """xywh, px, ``[T, 4]``."""

    def fps(self, sequence: Sequence) -> float | None:
        """Frames per second of the tracker alone, or None where that was not measured undisturbed."""


@dataclass(frozen=True)
class FirstBoxSource:
    """The tracker that repeats the first box: what any other tracker has to beat."""

    label: str = "first_box"

    def has(self, sequence: Sequence) -> bool:
        """Always."""
        return True

    def boxes(self, sequence: Sequence) -> np.ndarray:
        """The initial box on every frame, xywh, px, ``[T, 4]``."""
        return np.tile(sequence.init_box, (len(sequence), 1))

    def fps(self, sequence: Sequence) -> float | None:
        """Not measured."""
        return None


@dataclass(frozen=True)
class FolderSource:
    """A folder of result files, ours or another toolkit's (``<sequence>.txt``, any separator)."""

    label: str
    folder: ResultFolder

    def has(self, sequence: Sequence) -> bool:
        """Whether the folder holds a box file of this sequence."""
        return self.folder.file(sequence.name).is_file()

    def boxes(self, sequence: Sequence) -> np.ndarray:
        """The saved boxes, xywh, px, ``[T, 4]``."""
        return self.folder.boxes(sequence.name)

    def fps(self, sequence: Sequence) -> float | None:
        """Frames over the summed times, initialisation included."""
        times = self.folder.times(sequence.name)
        return None if times is None or times.sum() <= 0 else len(times) / float(times.sum())


def find_sources(wanted: str, results_root: Path) -> list[BoxSource]:
    """The results that one word of a command line means.

    Args:
        wanted: ``first_box``; ``TRACKER/PARAM`` or ``TRACKER/PARAM-HASH`` under the results root (all runs;
            of several configurations the newest); a folder; or any of these after ``LABEL=``.
        results_root: where the runner writes.

    Raises:
        UnknownNameError: with the nearest names there are results of.
    """
    label, equals, rest = wanted.partition("=")
    place = rest if equals else wanted
    if place == "first_box":
        return [FirstBoxSource(label if equals else "first_box")]
    folder = Path(place).expanduser()
    if folder.is_dir() and not _is_under_root(place, results_root):
        return [FolderSource(label if equals else folder.name, ResultFolder(folder))]
    matches = _matching_folders(place, results_root)
    if not matches:
        raise unknown_name(
            "results",
            place,
            _known_results(results_root) | {"first_box"},
            f"Results are looked for in {results_root}; a folder of result files may be named instead.",
        )
    return [FolderSource(label if equals else place, ResultFolder(match)) for match in matches]


def _is_under_root(place: str, results_root: Path) -> bool:
    return not Path(place).is_absolute() and bool(_matching_folders(place, results_root))


def _split(folder: Path) -> tuple[str, str]:
    """``dimp50_003-1a2b3c4d`` -> parameter set (``dimp50``) and hash."""
    stem, _, digest = folder.name.rpartition("-")
    head, _, run = stem.rpartition("_")
    return (head if head and len(run) == 3 and run.isdigit() else stem), digest


def _result_folders(results_root: Path) -> list[Path]:
    return [path for path in sorted(results_root.glob("*/*-*")) if path.is_dir()]


def _known_results(results_root: Path) -> set[str]:
    return {f"{path.parent.name}/{_split(path)[0]}" for path in _result_folders(results_root)}


def _matching_folders(place: str, results_root: Path) -> list[Path]:
    tracker, _, name = place.partition("/")
    inside = [path for path in _result_folders(results_root) if path.parent.name == tracker]
    exact = [path for path in inside if path.name == name]
    if exact:
        return exact
    named = [path for path in inside if name in (_split(path)[0], "-".join(_split(path)))]
    if not named:
        return []
    newest = _split(max(named, key=_age))[1]
    return [path for path in named if _split(path)[1] == newest]


def _age(folder: Path) -> float:
    files = list(folder.glob("*.txt"))
    return max((file.stat().st_mtime for file in files), default=0.0)
