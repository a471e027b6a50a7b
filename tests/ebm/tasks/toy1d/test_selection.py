"""What the best of many runs are worth."""

import math
from itertools import combinations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ebm.exceptions import DomainError
from ebm.tasks.toy1d.selection import expected_best, standard_error

RUNS = st.lists(st.floats(0, 10), min_size=1, max_size=8)


@settings(max_examples=40, deadline=None)
@given(RUNS, st.integers(1, 8), st.integers(1, 6))
def test_the_expected_best_is_the_mean_over_all_choices_of_runs(
    values: list[float], of: int, best: int
) -> None:
    of = min(of, len(values))
    means = [np.mean(sorted(chosen)[:best]) for chosen in combinations(values, of)]
    assert expected_best(values, of, best) == pytest.approx(float(np.mean(means)))


def test_more_runs_flatter_and_failures_count_only_where_they_are_chosen() -> None:
    values = [0.1 * i for i in range(1, 21)]
    assert expected_best(values, 20) == pytest.approx(0.3)
    assert expected_best(values, 5) == pytest.approx(1.05)  # the mean of all
    assert expected_best([*values, math.nan, math.inf], 22) == pytest.approx(0.3)
    assert expected_best([0.1, math.nan], 2) == math.inf
    with pytest.raises(DomainError, match="2 runs cannot tell what 5"):
        expected_best([0.1, 0.2], 5)


def test_the_standard_error_of_a_mean_of_all_is_the_familiar_one() -> None:
    values = np.random.default_rng(1).standard_normal(40)
    assert standard_error(values.tolist(), best=40) == pytest.approx(values.std() / 40**0.5, rel=0.05)
    assert standard_error([0.25] * 6) == 0
    assert math.isnan(standard_error([0.2]))
    assert math.isnan(standard_error([0.2, math.nan]))
