"""Thresholds by what tracks are worth."""

import math

import numpy as np
import pytest

from pytracking.analysis.thresholds import Track, candidates, study_thresholds


def made(threshold: float, present: list[bool], iou: list[float], score: list[float]) -> Track:
    values = np.array(score)
    return Track(present=np.array(present), iou=np.array(iou), lost=values < threshold, score=values)


def test_quality_counts_what_is_right_by_frames() -> None:
    track = made(0.5, [True, True, False, False], [0.8, 0.6, 0.0, 0.0], [0.9, 0.1, 0.9, 0.1])
    assert track.quality == pytest.approx((0.8 + 0 + 0 + 1) / 4)


def test_candidates_are_low_scores_of_good_frames() -> None:
    scores = list(np.linspace(0, 1, 101))
    track = made(0.0, [True] * 101, [0.4] * 50 + [0.9] * 51, scores)
    assert list(candidates([track], 0.25)) == [0.25, 0.0, 0.51, 0.55, 0.62]
    assert list(candidates([made(0.0, [True], [0.1], [0.4])], 0.25)) == [0.25, 0.0]


def test_a_network_of_low_scores_gets_a_low_threshold() -> None:
    """Scores of 0.1 to 0.2 where the target is: 0.25 calls all of them lost."""

    def run(threshold: float) -> list[Track]:
        present = [True] * 8 + [False] * 2
        iou = [0.7] * 8 + [0.0] * 2
        return [
            made(threshold, present, iou, [*np.linspace(0.1, 0.2, 8), 0.02, 0.03 * shift])
            for shift in (0.5, 1.0)
        ]

    study = study_thresholds(run, 0.25)
    assert study.trials[0].mean == pytest.approx(0.2)
    assert study.chosen == pytest.approx(0.1)
    best = study.best.more
    assert best["F of lost"] == 1.0
    assert best["lost in view"] == 0.0
    assert best["lost when gone"] == 100.0
    assert best["AUC"] == pytest.approx(70.0)


def test_nothing_is_said_of_absence_where_there_is_none() -> None:
    study = study_thresholds(lambda threshold: [made(threshold, [True], [0.7], [0.5])], 0.25)
    assert set(study.trials[0].more) == {"AUC", "lost in view"}
    assert math.isinf(study.gain.standard_error)
