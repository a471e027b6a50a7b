"""Results of several trackers on a dataset, evaluated under one protocol."""

from collections.abc import Sequence as List
from dataclasses import asdict, dataclass

import numpy as np

from ebm.exceptions import InputError
from pytracking.analysis.gathering import refuse_shared_labels
from pytracking.analysis.irregular import Irregularity, irregularities, summary_of
from pytracking.analysis.metrics import CENTRE_THRESHOLDS, NORMALISED_THRESHOLDS, overlap_thresholds
from pytracking.analysis.protocols import Protocol, protocol_for
from pytracking.analysis.scores import SCORES, TrackerCurves
from pytracking.analysis.scoring import Curves, track_curves, track_errors
from pytracking.analysis.sources import BoxSource, FolderSource
from pytracking.analysis.truths import Annotation, Truths, has_ground_truth
from pytracking.evaluation.data import Sequence, check_names
from pytracking.evaluation.datasets import BENCHMARKS

__all__ = ["Evaluation", "annotation_of", "ceiling_of", "evaluate", "shared_sequences"]


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
    def protocol(self) -> Protocol:
        """The rules of the figures."""
        return protocol_for(self.rule, self.dataset)

    @property
    def thresholds(self) -> dict[str, np.ndarray]:
        """What the curves are over: success, precision, normalised."""
        return {
            "success": overlap_thresholds(self.protocol.success_thresholds),
            "precision": CENTRE_THRESHOLDS,
            "normalised": NORMALISED_THRESHOLDS,
        }

    @property
    def main_score(self) -> str:
        """The key of `SCORES` that ranks trackers: the protocol's first."""
        return self.protocol.columns[0]

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

    def ranked(self, score: str | None = None) -> list[TrackerCurves]:
        """Trackers, best first; by the protocol's own score where none is named."""
        wanted = score or self.main_score
        return sorted(self.trackers, key=lambda tracker: -tracker.score(wanted).mean)

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
            "thresholds": {kind: values.tolist() for kind, values in self.thresholds.items()},
            "trackers": [self._tracker_json(tracker) for tracker in self.trackers],
        }

    @staticmethod
    def _tracker_json(tracker: TrackerCurves) -> dict:
        kinds = ("success", "precision", "normalised")
        overlap = tracker.mean_overlap.mean(axis=0)
        scores = {name: tracker.score(name) for name in SCORES}
        return {
            "label": tracker.label,
            "runs": len(tracker.success),
            "fps": tracker.fps,
            "scores": {
                name: {"mean": score.mean, "std": score.std}
                for name, score in scores.items()
                if not np.isnan(score.mean)
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
    for source in sources:
        if isinstance(source, FolderSource):
            source.load(used)
    protocol = protocol_for(rule, used[0].dataset)
    truths = Truths([annotation_of(sequence) for sequence in used], protocol)
    return Evaluation(
        dataset=used[0].dataset,
        rule=rule,
        sequences=tuple(sequence.name for sequence in used),
        left_out=tuple(left_out),
        trackers=tuple(
            _tracker(label, [source for source in sources if source.label == label], used, truths)
            for label in dict.fromkeys(source.label for source in sources)
        ),
        frames=len(truths.sequence),
        unscored=len(truths.odd),
        ceiling=ceiling_of(truths),
        chosen=tuple(dict.fromkeys(source.remark for source in sources if source.remark)),
    )


def _refuse_hidden_truth(sequences: List[Sequence]) -> None:
    known = BENCHMARKS.get(sequences[0].dataset)
    server = known.server if known is not None else None
    hidden = [s.name for s in sequences if server or not has_ground_truth(s.ground_truth)]
    if hidden:
        scorer = f"the server {server}" if server else "its evaluation server"
        raise InputError(
            f"{hidden[0]} ({len(hidden)} sequences in all) has ground truth on its first frame only, so "
            f"that any tracker would seem perfect; {scorer} has the rest, and scores the result files."
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


def annotation_of(sequence: Sequence) -> Annotation:
    """What a sequence is scored against."""
    return Annotation(
        sequence.ground_truth,
        sequence.target_visible,
        sequence.image_size,
        f"{sequence.source or sequence.name}",
    )


def _tracker(label: str, runs: List[BoxSource], sequences: List[Sequence], truths: Truths) -> TrackerCurves:
    """Curves of the runs of one tracker, and what is odd about its results."""
    irregular: list[Irregularity] = []
    curves = [_curves(run, sequences, truths, irregular) for run in runs]

    def stacked(name: str) -> np.ndarray:
        return np.stack([getattr(item, name) for item in curves])

    return TrackerCurves(
        label=label,
        success=stacked("success"),
        precision=stacked("precision"),
        normalised=stacked("normalised"),
        mean_overlap=stacked("mean_overlap"),
        frames=stacked("frames"),
        protocol=truths.protocol,
        classes=tuple(sequence.object_class for sequence in sequences),
        fps=_mean_fps(sequences, runs),
        irregular=tuple(irregular),
    )


def _curves(
    run: BoxSource, sequences: List[Sequence], truths: Truths, irregular: list[Irregularity]
) -> Curves:
    """Curves of one run; what is odd about its results is added to `irregular`."""
    boxes = [run.boxes(sequence) for sequence in sequences]
    for sequence, predicted in zip(sequences, boxes, strict=True):
        irregular += irregularities(predicted, sequence, truths.protocol)
        if run.made_elsewhere(sequence):
            irregular.append(Irregularity("other data", sequence.name, ""))
    places = [run.place(sequence) for sequence in sequences]
    return track_curves(track_errors(boxes, truths, places))


def ceiling_of(truths: Truths) -> float:
    """The score in percent by success (AO or AUC) of the annotation taken as a tracker."""
    boxes = []
    for item in truths.annotations:
        truth = np.nan_to_num(item.boxes)
        truth[:, 2:] = np.maximum(truth[:, 2:], 0.0)
        boxes.append(truth)
    curves = track_curves(track_errors(boxes, truths))
    weights = None if truths.protocol.average == "sequences" else curves.frames
    return float(np.average(curves.success.mean(axis=1), weights=weights)) * 100.0


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
