"""Below which score of the classifier is the target gone?"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from ebm.boxes import box_iou
from pytracking.analysis.box_calibration import f_score_of_lost
from pytracking.analysis.trials import Study, Trial
from pytracking.evaluation import data
from pytracking.evaluation.data import check_frames, true_box
from pytracking.tracker.base import Tracker

__all__ = ["Track", "candidates", "study_thresholds", "track"]

Array = NDArray[np.float64]
LOW = (0.02, 0.1, 0.25)  # parts of the frames with a good box that a candidate gives up


@dataclass(frozen=True, kw_only=True, eq=False)
class Track:
    """What a tracker said of a sequence, and what was true; the first frame is left out.

    Attributes:
        present: whether the target is annotated, ``[T]`` bool.
        iou: overlap of the tracker's box with the annotated one, ``[T]``; 0 where it is absent.
        lost: whether the tracker said so, ``[T]`` bool.
        score: the classifier's, clamped to [0, 1], ``[T]``.
    """

    present: NDArray[np.bool_]
    iou: Array
    lost: NDArray[np.bool_]
    score: Array

    @property
    def quality(self) -> float:
        """Mean over frames: the overlap, 0 where called lost; without target 1 where called lost, else 0."""
        return float(np.where(self.present, self.iou * ~self.lost, self.lost).mean())


def track(
    tracker: Tracker,
    sequence: data.Sequence,
    read: Callable[[data.Sequence, int], Any],
    on_frame: Callable[[], None] = lambda: None,
) -> Track:
    """Track a sequence.

    Raises:
        InputError: if a frame cannot be read.
    """
    check_frames(sequence)
    tracker.initialize(read(sequence, 0), sequence.init_box)
    rows = []
    for number in range(1, len(sequence)):
        found = tracker.track(read(sequence, number))
        truth = true_box(sequence, number)
        overlap = 0.0
        if truth is not None:
            overlap = float(box_iou(torch.from_numpy(truth), torch.from_numpy(found.box)))
        rows.append((truth is not None, overlap, found.state == "lost", found.score))
        on_frame()
    present, iou, lost, score = np.array(rows, dtype=np.float64).reshape(-1, 4).T
    return Track(present=present > 0, iou=iou, lost=lost > 0, score=score)


def candidates(tracks: Sequence[Track], own: float) -> Iterator[float]:
    """Thresholds worth a trial: none at all, the set's own, and low scores of frames with a good box."""
    yield own
    yield 0.0
    score = np.concatenate([t.score for t in tracks])
    good = score[np.concatenate([t.iou for t in tracks]) >= 0.5]
    for part in LOW if good.size else ():
        yield float(f"{np.quantile(good, part):.2g}")


def study_thresholds(run: Callable[[float], Sequence[Track]], own: float) -> Study[float]:
    """`Track.quality` by threshold.

    Args:
        run: tracks every sequence with a threshold.
        own: that of the parameter set.
    """
    seen: dict[float, Sequence[Track]] = {}

    def evaluate(threshold: float) -> Trial[float]:
        tracks = seen[threshold] = run(threshold)
        return Trial(
            value=threshold, scores=np.array([t.quality for t in tracks]), more=dict(_columns(tracks))
        )

    study = Study(evaluate, own)
    study.try_all(candidates(seen[own], own))
    return study


def _columns(tracks: Sequence[Track]) -> Iterator[tuple[str, float]]:
    """What else to tell: mean overlap, how often lost rightly and wrongly, F-score of 'lost'."""
    present = np.concatenate([t.present for t in tracks])
    lost = np.concatenate([t.lost for t in tracks])
    yield "AUC", 100 * float(np.mean([t.iou[t.present].mean() for t in tracks if t.present.any()]))
    yield "lost in view", 100 * float(lost[present].mean())
    if not present.all():
        yield "lost when gone", 100 * float(lost[~present].mean())
        yield "F of lost", f_score_of_lost(lost, present)
