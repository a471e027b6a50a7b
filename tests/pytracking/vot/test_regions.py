"""VOT's regions as boxes: published numbers, masks by hand, and what is no region."""

import re

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from ebm.exceptions import InputError, UnknownNameError
from pytracking.vot.regions import (
    as_text,
    box_of_mask,
    box_of_polygon,
    box_of_text,
    box_of_value,
    require_rule,
)

POLYGON = [(10.0, 20.0), (40.0, 10.0), (60.0, 50.0), (30.0, 60.0)]


def test_a_polygon_by_either_rule() -> None:
    assert box_of_polygon(POLYGON, "union") == (10, 10, 50, 50)
    expected = [15.69698, 15.69698, 38.60603, 38.60603]
    np.testing.assert_allclose(box_of_polygon(POLYGON, "preserve_area"), expected, atol=1e-5)
    np.testing.assert_allclose(box_of_text("10,20,40,10,60,50,30,60"), expected, atol=1e-5)
    np.testing.assert_allclose(box_of_value(POLYGON), expected, atol=1e-5)


def test_a_polygon_of_other_corners_gets_the_smallest_box() -> None:
    assert box_of_text("0,0,10,0,10,8,5,12,0,8") == (0, 0, 10, 12)
    assert box_of_polygon([(0, 0), (4, 0), (0, 6)]) == (0, 0, 4, 6)


def test_a_rectangle_is_itself() -> None:
    assert box_of_text(" 1.5,-2,30,40\n") == (1.5, -2, 30, 40)
    assert box_of_value((1.5, -2.0, 30.0, 40.0)) == (1.5, -2, 30, 40)


def test_a_mask_as_text() -> None:
    # A window of 4 x 3 at (10, 20): rows ...., .##., ..#.
    assert box_of_text("m10,20,4,3,5,2,3,1") == (11, 21, 2, 2)
    assert box_of_text("m0,0,2,2,0,4") == (0, 0, 2, 2)


@given(
    mask=arrays.arrays(bool, st.tuples(st.integers(1, 6), st.integers(1, 6))).filter(lambda m: m.any()),
    left=st.integers(-3, 50),
    top=st.integers(-3, 50),
)
def test_a_mask_by_runs_is_the_mask_by_pixels(mask: np.ndarray, left: int, top: int) -> None:
    flat = mask.ravel()
    changes = np.flatnonzero(np.diff(np.concatenate(([False], flat)).astype(int))).tolist()
    runs = np.diff([0, *changes, flat.size]).tolist()
    text = "m" + ",".join(map(str, [left, top, mask.shape[1], mask.shape[0], *runs]))
    box = box_of_text(text)
    assert box == box_of_mask(mask, (left, top))
    rows, columns = np.nonzero(mask)
    assert box == (left + columns.min(), top + rows.min(), np.ptp(columns) + 1, np.ptp(rows) + 1)


def test_a_mask_of_the_python_api() -> None:
    mask = np.zeros((40, 60), dtype=np.uint8)
    mask[8:18, 4:16] = 1
    assert box_of_value(mask) == (4, 8, 12, 10)
    assert box_of_value(mask.tolist()) == (4, 8, 12, 10)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("0", "without a region"),
        ("3,4", "a point, which has no size"),
        ("1,2,3", "got 3 numbers"),
        ("1,2,3,4,5", "got 5 numbers"),
        ("1,2,0,4", "positive width"),
        ("nan,nan,nan,nan", "finite"),
        ("1,1,2,2,3,nan", "finite"),
        ("1,1,1,2,1,3", "no area"),
        ("one,2,3,4", "no region"),
        ("", "no region"),
        ("m1,2", "no mask"),
        ("m1,2,3,x,4", "no mask"),
        ("m0,0,2,2,1,9", "10 pixels in runs, 2 x 2"),
        ("m0,0,900000,900000,1", "no mask"),
        ("m0,0,2,2,4", "marks no pixel"),
        ("m0,0,0,0,0", "marks no pixel"),
    ],
)
def test_what_is_no_region(text: str, words: str) -> None:
    with pytest.raises(InputError, match=re.escape(words)):
        box_of_text(text)


@pytest.mark.parametrize("value", [None, "1,2,3,4", {}, [], (1.0, 2.0), (1.0, 2.0, 3.0), [[0, 0], [0, 0]]])
def test_what_the_python_api_cannot_mean(value: object) -> None:
    with pytest.raises(InputError):
        box_of_value(value)


def test_boxes_as_text() -> None:
    assert as_text((1.0, 2.25, 3.33333, 4.0)) == "1.0000,2.2500,3.3333,4.0000"
    assert as_text(None) == "0"


def test_the_rules_by_name() -> None:
    assert require_rule("union") == "union"
    with pytest.raises(UnknownNameError, match="did you mean 'preserve_area'"):
        require_rule("preserve-area")
