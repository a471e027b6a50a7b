"""Tables that say which numbers belong to which picture, checked row by row."""

import csv
import math
import os
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ebm.exceptions import InputError
from ebm.files import expanded
from ebm.images.reading import Frame, Source

__all__ = ["Fault", "Labelled", "columns_of", "picture_paths", "read_labelled", "refuse"]

# Names that a column of pictures commonly has, in order of trust.
IMAGE_COLUMNS = ("image", "picture", "filename", "file", "file_name", "path", "name", "img")
TOLD = 5


@dataclass(frozen=True)
class Fault:
    """A row that cannot be used: its place in the table from 1, its picture, and why with what to do."""

    row: int
    name: str
    reason: str

    def __str__(self) -> str:
        return f"row {self.row} ({self.name}): {self.reason}"


@dataclass(frozen=True)
class Labelled:
    """Pictures with their numbers.

    Attributes:
        root: the folder.
        names: of the pictures as the table has them, N.
        paths: of the files, inside the root; pixels where they come from an archive.
        y: targets ``(N, D)``.
        targets: D names.
        rows: places in the table, from 1.
        left_out: rows that were not usable, where that was allowed.
    """

    root: Path
    names: tuple[str, ...]
    paths: tuple[Source, ...]
    y: NDArray[np.float64]
    targets: tuple[str, ...]
    rows: tuple[int, ...]
    left_out: tuple[Fault, ...] = ()

    def __len__(self) -> int:
        """N."""
        return len(self.names)

    def chosen(self, places: Iterable[int]) -> "Labelled":
        """Some of them, in this order."""
        own = [int(place) for place in places]
        names, paths = tuple(self.names[k] for k in own), tuple(self.paths[k] for k in own)
        return replace(self, names=names, paths=paths, rows=tuple(self.rows[k] for k in own), y=self.y[own])

    def without(self, faults: Sequence[Fault]) -> "Labelled":
        """The same without the rows of some faults, which are counted."""
        bad = {fault.row for fault in faults}
        kept = self.chosen(place for place, row in enumerate(self.rows) if row not in bad)
        return replace(kept, left_out=(*self.left_out, *faults))


def refuse(faults: Sequence[Fault], total: int) -> InputError:
    """The error for rows that cannot be used; names the first of them and how to go on without them."""
    shown = "\n  ".join(map(str, faults[:TOLD]))
    more = f"\n  and {len(faults) - TOLD} more" if len(faults) > TOLD else ""
    return InputError(
        f"{len(faults)} of {total} rows cannot be used:\n  {shown}{more}\nMend them, or leave them out with "
        "skip_broken=True (--skip-broken)."
    )


def read_labelled(
    table: Any,
    root: str | Path,
    target: str | Sequence[str],
    *,
    image: str | None = None,
    between: tuple[float, float] | None = None,
    skip_broken: bool = False,
) -> Labelled:
    """Read a table of pictures and numbers, and check all of it before anything is computed.

    Args:
        table: a CSV file with names in its first line, a data frame of pandas or polars, or a mapping from
            names to columns.
        root: the folder that the pictures' paths start at; no path may lead out of it.
        target: name of the column to predict, or names of several.
        image: name of the column of paths; None takes the first of `IMAGE_COLUMNS` that is there.
        between: least and greatest target there can be.
        skip_broken: leave out rows that cannot be used, and count them, in place of an error.

    Raises:
        InputError: if the table or a column is not there, or rows are missing numbers, have text or infinite
            ones, lie outside `between`, name no file inside the root, or name one twice.
    """
    columns, folder = columns_of(table), _root(root)
    targets = (target,) if isinstance(target, str) else tuple(target)
    image = _image_column(columns, image)
    if not targets or image in targets:
        raise InputError(f"name the column to predict, other than {image!r}, the pictures' own.")
    values = [_column(columns, name) for name in targets]
    names = [str(name) for name in _column(columns, image)]
    y, faults = np.full((len(names), len(targets)), np.nan), []
    first: dict[Path, int] = {}
    paths: list[Path] = []
    for place, name in enumerate(names):
        path = folder / name
        paths.append(path)
        reason = _row_fault(path, name, folder, first, place + 1)
        for d, given in enumerate(values):
            y[place, d], wrong = _number(given[place], targets[d], between)
            reason = reason or wrong
        if reason:
            faults.append(Fault(place + 1, name, reason))
        else:
            first[path] = place + 1
    found = Labelled(folder, tuple(names), tuple(paths), y, targets, tuple(range(1, len(names) + 1)))
    if faults and not skip_broken:
        raise refuse(faults, len(names))
    kept = found.without(faults)
    if not len(kept):
        raise InputError(f"no row of the table is left: {len(names)} were read, {len(faults)} left out.")
    return kept


def picture_paths(x: Any, root: str | Path | None = None) -> list[Source]:
    """Paths of pictures, from one path, a sequence or column of them, a folder's `Labelled`, or a data frame.

    Args:
        x: what the user has.
        root: where relative paths start; None is the working folder.

    Raises:
        InputError: if something is no path.
    """
    if isinstance(x, Labelled):
        return list(x.paths)
    if isinstance(x, str | os.PathLike):
        x = [x]
    if hasattr(x, "columns") or isinstance(x, Mapping):
        columns = columns_of(x)
        x = _column(columns, _image_column(columns, None))
    base = Path() if root is None else _root(root)
    found: list[Source] = []
    for place, one in enumerate(x):
        if isinstance(one, Frame):
            found.append(one)
            continue
        if not isinstance(one, str | os.PathLike) or not str(one):
            raise InputError(f"x must be paths of pictures, but x[{place}] is {one!r}.")
        found.append(base / one)
    return found


def _root(root: str | Path) -> Path:
    folder = expanded(str(root))
    if not folder.is_dir():
        raise InputError(
            f"the pictures' folder {folder} is {'no folder' if folder.exists() else 'not there'}."
        )
    return folder


def columns_of(table: Any) -> dict[str, list[Any]]:
    """The columns of any table by name."""
    if isinstance(table, str | os.PathLike):
        return _read_csv(expanded(str(table)))
    if hasattr(table, "columns") and hasattr(table, "dtypes"):
        columns = {str(name): list(table[name]) for name in table.columns}
    elif isinstance(table, Mapping):
        columns = {str(name): list(column) for name, column in table.items()}
    else:
        raise InputError(f"a table is a CSV file, a data frame or a mapping; got {type(table).__name__}.")
    lengths = {name: len(column) for name, column in columns.items()}
    if len(set(lengths.values())) > 1:
        raise InputError(f"the columns of the table differ in length: {lengths}.")
    if not lengths or not next(iter(lengths.values())):
        raise InputError("the table has no rows.")
    return columns


def _read_csv(path: Path) -> dict[str, list[Any]]:
    if not path.is_file():
        raise InputError(f"{path} is no file." if path.exists() else f"there is no table {path}.")
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            start = file.readline()
            file.seek(0)
            separator = max(",;\t", key=start.count)
            lines = list(csv.reader(file, delimiter=separator))
    except (UnicodeDecodeError, csv.Error) as error:
        raise InputError(f"{path} is no CSV file in UTF-8: {error}.") from error
    lines = [line for line in lines if line]
    if len(lines) < 2:
        raise InputError(f"{path} has no rows below the names of its columns.")
    header, rows = lines[0], lines[1:]
    if len(set(header)) < len(header):
        raise InputError(f"{path} has two columns of one name among {header}.")
    for place, row in enumerate(rows):
        if len(row) != len(header):
            raise InputError(f"{path}, row {place + 1}: {len(row)} fields below {len(header)} names.")
    return {name: [row[k] for row in rows] for k, name in enumerate(header)}


def _image_column(columns: Mapping[str, Any], name: str | None) -> str:
    if name is not None:
        _column(columns, name)
        return name
    by_lower = {column.lower(): column for column in columns}
    found = next((by_lower[known] for known in IMAGE_COLUMNS if known in by_lower), None)
    if found is None:
        raise InputError(
            f"which column has the pictures' paths? The table has {', '.join(map(repr, columns))}; say "
            'image="NAME" (--image NAME).'
        )
    return found


def _column(columns: Mapping[str, Any], name: str) -> list[Any]:
    if name not in columns:
        raise InputError(f"the table has no column {name!r}; it has {', '.join(map(repr, columns))}.")
    return list(columns[name])


def _number(value: Any, name: str, between: tuple[float, float] | None) -> tuple[float, str]:
    """A target and what is wrong with it; empty where nothing is."""
    if value is None or (isinstance(value, str) and not value.strip()):
        return math.nan, f"its {name} is missing; fill it in or drop the row"
    try:
        number = float(value)
    except (TypeError, ValueError):
        return math.nan, f"its {name} is {value!r}, which is no number"
    if math.isnan(number):
        return math.nan, f"its {name} is missing; fill it in or drop the row"
    if math.isinf(number):
        return math.nan, f"its {name} is {number}; fill it in or drop the row"
    if between is not None and not between[0] <= number <= between[1]:
        return math.nan, f"its {name} is {number:g}, outside {between[0]:g} to {between[1]:g}"
    return number, ""


def _row_fault(path: Path, name: str, root: Path, first: Mapping[Path, int], row: int) -> str:
    if not name.strip():
        return "it names no picture"
    if path in first:
        return f"the picture is that of row {first[path]}; keep one of them"
    # By its words: links inside the root may lead anywhere, and data folders are often made of them.
    if not Path(os.path.normpath(path)).is_relative_to(os.path.normpath(root)):
        return f"its path leads out of {root}; name a folder that holds all pictures as the root"
    return "" if path.is_file() else f"there is no file {path}"
