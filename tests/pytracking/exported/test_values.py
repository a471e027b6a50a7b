"""Parameter sets in JSON."""

import json
from dataclasses import replace

import pytest

from ebm.exceptions import InputError
from pytracking.exported.values import KINDS, as_values, from_values
from pytracking.parameter import find_parameters, parameter_names


@pytest.mark.parametrize(
    ("tracker", "name"), [(tracker, name) for tracker in KINDS for name in parameter_names(tracker)]
)
def test_every_set_comes_back_as_it_went(tracker: str, name: str) -> None:
    params = find_parameters(tracker, name)
    assert isinstance(params, KINDS[tracker])
    for each in (
        params,
        replace(params, compat=("half_pixel_drift",), box_refinement_step_length=(1.0, 0.5)),
    ):
        text = json.dumps(as_values(each), allow_nan=False)
        assert from_values(json.loads(text), tracker) == each


def test_what_is_no_parameter_set() -> None:
    with pytest.raises(InputError, match="does not know: colour"):
        from_values({"colour": 3})
    with pytest.raises(InputError, match="search_area_scale"):
        from_values({"search_area_scale": 0.5})
