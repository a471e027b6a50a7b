"""A table of numbers, categories and dates as numbers alone, in the way that a fit learned once."""

import warnings
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ebm.checks import require_count
from ebm.exceptions import DomainError, InputError, ShapeError
from ebm.fitting.column_encoding import Floats, TableColumn, learn_column, listed_levels, read_column
from ebm.fitting.columns import Column, columns_of
from ebm.fitting.config import TableOptions
from ebm.fitting.tables import IMPUTE

__all__ = ["Table", "fit_table", "read_table"]


@dataclass(frozen=True)
class Table:
    """How a table becomes numbers; plain values alone, so that it goes into a file.

    Attributes:
        columns: one per column of the table.
        missing: see `TableOptions`.
        unseen: see `TableOptions`.
    """

    columns: tuple[TableColumn, ...]
    missing: str = "error"
    unseen: str = "zeros"

    @property
    def names(self) -> tuple[str, ...]:
        """What the numbers are called, in order."""
        return tuple(name for column in self.columns for name in column.names)

    @property
    def by_name(self) -> bool:
        """Columns are known by their names, where they have some."""
        return True

    @property
    def numeric(self) -> bool:
        """Whether the numbers are the columns themselves, one for one."""
        return all(column.kind == "number" and not column.indicator for column in self.columns)

    def encode(self, x: Any, told: NDArray[np.bool_] | bool = True) -> Floats:
        """The numbers of a table of the same columns, ``(N, F)``.

        Args:
            x: a data frame, array, sparse matrix or list of rows.
            told: rows ``(N,)`` in which what was never seen is told, or refused; True is all.

        Raises:
            ShapeError: if it has another number of columns.
            InputError: if a column is of another kind, or has a category never seen where that is an error.
            DomainError: if a number is infinite, or a value is missing where that is an error.

        Warns:
            UserWarning: if a category was never seen, or a value is missing in a column that had all.
        """
        parts: list[Floats] = []
        for place, (column, given) in enumerate(self._matched(x)):
            self._require_values(place, column, given, told)
            places = column.places(given)
            self._tell_unseen(column, given, (places < 0) & ~given.missing & told)
            parts += column.numbers(given, places)
        return np.stack(parts, axis=1)

    def strange(self, x: Any) -> NDArray[np.bool_]:
        """Where rows have a category, or lack a value, as no row of the fit did, ``(N, columns)``."""
        found = [
            ((column.places(given) < 0) | given.missing) & ~(given.missing & column.indicator)
            for column, given in self._matched(x)
        ]
        return np.stack(found, axis=1)

    def plain(self) -> dict[str, Any]:
        """The fields as numbers, strings and lists, for a file."""
        return {
            "missing": self.missing,
            "unseen": self.unseen,
            "columns": [asdict(column) for column in self.columns],
        }

    def _matched(self, x: Any) -> list[tuple[TableColumn, Column]]:
        given = columns_of(x)
        if len(given) != len(self.columns):
            raise ShapeError(
                f"the model was fitted on rows of {len(self.columns)} columns, so x must have them; "
                f"got {len(given)}."
            )
        for column, one in zip(self.columns, given):
            column.require_kind(one)
        return list(zip(self.columns, given))

    def _require_values(
        self, place: int, column: TableColumn, given: Column, told: NDArray[np.bool_] | bool
    ) -> None:
        """Nothing infinite, and nothing missing where that is an error."""
        if given.missing.any():
            row = int(given.missing.argmax())
            if self.missing == "error":
                raise DomainError(
                    f"x must have all values, but x[{row}, {place}] is missing. Column {column.name!r}: fill "
                    f"in or drop missing values first{IMPUTE}."
                )
            if not column.indicator and (given.missing & told).any():
                warnings.warn(
                    f"x: column {column.name!r} lacks {int(given.missing.sum())} values (row {row} first) "
                    "and lacked none in the fit; "
                    + ("all its columns are 0 there." if column.levels else "they count as the median."),
                    stacklevel=6,
                )
        if given.values.dtype.kind == "f" and np.isinf(given.values[~given.missing]).any():
            row = int((np.isinf(given.values) & ~given.missing).argmax())
            raise DomainError(
                f"x must be finite, but x[{row}, {place}] is {given.values[row]}. Column {column.name!r}."
            )

    def _tell_unseen(self, column: TableColumn, given: Column, unseen: NDArray[np.bool_]) -> None:
        if not unseen.any():
            return
        names = sorted({repr(level) for level in given.values[unseen].tolist()})
        message = (
            f"x: column {column.name!r} has {listed_levels(names)} in {int(unseen.sum())} rows (row "
            f"{int(unseen.argmax())} first), which the fit never saw"
        )
        if self.unseen == "error":
            known = listed_levels(list(map(repr, column.levels)))
            raise InputError(f'{message}; known are {known}, and the fit was told unseen="error".')
        warnings.warn(
            f"{message}; all columns of its categories are 0 there, and out_of_range tells.", stacklevel=6
        )


def fit_table(x: Any, options: TableOptions | None = None, used: NDArray[np.bool_] | None = None) -> Table:
    """Learn how a table becomes numbers.

    Args:
        x: a data frame of pandas or polars, an array, a sparse matrix or a list of rows, ``(N, F)``.
        options: what to do with what is missing or never seen; None for the defaults.
        used: rows ``(N,)`` to learn from; None for all.

    Raises:
        ShapeError: if it is no table.
        InputError: if a column is of no kind, has too many categories or no value at all.
        DomainError: if a value is missing where that is an error.
    """
    options = TableOptions() if options is None else options
    given = columns_of(x)
    if not len(given[0].values):
        raise ShapeError("expected x with at least one row, got none.")
    rows = np.ones(len(given[0].values), dtype=bool) if used is None else used
    if len(rows) != len(given[0].values):
        raise ShapeError(f"expected sample_weight of shape (N={len(given[0].values)},), got {rows.shape}.")
    return Table(
        tuple(learn_column(column.chosen(rows), options) for column in given), options.missing, options.unseen
    )


def read_table(plain: Mapping[str, Any] | None) -> Table | None:
    """What `Table.plain` gave, checked; None where there is none.

    Raises:
        InputError: if a number or word is none that it can be.
    """
    if plain is None:
        return None
    options = TableOptions(missing=plain["missing"], unseen=plain["unseen"])
    columns = tuple(read_column(dict(column)) for column in plain["columns"])
    require_count("the columns of the table", len(columns))
    return Table(columns, options.missing, options.unseen)
