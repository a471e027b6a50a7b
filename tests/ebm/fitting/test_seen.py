"""Which inputs lie beyond what the fit saw: by row, by column, and in words."""

from typing import Any

import numpy as np
import pytest
import torch

import ebm
from ebm.exceptions import UnknownNameError
from ebm.fitting.seen import Beyond

QUICK: dict[str, Any] = {"hidden": (8,), "epochs": 2, "seed": 0}
RNG = np.random.default_rng(0)
X = np.stack((RNG.uniform(0, 1, 80), RNG.uniform(0, 1, 80), np.full(80, 2020.0)), 1)
X[:2, :2] = [[0, 0], [1, 1]]
Y = X[:, 0] + 0.1 * RNG.standard_normal(80)


@pytest.fixture(scope="module")
def fitted() -> ebm.FittedEBM:
    return ebm.fit(X, Y, members=2, **QUICK)  # the scaling is then that of all rows


def test_rows_and_columns_that_lie_beyond(fitted: ebm.FittedEBM) -> None:
    sd = X[:, 0].std()
    rows = np.array(
        [
            [0.5, 0.5, 2020],
            [1.1, 0.5, 2020],
            [0.5, -0.1, 2021],
            [1 + 9.9 * sd, 0.5, 2020],
            [1 + 10.1 * sd, 1.1, 2020],
        ]
    )
    outside = [[0, 0, 0], [1, 0, 0], [0, 1, 1], [1, 0, 0], [1, 1, 0]]
    clipped = [[0, 0, 0], [0, 0, 0], [0, 0, 1], [0, 0, 0], [1, 0, 0]]
    np.testing.assert_array_equal(fitted.out_of_range(rows, by="column"), outside)
    np.testing.assert_array_equal(fitted.clipped(rows, by="column"), clipped)
    np.testing.assert_array_equal(fitted.out_of_range(rows), np.any(outside, 1))
    np.testing.assert_array_equal(fitted.clipped(rows), np.any(clipped, 1))
    assert isinstance(fitted.clipped(torch.from_numpy(rows)), torch.Tensor)
    assert not fitted.out_of_range(X).any()
    # What is clipped is clipped: twice as far changes nothing.
    far = [[1 + 10.1 * sd, 0.5, 2020], [1 + 20 * sd, 0.5, 1e9], [1 + 9 * sd, 0.5, 2020]]
    found = fitted.predict(far)
    assert found[0] == found[1]
    assert found[0] != found[2]
    with pytest.raises(UnknownNameError, match="'columns'; did you mean 'column'"):
        fitted.out_of_range(rows, by="columns")  # type: ignore[arg-type]


def test_words() -> None:
    outside = torch.tensor([[1, 0], [1, 1], [0, 0]]).bool()
    clipped = torch.tensor([[0, 0], [0, 1], [0, 0]]).bool()
    found = Beyond(("a", "b"), outside, clipped)
    first, second = found.words()
    assert first == (
        "2 of 3 rows lie outside the range of inputs that the fit saw (a in 2, b in 1); no calibration "
        "covers them."
    )
    assert "1 of 3 rows lie so far outside (b in 1)" in second
    assert [found.where(row) for row in range(3)] == ["a", "a; b", ""]
    assert Beyond(("a", "b"), ~outside & False, ~outside & False).words() == []
    many = Beyond(tuple("abcdefgh"), torch.ones(1, 8).bool(), torch.zeros(1, 8).bool())
    assert "f in 1 and 2 more" in many.words()[0]


def test_columns_of_a_table_are_those_that_were_given() -> None:
    pd = pytest.importorskip("pandas")
    frame = pd.DataFrame({"city": RNG.choice(["Bern", "Rome"], 80), "size": X[:, 0]})
    fitted = ebm.fit(frame, Y, missing="impute", **QUICK)
    new = pd.DataFrame({"city": ["Oslo", "Rome", None], "size": [0.5, 99.0, 0.5]})
    np.testing.assert_array_equal(fitted.out_of_range(new, by="column"), [[1, 0], [0, 1], [1, 0]])
    np.testing.assert_array_equal(fitted.clipped(new, by="column"), [[0, 0], [0, 1], [0, 0]])
    assert "(city in 2, size in 1)" in fitted.beyond(new).words()[0]


def test_a_summary_says_it(fitted: ebm.FittedEBM) -> None:
    rows = X[:5].copy()
    rows[1, 2] = 1990.0
    table = fitted.summary(rows, level=0.8, most=3)
    assert table.head == ("row", "mean", "median", "80 %", "out of range")
    assert [row[-1] for row in table.rows] == ["-", "column 2", "-"]
    low, high = fitted.predict_interval(rows[:1], 0.8)[0]
    assert table.rows[0][1:4] == (
        f"{fitted.predict(rows)[0]:.4g}",
        f"{fitted.predict(rows, method='median')[0]:.4g}",
        f"{low:.4g} to {high:.4g}",
    )
    assert table.caption.startswith("The first 3 of 5 rows. Intervals as fitted. 1 of 5 rows lie outside")
    two = ebm.fit(X, np.stack((Y, X[:, 1]), 1), **QUICK).summary(X[:1])
    assert [row[0] for row in two.rows] == ["0 y0", "0 y1"]


def test_a_report_says_it(fitted: ebm.FittedEBM) -> None:
    pytest.importorskip("matplotlib")
    from ebm.pictures import make_report

    rows = X[:12].copy()
    rows[3, 2] = 1990.0
    verdict = make_report(fitted, rows, Y[:12]).verdict
    assert any("1 of 12 rows lie outside" in text and "(column 2 in 1)" in text for text in verdict)
