"""How one column of numbers, categories, dates or durations becomes numbers alone."""

import math
import re
import warnings
from collections.abc import Iterator
from dataclasses import dataclass, fields
from typing import Any, NoReturn, get_args

import numpy as np
from numpy.typing import NDArray

from ebm.exceptions import InputError
from ebm.fitting.columns import Column, Kind
from ebm.fitting.config import TableOptions
from ebm.number_texts import parse_number

__all__ = ["Floats", "TableColumn", "learn_column", "listed_levels", "read_column"]

Level = str | float
Floats = NDArray[np.float64]

# Seconds; the year is the mean one of the Gregorian calendar.
PERIODS = {"day": 86400.0, "week": 604800.0, "year": 31556952.0}
_DATE = re.compile(r"\d{4}-\d{2}-\d{2}")
_WORDS = {"number": "numbers", "category": "categories", "date": "dates", "duration": "durations"}
# A period counts where the dates of the fit span it so many times.
_FEWEST_PERIODS = 2
# Phases that differ by less say nothing, as those of the first of January, which leap years shift: a spread
# of half an hour in a day, eight days in a year.
_MOST_AGREEMENT = 0.99
# Categories that a message names.
_NAMED = 8


@dataclass(frozen=True)
class TableColumn:
    """How one column becomes numbers; plain values alone.

    Attributes:
        name: of the column.
        kind: "number", "category", "date" or "duration".
        fill: what takes the place of a missing value: the median, in seconds for dates and durations.
        indicator: whether a further column of ones and zeros tells what was missing.
        levels: categories, in order; one column of ones and zeros each.
        first: the earliest date, in seconds since 1970 (UTC), from which dates are counted.
        periods: of `PERIODS`, whose sine and cosine are further columns.
        zoned: whether dates have a time zone.
    """

    name: str
    kind: Kind
    fill: float = 0.0
    indicator: bool = False
    levels: tuple[Level, ...] = ()
    first: float = 0.0
    periods: tuple[str, ...] = ()
    zoned: bool = False

    @property
    def names(self) -> tuple[str, ...]:
        """What its numbers are called, for example "city=Rome" or "when sin(year)"."""
        own = [f"{self.name}={level}" for level in self.levels] or [self.name]
        waves = [f"{self.name} {wave}({period})" for period in self.periods for wave in ("sin", "cos")]
        return (*own, *waves, *[f"{self.name} missing"] * self.indicator)

    def numbers(self, given: Column, places: NDArray[np.int64]) -> Iterator[Floats]:
        """Its columns of numbers, ``(N,)`` each; `places` of categories among the levels, -1 for none."""
        if self.kind == "category":
            yield from ((places == place).astype(np.float64) for place in range(len(self.levels)))
        else:
            there = given.values.astype(np.float64) - (self.first if self.kind == "date" else 0.0)
            yield np.where(given.missing, self.fill, there)
        for period in self.periods:
            angle = given.values.astype(np.float64) * (2 * math.pi / PERIODS[period])
            # A missing date lies in the middle of the circle.
            yield from (np.where(given.missing, 0.0, wave(angle)) for wave in (np.sin, np.cos))
        if self.indicator:
            yield given.missing.astype(np.float64)

    def places(self, given: Column) -> NDArray[np.int64]:
        """Places of categories among the levels; -1 for one that is missing or none of them."""
        if self.kind != "category":
            return np.zeros(len(given.values), dtype=np.int64)
        known = {level: place for place, level in enumerate(self.levels)}
        found = [
            -1 if gone else known.get(level, -1)
            for level, gone in zip(given.values.tolist(), given.missing.tolist())
        ]
        return np.array(found, dtype=np.int64)

    def require_kind(self, given: Column) -> None:
        """A column must be what it was in the fit.

        Raises:
            InputError: if it is not.
        """
        if given.kind == "nothing":
            return
        numbered = bool(self.levels) and not any(isinstance(level, str) for level in self.levels)
        if given.kind != self.kind and not (numbered and given.kind == "number"):
            _refuse(self.name, _WORDS[self.kind], _WORDS[given.kind])
        there = given.values[~given.missing]
        if given.kind == "category" and len(there) and isinstance(there[0], str) == numbered:
            kinds = "categories that are numbers", "text"
            _refuse(self.name, *(kinds if numbered else kinds[::-1]))
        if given.kind == "date" and given.zoned != self.zoned:
            _refuse(self.name, *("dates with a time zone", "dates without one")[:: 1 if self.zoned else -1])


def learn_column(given: Column, options: TableOptions) -> TableColumn:
    """Learn how a column becomes numbers.

    Raises:
        InputError: if it has too many categories or no value at all.

    Warns:
        UserWarning: if it is text that holds numbers.
    """
    there = given.values[~given.missing]
    if not len(there):
        raise InputError(f"x has no value at all in column {given.name!r}; leave it out.")
    indicator = options.missing == "impute" and bool(given.missing.any())
    if given.kind == "category":
        return TableColumn(given.name, given.kind, 0.0, indicator, _levels(given.name, there, options))
    first = float(there.min()) if given.kind == "date" else 0.0
    finite = there[np.isfinite(there)]  # infinite ones are refused later
    fill = float(np.median(finite - first)) if len(finite) else 0.0
    periods = _periods(there) if given.kind == "date" else ()
    return TableColumn(given.name, given.kind, fill, indicator, (), first, periods, given.zoned)


def _levels(name: str, entries: NDArray[Any], options: TableOptions) -> tuple[Level, ...]:
    levels = sorted({_level(entry) for entry in entries.tolist()})
    numbers = [repr(level) for level in levels if isinstance(level, str) and _is_number(level)]
    if len(levels) > options.max_levels:
        remedy = " Where it holds numbers as text: pandas.to_numeric." if numbers else ""
        if any(isinstance(level, str) and _DATE.match(level) for level in levels):
            remedy = " Where it holds dates as text: pandas.to_datetime."
        raise InputError(
            f"x has {len(levels)} different categories in column {name!r}, more than max_levels="
            f"{options.max_levels}; group the rare ones, leave out what only names a row, or allow more."
            f"{remedy}"
        )
    if 2 * len(numbers) > len(levels):
        warnings.warn(
            f"x holds text in column {name!r}, most of which are numbers ({listed_levels(numbers)}); "
            "it counts as categories. Turn it into numbers first if it is some (pandas.to_numeric).",
            stacklevel=5,
        )
    return tuple(levels)


def _level(entry: Any) -> Any:
    """Text or a number as Python's own."""
    if isinstance(entry, str):
        return str(entry)
    return entry.item() if hasattr(entry, "item") else entry


def _is_number(text: str) -> bool:
    try:
        parse_number(text)
    except ValueError:
        return False
    return True


def _periods(seconds: Floats) -> tuple[str, ...]:
    """Periods that the dates span often enough, and whose phases spread."""
    span = float(np.ptp(seconds))
    return tuple(
        name
        for name, period in PERIODS.items()
        if span >= _FEWEST_PERIODS * period and _phases_agree(seconds, period) < _MOST_AGREEMENT
    )


def _phases_agree(seconds: Floats, period: float) -> float:
    """Length of the mean of the phases as places on the unit circle: 1 where all are the same."""
    angles = seconds * (2 * math.pi / period)
    return math.hypot(float(np.cos(angles).mean()), float(np.sin(angles).mean()))


def read_column(plain: dict[str, Any]) -> TableColumn:
    """A column that a file holds, checked.

    Raises:
        InputError: if a number or word is none that it can be.
    """
    expected = {"name": str, "kind": str, "fill": float, "indicator": bool, "first": float, "zoned": bool}
    levels, periods = tuple(plain["levels"]), tuple(plain["periods"])
    sound = (
        {*plain} == {field.name for field in fields(TableColumn)}
        and all(type(plain[key]) is kind for key, kind in expected.items())
        and plain["kind"] in get_args(Kind)[:4]
        and math.isfinite(plain["fill"])
        and math.isfinite(plain["first"])
        and all(isinstance(level, str | int | float) for level in levels)
        and len({*levels}) == len(levels)
        and (plain["kind"] == "category") == bool(levels)
        and {*periods} <= {*PERIODS}
        and (not periods or plain["kind"] == "date")
    )
    if not sound:
        raise InputError(f"column {plain.get('name')!r} of its table is damaged.")
    return TableColumn(**plain | {"levels": levels, "periods": periods})


def _refuse(name: str, then: str, now: str) -> NoReturn:
    raise InputError(f"x: column {name!r} held {then} in the fit and holds {now} now; give the same kind.")


def listed_levels(names: list[str]) -> str:
    """The first of some names, and how many more there are."""
    more = f" and {len(names) - _NAMED} more" if len(names) > _NAMED else ""
    return ", ".join(names[:_NAMED]) + more
