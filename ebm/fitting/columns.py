"""The columns of any table one by one: numbers, texts, dates or durations, and which entries are missing."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from numbers import Real
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from ebm.exceptions import InputError, ShapeError
from ebm.fitting.tables import dense, is_frame, names_of, typed_columns
from ebm.numbers import unmasked

__all__ = ["Column", "Kind", "columns_of", "holds_numbers"]

Kind = Literal["number", "category", "date", "duration", "nothing"]

_ABSENT = ("NAType", "NaTType")  # of pandas, which may be absent itself
_TEXTS = ("String", "Categorical", "Enum")  # of polars
_TIMES = ("Date", "Duration")


@dataclass(frozen=True)
class Column:
    """A column as it was given.

    Attributes:
        name: as text; the place where there is none.
        kind: "nothing" where all entries are missing and nothing else tells.
        values: ``(N,)``; float64 of numbers, of dates (seconds since 1970, UTC) and of durations (seconds),
            object of categories. What stands in a missing entry's place means nothing.
        missing: ``(N,)`` bool.
        zoned: whether dates have a time zone.
    """

    name: str
    kind: Kind
    values: NDArray[Any]
    missing: NDArray[np.bool_]
    zoned: bool = False

    def chosen(self, rows: NDArray[np.bool_]) -> "Column":
        """Some of its rows."""
        return Column(self.name, self.kind, self.values[rows], self.missing[rows], self.zoned)


def holds_numbers(x: Any) -> bool:
    """Whether a table needs no encoding: numbers and truth values alone, or what is refused anyway.

    Raises:
        InputError: if a column is none that can be encoded.
    """
    if isinstance(x, Tensor) or hasattr(x, "tocsr"):
        return True
    if is_frame(x):
        if all(getattr(kind, "kind", "O") in "biuf" for _, kind, _ in typed_columns(x)):
            return True
    else:
        array = _array(x)
        if array is None or array.ndim != 2 or array.dtype.kind not in "OMm":
            return True
    return all(column.kind == "number" for column in columns_of(x))


def columns_of(x: Any) -> list[Column]:
    """The columns of a data frame, an array, a sparse matrix or a list of rows.

    Raises:
        ShapeError: if it is no table ``(N, F)`` with F >= 1.
        InputError: if a column is none of the kinds.
    """
    if is_frame(x):
        read = _of_pandas if hasattr(x, "iloc") else _of_polars
        columns = [read(name, kind, entries) for name, kind, entries in typed_columns(x)]
    else:
        columns = list(_of_array(x))
    if not columns:
        raise ShapeError("expected x with at least one column, got none.")
    return columns


def _array(x: Any) -> NDArray[Any] | None:
    """What is no data frame as an array; None where it is ragged."""
    if isinstance(x, Tensor):
        return np.asarray(x.detach().cpu().double())
    try:
        return dense("x", x) if hasattr(x, "tocsr") else np.asarray(unmasked(x))
    except ValueError:
        return None


def _of_array(x: Any) -> Iterator[Column]:
    array = _array(x)
    if array is None or array.ndim != 2:
        got = "rows of different lengths" if array is None else tuple(array.shape)
        remedy = "; one column is x.reshape(-1, 1)" if array is not None and array.ndim == 1 else ""
        raise ShapeError(f"expected x of shape (N, F), a table, got {got}{remedy}.")
    names = names_of(x) or tuple(map(str, range(array.shape[1])))
    for name, values in zip(names, array.T):
        if array.dtype.kind in "biuf":
            yield _numbers(name, values)
        elif array.dtype.kind in "Mm":
            yield _times(name, values)
        elif array.dtype.kind == "O":
            yield _objects(name, "object", values)
        else:
            raise InputError(
                f"x must hold real numbers, got dtype {array.dtype}; columns of several kinds are told apart "
                "in a data frame or an array of dtype object."
            )


def _of_pandas(name: str, dtype: Any, entries: Any) -> Column:
    kind = getattr(dtype, "kind", "O")
    if kind in "biuf":
        return _numbers(name, entries.to_numpy(dtype=np.float64, na_value=np.nan))
    if kind in "Mm":
        # Those with a zone are given in UTC.
        return _times(name, entries.to_numpy(dtype=f"{kind}8[us]"), getattr(dtype, "tz", None) is not None)
    objects = np.asarray(entries.astype(object).to_numpy(dtype=object))
    if getattr(dtype, "name", None) == "category":  # whatever its levels are
        return _category(name, dtype, objects)
    return _objects(name, dtype, objects)


def _of_polars(name: str, dtype: Any, entries: Any) -> Column:
    if dtype.is_numeric() or str(dtype) == "Boolean":
        return _numbers(name, entries.cast(float).to_numpy())
    if str(dtype).startswith(_TIMES):
        return _times(name, entries.to_numpy(), getattr(dtype, "time_zone", None) is not None)
    if str(dtype).startswith((*_TEXTS, "Object", "Null")):
        return _objects(name, dtype, _filled(entries.to_list()))
    raise _no_kind(name, dtype, str(dtype))


def _numbers(name: str, values: Any) -> Column:
    values = np.asarray(values, dtype=np.float64)
    return Column(name, "number", values, np.isnan(values))


def _times(name: str, values: NDArray[Any], zoned: bool = False) -> Column:
    """Dates or durations of NumPy, of any unit."""
    whole = values.astype(f"{values.dtype.kind}8[us]")
    kind: Kind = "date" if values.dtype.kind == "M" else "duration"
    missing = np.isnat(whole)
    return Column(name, kind, whole.astype(np.int64) / 1e6, missing, zoned)


def _category(name: str, dtype: Any, objects: NDArray[Any]) -> Column:
    missing = _missing(objects)
    found = {type(entry) for entry in objects[~missing]}
    texts = [issubclass(one, str) for one in found]
    if not (all(texts) or all(issubclass(one, Real | np.bool_) for one in found)):
        raise _no_kind(name, dtype, "levels of " + _listed(found))
    return Column(name, "category", objects, missing)


def _objects(name: str, dtype: Any, objects: NDArray[Any]) -> Column:
    """Entries of no declared type, by what they all are."""
    missing = _missing(objects)
    there = objects[~missing]
    found = {type(entry) for entry in there}
    kinds = {_kind_of(one) for one in found}
    if not kinds:
        return Column(name, "nothing", np.zeros(len(objects)), missing)
    kind = kinds.pop()
    if kinds or kind is None:
        raise _no_kind(name, dtype, _listed(found))
    if kind == "category":
        return Column(name, "category", objects, missing)
    values = np.full(len(objects), np.nan)
    if kind == "number":
        try:
            values[~missing] = there.astype(np.float64)
        except (TypeError, ValueError, OverflowError) as error:
            raise InputError(f"x holds what is no number of float64 in column {name!r}: {error}.") from error
        return _numbers(name, values)
    zones = {getattr(entry, "tzinfo", None) is not None for entry in there}
    if len(zones) > 1:
        raise InputError(f"x has dates with and without a time zone in column {name!r}; settle on one.")
    typed = np.array([_in_utc(entry) for entry in there], dtype="M8[us]" if kind == "date" else "m8[us]")
    values[~missing] = typed.astype(np.int64) / 1e6
    return Column(name, kind, values, missing, zones.pop())


def _kind_of(one: type) -> Kind | None:
    """The kind of entries of a type; None where it is none."""
    kinds: list[tuple[Any, Kind]] = [
        (str, "category"),
        ((date, np.datetime64), "date"),
        ((timedelta, np.timedelta64), "duration"),  # before numbers: NumPy's is one of its integers
        ((Real, Decimal, np.bool_), "number"),
    ]
    known: Kind | None = next((kind for types, kind in kinds if issubclass(one, types)), None)
    if known is None and hasattr(one, "__float__") and not issubclass(one, np.generic):
        return "number"  # a 0-d array or tensor; NumPy's own scalars all have it, complex ones too
    return known


def _in_utc(entry: Any) -> Any:
    if isinstance(entry, datetime) and entry.tzinfo is not None:
        return entry.astimezone(UTC).replace(tzinfo=None)
    return entry


def _missing(objects: NDArray[Any]) -> NDArray[np.bool_]:
    return np.fromiter(map(_absent, objects), bool, len(objects))


def _absent(entry: Any) -> bool:
    """Whether it is None, NaN, or what pandas and NumPy have in their place."""
    if isinstance(entry, float | np.floating | Decimal | np.datetime64 | np.timedelta64):
        return bool(entry != entry)
    return entry is None or type(entry).__name__ in _ABSENT


def _filled(entries: list[Any]) -> NDArray[Any]:
    """A list as an array of objects, of one dimension whatever they are."""
    objects = np.empty(len(entries), dtype=object)
    objects[:] = entries
    return objects


def _listed(types: set[type]) -> str:
    return " and ".join(sorted(one.__name__ for one in types))


def _no_kind(name: str, dtype: Any, found: str) -> InputError:
    return InputError(
        f"x must hold real numbers, texts, dates or durations, one kind a column, but column {name!r} "
        f"({dtype}) holds {found}; turn it into one of them, or leave it out."
    )
