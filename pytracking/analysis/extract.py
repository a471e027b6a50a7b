"""Results of several trackers on a dataset, evaluated under one protocol."""

from collections.abc import Sequence as List
from dataclasses import dataclass

import numpy as np

from ebm.exceptions import InputError
from pytracking.analysis.metrics import (
    CENTRE_THRESHOLDS,
    NORMALISED_THRESHOLDS,
    OVERLAP_THRESHOLDS,
    Curves,
    SequenceErrors,
    has_ground_truth,
    sequence_curves,
    sequence_errors,
)
from pytracking.analysis.protocols import protocol_for
from pytracking.analysis.sources import BoxSource
from pytracking.evaluation.data import Sequence
from pytracking.evaluation.datasets import BENCHMARKS

__all__ = ["SCORES", "Evaluation", "Score", "TrackerCurves", "evaluate"]

SCORES = {
    "auc": "AUC",
    "op50": "OP50",
    "op75": "OP75",
    "precision": "Precision",
    "norm_precision": "Norm Precision",
}


@dataclass(frozen=True)
class Score:
    """A figure in percent: mean over the runs, and their standard deviation where there are several."""

    mean: float
    std: float | None = None

    def __format__(self, spec: str) -> str:
        text = format(self.mean, spec)
        return text if self.std is None else f"{text} ± {format(self.std, spec)}"


@dataclass(frozen=True, eq=False)
class TrackerCurves:
    """Rates of one tracker in [0, 1], for R runs and S sequences.

    Args:
        label: name in tables and legends.
        success: ``[R, S, 21]`` over `OVERLAP_THRESHOLDS`.
        precision: ``[R, S, 51]`` over `CENTRE_THRESHOLDS`.
        normalised: ``[R, S, 51]`` over `NORMALISED_THRESHOLDS`.
        mean_overlap: over the valid frames, ``[R, S]``.
        fps: frames per second of the tracker alone, or None unless every sequence was timed.
    """

    label: str
    success: np.ndarray
    precision: np.ndarray
    normalised: np.ndarray
    mean_overlap: np.ndarray
    fps: float | None = None

    def curve(self, kind: str) -> np.ndarray:
        """The mean curve in percent, all sequences weighing the same: success, precision or normalised."""
        return np.asarray(getattr(self, kind)).mean(axis=(0, 1)) * 100.0

    def score(self, name: str) -> Score:
        """One of `SCORES`, in percent."""
        runs = self._per_run(name) * 100.0
        return Score(float(runs.mean()), float(runs.std(ddof=1)) if len(runs) > 1 else None)

    def _per_run(self, name: str) -> np.ndarray:
        success, distance = self.success.mean(axis=1), 20  # px, and 20 hundredths of the box sides
        if name == "auc":
            return success.mean(axis=1)
        if name in ("op50", "op75"):
            return success[:, int(np.searchsorted(OVERLAP_THRESHOLDS, 0.5 if name == "op50" else 0.75))]
        curves = self.precision if name == "precision" else self.normalised
        return curves.mean(axis=1)[:, distance]


@dataclass(frozen=True, eq=False)
class Evaluation:
    """What a table or a plot is made of.

    Args:
        dataset: tag of the sequences.
        rule: the protocol's name.
        sequences: names, S of them, that every tracker has a result of.
        left_out: names that some tracker has no result of.
        trackers: in the order given.
        frames: number of frames.
        unscored: frames that cannot be scored: unannotated, hidden, or ruled out by the protocol.
        ceiling: AUC of a tracker that gives the annotation itself, in percent.
    """

    dataset: str
    rule: str
    sequences: tuple[str, ...]
    left_out: tuple[str, ...]
    trackers: tuple[TrackerCurves, ...]
    frames: int
    unscored: int
    ceiling: float

    @property
    def title(self) -> str:
        """The dataset's name in prose, and the number of sequences where it is not the whole benchmark."""
        count = len(self.sequences)
        known = BENCHMARKS.get(self.dataset)
        name = known.title if known is not None else self.dataset
        whole = known is not None and known.size == count
        return name if whole else f"{name}, {count} sequence{'' if count == 1 else 's'}"

    def ranked(self, score: str = "auc") -> list[TrackerCurves]:
        """Trackers, best first."""
        return sorted(self.trackers, key=lambda tracker: -tracker.score(score).mean)

    def to_json(self) -> dict:
        """Everything, as plain values: scores, mean curves and per-sequence figures."""
        return {
            "dataset": self.dataset,
            "protocol": self.rule,
            "sequences": list(self.sequences),
            "left_out": list(self.left_out),
            "frames": self.frames,
            "unscored_frames": self.unscored,
            "highest_auc_possible": self.ceiling,
            "thresholds": {
                "success": OVERLAP_THRESHOLDS.tolist(),
                "precision": CENTRE_THRESHOLDS.tolist(),
                "normalised": NORMALISED_THRESHOLDS.tolist(),
            },
            "trackers": [self._tracker_json(tracker) for tracker in self.trackers],
        }

    @staticmethod
    def _tracker_json(tracker: TrackerCurves) -> dict:
        kinds = ("success", "precision", "normalised")
        overlap = tracker.mean_overlap.mean(axis=0)
        return {
            "label": tracker.label,
            "runs": len(tracker.success),
            "fps": tracker.fps,
            "scores": {
                name: {"mean": tracker.score(name).mean, "std": tracker.score(name).std} for name in SCORES
            },
            "curves": {kind: tracker.curve(kind).tolist() for kind in kinds},
            "per_sequence": {
                "auc": (tracker.success.mean(axis=(0, 2)) * 100.0).tolist(),
                "mean_overlap": [None if np.isnan(value) else value for value in overlap.tolist()],
            },
        }


def evaluate(
    sequences: List[Sequence],
    sources: List[BoxSource],
    *,
    rule: str = "pytracking",
    allow_missing: bool = False,
) -> Evaluation:
    """Evaluate trackers on the sequences of a dataset.

    Args:
        sequences: of one dataset.
        sources: runs of trackers; those with the same label are averaged.
        rule: a key of `PROTOCOLS`.
        allow_missing: leave out sequences that some tracker has no result of, instead of refusing.

    Raises:
        InputError: if results are missing, or sequences have no ground truth beyond their first frame.
        UnknownNameError: if there is no such rule.
        DomainError: if a result cannot be scored; the message names its file.
    """
    if not sequences or not sources:
        raise InputError("Nothing to evaluate: give at least one sequence and one tracker with results.")
    protocol_for(rule, "")
    _refuse_hidden_truth(sequences)
    used, left_out = _shared(sequences, sources, allow_missing)
    labels = list(dict.fromkeys(source.label for source in sources))
    trackers = []
    for label in labels:
        runs = [source for source in sources if source.label == label]
        trackers.append(_stack(label, _curves_of(used, runs, rule), _mean_fps(used, runs)))
    unscored, ceiling = _limits(used, rule)
    return Evaluation(
        dataset=used[0].dataset,
        rule=rule,
        sequences=tuple(sequence.name for sequence in used),
        left_out=tuple(left_out),
        trackers=tuple(trackers),
        frames=sum(len(sequence) for sequence in used),
        unscored=unscored,
        ceiling=ceiling,
    )


def _refuse_hidden_truth(sequences: List[Sequence]) -> None:
    hidden = [sequence.name for sequence in sequences if not has_ground_truth(sequence.ground_truth)]
    if hidden:
        raise InputError(
            f"{hidden[0]} ({len(hidden)} sequences in all) has ground truth on its first frame only, so "
            "that any tracker would seem perfect; its evaluation server scores the result files."
        )


def _shared(
    sequences: List[Sequence], sources: List[BoxSource], allow_missing: bool
) -> tuple[list[Sequence], list[str]]:
    missing: dict[str, str] = {}
    for source in sources:
        for sequence in sequences:
            if not source.has(sequence):
                missing.setdefault(sequence.name, source.label)
    used = [sequence for sequence in sequences if sequence.name not in missing]
    if missing and (not allow_missing or not used):
        name, label = next(iter(missing.items()))
        raise InputError(
            f"{label} has no result of sequence {name} ({len(missing)} of {len(sequences)} sequences "
            "lack a result of some tracker). Run it on them, or pass --allow-missing to evaluate only the "
            "sequences that all have."
        )
    return used, list(missing)


def _curves_of(sequences: List[Sequence], runs: List[BoxSource], rule: str) -> list[list[Curves]]:
    """Curves of every run (rows) on every sequence (columns)."""
    return [
        [sequence_curves(_errors(item, run.boxes(item), rule, run.label)) for item in sequences]
        for run in runs
    ]


def _errors(sequence: Sequence, boxes: np.ndarray, rule: str, label: str) -> SequenceErrors:
    return sequence_errors(
        boxes,
        sequence.ground_truth,
        protocol_for(rule, sequence.dataset),
        sequence.target_visible,
        source=f"{label}, sequence {sequence.name}",
    )


def _limits(sequences: List[Sequence], rule: str) -> tuple[int, float]:
    """Frames that cannot be scored, and the AUC in percent of the annotation taken as a tracker."""
    unscored, scores = 0, []
    for sequence in sequences:
        truth = np.nan_to_num(sequence.ground_truth)
        truth[:, 2:] = np.maximum(truth[:, 2:], 0.0)
        errors = _errors(sequence, truth, rule, "the annotation")
        unscored += int((~errors.valid).sum())
        scores.append(sequence_curves(errors).success.mean())
    return unscored, float(np.mean(scores)) * 100.0


def _stack(label: str, curves: list[list[Curves]], fps: float | None) -> TrackerCurves:
    def stacked(name: str) -> np.ndarray:
        return np.array([[getattr(item, name) for item in row] for row in curves])

    return TrackerCurves(
        label=label,
        success=stacked("success"),
        precision=stacked("precision"),
        normalised=stacked("normalised"),
        mean_overlap=stacked("mean_overlap"),
        fps=fps,
    )


def _mean_fps(sequences: List[Sequence], runs: List[BoxSource]) -> float | None:
    """Frames over seconds, or None unless every sequence of every run was timed."""
    frames, seconds = 0, 0.0
    for run in runs:
        for sequence in sequences:
            fps = run.fps(sequence)
            if fps is None:
                return None
            frames += len(sequence)
            seconds += len(sequence) / fps
    return frames / seconds
