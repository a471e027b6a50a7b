"""The report of `real_confidence.py`: confidence by fits on the other videos, coverage of regions."""

from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from ebm.pictures.curves import Curves
from ebm.pictures.honesty import draw_reliability
from ebm.pictures.style import OKABE_ITO, new_figure, plain_axes, styled
from pytracking.analysis.box_calibration import (
    LEVELS,
    TEMPERATURES,
    UNIT,
    BoxRecords,
    confidence_bins,
    discrimination,
    f_score_of_lost,
)
from pytracking.analysis.confidence import fit_confidence
from pytracking.parameter.state_params import StateParams
from pytracking.tracker.common.judge import confidence

Array = NDArray[np.float64]
GONE = " without"
"""Behind the name of a video whose target is out of sight for a while."""
GOOD = 0.5  # IoU


class Row(NamedTuple):
    """One frame."""

    sequence: str
    frame: int
    present: bool
    iou: float
    score: float
    energy: float
    state: str


def columns(rows: Sequence[Row]) -> tuple[Array, Array, NDArray[np.bool_], NDArray[np.str_]]:
    """Score, energy, whether the box was right, and the video, of every frame, ``[T]`` each."""
    score, energy, iou = np.array([(r.score, r.energy, r.iou) for r in rows], dtype=np.float64).T
    return score, energy, iou >= GOOD, np.array([r.sequence.removesuffix(GONE) for r in rows])


def confidences(rows: Sequence[Row], weights: tuple[float, float, float]) -> Array:
    """Of every frame, ``[T]``."""
    params = StateParams(confidence_weights=weights)
    return np.array([confidence(r.score, r.energy, params) for r in rows])


def cross_validated(rows: Sequence[Row]) -> Array:
    """Confidence of every frame, ``[T]``, by weights that were fitted on the other videos."""
    score, energy, good, video = columns(rows)
    found = np.empty(len(rows))
    for name in np.unique(video):
        out = video == name
        weights = fit_confidence(score[~out], energy[~out], good[~out])
        found[out] = confidences([r for r, o in zip(rows, out) if o], weights)
    return found


def subset(records: BoxRecords, chosen: NDArray[np.bool_]) -> BoxRecords:
    """Some of the frames."""
    names = [name for name, wanted in zip(records.sequence, chosen) if wanted]
    rest = ("frame", "present", "iou", "lost", "presence", "log_prob", "rank", "overlap")
    return BoxRecords(sequence=names, **{key: getattr(records, key)[chosen] for key in rest})


def ranks_cross_validated(records: BoxRecords) -> Array:
    """Ranks of the annotated boxes within reach, at a temperature that was fitted on the other videos."""
    video = np.array([name.removesuffix(GONE) for name in records.sequence])
    found = []
    for name in dict.fromkeys(video):
        out = video == name
        place = TEMPERATURES.index(subset(records, ~out).best_temperature())
        own = subset(records, out)
        found.append(own.rank[own.within_reach, place])
    return np.concatenate(found)


def report(rows: Sequence[Row], records: BoxRecords) -> Iterator[str]:
    """What was measured, line by line."""
    score, _, good, video = columns(rows)
    sure = cross_validated(rows)
    present = np.array([r.present for r in rows])
    limits = StateParams()
    named = np.where(sure < limits.uncertain_confidence, "uncertain", "ok")
    states = np.where(sure < limits.lost_confidence, "lost", named)
    lost = states == "lost"
    yield f"{len(rows)} frames of {len(set(video))} videos, {int((~present).sum())} without target"
    yield f"right boxes (IoU >= 0.5)        {good.mean():.3f} of the frames"
    yield "confidence, cross-validated by video"
    for name, value in (("score and energy", sure), ("score alone, as it is", score)):
        brier, error = np.square(value - good).mean(), confidence_bins(value, good)[1]
        yield f"  {name:<24}Brier {brier:.3f}  ECE {error:.3f}  AUROC {discrimination(value, good):.3f}"
    yield f"  {'constant':<24}Brier {good.mean() * (1 - good.mean()):.3f}"
    away = np.array([r.sequence.endswith(GONE) for r in rows])
    yield "states by that confidence; target gone, in the tracks with absences"
    yield f"  AUROC of being there    {discrimination(sure[away], present[away]):.3f}"
    yield f"  AUROC of the score      {discrimination(score[away], present[away]):.3f}"
    yield f"  F of the state lost     {f_score_of_lost(lost[away], present[away]):.3f}"
    yield f"  lost when gone          {lost[away & ~present].mean():.3f}"
    yield f"  lost in view            {lost[present].mean():.3f}, with a right box {lost[good].mean():.3f}"
    for state in ("ok", "uncertain", "lost"):
        chosen = states == state
        share = f"{good[chosen].mean():.3f}" if chosen.any() else "-"
        yield f"state {state:<10}{int(chosen.sum()):>5} frames, box right in {share}"
    honest = ranks_cross_validated(records)
    yield f"box regions, {len(honest)} frames within reach of {int(records.present.sum())} with a target"
    for level in LEVELS:
        before, after = (
            100 * (r <= level).mean() for r in (records.rank[records.within_reach, UNIT], honest)
        )
        yield f"  {100 * level:g} %: {before:.1f} % as it is, {after:.1f} % cross-validated"


@styled
def figure_of(rows: Sequence[Row], records: BoxRecords) -> Any:
    """Confidence against truth, and coverage of the regions."""
    _, _, good, _ = columns(rows)
    bins, error = confidence_bins(cross_validated(rows), good)
    figure = new_figure(8.4, 4.5)
    left, right = figure.subplots(1, 2)
    plain_axes(left)
    left.plot([0, 1], [0, 1], color="0.45", linewidth=0.8, linestyle=(0, (5, 3)))
    left.plot(bins[:, 0], bins[:, 1], color=OKABE_ITO["blue"], linewidth=0.9)
    areas = 12 + 260 * bins[:, 2] / bins[:, 2].sum()
    left.scatter(bins[:, 0], bins[:, 1], s=areas, color=OKABE_ITO["blue"], alpha=0.75, linewidth=0)
    left.set(xlim=(0, 1), ylim=(0, 1), aspect="equal", xlabel="confidence, cross-validated by video")
    left.set_ylabel("share of frames with an IoU of at least 0.5")
    left.set_title(f"{len(rows)} frames, ECE {error:.2f}", loc="left")
    level = np.arange(0.05, 1, 0.05)
    before, after = records.rank[records.within_reach, UNIT], ranks_cross_validated(records)
    drawn = {"level": level, "standard_error_after": np.sqrt(level * (1 - level) / max(len(after), 1))}
    drawn["observed_before"] = np.array([(before <= p).mean() for p in level])
    drawn["observed_after"] = np.array([(after <= p).mean() for p in level])
    draw_reliability(Curves(drawn, {"sets": "Regions of the box", "rows": str(len(after))}), right)
    return figure
