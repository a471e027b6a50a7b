"""Comparison videos: which sequences are worth looking at, and their frames with every tracker's box."""

from collections.abc import Callable, Iterator, Mapping
from collections.abc import Sequence as List
from dataclasses import dataclass
from itertools import chain
from pathlib import Path

import numpy as np

from ebm.exceptions import InputError
from ebm.lookup import lookup
from pytracking.analysis.aligned import aligned_tracks, overlap_over_time, shown_truth
from pytracking.analysis.extract import Evaluation
from pytracking.analysis.overlay import GROUND_TRUTH, overlay_frames
from pytracking.analysis.sources import BoxSource
from pytracking.analysis.truths import has_ground_truth
from pytracking.evaluation.data import Sequence
from pytracking.evaluation.video_io import VideoWriter

__all__ = ["ORDERS", "Compared", "compared", "first_runs", "ordered_names", "write_comparison"]

ORDERS: Mapping[str, Callable[[np.ndarray], np.ndarray]] = {  # from scores [K, S]: lowest first
    "dataset": lambda scores: np.arange(scores.shape[1]),
    "worst": lambda scores: scores[0],
    "best": lambda scores: -scores[0],
    "spread": lambda scores: scores.min(axis=0) - scores.max(axis=0),
}


@dataclass(frozen=True, eq=False)
class Compared:
    """One sequence with the tracks of K trackers.

    Args:
        sequence: whose frames are shown.
        labels: of the trackers.
        tracks: xywh, px, ``[K, T, 4]``; NaN where a tracker has no box.
        truth: annotated boxes, ``[T, 4]``; NaN where there is none or the target is hidden.
        overlap: IoU, ``[K, T]``, or None where only the first frame is annotated.
    """

    sequence: Sequence
    labels: tuple[str, ...]
    tracks: np.ndarray
    truth: np.ndarray
    overlap: np.ndarray | None

    def frames(self, step: int = 1) -> Iterator[np.ndarray]:
        """Every `step`-th frame with its boxes and a legend, uint8 RGB."""
        boxes = {GROUND_TRUTH: self.truth, **dict(zip(self.labels, self.tracks, strict=True))}
        overlap = None if self.overlap is None else dict(zip(self.labels, self.overlap, strict=True))
        images = self.sequence.frames
        return overlay_frames(images, boxes, overlap=overlap, title=self.sequence.name, step=step)

    def summary(self) -> str:
        """The mean IoU of every tracker over the frames that have one."""
        if self.overlap is None:
            return "no annotation beyond the first frame"
        means = np.nanmean(self.overlap, axis=1)
        return "mean IoU " + ", ".join(f"{n} {m:.2f}" for n, m in zip(self.labels, means, strict=True))


def first_runs(sources: List[BoxSource]) -> list[BoxSource]:
    """The first run of every tracker.

    Raises:
        InputError: if one has the name that the annotation goes by.
    """
    runs: dict[str, BoxSource] = {}
    for source in sources:
        runs.setdefault(source.label, source)
    if GROUND_TRUTH in runs:
        raise InputError(
            f"{GROUND_TRUTH!r} is what the annotation is called; give the tracker another label."
        )
    return list(runs.values())


def compared(sequence: Sequence, runs: List[BoxSource]) -> Compared:
    """A sequence with the results of `first_runs`.

    Raises:
        InputError: if a result cannot be read.
    """
    tracks, truth = aligned_tracks(runs, sequence), shown_truth(sequence)
    known = has_ground_truth(sequence.ground_truth)
    overlap = overlap_over_time(tracks, truth) if known else None
    return Compared(sequence, tuple(run.label for run in runs), tracks, truth, overlap)


def ordered_names(evaluation: Evaluation, order: str) -> list[str]:
    """The sequences of an evaluation, those to look at first in front.

    Args:
        evaluation: its first tracker is the one that ``worst`` and ``best`` are of.
        order: one of `ORDERS`: ``worst``, the lowest score first; ``best``, the highest; ``spread``, the
            largest difference between two trackers; ``dataset``, as they are.

    Raises:
        UnknownNameError: if there is no such order.
    """
    key = lookup("order", order, ORDERS)
    score = evaluation.main_score
    scores = np.stack([tracker.per_sequence(score).mean(axis=0) for tracker in evaluation.trackers])
    places = np.argsort(key(scores), kind="stable")
    return [evaluation.sequences[place] for place in places]


def write_comparison(
    videos: List[Compared], path: Path, fps: float, *, step: int = 1, progress: Callable[[], object] = int
) -> int:
    """Write sequences one after the other into an mp4 file.

    Args:
        videos: at least one.
        path: of the file; one that is there is replaced when the new one is whole, not before.
        fps: frames per second.
        step: of every so many frames one is shown.
        progress: called after each.

    Returns: how many frames were written.

    Raises:
        InputError: if a frame cannot be read, or nothing can be written.
    """
    with VideoWriter(path, fps, whole=True) as writer:
        for image in chain.from_iterable(video.frames(step) for video in videos):
            writer.add(image)
            progress()
    return writer.frames
