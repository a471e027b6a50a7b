"""Parameter sets in JSON."""

import json
from dataclasses import replace

import pytest

from ebm.exceptions import InputError
from pytracking.exported.values import as_values, from_values
from pytracking.parameter import find_parameters, parameter_names
from pytracking.parameter.dimp_params import DiMPParams


@pytest.mark.parametrize("name", parameter_names("dimp"))
def test_every_set_comes_back_as_it_went(name: str) -> None:
    params = find_parameters("dimp", name)
    assert isinstance(params, DiMPParams)
    for each in (
        params,
        replace(params, compat=("half_pixel_drift",), box_refinement_step_length=(1.0, 0.5)),
    ):
        text = json.dumps(as_values(each), allow_nan=False)
        assert from_values(json.loads(text)) == each


def test_what_is_no_parameter_set() -> None:
    with pytest.raises(InputError, match="does not know: colour"):
        from_values({"colour": 3})
    with pytest.raises(InputError, match="search_area_scale"):
        from_values({"search_area_scale": 0.5})
