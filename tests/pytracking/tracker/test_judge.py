"""Limits of a box's size and the confidence of a frame, against numbers done by hand."""

import math
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ebm.exceptions import DomainError
from pytracking.parameter.state_params import StateParams
from pytracking.tracker.base import Flag
from pytracking.tracker.common.judge import agreement, confidence, guarded_size, judged

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


def test_the_agreement_is_the_share_of_ascents_that_end_at_the_box() -> None:
    box = np.array([10.0, 10.0, 20.0, 20.0])
    boxes = np.array([box, box + [1, 0, 0, 0], box + [10, 0, 0, 0], [np.nan, 0, 1, 1]])
    assert agreement(boxes, np.zeros(4), box) == 0.5  # IoU 1, 19 / 21, 1 / 3, none
    assert agreement(boxes, np.array([0.0, np.nan, 0.0, 0.0]), box) == 0.25
    assert agreement(boxes[3:], np.zeros(1), box) == 0.0


def test_the_confidence_is_the_logistic_function() -> None:
    params = StateParams(confidence_weights=(-3.0, 4.0, 2.0))
    assert confidence(0.5, 0.5, params) == 0.5
    assert confidence(1.0, 1.0, params) == pytest.approx(1 / (1 + math.exp(-3)))
    assert confidence(1.0, 1.0, replace(params, confidence_weights=(-1e9, 0.0, 0.0))) < 1e-9
    assert confidence(1.0, 1.0, StateParams()) is None


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
