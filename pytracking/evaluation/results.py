"""Result files: float boxes, times and scores of one tracker on one sequence, written whole or not at all.

A folder holds the results of one configuration; its name ends in a hash of parameters, weights and seed, so
that results of other settings are never taken for these.
"""

import dataclasses
import enum
import hashlib
import json
import os
import re
import time
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from ebm.exceptions import InputError
from ebm.files import write_atomic
from ebm.integrity.checksums import sha256_of
from ebm.integrity.json_files import read_sealed_json, sealed_text
from pytracking.evaluation.data import Sequence, plain_name
from pytracking.evaluation.result_files import read_result

__all__ = [
    "ResultFolder",
    "SequenceResult",
    "config_hash",
    "plain_value",
    "write_atomic",
    "write_json",
]


_MINUTE = 60.0


@dataclass(frozen=True, eq=False)
class SequenceResult:
    """What a tracker gave for the T frames of a sequence.

    Args:
        boxes: xywh, px, float64 ``[T, 4]``; row 0 is the initial box.
        times: seconds in the tracker, without image reading, ``[T]``; row 0 is the initialisation.
        scores: confidence in [0, 1], ``[T]``.
        states: ``ok``, ``uncertain`` or ``lost``, T of them; the tracker's own opinion.
        timed: whether the times were taken with nothing else running.
    """

    boxes: np.ndarray
    times: np.ndarray
    scores: np.ndarray
    states: tuple[str, ...]
    timed: bool = True


def write_json(path: Path, value: Any) -> None:
    """Write plain values as JSON, whole or not at all."""
    write_atomic(path, json.dumps(value, indent=1, ensure_ascii=False) + "\n")


@dataclass(frozen=True)
class ResultFolder:
    """The results of one tracker configuration, a few files for each sequence."""

    path: Path

    def file(self, sequence: str, suffix: str = "") -> Path:
        """A result file by its suffix (none: boxes); the name as written, else up to case and separators."""
        exact = self.path / f"{sequence}{suffix}.txt"
        if exact.exists() or not self.path.is_dir():
            return exact
        wanted = plain_name(f"{sequence}{suffix}")
        near = sorted(entry for entry in os.listdir(self.path) if _is_result(entry, wanted))
        if len(near) > 1:
            raise InputError(
                f"{self.path}: {' and '.join(near)} may both be the result of {sequence}; rename one to "
                f"{exact.name}."
            )
        return self.path / near[0] if near else exact

    def write(self, sequence: Sequence, result: SequenceResult) -> None:
        """Save a result; the box file comes last, because its presence says that the sequence is finished."""
        boxes = ("\t".join(f"{value:.4f}" for value in box) for box in result.boxes)
        rows = [f"{score:.6f}\t{state}" for score, state in zip(result.scores, result.states, strict=True)]
        texts = {
            "_time": _lines(f"{time:.6f}" for time in result.times),
            "_scores": _lines(rows),
            "": _lines(boxes),
        }
        info = {
            "sequence": sequence.name,
            "dataset": sequence.dataset,
            "frames": len(sequence),
            "digest": sequence.digest,
            "timed": result.timed,
            "files": {suffix: _checksum(text.encode()) for suffix, text in texts.items()},
        }
        write_atomic(self.path / f"{sequence.name}_info.json", sealed_text(info))
        for suffix, text in texts.items():
            write_atomic(self.path / f"{sequence.name}{suffix}.txt", text)

    def is_finished(self, sequence: Sequence) -> bool:
        """Whether a complete result of this very sequence is there: line counts, data and checksums agree."""
        try:
            info = self._info(sequence.name)
            files = [self.path / f"{sequence.name}{suffix}.txt" for suffix in ("", "_time", "_scores")]
            for file in files:
                self._require_unchanged(file, info)
            counts = {len(file.read_text(encoding="utf-8").splitlines()) for file in files}
        except (OSError, ValueError):
            return False
        return counts == {len(sequence)} and info.get("digest") == sequence.digest

    def made_on_other_data(self, sequence: Sequence) -> bool:
        """Whether the record of a result carries the fingerprint of other images or another annotation.

        Not where there are no images to take it of.
        """
        try:
            info = self._info(sequence.name)
        except InputError:  # a damaged record says nothing
            return False
        if info.get("digest") is None or not sequence.frames[0].exists():
            return False
        return bool(info["digest"] != sequence.digest)

    def sweep(self) -> None:
        """Remove what a killed process had half written; files of the last minute may be in the making."""
        for path in self.path.glob(".*.tmp") if self.path.is_dir() else ():
            with suppress(OSError):  # another run may be sweeping too
                if (
                    re.fullmatch(r"\..+\.\d+\.tmp", path.name)
                    and time.time() - path.stat().st_mtime > _MINUTE
                ):
                    path.unlink()

    def discard(self, sequence: Sequence) -> None:
        """Remove the box file of a result that is not to be used again."""
        (self.path / f"{sequence.name}.txt").unlink(missing_ok=True)

    def boxes(self, sequence: str) -> np.ndarray:
        """The saved boxes, xywh, px, ``[T, 4]``; tabs, commas and blanks all separate.

        Raises:
            InputError: if there is no such result, it cannot be read, or it is not as it was written.
        """
        path = self.file(sequence)
        if not path.is_file():
            raise InputError(f"No result {path}; run the tracker on sequence {sequence} first.")
        return self.boxes_of(path)

    def boxes_of(self, path: Path) -> np.ndarray:
        """The boxes of one of its files, as `boxes`."""
        self._require_unchanged(path, self._info(path.stem))
        return read_result(path)

    def _info(self, sequence: str) -> dict[str, Any]:
        """What is on record about a result; empty for results from elsewhere.

        Raises:
            InputError: if it is damaged.
        """
        path = self.path / f"{sequence}_info.json"
        return read_sealed_json(path, said_of=self.path) if path.is_file() else {}

    @staticmethod
    def _require_unchanged(path: Path, info: dict[str, Any]) -> None:
        """Compare a file with the checksum on record; those of older versions and other programs have none.

        Raises:
            InputError: if it is another one.
        """
        suffix = path.stem.removeprefix(str(info.get("sequence", path.stem)))
        files = info.get("files")
        claimed = files.get(suffix) if isinstance(files, dict) else None
        if claimed is not None and claimed != sha256_of(path):
            raise InputError(
                f"{path} is damaged or was changed after it was written. Run the tracker on it again; "
                f"or, if the change is meant, delete {info['sequence']}_info.json beside it."
            )

    def times(self, sequence: str) -> np.ndarray | None:
        """Seconds a frame, ``[T]``, or None where they were not saved, not taken undisturbed, or no times."""
        path, info = self.path / f"{sequence}_time.txt", self._info(sequence)
        if not path.is_file() or not info.get("timed", False):
            return None
        self._require_unchanged(path, info)
        try:
            times = np.loadtxt(path, ndmin=1)
        except ValueError:  # of an older version, without a checksum
            return None
        return times if times.ndim == 1 and (times >= 0).all() and np.isfinite(times).all() else None

    def manifest(self) -> dict[str, Any]:
        """What is on record about the runs in this folder; empty for results from elsewhere."""
        path = self.path / "manifest.json"
        try:
            return read_sealed_json(path, said_of=self.path) if path.is_file() else {}
        except InputError as error:
            raise InputError(
                f"{path} is damaged ({error}); remove it, results next to it stay valid."
            ) from error


def _checksum(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


def _is_result(entry: str, wanted: str) -> bool:
    """Whether a file is what another toolkit calls a result of this plain name; Macs leave ``._`` files."""
    return entry.endswith(".txt") and not entry.startswith("._") and plain_name(entry[:-4]) == wanted


def _lines(rows: Iterable[str]) -> str:
    return "".join(f"{row}\n" for row in rows)


def plain_value(value: Any) -> Any:
    """A parameter value as JSON can hold it, the same in every process: no addresses, no set order."""
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return {field.name: plain_value(getattr(value, field.name)) for field in dataclasses.fields(value)}
    if isinstance(value, enum.Enum):
        return value.name
    if isinstance(value, dict):
        return {str(key): plain_value(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [plain_value(item) for item in value]
    if isinstance(value, (set, frozenset)):
        return sorted(str(item) for item in value)
    if value is None or isinstance(value, (bool, int, float, str)):
        return value
    if callable(value):
        return f"{value.__module__}.{value.__qualname__}"
    return re.sub(r" at 0x[0-9a-f]+", "", str(value))


def config_hash(**parts: Any) -> str:
    """Eight hex digits that change with any part of a configuration."""
    text = json.dumps(plain_value(parts), sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()[:8]
