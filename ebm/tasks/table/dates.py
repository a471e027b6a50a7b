"""Columns of text as dates, by pandas or polars."""

import warnings
from typing import Any

from ebm.exceptions import InputError

__all__ = ["as_dates"]


def as_dates(name: str, column: Any) -> Any:
    """A column of pandas or polars as dates; one that holds dates stays as it is.

    Args:
        name: of the column, for messages.
        column: texts such as "2024-05-31", or dates.

    Raises:
        InputError: if it holds numbers, or an entry is no date; names the first.
    """
    return _of_pandas(name, column) if hasattr(column, "iloc") else _of_polars(name, column)


def _of_pandas(name: str, column: Any) -> Any:
    import pandas as pd

    if column.dtype.kind == "M":
        return column
    if column.dtype.kind in "biufcm":
        raise _no_text(name, column.dtype)
    form = _format(column)
    if form is None:  # pandas would guess entry by entry
        first = int(column.notna().to_numpy().argmax())
        raise _no_date(name, first, column.iloc[first])
    found = pd.to_datetime(column, errors="coerce", format=form)
    wrong = (found.isna() & column.notna()).to_numpy()
    if wrong.any():
        raise _no_date(name, int(wrong.argmax()), column[wrong].iloc[0])
    return found


def _format(column: Any) -> str | None:
    """ISO dates may differ in length, as with and without a time of day; others follow the first."""
    from pandas.tseries.api import guess_datetime_format

    texts = column.dropna().astype(str)
    if texts.str.match(r"\d{4}-\d{2}-\d{2}").all():
        return "ISO8601"
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # 31/01/2020 needs no more words: the range of dates is told
        return guess_datetime_format(texts.iloc[0])


def _of_polars(name: str, column: Any) -> Any:
    if column.dtype.is_temporal():
        return column
    if str(column.dtype) != "String":
        raise _no_text(name, column.dtype)
    try:
        found = column.str.to_datetime(strict=False)
    except Exception as error:  # polars' own, where no format fits the first entries
        raise _no_date(name, int(column.is_null().arg_min() or 0), column.drop_nulls()[0]) from error
    wrong = found.is_null() & column.is_not_null()
    if wrong.any():
        raise _no_date(name, int(wrong.arg_max() or 0), column.filter(wrong)[0])
    return found


def _no_text(name: str, dtype: Any) -> InputError:
    return InputError(f"column {name!r} holds {dtype}, and dates are read from text such as 2024-05-31.")


def _no_date(name: str, row: int, entry: Any) -> InputError:
    return InputError(
        f"column {name!r}: {entry!r} in row {row + 1} is no date; write dates as 2024-05-31, or "
        "2024-05-31 18:30."
    )
