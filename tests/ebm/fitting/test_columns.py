"""Columns of every container, read as what they are."""

import datetime as dt
import math
from decimal import Decimal
from typing import Any

import numpy as np
import pytest
import torch

from ebm.exceptions import InputError, ShapeError
from ebm.fitting.columns import columns_of, holds_numbers

ROME = dt.timezone(dt.timedelta(hours=1))
NOON = dt.datetime(2020, 1, 1, 12)


def of_objects(*entries: Any) -> np.ndarray:
    return np.array([[entry] for entry in entries], dtype=object)


@pytest.mark.parametrize(
    ("entries", "kind", "values"),
    [
        ((1, 2.5, np.float32(0.5), True, Decimal("0.25")), "number", [1, 2.5, 0.5, 1, 0.25]),
        ((None, float("nan"), 3), "number", [None, None, 3]),
        ((torch.tensor(1.5), Decimal("NaN"), torch.tensor(math.nan)), "number", [1.5, None, None]),
        (("u", np.str_("v"), None), "category", ["u", "v", None]),
        (
            (dt.date(1970, 1, 2), np.datetime64("1970-01-01T01"), np.datetime64("NaT")),
            "date",
            [86400, 3600, None],
        ),
        ((NOON.replace(tzinfo=ROME), NOON.replace(tzinfo=dt.UTC)), "date", [1577876400, 1577880000]),
        ((dt.timedelta(hours=1), np.timedelta64(1, "m")), "duration", [3600, 60]),
        ((None, None), "nothing", [None, None]),
    ],
)
def test_objects_are_what_they_all_are(entries: tuple[Any, ...], kind: str, values: list[Any]) -> None:
    (column,) = columns_of(of_objects(*entries))
    assert column.kind == kind
    assert column.missing.tolist() == [value is None for value in values]
    assert column.values[~column.missing].tolist() == [value for value in values if value is not None]
    assert column.zoned == (entries[0] is not None and getattr(entries[0], "tzinfo", None) is not None)


@pytest.mark.parametrize(
    ("entries", "words"),
    [
        (("u", 1), r"column '0' \(object\) holds int and str"),
        ((b"u", b"v"), "holds bytes"),
        (([1], [2]), "holds list"),
        ((1j, 2), "holds complex and int"),
        ((dt.time(1), dt.time(2)), "holds time"),
        ((10**400, 1), "no number of float64 in column '0'"),
        ((np.zeros(2), 1), "no number of float64 in column '0'"),
        ((NOON, NOON.replace(tzinfo=ROME)), "with and without a time zone in column '0'"),
    ],
)
def test_mixtures_and_other_objects_are_refused(entries: tuple[Any, ...], words: str) -> None:
    array = np.empty((2, 1), dtype=object)
    array[:, 0] = entries
    with pytest.raises(InputError, match=words):
        columns_of(array)


@pytest.mark.parametrize(
    ("x", "words"),
    [
        ([[1.0], [1.0, 2.0]], "rows of different lengths"),
        ([1.0, 2.0], r"got \(2,\)"),
        (np.zeros((2, 0)), "at least one column"),
    ],
)
def test_no_tables(x: Any, words: str) -> None:
    with pytest.raises(ShapeError, match=words):
        columns_of(x)


def test_text_of_numpy_is_no_column() -> None:
    with pytest.raises(InputError, match="dtype <U1.*array of dtype object"):
        columns_of(np.array([["1", "2"]]))


def test_who_needs_encoding() -> None:
    numbers = [
        torch.zeros(2, 3),
        np.zeros((2, 3)),
        [[1, 2]],
        [[1], [2, 3]],
        np.zeros((2, 3, 4)),
        of_objects(1, None),
    ]
    assert all(map(holds_numbers, numbers))
    assert not any(map(holds_numbers, [of_objects("u"), np.zeros((2, 1), "M8[D]"), of_objects(None)]))


def test_pandas_types() -> None:
    pd = pytest.importorskip("pandas")
    frame = pd.DataFrame(
        {
            "nullable": pd.array([1, None], dtype="Int64"),
            "truth": pd.array([True, None], dtype="boolean"),
            "string": pd.array(["u", None], dtype="string"),
            "levels": pd.Categorical([3, None], categories=[3, 4]),
            "sparse": pd.arrays.SparseArray([1.0, 0.0]),
            "zone": pd.to_datetime(["1970-01-01 01:00", None]).tz_localize("Europe/Paris"),
            "length": pd.to_timedelta(["1min", None]),
            "absent": [pd.NA, pd.NaT],
        }
    )
    columns = columns_of(frame)
    kinds = ["number", "number", "category", "category", "number", "date", "duration", "nothing"]
    assert [column.kind for column in columns] == kinds
    assert [column.missing.tolist()[1] for column in columns] == [True] * 4 + [False] + [True] * 3
    assert [column.values[0] for column in columns][:7] == [1, True, "u", 3, 1, 0, 60]
    assert [column.zoned for column in columns] == [False] * 5 + [True] + [False] * 2
    for odd in (
        pd.Categorical(["u", 1]),
        pd.period_range("2020", periods=2, freq="Y"),
        pd.interval_range(0, 2),
    ):
        with pytest.raises(InputError, match="column 'odd'"):
            columns_of(pd.DataFrame({"odd": odd}))


def test_polars_types() -> None:
    pl = pytest.importorskip("polars")
    frame = pl.DataFrame(
        {
            "whole": [1, None],
            "truth": [True, None],
            "decimal": pl.Series([Decimal("0.5"), None]),
            "text": ["u", None],
            "levels": pl.Series(["u", None], dtype=pl.Categorical),
            "listed": pl.Series(["u", None], dtype=pl.Enum(["u", "v"])),
            "day": [dt.date(1970, 1, 2), None],
            "zone": pl.Series([dt.datetime(1970, 1, 1, tzinfo=dt.UTC), None]).dt.convert_time_zone(
                "Europe/Paris"
            ),
            "length": [dt.timedelta(minutes=1), None],
            "absent": [None, None],
        }
    )
    columns = columns_of(frame)
    kinds = ["number"] * 3 + ["category"] * 3 + ["date"] * 2 + ["duration", "nothing"]
    assert [column.kind for column in columns] == kinds
    assert all(column.missing.tolist()[1] for column in columns)
    assert [column.values[0] for column in columns][:9] == [1, 1, 0.5, "u", "u", "u", 86400, 0, 60]
    assert [column.name for column in columns if column.zoned] == ["zone"]
    for odd in ([dt.time(1)], [[1]], [{"u": 1}]):
        with pytest.raises(InputError, match="column 'odd'"):
            columns_of(pl.DataFrame({"odd": odd}))
