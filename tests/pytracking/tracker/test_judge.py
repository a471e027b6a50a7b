"""Limits of a box's size and the confidence of a frame, against numbers done by hand."""

import math
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ebm.exceptions import DomainError, InputError
from pytracking.analysis.confidence import fit_confidence
from pytracking.parameter.state_params import StateParams
from pytracking.tracker.base import Flag
from pytracking.tracker.common.judge import confidence, energy_found, guarded_size, judged

FIRST = np.array([40.0, 20.0])
LIMITED = StateParams(size_step=1.1, size_range=4.0, size_trust=0.75)
SIDES = st.tuples(st.floats(1, 500), st.floats(1, 500)).map(np.array)


def test_without_limits_the_size_stays() -> None:
    size = np.array([400.0, 1.0])
    assert guarded_size(size, FIRST, FIRST, 0.0, StateParams()) is size


def test_a_side_changes_by_the_step_at_most() -> None:
    found = guarded_size(np.array([80.0, 10.0]), FIRST, FIRST, 0.0, LIMITED)
    np.testing.assert_allclose(found, [44.0, 20 / 1.1])


def test_an_unsure_box_stays_within_the_range_of_areas_and_keeps_its_aspect() -> None:
    last = FIRST / 2  # a quarter of the first area, the least there may be
    found = guarded_size(last / 1.05, last, FIRST, 0.5, LIMITED)
    np.testing.assert_allclose(found, last)
    sure = guarded_size(last / 1.05, last, FIRST, 0.8, LIMITED)
    np.testing.assert_allclose(sure, last / 1.05)


def test_what_left_the_range_while_sure_may_stay_and_come_back_but_goes_no_further() -> None:
    last = 3 * FIRST
    for factor, expected in ((1.05, 1.0), (1.0, 1.0), (0.95, 0.95)):
        found = guarded_size(factor * last, last, FIRST, 0.2, LIMITED)
        np.testing.assert_allclose(found, expected * last)


@given(size=SIDES, last=SIDES, first=SIDES, presence=st.floats(0, 1))
def test_no_size_breaks_a_limit(
    size: np.ndarray, last: np.ndarray, first: np.ndarray, presence: float
) -> None:
    found = guarded_size(size, last, first, presence, replace(LIMITED, size_trust=2.0))
    assert np.isfinite(found).all()
    ratio, before = found.prod() / first.prod(), last.prod() / first.prod()
    assert min(0.25, before) * (1 - 1e-9) <= ratio <= max(4.0, before) * (1 + 1e-9)


def test_the_energy_found_is_the_mean_of_the_best() -> None:
    scores = np.array([1.0, np.nan, 5.0, 4.0, np.inf, -9.0])
    assert energy_found(scores, 2) == 4.5
    assert energy_found(scores[:1], 3) == 1.0
    assert energy_found(scores[1:2], 3) == -math.inf


def test_the_confidence_is_the_logistic_function() -> None:
    params = StateParams(confidence_weights=(-3.0, 4.0, 0.25))
    assert confidence(0.5, 4.0, params) == 0.5
    assert confidence(1.0, 8.0, params) == pytest.approx(1 / (1 + math.exp(-3)))
    assert confidence(1.0, -math.inf, params) == 0.0  # no box was found
    assert confidence(1.0, 1.0, replace(params, confidence_weights=(-1e9, 0.0, 0.0))) < 1e-9
    assert confidence(1.0, 1.0, StateParams()) is None


def test_the_fit_finds_the_weights_that_made_the_frames() -> None:
    generator = np.random.default_rng(0)
    presence, energy = generator.uniform(0, 1, 20_000), generator.normal(10, 10, 20_000)
    chance = 1 / (1 + np.exp(-(-2 + 3 * presence + 0.2 * energy)))
    found = fit_confidence(presence, energy, generator.uniform(size=20_000) < chance)
    np.testing.assert_allclose(found, (-2, 3, 0.2), atol=0.15)


def test_a_fit_without_a_mistake_or_with_nothing_else_stays_finite() -> None:
    presence, energy = np.linspace(0, 1, 50), np.linspace(-5, 20, 50)
    for good in (np.ones(50, bool), np.zeros(50, bool), energy > 0):
        assert np.isfinite(fit_confidence(presence, energy, good)).all()
    with pytest.raises(InputError, match="no frame"):
        fit_confidence(presence[:0], energy[:0], np.zeros(0, bool))
    lost = np.full(50, -math.inf)
    with pytest.raises(InputError, match="no frame"):
        fit_confidence(presence, lost, good)


@pytest.mark.parametrize(
    ("flag", "sure", "expected"),
    [
        (Flag.NORMAL, None, Flag.NORMAL),
        (Flag.NORMAL, 0.6, Flag.NORMAL),
        (Flag.HARD_NEGATIVE, 0.6, Flag.HARD_NEGATIVE),
        (Flag.NORMAL, 0.4, Flag.UNCERTAIN),
        (Flag.UNCERTAIN, 0.9, Flag.UNCERTAIN),  # surer it never gets
        (Flag.NORMAL, 0.05, Flag.NOT_FOUND),
        (Flag.NOT_FOUND, 0.9, Flag.NOT_FOUND),
    ],
)
def test_a_low_confidence_makes_a_frame_less_sure(flag: Flag, sure: float | None, expected: Flag) -> None:
    assert judged(flag, sure, StateParams()) is expected


@pytest.mark.parametrize(
    "wrong",
    [
        {"size_step": 1.0},
        {"second_look_below": 1.5},
        {"second_look_step": 0.0},
        {"size_range": math.nan},
        {"confidence_weights": (1.0, 2.0)},
        {"confidence_weights": [0.0, 1.0, 2.0]},
        {"lost_confidence": 0.7},
        {"uncertain_confidence": 1.5},
    ],
)
def test_impossible_values_are_named(wrong: dict[str, object]) -> None:
    with pytest.raises(DomainError, match=next(iter(wrong))):
        StateParams(**wrong)
