"""Tables as numbers: what every kind becomes, round trips, and what differs from the fit."""

import datetime as dt
import math
import warnings
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ebm.exceptions import DomainError, InputError, ShapeError, UnknownNameError
from ebm.fitting.config import TableOptions
from ebm.fitting.table_encoding import Table, fit_table, read_table

IMPUTE = TableOptions(missing="impute")


def objects(rows: list[list[Any]]) -> np.ndarray:
    array = np.empty((len(rows), len(rows[0])), dtype=object)
    for place, row in enumerate(rows):
        array[place] = row
    return array


def column(*entries: Any) -> np.ndarray:
    return objects([[entry] for entry in entries])


def test_numbers_stay_to_the_bit_and_gaps_are_the_median_with_an_indicator() -> None:
    x = np.random.default_rng(0).normal(size=(9, 2))
    np.testing.assert_array_equal(fit_table(x).encode(x), x)
    x[[1, 4], 1] = np.nan
    table = fit_table(x, IMPUTE)
    assert table.names == ("0", "1", "1 missing")
    encoded = table.encode(x)
    np.testing.assert_array_equal(encoded[:, 2], np.isnan(x[:, 1]))
    np.testing.assert_array_equal(encoded[[1, 4], 1], np.nanmedian(x[:, 1]))
    np.testing.assert_array_equal(encoded[~np.isnan(x).any(1), :2], x[~np.isnan(x).any(1)])


def test_categories_are_columns_of_ones_and_zeros() -> None:
    x = column("v", "u", None, "v")
    table = fit_table(x, IMPUTE)
    assert table.names == ("0=u", "0=v", "0 missing")
    np.testing.assert_array_equal(table.encode(x), [[0, 1, 0], [1, 0, 0], [0, 0, 1], [0, 1, 0]])


def test_dates_are_seconds_since_the_first_and_periods_that_they_span() -> None:
    first = dt.datetime(2019, 12, 31, 18)
    dates = [first + dt.timedelta(hours=6 * step) for step in range(9)]  # two days
    table = fit_table(column(*dates))
    assert table.names == ("0", "0 sin(day)", "0 cos(day)")
    encoded = table.encode(column(*dates))
    np.testing.assert_array_equal(encoded[:, 0], 21600 * np.arange(9))
    angles = 2 * math.pi * (0.75 + 0.25 * np.arange(9))
    np.testing.assert_allclose(encoded[:, 1:], np.stack((np.sin(angles), np.cos(angles)), 1), atol=1e-8)
    short = fit_table(column(*dates[:8]))
    assert short.names == ("0",)
    days = [dt.date(2020, 1, 1) + dt.timedelta(days=step) for step in range(800)]  # at one time of the day
    assert fit_table(column(*days)).columns[0].periods == ("week", "year")
    assert fit_table(column(*days[::7])).columns[0].periods == ("year",)
    # The first of January is not the same phase of the mean year every year.
    assert (
        "year"
        not in fit_table(column(*(dt.date(year, 1, 1) for year in range(1990, 2010)))).columns[0].periods
    )
    gap = fit_table(column(*dates, None), IMPUTE)
    np.testing.assert_array_equal(gap.encode(column(None)), [[4 * 21600, 0, 0, 1]])


def test_durations_are_seconds() -> None:
    x = column(dt.timedelta(minutes=1), dt.timedelta(hours=1))
    np.testing.assert_array_equal(fit_table(x).encode(x), [[60], [3600]])


def test_categories_that_are_numbers_are_found_in_columns_of_numbers() -> None:
    pd = pytest.importorskip("pandas")
    table = fit_table(pd.DataFrame({"a": pd.Categorical([2, 1, 2])}))
    assert table.names == ("a=1", "a=2")
    np.testing.assert_array_equal(table.encode(pd.DataFrame({"a": [1.0, 2.0]})), [[1, 0], [0, 1]])
    with pytest.raises(InputError, match="'a' held categories that are numbers in the fit and holds text"):
        table.encode(pd.DataFrame({"a": ["1"]}))


COLUMNS = {
    "number": st.floats(-1e9, 1e9) | st.none(),
    "category": st.sampled_from(["u", "v", "w", "ü w"]) | st.none(),
    "date": st.datetimes(dt.datetime(1900, 1, 1), dt.datetime(2100, 1, 1)) | st.none(),
    "duration": st.timedeltas(dt.timedelta(0), dt.timedelta(99)) | st.none(),
}


@st.composite
def table_of_any_kinds(draw: st.DrawFn) -> list[list[Any]]:
    kinds = draw(st.lists(st.sampled_from(sorted(COLUMNS)), min_size=1, max_size=5))
    count = draw(st.integers(1, 8))
    columns = [
        draw(
            st.lists(COLUMNS[kind], min_size=count, max_size=count).filter(
                lambda c: any(e is not None for e in c)
            )
        )
        for kind in kinds
    ]
    return [list(row) for row in zip(*columns)]


@settings(max_examples=60, deadline=None)
@given(table_of_any_kinds(), st.randoms())
def test_any_table_goes_through_a_file_and_row_by_row(rows: list[list[Any]], random: Any) -> None:
    x = objects(rows)
    table = fit_table(x, IMPUTE)
    again = read_table(table.plain())
    assert again == table
    encoded = table.encode(x)
    assert encoded.shape == (len(x), len(table.names))
    assert np.isfinite(encoded).all()
    assert not table.strange(x).any()
    assert again is not None
    np.testing.assert_array_equal(again.encode(x), encoded)
    order = random.sample(range(len(x)), len(x))
    np.testing.assert_array_equal(table.encode(x[order]), encoded[order])
    np.testing.assert_array_equal(table.encode(x[:0]), encoded[:0])
    for place, one in enumerate(table.columns):  # back to what was given
        start = len([name for before in table.columns[:place] for name in before.names])
        gone = encoded[:, start + len(one.names) - 1] == 1 if one.indicator else np.zeros(len(x), bool)
        assert gone.tolist() == [entry is None for entry in x[:, place]]
        if one.kind == "category":
            found = [one.levels[k] for k in encoded[~gone, start : start + len(one.levels)].argmax(1)]
            assert found == x[~gone, place].tolist()


@settings(max_examples=30, deadline=None)
@given(table_of_any_kinds())
def test_pandas_and_polars_give_the_same_numbers(rows: list[list[Any]]) -> None:
    pd, pl = pytest.importorskip("pandas"), pytest.importorskip("polars")
    columns = {f"c{place}": list(entries) for place, entries in enumerate(zip(*rows))}
    frames = (
        pd.DataFrame({k: pd.Series(v).convert_dtypes() for k, v in columns.items()}),
        pl.DataFrame(columns),
    )
    tables = [fit_table(frame, IMPUTE) for frame in frames]
    assert tables[0] == tables[1]
    np.testing.assert_array_equal(tables[0].encode(frames[1]), tables[1].encode(frames[0]))


def known() -> Table:
    return fit_table(objects([["u", 1.0], ["v", None], [None, 3.0]]), IMPUTE)


def test_a_category_never_seen_is_zeros_and_told_once_a_call() -> None:
    x = objects([["u", 1.0], ["z", 1.0], ["y", None], [None, 2.0]])
    with pytest.warns(UserWarning, match=r"column '0' has 'y', 'z' in 2 rows \(row 1 first\)") as caught:
        encoded = known().encode(x)
    assert len(caught) == 1
    np.testing.assert_array_equal(encoded[1, :3], [0, 0, 0])
    assert known().strange(x).any(1).tolist() == [False, True, True, False]
    strict = fit_table(objects([["u"], ["v"]]), TableOptions(unseen="error"))
    with pytest.raises(InputError, match="'z' in 1 rows.*known are 'u', 'v'"):
        strict.encode(column("u", "z"))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        known().encode(x, told=False)


def test_a_value_missing_where_none_was_is_the_median_and_told() -> None:
    table = fit_table(np.array([[1.0], [2.0], [9.0]]), IMPUTE)
    with pytest.warns(UserWarning, match="column '0' lacks 1 values .*lacked none in the fit; .* the median"):
        np.testing.assert_array_equal(table.encode([[None], [5.0]]), [[2.0], [5.0]])
    assert table.strange([[None], [5.0]]).tolist() == [[True], [False]]
    levels = fit_table(column("u", "v"), IMPUTE)
    with pytest.warns(UserWarning, match="all its columns are 0 there"):
        np.testing.assert_array_equal(levels.encode(column("v", None)), [[0, 1], [0, 0]])


@pytest.mark.parametrize(
    ("x", "error", "words"),
    [
        (objects([["u", "1"]]), InputError, "'1' held numbers in the fit and holds categories now"),
        (objects([[1, 1]]), InputError, "'0' held categories in the fit and holds numbers now"),
        (objects([["u", dt.date(2020, 1, 1)]]), InputError, "holds dates now"),
        (objects([["u", math.inf]]), DomainError, r"x\[0, 1\] is inf"),
        (objects([["u"]]), ShapeError, "rows of 2 columns.*got 1"),
    ],
)
def test_what_differs_from_the_fit(x: Any, error: type[Exception], words: str) -> None:
    with pytest.raises(error, match=words):
        known().encode(x)


def test_dates_keep_their_zone() -> None:
    day = dt.datetime(2020, 1, 1)
    table = fit_table(column(day))
    with pytest.raises(
        InputError, match="held dates without one in the fit and holds dates with a time zone"
    ):
        table.encode(column(day.replace(tzinfo=dt.UTC)))


@pytest.mark.parametrize(
    ("x", "options", "error", "words"),
    [
        (column(None, None), IMPUTE, InputError, "no value at all in column '0'"),
        (column("u")[:0], TableOptions(), ShapeError, "at least one row"),
        (column("u", None), TableOptions(), DomainError, r'x\[1, 0\] is missing.*missing="impute"'),
        (column(*"abcd"), TableOptions(max_levels=3), InputError, "4 different categories .* max_levels=3"),
        (column("2020-01-01", "2020-01-02"), TableOptions(max_levels=1), InputError, r"pandas\.to_datetime"),
        (column("1", "2"), TableOptions(max_levels=1), InputError, r"pandas\.to_numeric"),
    ],
)
def test_tables_that_cannot_be_learned(
    x: Any, options: TableOptions, error: type[Exception], words: str
) -> None:
    with pytest.raises(error, match=words):
        fit_table(x, options).encode(x)


def test_text_that_holds_numbers_is_a_category_with_a_word() -> None:
    with pytest.warns(UserWarning, match=r"column '0'.* numbers \('1', '2'\).*pandas\.to_numeric"):
        assert fit_table(column("2", "1", "n/a")).names == ("0=1", "0=2", "0=n/a")


@pytest.mark.parametrize(
    ("options", "error"),
    [
        ({"missing": "median"}, UnknownNameError),
        ({"unseen": "ignore"}, UnknownNameError),
        ({"max_levels": 0}, DomainError),
        ({"encode": False, "missing": "impute"}, InputError),
    ],
)
def test_options_are_checked(options: dict[str, Any], error: type[Exception]) -> None:
    with pytest.raises(error):
        TableOptions(**options)


@pytest.mark.parametrize(
    "change",
    [
        {"kind": "nothing"},
        {"kind": "number"},
        {"levels": ["u", "u"]},
        {"levels": [["u"]]},
        {"fill": math.nan},
        {"first": "0"},
        {"periods": ["day"]},
        {"indicator": 1},
        {"more": 1},
    ],
)
def test_a_changed_file_is_told(change: dict[str, Any]) -> None:
    plain = known().plain()
    plain["columns"][0] |= change
    with pytest.raises((InputError, TypeError), match="damaged|unhashable"):
        read_table(plain)
