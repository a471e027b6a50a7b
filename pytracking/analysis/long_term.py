"""Precision, recall and F-score of trackers that say how sure they are that the target is there."""

from collections.abc import Sequence as List
from dataclasses import dataclass

import numpy as np

from pytracking.analysis.extract import annotation_of
from pytracking.analysis.protocols import protocol_for
from pytracking.analysis.scoring import TrackErrors, track_errors
from pytracking.analysis.sources import FolderSource
from pytracking.analysis.tables import Table
from pytracking.analysis.truths import Truths
from pytracking.evaluation.data import Sequence

__all__ = ["LongTerm", "long_term", "long_term_of", "long_term_table"]


@dataclass(frozen=True, eq=False)
class LongTerm:
    """Tracking precision and recall over the confidence, in [0, 1].

    Args:
        precision: mean overlap of the k most confident frames, ``[N + 1]``; 1 for none.
        recall: their summed overlap over the number of frames with a target, ``[N + 1]``.
        f_score: the largest harmonic mean of the two.
        best: where it is reached: the number of frames reported.
        threshold: the confidence of the last of these.
        scored: whether there were confidences; otherwise every frame is reported.
    """

    precision: np.ndarray
    recall: np.ndarray
    f_score: float
    best: int
    threshold: float
    scored: bool


def long_term(errors: TrackErrors, confidence: np.ndarray | None = None) -> LongTerm:
    """Precision, recall and F-score of one tracker over all frames of all sequences.

    Frames with equal confidence are reported together. A frame without a visible target that is reported
    costs precision.

    Args:
        errors: of the tracker.
        confidence: that the target is there, ``[N]``; None: every frame is reported.

    Source: Lukezic et al., arXiv:1804.07056, with the frames of all sequences in one; pytracking.md 5.6.
    """
    overlap = np.where(errors.valid, errors.overlap, 0.0)
    scored = confidence is not None
    sure = np.ones(len(overlap)) if confidence is None else confidence
    order = np.argsort(-sure, kind="stable")
    summed = overlap[order].cumsum()
    frames = np.arange(1, len(overlap) + 1)
    precision = np.concatenate([[1.0], summed / frames])
    recall = np.concatenate([[0.0], summed / max(int(errors.valid.sum()), 1)])
    both = precision + recall
    f_scores = np.divide(2 * precision * recall, both, out=np.zeros_like(both), where=both > 0)
    last_of_equals = np.append(sure[order][1:] != sure[order][:-1], True)
    allowed = np.concatenate([[False], last_of_equals])
    best = int(np.argmax(np.where(allowed, f_scores, -1.0)))
    return LongTerm(precision, recall, float(f_scores[best]), best, float(sure[order][best - 1]), scored)


def long_term_of(sequences: List[Sequence], source: FolderSource, rule: str) -> LongTerm:
    """As `long_term`, of a run's files; frames count as reported where it left no confidences.

    Args:
        sequences: of one dataset.
        source: boxes and, where there are any, confidences.
        rule: a key of `PROTOCOLS`.
    """
    truths = Truths([annotation_of(item) for item in sequences], protocol_for(rule, sequences[0].dataset))
    places = [source.place(sequence) for sequence in sequences]
    errors = track_errors([source.boxes(sequence) for sequence in sequences], truths, places)
    scores = [source.confidences(sequence) for sequence in sequences]
    if any(item is None for item in scores):
        return long_term(errors)
    return long_term(errors, np.concatenate([item for item in scores if item is not None]))


def long_term_table(title: str, found: List[tuple[str, LongTerm]]) -> Table:
    """One row a run, the best F-score on top, in percent.

    Args:
        title: of the dataset.
        found: label and curves of each.
    """
    rows = [
        (
            label,
            f"{100 * item.f_score:.2f}",
            f"{100 * item.precision[item.best]:.2f}",
            f"{100 * item.recall[item.best]:.2f}",
            f"{item.threshold:.3f}" if item.scored else "-",
        )
        for label, item in sorted(found, key=lambda pair: -pair[1].f_score)
    ]
    note = (
        "Over all frames of all sequences, at the confidence with the largest F-score (-: none were saved)."
    )
    return Table(f"{title}: long-term", ("Tracker", "F", "Precision", "Recall", "at"), tuple(rows), (note,))
