"""Numbers as they are written, and what `float` alone takes for one."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ebm.number_texts import parse_number, parse_whole


@given(st.floats())
def test_what_python_writes_is_read(number: float) -> None:
    found = parse_number(repr(number))
    assert found == number or math.isnan(found) == math.isnan(number) is True


@pytest.mark.parametrize("text", ["5.", ".5", "+5", " 5 ", "5e0", "5E+0", "0005"])
def test_spellings(text: str) -> None:
    assert parse_number(text) in (5, 0.5)


@pytest.mark.parametrize(
    "text", ["1_0", "\u0661\u0662", "\uff17", "0x10", "1,5", "", " ", "-", "1.5.2", "e5", "True"]
)
def test_what_is_no_number(text: str) -> None:
    with pytest.raises(ValueError, match="could not convert"):
        parse_number(text)


@given(st.integers(0, 10**15 - 1))
def test_whole_numbers(number: int) -> None:
    assert parse_whole(str(number)) == parse_whole(f"000{number}") == number


@pytest.mark.parametrize("text", ["-1", "1.0", "", "\u0661", "9" * 19, "9" * 5000, "0" * 50, "1_0"])
def test_what_is_no_whole_number(text: str) -> None:
    assert parse_whole(text) is None
