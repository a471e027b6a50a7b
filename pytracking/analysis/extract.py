"""Results of several trackers on a dataset, evaluated under one protocol."""

from collections.abc import Sequence as List
from dataclasses import asdict, dataclass

import numpy as np

from ebm.exceptions import InputError
from pytracking.analysis.gathering import refuse_shared_labels
from pytracking.analysis.irregular import Irregularity, irregularities, summary_of
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
from pytracking.analysis.scores import SCORES, TrackerCurves
from pytracking.analysis.sources import BoxSource
from pytracking.evaluation.data import Sequence, check_names
from pytracking.evaluation.datasets import BENCHMARKS

__all__ = ["Evaluation", "evaluate", "shared_sequences"]


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
        chosen: sentences on how results were chosen where a name stands for several.
    """

    dataset: str
    rule: str
    sequences: tuple[str, ...]
    left_out: tuple[str, ...]
    trackers: tuple[TrackerCurves, ...]
    frames: int
    unscored: int
    ceiling: float
    chosen: tuple[str, ...] = ()

    @property
    def remarks(self) -> tuple[str, ...]:
        """What a reader of the scores must know about the results: the choice, and what is odd about them."""
        odd = (summary_of(t.label, t.irregular, len(self.sequences)) for t in self.trackers)
        return (*self.chosen, *(line for lines in odd for line in lines))

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
            "remarks": list(self.remarks),
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
            "irregular_results": [asdict(item) for item in tracker.irregular],
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
        sources: runs of trackers; those of one tracker, which have one label, are averaged.
        rule: a key of `PROTOCOLS`.
        allow_missing: leave out sequences that some tracker has no result of, instead of refusing.

    Raises:
        InputError: if results are missing or of another length than the protocol allows, two trackers have
            one label, two sequences one name, or sequences no ground truth beyond their first frame.
        UnknownNameError: if there is no such rule.
        DomainError: if a result cannot be scored; the message names its file.
    """
    if not sequences or not sources:
        raise InputError("Nothing to evaluate: give at least one sequence and one tracker with results.")
    protocol_for(rule, "")
    check_names(sequence.name for sequence in sequences)
    refuse_shared_labels(sources)
    _refuse_hidden_truth(sequences)
    used, left_out = shared_sequences(sequences, sources, allow_missing)
    labels = list(dict.fromkeys(source.label for source in sources))
    trackers = []
    for label in labels:
        runs = [source for source in sources if source.label == label]
        irregular: list[Irregularity] = []
        curves = [[_curves(item, run, rule, irregular) for item in used] for run in runs]
        trackers.append(_stack(label, curves, _mean_fps(used, runs), irregular))
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
        chosen=tuple(dict.fromkeys(source.remark for source in sources if source.remark)),
    )


def _refuse_hidden_truth(sequences: List[Sequence]) -> None:
    hidden = [sequence.name for sequence in sequences if not has_ground_truth(sequence.ground_truth)]
    if hidden:
        raise InputError(
            f"{hidden[0]} ({len(hidden)} sequences in all) has ground truth on its first frame only, so "
            "that any tracker would seem perfect; its evaluation server scores the result files."
        )


def shared_sequences(
    sequences: List[Sequence], sources: List[BoxSource], allow_missing: bool
) -> tuple[list[Sequence], list[str]]:
    """The sequences that every source has a result of, and the names of the others.

    Args:
        sequences: of one dataset.
        sources: runs of trackers.
        allow_missing: leave sequences out, as long as some are left; otherwise they are refused.

    Raises:
        InputError: naming the first result that is missing.
    """
    missing: dict[str, str] = {}
    for source in sources:
        for sequence in sequences:
            if not source.has(sequence):
                missing.setdefault(sequence.name, source.label)
    used = [sequence for sequence in sequences if sequence.name not in missing]
    if missing and (not allow_missing or not used):
        name, label = next(iter(missing.items()))
        some = "Run it on them, or pass --allow-missing to evaluate only the sequences that all have."
        raise InputError(
            f"{label} has no result of sequence {name} ({len(missing)} of {len(sequences)} sequences lack a "
            f"result of some tracker). {some if used else 'There is no sequence that all have results of.'}"
        )
    return used, list(missing)


def _curves(sequence: Sequence, run: BoxSource, rule: str, irregular: list[Irregularity]) -> Curves:
    """Curves of one run on one sequence; what is odd about the result is added to `irregular`."""
    boxes = run.boxes(sequence)
    curves = sequence_curves(_errors(sequence, boxes, rule, run.place(sequence)))
    irregular += irregularities(boxes, sequence, protocol_for(rule, sequence.dataset))
    if run.made_elsewhere(sequence):
        irregular.append(Irregularity("other data", sequence.name, ""))
    return curves


def _errors(sequence: Sequence, boxes: np.ndarray, rule: str, source: str) -> SequenceErrors:
    return sequence_errors(
        boxes,
        sequence.ground_truth,
        protocol_for(rule, sequence.dataset),
        sequence.target_visible,
        source=source,
    )


def _limits(sequences: List[Sequence], rule: str) -> tuple[int, float]:
    """Frames that cannot be scored, and the AUC in percent of the annotation taken as a tracker."""
    unscored, scores = 0, []
    for sequence in sequences:
        truth = np.nan_to_num(sequence.ground_truth)
        truth[:, 2:] = np.maximum(truth[:, 2:], 0.0)
        errors = _errors(sequence, truth, rule, f"the annotation of {sequence.name}")
        unscored += int((~errors.valid).sum())
        scores.append(sequence_curves(errors).success.mean())
    return unscored, float(np.mean(scores)) * 100.0


def _stack(
    label: str, curves: list[list[Curves]], fps: float | None, irregular: list[Irregularity]
) -> TrackerCurves:
    def stacked(name: str) -> np.ndarray:
        return np.array([[getattr(item, name) for item in row] for row in curves])

    return TrackerCurves(
        label=label,
        success=stacked("success"),
        precision=stacked("precision"),
        normalised=stacked("normalised"),
        mean_overlap=stacked("mean_overlap"),
        fps=fps,
        irregular=tuple(irregular),
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
