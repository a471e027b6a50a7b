"""What a network states about itself, and what of it a parameter set takes."""

from dataclasses import replace
from typing import Any

import pytest

from ebm.exceptions import InputError
from pytracking.parameter import find_parameters
from pytracking.parameter.dimp_params import DiMPParams
from pytracking.tracker.common.network_info import ASCENT, MEASURED, adopt_geometry


def params_of(name: str, **changed: Any) -> DiMPParams:
    params = find_parameters("dimp", name)
    assert isinstance(params, DiMPParams)
    return replace(params, **changed)


def measured(params: DiMPParams, **changed: Any) -> dict[str, Any]:
    """A record for the ascent and the scores of a set."""
    conditions = {name: getattr(params, name) for name in ("score_preprocess", *ASCENT)}
    values = {"target_not_found_threshold": 0.3, "box_refinement_step_length": [2e-3, 8e-3]}
    return {MEASURED: conditions | values | changed}


def test_measured_values_take_the_place_of_the_sets() -> None:
    params = params_of("nce_plus_small")
    adopted, notes = adopt_geometry(params, measured(params))
    assert adopted.target_not_found_threshold == 0.3
    assert adopted.box_refinement_step_length == (2e-3, 8e-3)
    assert notes == (
        "Measured for these weights: target_not_found_threshold 0.3 (parameter set: 0.15), "
        "box_refinement_step_length (0.002, 0.008) (parameter set: 0.0015).",
    )
    assert adopt_geometry(adopted, measured(params)) == (adopted, ())  # as a twin of a tracker does


def test_a_network_without_them_leaves_the_sets_own() -> None:
    params = params_of("nce_plus_small")
    assert adopt_geometry(params, {}) == (params, ())
    assert adopt_geometry(params, None) == (params, ())


def test_a_set_may_insist_on_its_own() -> None:
    params = params_of("nce_plus_small", calibration_from_network=False)
    assert adopt_geometry(params, measured(params)) == (params, ())


def test_a_length_for_another_ascent_and_a_threshold_of_other_scores_are_not_taken() -> None:
    params = params_of("nce_plus_small")
    other = measured(params, box_refinement_iter=5, score_preprocess="softmax")
    adopted, notes = adopt_geometry(params, other)
    assert adopted == params
    assert "with score_preprocess softmax; this set has none and keeps its own" in notes[0]
    assert "with box_refinement_iter 5; this set has 10 and keeps its own" in notes[1]


def test_a_set_that_is_never_lost_stays_so() -> None:
    params = params_of("dimp18_vot18")
    adopted, _ = adopt_geometry(params, measured(params))
    assert adopted.target_not_found_threshold == params.target_not_found_threshold <= 0


def test_other_thresholds_on_scores_follow_in_proportion() -> None:
    params = params_of("nce_plus_small", uncertain_threshold=0.2, low_score_opt_threshold=0.1)
    adopted, _ = adopt_geometry(params, measured(params))
    assert adopted.uncertain_threshold == pytest.approx(0.4)
    assert adopted.low_score_opt_threshold == pytest.approx(0.2)
    assert adopted.hard_sample_threshold == params.hard_sample_threshold


@pytest.mark.parametrize(
    ("record", "words"),
    [
        ("0.3", "must be a mapping"),
        ({"box_refinement_step_length": [0.0, 1.0]}, "box_refinement_step_length"),
        ({"target_not_found_threshold": "high"}, "target_not_found_threshold"),
    ],
)
def test_values_that_no_tracker_can_use_are_refused(record: Any, words: str) -> None:
    params = params_of("nce_plus_small")
    whole = {MEASURED: record} if isinstance(record, str) else measured(params, **record)
    with pytest.raises(InputError, match=words):
        adopt_geometry(params, whole)
