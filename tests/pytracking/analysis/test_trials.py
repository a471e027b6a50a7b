"""Choosing among values that were tried."""

import math

import numpy as np
import pytest

from pytracking.analysis.trials import Study, Trial, double_or_halve


def bell(peak: float, spread: float = 0.1) -> "Study[float]":
    """Scores of five sequences, highest at `peak`; sequences differ much, their gains little."""

    def evaluate(value: float) -> Trial[float]:
        height = -(math.log2(value / peak) ** 2)
        return Trial(value=value, scores=np.arange(5.0) * 10 + height * (1 + spread * np.arange(5)))

    return Study(evaluate, 1.0)


@pytest.mark.parametrize("peak", [4.0, 0.25, 1.0])
def test_goes_to_the_peak_and_stops_behind_it(peak: float) -> None:
    study = bell(peak)
    double_or_halve(study, lambda value, factor: value * factor)
    assert study.best.value == peak
    assert len(study.trials) <= 5
    assert study.chosen == peak


def test_goes_no_further_than_it_may() -> None:
    study = bell(2.0**20)
    double_or_halve(study, lambda value, factor: value * factor, furthest=3)
    assert study.best.value == 8.0


def test_no_value_is_tried_twice() -> None:
    tried = []

    def evaluate(value: int) -> Trial[int]:
        tried.append(value)
        return Trial(value=value, scores=np.array([0.0, float(value)]))

    study = Study(evaluate, 1)
    study.try_all([2, 1, 2])
    assert tried == [1, 2]
    assert [trial.value for trial in study.trials] == [1, 2]


def test_a_gain_that_may_be_chance_does_not_count() -> None:
    scores = {1: np.zeros(4), 2: np.array([1.0, -0.9, 1.0, -0.9])}
    study = Study(lambda value: Trial(value=value, scores=scores[value]), 1)
    study.try_all([2])
    assert study.best.value == 2
    assert study.gain.mean == pytest.approx(0.05)
    assert study.gain.standard_error == pytest.approx(1.9 / 12**0.5)
    assert study.chosen == 1


def test_one_sequence_says_nothing_about_chance() -> None:
    study = Study(lambda value: Trial(value=value, scores=np.array([float(value)])), 1)
    study.try_all([2])
    assert study.chosen == 1
