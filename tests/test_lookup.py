"""Names are looked up with suggestions."""

import pytest

from ebm.exceptions import EBMError, UnknownNameError
from ebm.lookup import lookup, unknown_name


def test_a_known_name_gives_its_value() -> None:
    assert lookup("dataset", "otb", {"otb": 1}) == 1


def test_a_near_name_is_suggested() -> None:
    with pytest.raises(UnknownNameError, match="did you mean 'lasot'"):
        lookup("dataset", "lasto", {"lasot": 1, "otb": 2})


def test_a_far_name_lists_what_there_is() -> None:
    with pytest.raises(EBMError, match="known: lasot, otb"):
        lookup("dataset", "qqqqqq", {"lasot": 1, "otb": 2})


def test_a_long_table_is_summarised() -> None:
    assert "21 are known, from 's00' to 's20'" in str(
        unknown_name("sequence", "??", [f"s{i:02d}" for i in range(21)])
    )
