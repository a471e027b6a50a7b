"""Tables from files: CSV and Parquet, by pandas or polars where one is there, numbers alone without them."""

import csv
import gzip
import importlib.util
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TextIO, cast

import numpy as np
from numpy.typing import NDArray

from ebm.exceptions import EBMError, InputError
from ebm.fitting.tables import NamedArray
from ebm.pictures.curves import rows_of
from ebm.tasks.table.dates import as_dates

__all__ = ["Sheet", "read_sheet"]

SEPARATORS = (",", ";", "\t", "|")
_PARQUET = (".parquet", ".pq")


@dataclass(frozen=True)
class Sheet:
    """A table with named columns.

    Attributes:
        frame: of pandas, of polars, or a `NamedArray`.
        names: of its columns, all different.
    """

    frame: Any
    names: tuple[str, ...]

    def __len__(self) -> int:
        """N."""
        return len(self.frame)

    def only(self, names: Sequence[str]) -> "Sheet":
        """Some columns, in this order.

        Raises:
            InputError: if one is not there; names those that are.
        """
        lacks = [name for name in names if name not in self.names]
        if lacks:
            raise InputError(
                f"the table has no column {', '.join(map(repr, lacks))}; its columns are "
                f"{', '.join(self.names[:20])}{f' and {len(self.names) - 20} more' * (len(self.names) > 20)}."
            )
        if isinstance(self.frame, NamedArray):
            places = [self.names.index(name) for name in names]
            return Sheet(NamedArray(self.frame.values[:, places], tuple(names)), tuple(names))
        return Sheet(self.frame[list(names)], tuple(names))

    def rows(self, index: NDArray[np.int64]) -> "Sheet":
        """Some rows, in this order."""
        return Sheet(rows_of(self.frame, index), self.names)

    def column(self, name: str) -> Any:
        """One column, with its name.

        Raises:
            InputError: if it is not there.
        """
        frame = self.only([name]).frame
        return NamedArray(frame.values[:, 0], (name,)) if isinstance(frame, NamedArray) else frame[name]

    def labels(self, name: str, rows: NDArray[np.int64]) -> NDArray[Any]:
        """Texts or whole numbers of some rows of a column, ``(len(rows),)``, by which rows belong together.

        Raises:
            InputError: if it is not there, a row lacks one, or it holds other numbers.
        """
        column = self.column(name)
        gaps = _gaps(column)[rows]
        if gaps.any():
            raise InputError(
                f"column {name!r} says which rows belong together, and row {int(rows[gaps][0]) + 1} lacks an "
                "entry; fill it in, or give that row one of its own."
            )
        values = np.asarray(column.to_numpy() if hasattr(column, "to_numpy") else column)[rows]
        if values.dtype.kind == "f" and not (values % 1).any():  # whole numbers beside gaps
            return values.astype(np.int64)
        if values.dtype.kind == "f":
            raise InputError(f"column {name!r} holds numbers that are not whole, and cannot tell groups.")
        return values if values.dtype.kind in "iu" else np.array([str(value) for value in values])

    def dated(self, names: Sequence[str]) -> "Sheet":
        """The same with some columns of text as dates; those that are dates stay as they are.

        Raises:
            InputError: if one is not there, or an entry is no date; names the first.
        """
        frame = self.frame
        for name in names:
            column = self.column(name)
            if isinstance(frame, NamedArray):
                raise InputError("dates are read by pandas or polars: pip install 'ebmtrack[eval]'.")
            found = as_dates(name, column)
            frame = frame.assign(**{name: found}) if hasattr(frame, "iloc") else frame.with_columns(found)
        return Sheet(frame, self.names)

    def missing(self) -> NDArray[np.bool_]:
        """Whether a row lacks an entry, in any column, ``(N,)``."""
        gaps = [_gaps(self.column(name)) for name in self.names]
        return np.logical_or.reduce(gaps) if gaps else np.zeros(len(self), dtype=np.bool_)


def read_sheet(path: Path, separator: str | None = None) -> Sheet:
    """Read a table whose first line names its columns.

    Args:
        path: ``.parquet`` or ``.pq``, otherwise text, also compressed (``.gz``).
        separator: between columns of a text; None is that of comma, semicolon, tab and bar that the first
            line has most of.

    Raises:
        InputError: if it cannot be read, has no rows, or two columns have one name; says why.
        MissingPackageError: of Parquet, if neither pandas nor polars is there.
    """
    if not path.is_file():
        raise InputError(f"there is no file {path}." if not path.exists() else f"{path} is no file.")
    library = next((name for name in ("pandas", "polars") if importlib.util.find_spec(name)), "")
    try:
        frame = (
            _parquet(path, library) if path.suffix.lower() in _PARQUET else _text(path, separator, library)
        )
    except EBMError:
        raise
    except UnicodeDecodeError as error:
        raise InputError(f"{path} is no text in UTF-8; save it as CSV UTF-8.") from error
    except Exception as error:  # errors of two libraries, and of those that they stand on
        raise InputError(f"{path} cannot be read as a table: {_first_line(error)}") from error
    names = tuple(map(str, frame.columns))
    if not len(frame):
        raise InputError(f"{path} has no rows below the names of its columns.")
    return Sheet(frame, names)


def _text(path: Path, separator: str | None, library: str) -> Any:
    header, separator = _header(path, separator)
    twice = [name for name, count in Counter(header).items() if count > 1]
    if twice:
        raise InputError(f"{path} has more than one column named {', '.join(map(repr, twice[:5]))}.")
    if library == "pandas":
        import pandas as pd

        return pd.read_csv(path, sep=separator)
    if library == "polars":
        return _polars().read_csv(path, separator=separator, infer_schema_length=None)
    return _numbers(path, separator)


def _parquet(path: Path, library: str) -> Any:
    if not library:
        from ebm.extras import explain_missing

        raise explain_missing("reading Parquet", "pandas")
    if library == "pandas":
        import pandas as pd

        try:
            return pd.read_parquet(path)
        except ImportError as error:
            raise InputError(
                f"{path}: pandas reads Parquet with pyarrow, which is missing: pip install pyarrow, or save "
                "the table as CSV."
            ) from error
    return _polars().read_parquet(path)


def _header(path: Path, separator: str | None) -> tuple[list[str], str]:
    """The names of the columns, and what separates them."""
    with _opened(path) as file:
        line = file.readline()
        if not line.strip():
            raise InputError(f"{path} does not begin with the names of its columns.")
        file.seek(0)
        separator = separator or max(SEPARATORS, key=line.count)
        return next(csv.reader(file, delimiter=separator)), separator


def _numbers(path: Path, separator: str) -> NamedArray:
    """A text of numbers alone; an empty field is missing."""
    with _opened(path) as file:
        lines = csv.reader(file, delimiter=separator)
        names = next(lines)
        rows = []
        for fields in lines:
            if not fields:  # an empty line
                continue
            if len(fields) != len(names):
                raise InputError(
                    f"{path}, line {lines.line_num}: {len(fields)} fields below {len(names)} names."
                )
            rows.append([_number(field, path, lines.line_num, name) for field, name in zip(fields, names)])
    return NamedArray(np.array(rows, dtype=np.float64).reshape(-1, len(names)), tuple(names))


def _number(field: str, path: Path, line: int, name: str) -> float:
    try:
        return float(field) if field.strip() else float("nan")
    except ValueError as error:
        raise InputError(
            f"{path}, line {line}, column {name!r}: {field!r} is no number. Without pandas or polars only "
            "numbers are read: pip install 'ebmtrack[eval]'."
        ) from error


def _opened(path: Path) -> TextIO:
    """A text; a mark of its byte order is no part of the first name."""
    if path.suffix.lower() == ".gz":
        return cast(TextIO, gzip.open(path, "rt", encoding="utf-8-sig", newline=""))
    return path.open(encoding="utf-8-sig", newline="")


def _polars() -> Any:
    return importlib.import_module("polars")


def _gaps(column: Any) -> NDArray[np.bool_]:
    if hasattr(column, "isna"):
        return np.asarray(column.isna().to_numpy(), dtype=np.bool_)
    if hasattr(column, "is_null"):
        gaps = column.is_null().to_numpy()
        return np.asarray(
            gaps | column.is_nan().fill_null(True).to_numpy() if column.dtype.is_float() else gaps
        )
    return np.isnan(np.asarray(column))


def _first_line(error: Exception) -> str:
    return (str(error).strip().splitlines() or [type(error).__name__])[0]
