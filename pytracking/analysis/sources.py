"""Where evaluated boxes come from: a folder of result files, or a tracker too cheap to need one."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Protocol

import numpy as np

from ebm.exceptions import InputError
from ebm.files import expanded
from ebm.lookup import unknown_name
from pytracking.analysis.archives import is_archive, is_unpacked
from pytracking.analysis.box_cache import cached_boxes
from pytracking.analysis.result_names import find_result
from pytracking.analysis.result_trees import result_sets
from pytracking.analysis.run_names import (
    configuration_name,
    is_run_of_ours,
    runs_of,
    split_name,
    without_run,
)
from pytracking.evaluation.data import Sequence
from pytracking.evaluation.places import entry_of
from pytracking.evaluation.result_files import read_confidences
from pytracking.evaluation.results import ResultFolder, config_hash

__all__ = ["BoxSource", "FirstBoxSource", "FolderSource", "find_sources"]


class BoxSource(Protocol):
    """One run of one tracker."""

    @property
    def label(self) -> str:
        """Name in tables and legends; the runs of one tracker share it."""

    @property
    def tracker(self) -> str:
        """What is the same for all runs of one tracker, and for nothing else."""

    @property
    def remark(self) -> str:
        """A sentence on how this source was chosen that a reader of the table must know; empty: none."""

    def place(self, sequence: Sequence) -> str:
        """Where the result of a sequence is, for messages."""

    def made_elsewhere(self, sequence: Sequence) -> bool:
        """Whether the result says that it was made on other images or another annotation."""

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
    tracker: str = "first_box"
    remark: str = ""

    def place(self, sequence: Sequence) -> str:
        """The sequence's name: there is no file."""
        return f"{self.label}, sequence {sequence.name}"

    def made_elsewhere(self, sequence: Sequence) -> bool:
        """Never."""
        return False

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
    """A folder of result files, ours or another toolkit's (``<sequence>.txt``, any separator).

    Args:
        label: name in tables and legends.
        folder: of the files.
        remark: see `BoxSource`.
        end: what follows a sequence's name in those of its files, ``_KCF``.
        run: of GOT-10k's layout ``SEQUENCE/SEQUENCE_001.txt``, ``_001``.
        origin: the tracker's place, where an archive was unpacked elsewhere.
    """

    label: str
    folder: ResultFolder
    remark: str = field(default="", compare=False)
    end: str = ""
    run: str = ""
    origin: str = ""

    @cached_property
    def tracker(self) -> str:
        """The configuration that our manifest states, seed and run aside; else the folder without its run."""
        manifest = self.folder.manifest()
        if "params" in manifest:
            weights = {key: (manifest.get("checkpoint") or {}).get(key) for key in ("sha256", "weights")}
            return config_hash(
                **{key: manifest.get(key) for key in ("tracker", "parameter", "params")}, **weights
            )
        if self.origin:
            return self.origin
        path = self.folder.path.resolve()
        return str(path.with_name(configuration_name(path)) if is_run_of_ours(path) else without_run(path))

    def place(self, sequence: Sequence) -> str:
        """The result file."""
        return str(self._file(sequence) or self.folder.path / f"{sequence.name}{self.end}.txt")

    def made_elsewhere(self, sequence: Sequence) -> bool:
        """Whether the result's record carries the fingerprint of other data."""
        return self.folder.made_on_other_data(sequence)

    def has(self, sequence: Sequence) -> bool:
        """Whether the folder holds a box file of this sequence."""
        return self._file(sequence) is not None

    def _file(self, sequence: Sequence) -> Path | None:
        """The file of a sequence, by any of the names that toolkits have for it."""
        if not self.run:
            return find_result(self.folder.path, sequence, self.end)
        inside = entry_of(self.folder.path, sequence.name)
        return find_result(inside, sequence, self.run) if inside is not None else None

    def load(self, sequences: Iterable[Sequence]) -> None:
        """Read the results of sequences at once, from the cache of earlier runs where they are unchanged.

        Raises:
            InputError: if one cannot be read, or is not as it was written.
        """
        if is_unpacked(self.folder.path):  # into a folder that no later run will see
            return
        files = {s.name: file for s in sequences if s.name not in self._read and (file := self._file(s))}
        found = cached_boxes(files.values(), self.folder.path, self.folder.boxes_of)
        self._read.update({name: found[file] for name, file in files.items()})

    def boxes(self, sequence: Sequence) -> np.ndarray:
        """The saved boxes, xywh, px, ``[T, 4]``, read-only; read once for all rules that score them."""
        if sequence.name not in self._read:
            file = self._file(sequence)
            boxes = self.folder.boxes(sequence.name) if file is None else self.folder.boxes_of(file)
            boxes.setflags(write=False)
            self._read[sequence.name] = boxes
        return self._read[sequence.name]

    @cached_property
    def _read(self) -> dict[str, np.ndarray]:
        return {}

    def confidences(self, sequence: Sequence) -> np.ndarray | None:
        """How sure the tracker is that the target is there, ``[T]``; None unless saved for every frame."""
        file = self._file(sequence)
        return None if file is None else read_confidences(file, len(sequence))

    def fps(self, sequence: Sequence) -> float | None:
        """Frames over the summed times, initialisation included; None unless there is one for every frame."""
        times = self.folder.times(sequence.name)
        if times is None or len(times) != len(sequence) or times.sum() <= 0:
            return None
        return len(times) / float(times.sum())


def find_sources(wanted: str, results_root: Path) -> list[BoxSource]:
    """The results that one word of a command line means.

    Args:
        wanted: ``first_box``; ``TRACKER/PARAM`` or ``TRACKER/PARAM-HASH`` under the results root (all runs;
            of several configurations the newest); a folder or archive, of one tracker or several; or any of
            these after ``LABEL=``.
        results_root: where the runner writes.

    Raises:
        InputError: if the label is empty, or a folder or archive cannot be read.
        UnknownNameError: with the nearest names there are results of.
    """
    label, equals, rest = wanted.partition("=")
    place = rest if equals else wanted
    label = " ".join(label.split())  # a line break would tear a table's row
    if equals and not label:
        raise InputError(f"{wanted!r} has no label before the '='; write LABEL={rest}, or {rest} alone.")
    if place == "first_box":
        return [FirstBoxSource(label if equals else "first_box")]
    folder = expanded(place)
    if (folder.is_dir() or is_archive(folder)) and not _is_under_root(place, results_root):
        return _foreign(folder, label if equals else "")
    matches, remark = _chosen(place, results_root)
    if not matches:
        for near, name in ((folder, folder.name), (results_root / place, place)):
            runs = [near] if near.is_dir() else runs_of(near)  # PyTracking's own tree
            if runs:
                return [FolderSource(label if equals else name, ResultFolder(run)) for run in runs]
        raise unknown_name(
            "results",
            place,
            _known_results(results_root) | {"first_box"},
            f"Results are looked for in {results_root}; a folder of result files may be named instead.",
        )
    return [FolderSource(label if equals else place, ResultFolder(match), remark) for match in matches]


def _foreign(path: Path, label: str) -> list[BoxSource]:
    """The trackers of a folder or archive; all by one name if the user gave one."""
    if path.is_dir() and not any(path.iterdir()):
        return [FolderSource(label or path.name, ResultFolder(path))]
    sets = result_sets(path)
    names = {without_run(Path(item.label)).name for item in sets}
    if label and len(names) > 1:
        raise InputError(
            f"{path} holds the trackers {', '.join(sorted(names))}, which are not one under the name "
            f"{label!r}; name it without the label, or name one of its folders."
        )
    archive = str(path.resolve()) if is_archive(path) else ""
    return [
        FolderSource(
            label or (name if item.folder != path else item.label),
            ResultFolder(item.folder),
            end=item.end,
            run=item.run,
            origin=f"{archive}:{name}" if archive or item.end or item.run else "",
        )
        for item in sets
        for name in [without_run(Path(item.label)).name]
    ]


def _is_under_root(place: str, results_root: Path) -> bool:
    return not Path(place).is_absolute() and bool(_matching_folders(place, results_root))


def _result_folders(results_root: Path) -> list[Path]:
    return [path for path in sorted(results_root.glob("*/*-*")) if path.is_dir()]


def _known_results(results_root: Path) -> set[str]:
    return {f"{path.parent.name}/{split_name(path)[0]}" for path in _result_folders(results_root)}


def _matching_folders(place: str, results_root: Path) -> list[Path]:
    tracker, _, name = place.partition("/")
    inside = [path for path in _result_folders(results_root) if path.parent.name == tracker]
    exact = [path for path in inside if path.name == name]
    if exact:
        return exact
    return [path for path in inside if name in (split_name(path)[0], configuration_name(path))]


def _chosen(place: str, results_root: Path) -> tuple[list[Path], str]:
    """The runs of the newest configuration that a name stands for, and a sentence on the ones passed over."""
    named = _matching_folders(place, results_root)
    if not named:
        return [], ""
    of = {path: FolderSource("", ResultFolder(path)).tracker for path in named}
    newest = max(named, key=_age)
    runs = [path for path in named if of[path] == of[newest]]
    others = [path.name for path in named if path not in runs]
    if not others:
        return runs, ""
    return runs, (
        f"{place} has results of {len(set(of.values()))} configurations (weights or parameters differ); the "
        f"newest is shown, {newest.name}. The others are {', '.join(others)}."
    )


def _age(folder: Path) -> float:
    files = list(folder.glob("*.txt"))
    return max((file.stat().st_mtime for file in files), default=0.0)
