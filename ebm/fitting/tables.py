"""Tables as people have them, of pandas, polars, NumPy, torch or lists: their numbers and their names."""

import math
import warnings
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from ebm.checks import require_finite
from ebm.exceptions import DomainError, InputError
from ebm.numbers import unmasked

__all__ = [
    "IMPUTE",
    "NamedArray",
    "as_tensor",
    "dense",
    "is_frame",
    "names_of",
    "require_finite_columns",
    "require_names",
    "require_same_order",
    "target_count",
    "typed_columns",
]

# The remedy for missing inputs that is an option of ours.
IMPUTE = ', or fit with missing="impute"'
# Bytes that a sparse matrix, or rows in batches, may have as one dense table of float64.
MOST_BYTES = 2**30
# Of those, made at a time beside the result.
_DENSE_BLOCK = 2**24

Names = tuple[str, ...]


@dataclass(frozen=True)
class NamedArray:
    """An array whose columns have names; what `EBMRegressor` hands on after scikit-learn's own checks.

    Attributes:
        values: ``(N, F)`` or ``(N,)``.
        columns: F names; None where there are none.
    """

    values: NDArray[np.float64]
    columns: Names | None

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> NDArray[np.float64]:
        """The values, for NumPy."""
        # NumPy 1 has no copy=None, which is how NumPy 2 says "if need be".
        return np.array(self.values, dtype=dtype) if copy else np.asarray(self.values, dtype=dtype)

    def __len__(self) -> int:
        """N."""
        return len(self.values)

    def __getitem__(self, rows: Any) -> "NamedArray":
        """Some rows, by a slice or their numbers."""
        return NamedArray(self.values[rows], self.columns)


def names_of(values: Any) -> Names | None:
    """The names of a data frame's columns, or of a single column, as text; None for what has none."""
    is_frame(values)  # refuses what has names but no rows yet
    columns = getattr(values, "columns", None)
    if columns is not None:
        return tuple(map(str, columns))
    name = None if isinstance(values, Tensor | np.ndarray) else getattr(values, "name", None)
    return None if name is None or not hasattr(values, "dtype") or name == "" else (str(name),)


def target_count(y: Any) -> int:
    """Columns of targets that were not checked yet: 1 where they have another shape than ``(N, D)``."""
    try:
        shape = np.shape(y)
    except ValueError:  # lists of several lengths, which are refused later, with their rows
        return 1
    return int(shape[1]) if len(shape) == 2 else 1


def require_names(what: str, given: Names | None, known: Names | None) -> None:
    """Check the columns of a table against those of the fit, as scikit-learn does: same names, same order.

    Args:
        what: "x" or "y", for messages.
        given: names of the table, see `names_of`.
        known: names of the fit.

    Raises:
        InputError: if a column is missing, never seen, or in another place.

    Warns:
        UserWarning: if only one of the two has names: nothing can be checked then.
    """
    if given == known:
        return
    if given is None or known is None:
        if _numbered(given or known or ()):  # 0, 1, 2 ...: that is what columns without names are called
            return
        there, here = ("the table of the fit had", "this one has none")
        if known is None:
            there, here = ("the table of the fit had no", "this one has")
        warnings.warn(
            f"{what}: {there} column names, {here}; columns are taken in their order.", stacklevel=5
        )
        return
    lacks = [name for name in known if name not in given]
    unseen = [name for name in given if name not in known]
    if lacks or unseen or len(given) != len(known):
        found = [f"lacks {_listed(lacks)} of the fit"] * bool(lacks)
        found += [f"has {_listed(unseen)}, which the fit never saw"] * bool(unseen)
        found = found or [f"has {len(given)} columns where the fit had {len(known)}"]
        raise InputError(f"{what} {' and '.join(found)}; its columns must be {_listed(known)}.")
    raise InputError(
        f"{what} has the columns of the fit in another order: {_listed(given)}, in the fit {_listed(known)}; "
        f"select them in that order, {what} = {what}[[{_listed(known)}]]."
    )


def require_same_order(x: Any, other: Any, name: str = "y") -> None:
    """Refuse two tables of pandas that label the same rows in another order: rows are matched by place.

    Args:
        x: the inputs.
        other: what belongs to them, row by row; anything but a table of pandas has no order of its own.
        name: of `other`, for the message.

    Raises:
        InputError: if the order differs.
    """
    here: Any = getattr(x, "index", None)
    there: Any = getattr(other, "index", None)
    if not hasattr(here, "symmetric_difference") or not hasattr(there, "symmetric_difference"):
        return
    if here.equals(there) or len(here) != len(there) or not (here.is_unique and there.is_unique):
        return
    if not len(here.symmetric_difference(there)):
        raise InputError(
            f"x and {name} have the same index in another order, and rows are matched by place; sort one "
            f"like the other, {name} = {name}.loc[x.index], or drop the index with reset_index(drop=True)."
        )


def as_tensor(name: str, values: Any) -> Tensor:
    """Real numbers of any kind as float64 on the CPU; a missing value is NaN.

    Raises:
        InputError: if the entries are not numbers, naming the columns.
    """
    if getattr(values, "is_censored", False):
        raise InputError(
            f"{name} is censored, and this takes targets that are known: x[y.observed] and "
            "y.lower[y.observed] are their rows, but no fair sample where censoring depends on the target. "
            "log_prob takes censored ones."
        )
    if isinstance(values, Tensor):
        tensor = values.detach().cpu()
        if tensor.is_complex():
            raise InputError(f"{name} must hold real numbers, got dtype {tensor.dtype}.")
        return tensor.to(torch.float64)
    if hasattr(values, "tocsr"):
        return torch.from_numpy(dense(name, values))
    bad = [
        f"{column!r} ({kind})"
        for column, kind, entries in typed_columns(values)
        if not _numeric(kind, entries)
    ]
    if bad:
        raise InputError(
            f"{name} must hold real numbers, but that is not so in column {', '.join(bad[:5])}"
            f"{f' and {len(bad) - 5} more' * (len(bad) > 5)}; encode categories as numbers first "
            "(pandas.get_dummies, or scikit-learn's OneHotEncoder), turn text that holds numbers into them "
            "(pandas.to_numeric), or leave the column out."
        )
    # A copy: the caller's array may be read-only.
    return torch.from_numpy(np.array(_as_numbers(name, values), dtype=np.float64))


def require_finite_columns(name: str, rows: Tensor, columns: Names | None) -> None:
    """Raise a `DomainError` that names the first NaN or infinite entry of `rows`, and its column.

    Raises:
        DomainError: if there is one.
    """
    try:
        require_finite(name, rows, True)
    except DomainError as error:
        place = (~rows.reshape(len(rows), -1).isfinite()).nonzero()[0]
        missing = name == "x" and rows.ndim == 2 and bool(rows[tuple(place)].isnan())
        remedy = f"fill in or drop missing values first{IMPUTE * missing}."
        if columns is not None and rows.ndim <= 2 and len(columns) == rows[:1].numel():
            raise DomainError(f"{error} Column {columns[int(place[1])]!r}: {remedy}") from None
        if missing:
            raise DomainError(f"{error} {remedy.capitalize()}") from None
        raise


def dense(name: str, values: Any) -> NDArray[np.float64]:
    """A sparse matrix of SciPy as a dense one, some rows at a time.

    Raises:
        InputError: if that takes more than `MOST_BYTES` bytes, or its entries are no real numbers.
    """
    needed = 8 * math.prod(values.shape)
    if needed > MOST_BYTES:
        raise InputError(
            f"{name} is a sparse matrix of shape {tuple(values.shape)}, which takes {needed / 2**30:.1f} GiB "
            f"as a dense one, more than the {MOST_BYTES / 2**30:g} GiB allowed; give fewer rows at a time to "
            "predict, fewer columns to fit (scikit-learn's TruncatedSVD or SelectKBest)."
        )
    if values.dtype.kind not in "biuf":
        raise InputError(f"{name} must hold real numbers, got a sparse matrix of dtype {values.dtype}.")
    if len(values.shape) != 2:
        return np.asarray(values.toarray(), dtype=np.float64)
    rows, result = values.tocsr(), np.empty(values.shape)
    step = max(1, _DENSE_BLOCK // max(1, 8 * values.shape[1]))
    for start in range(0, len(result), step):
        result[start : start + step] = rows[start : start + step].toarray()
    return result


def is_frame(values: Any) -> bool:
    """Whether it is a data frame, of pandas or polars.

    Raises:
        InputError: for a query that polars has not run yet.
    """
    if hasattr(values, "collect_schema") and hasattr(values, "collect"):
        raise InputError("got a polars LazyFrame, which has no rows yet; pass its collect().")
    return hasattr(values, "columns") and hasattr(values, "dtypes")


def typed_columns(values: Any) -> Iterator[tuple[str, Any, Any]]:
    """Name, dtype and entries of every column of a data frame or single column of pandas or polars."""
    names = names_of(values)
    if is_frame(values):
        for place, (name, kind) in enumerate(zip(names or (), values.dtypes)):
            yield name, kind, values.iloc[:, place] if hasattr(values, "iloc") else values[:, place]
    elif hasattr(values, "to_numpy") and hasattr(values, "dtype"):
        yield (names or ("",))[0], values.dtype, values


def _numeric(kind: Any, entries: Any) -> bool:
    """Whether a column of this dtype holds real numbers or truth values; those of no type are looked at."""
    if hasattr(kind, "is_numeric"):  # polars
        return bool(kind.is_numeric()) or str(kind) == "Boolean"
    if getattr(kind, "name", None) == "category":
        return False
    if getattr(kind, "kind", "O") != "O":
        return kind.kind in "biuf"
    return str(kind) == "object" and not any(isinstance(entry, str | bytes) for entry in entries)


def _as_numbers(name: str, values: Any) -> NDArray[Any]:
    """An array of real numbers."""
    try:
        if hasattr(values, "iloc"):  # pandas has several kinds of missing values, in arrays of any type
            return np.asarray(values.to_numpy(dtype=np.float64, na_value=np.nan))
        array = np.asarray(unmasked(values))
        if array.dtype.kind == "O":  # a data frame of several types, or numbers in a container for anything
            if any(isinstance(entry, str | bytes) for entry in array.flat):
                raise TypeError("text among the entries")
            array = np.asarray(array, dtype=np.float64)
    except (TypeError, ValueError, OverflowError) as error:
        raise InputError(
            f"{name} must be numbers in a regular array, got {type(values).__name__} ({error}); "
            "encode categories as numbers first."
        ) from error
    if array.dtype.kind not in "biuf":
        raise InputError(
            f"{name} must hold real numbers, got dtype {array.dtype}; encode categories as numbers first"
            f"{', or give a data frame, where every column has its own type' * (name == 'x')}."
        )
    return array


def _numbered(names: Names) -> bool:
    return names == tuple(map(str, range(len(names))))


def _listed(names: Sequence[str]) -> str:
    more = f" and {len(names) - 8} more" if len(names) > 8 else ""
    return ", ".join(map(repr, names[:8])) + more
