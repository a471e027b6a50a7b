"""Tables of plain numbers read at once: the numbers that `float` reads, and nothing that is not plain."""

from decimal import Decimal

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ebm.number_rows import plain_rows

separators = st.sampled_from([",", "\t", " "])
decimals = st.integers(0, 15).flatmap(
    lambda places: st.integers(-(10**15) + 1, 10**15 - 1).map(
        lambda whole: f"{Decimal(whole).scaleb(-places):f}".replace("-0.", "-.")
    )
)


@given(
    rows=st.integers(1, 6).flatmap(
        lambda k: st.lists(st.lists(decimals, min_size=k, max_size=k), min_size=1)
    ),
    separator=separators,
    line=st.sampled_from(["\n", "\r\n"]),
    start=st.sampled_from(["", "\ufeff"]),
    end=st.sampled_from(["", "\n", "\r\n", "\n \n\n"]),
)
def test_every_number_is_the_one_that_float_reads(
    rows: list[list[str]], separator: str, line: str, start: str, end: str
) -> None:
    digits = max(sum(map(str.isdigit, number)) for row in rows for number in row)
    text = start + line.join(separator.join(row) for row in rows) + end
    found = plain_rows(text.encode())
    if digits > 15:  # a zero before the point
        assert found is None
    else:
        assert found is not None
        assert found.tobytes() == np.array([list(map(float, row)) for row in rows]).tobytes()


@given(st.text(alphabet="0129.-,\n\t \rea", max_size=24))
def test_of_any_text_it_reads_what_float_reads_or_nothing(text: str) -> None:
    found = plain_rows(text.encode())
    if found is not None:
        lines = text.rstrip().replace("\r\n", "\n").split("\n")
        separator = next((mark for mark in ",\t " if mark in lines[0]), ",")
        assert found.tolist() == [[float(field) for field in line.split(separator)] for line in lines]


@pytest.mark.parametrize(
    "text",
    [
        "",
        "\n",
        "-",
        ".",
        "1..2,3",
        "1.5.2,3",
        "1.5.2,3\n1,2",
        "1-2,3",
        "--1,2",
        "-1-,2",
        "1,2,",
        ",1,2",
        "1,,2",
        "1,2\n3",
        "1,2\n3,4,5\n6",
        "1\n2,3",
        "1,2\n\n3,4",
        "1, 2",
        "1  2",
        "1,2\n3\t4",
        "1,2\r3,4",
        "1,nan",
        "1,1e2",
        "1,+2",
        "1,2;",
        "1,\u0661",
        "1,2\0",
        "1,1234567890123456",
        "1_0,2",
    ],
)
def test_what_is_not_plain_is_left_to_others(text: str) -> None:
    assert plain_rows(text.encode()) is None


def test_one_column_and_signs_of_zero() -> None:
    found = plain_rows(b"5\n-0\n-.5\n7.\n")
    assert found is not None
    assert found.tobytes() == np.array([[5.0], [-0.0], [-0.5], [7.0]]).tobytes()
