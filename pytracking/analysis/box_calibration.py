"""Is a density over boxes honest? Coverage of its regions, and how often its confidence is right."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from ebm.boxes import box_iou
from ebm.calibration import Reliability, reliability_of_ranks
from ebm.exceptions import DomainError
from pytracking.evaluation import data
from pytracking.evaluation.data import check_frames, true_box
from pytracking.tracker.base import Tracked, Tracker

__all__ = [
    "LEVELS",
    "POWERS",
    "TEMPERATURES",
    "BoxRecords",
    "confidence_bins",
    "discrimination",
    "f_score_of_lost",
    "record_densities",
]

Array = NDArray[np.float64]
LEVELS = (0.5, 0.8, 0.9, 0.95)
TEMPERATURES = tuple(2 ** (k / 4) for k in range(-8, 13))  # a quarter to eight
POWERS = tuple(k / 8 for k in range(17))  # nothing to two
UNIT = TEMPERATURES.index(1.0)
GOOD = 0.5  # IoU


@dataclass(frozen=True, kw_only=True, eq=False)
class BoxRecords:
    """What densities said about N frames, and what was true; NaN where the target is absent.

    Attributes:
        sequence: names ``[N]``.
        frame: numbers ``[N]``, from 0.
        present: whether the target is annotated, ``[N]`` bool.
        iou: overlap of the tracker's box with the annotated one, ``[N]``.
        lost: whether the tracker said so, ``[N]`` bool.
        presence: how sure the classifier was, ``[N]``.
        log_prob: log-density of the annotated box at `TEMPERATURES`, nats, ``[N, K]``; -inf out of reach.
        rank: mass of what has a higher density than it, ``[N, K]``.
        overlap: mass of boxes that overlap the tracker's well, ``[N, K]``.
    """

    sequence: list[str]
    frame: NDArray[np.int64]
    present: NDArray[np.bool_]
    iou: Array
    lost: NDArray[np.bool_]
    presence: Array
    log_prob: Array
    rank: Array
    overlap: Array

    @property
    def within_reach(self) -> NDArray[np.bool_]:
        """Frames whose annotated box has a density at all; what a density says holds for these, ``[N]``."""
        return self.present & np.isfinite(self.log_prob[:, UNIT])

    @property
    def good(self) -> NDArray[np.bool_]:
        """Frames in which the tracker's box overlaps the annotated one by at least 0.5, ``[N]``."""
        return self.present & (np.nan_to_num(self.iou) >= GOOD)

    def confidence(self, temperature: float = 1.0, power: float = 1.0) -> Array:
        """What `BoxDensity.confidence` was, or would be at a temperature and with a power of the lists."""
        return self.presence**power * self.overlap[:, _index(temperature)]

    def coverage(self, temperature: float = 1.0, *, reached: bool = True) -> Reliability:
        """How often regions hold the annotated box.

        Args:
            temperature: one of `TEMPERATURES`.
            reached: of the frames `within_reach`; otherwise of all with a target, and boxes out of reach
                are in no region.
        """
        chosen = self.within_reach if reached else self.present
        ranks = np.where(self.within_reach, self.rank[:, _index(temperature)], 1.0)[chosen]
        return reliability_of_ranks(torch.from_numpy(ranks))

    def best_temperature(self) -> float:
        """That of `TEMPERATURES` at which the annotated boxes within reach have the highest log-density.

        Raises:
            DomainError: if there is no such frame.
        """
        if not self.within_reach.any():
            raise DomainError("No annotated box lies within reach of a density: there is nothing to fit to.")
        return TEMPERATURES[int(self.log_prob[self.within_reach].mean(axis=0).argmax())]

    def best_power(self, temperature: float) -> float:
        """That of `POWERS` of the classifier's score that makes the confidence foretell `good` best.

        By the mean squared error, a proper score: its least is where the confidence is the probability.
        """
        errors = [np.square(self.confidence(temperature, p) - self.good).mean() for p in POWERS]
        return POWERS[int(np.argmin(errors))]

    def mean_log_prob(self, temperature: float = 1.0) -> float:
        """Mean log-density of the annotated boxes within reach, nats, in relative coordinates."""
        return float(self.log_prob[self.within_reach][:, _index(temperature)].mean())


def _index(temperature: float) -> int:
    try:
        return TEMPERATURES.index(temperature)
    except ValueError as error:
        raise DomainError(f"temperature must be one of TEMPERATURES, got {temperature!r}.") from error


def record_densities(
    make: Callable[[data.Sequence], Tracker],
    sequences: Sequence[data.Sequence],
    read: Callable[[data.Sequence, int], Any],
    *,
    stride: int = 5,
    on_frame: Callable[[], None] = lambda: None,
) -> BoxRecords:
    """Track sequences and ask every few frames for the density.

    Args:
        make: a tracker for a sequence.
        sequences: with boxes in every frame or NaN.
        read: a sequence and the number of a frame to uint8 RGB ``[H, W, 3]``.
        stride: frames from one density to the next.
        on_frame: called after every frame.

    Raises:
        InputError: if a frame cannot be read, or the tracker has no densities.
    """
    rows = []
    for sequence in sequences:
        check_frames(sequence)
        tracker = make(sequence)
        tracker.initialize(read(sequence, 0), sequence.init_box)
        on_frame()
        for number in range(1, len(sequence)):
            tracked = tracker.track(read(sequence, number))
            if number % stride == 0:
                rows.append((sequence.name, number, *_record(tracked, true_box(sequence, number))))
            on_frame()
    names, frames, *columns = zip(*rows, strict=True) if rows else [()] * 9
    present, iou, lost, presence, log_prob, rank, overlap = (np.array(column) for column in columns)
    return BoxRecords(
        sequence=list(names),
        frame=np.array(frames, dtype=np.int64),
        present=present.astype(bool),
        iou=iou,
        lost=lost.astype(bool),
        presence=presence,
        log_prob=log_prob,
        rank=rank,
        overlap=overlap,
    )


def _record(tracked: Tracked, truth: Array | None) -> Iterator[Any]:
    density = tracked.density
    asked = density.at_temperatures(tracked.box if truth is None else truth, TEMPERATURES)
    absent = np.full(len(TEMPERATURES), np.nan)
    overlap: Tensor | float = np.nan
    if truth is not None:
        overlap = float(box_iou(torch.from_numpy(truth), torch.from_numpy(tracked.box)))
    yield truth is not None
    yield overlap
    yield tracked.state == "lost"
    yield density.presence
    yield absent if truth is None else asked.log_prob
    yield absent if truth is None else asked.rank
    yield asked.overlap


def confidence_bins(confidence: Array, right: NDArray[np.bool_], bins: int = 10) -> tuple[Array, float]:
    """How often a confidence is right.

    Args:
        confidence: in [0, 1], ``[N]``.
        right: whether it came true, ``[N]``.
        bins: of equal width.

    Returns:
        Mean confidence, share right and count of every bin that is not empty, ``[bins, 3]``; and the expected
        calibration error, the mean distance of the first two, each bin weighing its count.
    """
    place = np.minimum((confidence * bins).astype(int), bins - 1)
    rows = [
        (confidence[place == b].mean(), right[place == b].mean(), (place == b).sum())
        for b in range(bins)
        if (place == b).any()
    ]
    table = np.array(rows, dtype=np.float64).reshape(-1, 3)
    error = float((np.abs(table[:, 0] - table[:, 1]) * table[:, 2]).sum() / max(len(confidence), 1))
    return table, error


def discrimination(score: Array, positive: NDArray[np.bool_]) -> float:
    """Area under the ROC curve: how often a positive scores above a negative; ties half, NaN without."""
    ahead = score[positive][:, None] - score[~positive][None]
    return float((np.sign(ahead) * 0.5 + 0.5).mean()) if ahead.size else float("nan")


def f_score_of_lost(lost: NDArray[np.bool_], present: NDArray[np.bool_]) -> float:
    """Harmonic mean of precision and recall of the state ``lost`` as a sign of absence; 0 without hits."""
    hits = float((lost & ~present).sum())
    total = float(lost.sum() + (~present).sum())
    return 2 * hits / total if total else float("nan")
