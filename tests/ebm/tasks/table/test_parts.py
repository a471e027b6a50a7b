"""Every row has one part, in the sizes asked for."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ebm.exceptions import DomainError
from ebm.tasks.table.parts import FEWEST, split


@settings(max_examples=60, deadline=None)
@given(
    count=st.integers(60, 400),
    test=st.floats(0.15, 0.4),
    calibration=st.floats(0, 0.25),
    in_order=st.booleans(),
    seed=st.integers(0, 5),
)
def test_every_row_has_one_part(
    count: int, test: float, calibration: float, in_order: bool, seed: int
) -> None:
    rows = np.arange(count) * 2
    parts = split(rows, test, calibration, in_order=in_order, seed=seed)
    assert np.sort(np.concatenate((parts.fit, parts.calibration, parts.test))).tolist() == rows.tolist()
    assert len(parts.test) == math.ceil(test * count - 1e-9)
    assert len(parts.calibration) == 0 or len(parts.calibration) >= FEWEST
    if in_order:
        assert parts.fit.max() < parts.test.min()
        assert not len(parts.calibration) or parts.fit.max() < parts.calibration.min() <= parts.test.min()


def test_other_seeds_part_otherwise() -> None:
    one, same, other = (split(np.arange(100), 0.2, 0.2, seed=seed) for seed in (0, 0, 1))
    assert one.test.tolist() == same.test.tolist() != other.test.tolist()


@pytest.mark.parametrize(
    ("count", "test", "calibration", "message"),
    [
        (100, 0.0, 0.2, "share of test rows"),
        (100, 1.0, 0.2, "share of test rows"),
        (100, 0.5, 0.5, "below 0.5 beside a test share of 0.5"),
        (100, 0.2, -0.1, "share of calibration rows"),
        (25, 0.2, 0.2, "25 rows make 20 to fit, 0 to calibrate and 5 to test"),
        (40, 0.6, 0.0, "16 to fit"),
    ],
)
def test_refusals(count: int, test: float, calibration: float, message: str) -> None:
    with pytest.raises(DomainError, match=message):
        split(np.arange(count), test, calibration)
