"""The comparison: every method on every split of every table, a cell each."""

import time
import warnings
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, field
from functools import lru_cache
from pathlib import Path
from typing import Any

from ebm.tasks.cells import Record, damaged_results, read_records, run_cells
from ebm.tasks.compare.answers import Scores, in_units, measure
from ebm.tasks.compare.budget import Budget
from ebm.tasks.compare.methods import METHODS
from ebm.tasks.compare.tables import TABLES, Split, load_split
from ebm.tasks.toy1d.store import to_plain

__all__ = ["RESULTS", "Plan", "Result", "compute_cell", "read_results", "run_study"]

RESULTS = "compare.json"


@dataclass(frozen=True, kw_only=True)
class Plan:
    """What to compare.

    Attributes:
        tables: keys of `TABLES`.
        methods: keys of `METHODS`.
        splits: of every table, numbered from 0.
        budget: of every method.
    """

    tables: tuple[str, ...] = tuple(TABLES)
    methods: tuple[str, ...] = tuple(METHODS)
    splits: int = 5
    budget: Budget = field(default_factory=Budget)

    def cells(self) -> list[dict[str, Any]]:
        """All cells, one split after the other, so that an interrupted study has all tables."""
        settings = {name: METHODS[name].settings(self.budget) for name in self.methods}
        return [
            {"table": table, "method": method, "split": split, "settings": settings[method]}
            for split in range(self.splits)
            for table in self.tables
            for method in self.methods
        ]


@dataclass(frozen=True, kw_only=True)
class Result:
    """What became of a cell.

    Attributes:
        table: its table.
        method: its method.
        split: the number of its split.
        scores: None where the method failed.
        true_nll: of the test rows under what they were drawn from, in the unit of `Scores.nll`; None where
            nobody knows it.
        messages: warnings, or the error.
    """

    table: str
    method: str
    split: int
    scores: Scores | None
    true_nll: float | None
    messages: tuple[str, ...]


def run_study(
    plan: Plan,
    folder: Path,
    *,
    jobs: int = 1,
    report: Callable[[int, int, Record | None], None] | None = None,
) -> list[Result]:
    """Run what is missing; every result is written as soon as it is there.

    Args:
        plan: what to compare.
        folder: holds `RESULTS`; results of other settings that it has stay in it.
        jobs: processes.
        report: see `ebm.tasks.cells.run_cells`.

    Returns:
        The results of the plan's cells, in their order.

    Raises:
        InputError: if the folder or its file cannot be used.
    """
    path = folder / RESULTS
    return _results(run_cells(plan.cells(), path, compute_cell, jobs=jobs, report=report), path)


def read_results(folder: Path) -> list[Result]:
    """The results in a folder; none where it has no file of them.

    Raises:
        InputError: if the file is damaged.
    """
    return _results(read_records(folder / RESULTS), folder / RESULTS)


def compute_cell(cell: dict[str, Any]) -> Record:
    """Fit and ask the method of a cell; the fields of its record as plain values."""
    split = _split(cell["table"], cell["split"], cell["settings"]["rows"])
    method = METHODS[cell["method"]]
    budget = Budget(**{name: cell["settings"][name] for name in Budget.__dataclass_fields__})
    scores: Scores | None = None
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        try:
            method.load()
            start = time.process_time()
            answer = method.fit(split, cell["split"], budget)
            fitted = time.process_time()
            answers = answer()
            scores = measure(answers, split, fitted - start, time.process_time() - fitted)
            messages = sorted({str(w.message) for w in caught})
        except Exception as error:  # noqa: BLE001  a peer may raise anything, and the others shall go on
            messages = [f"{type(error).__name__}: {error}"]
    return {
        "scores": None if scores is None else to_plain(asdict(scores)),
        "true_nll": None if split.true_nll is None else in_units(split.true_nll, split),
        "messages": messages,
    }


@lru_cache(maxsize=1)
def _split(table: str, number: int, rows: int | None) -> Split:
    """A split, kept while one method after the other is run on it."""
    return load_split(table, number, rows)


def _results(records: Sequence[Record], path: Path) -> list[Result]:
    try:
        return [_result(record) for record in records]
    except (KeyError, TypeError, ValueError) as error:
        raise damaged_results(path, error) from error


def _result(record: Record) -> Result:
    cell, scores = record["cell"], record["scores"]
    read = None
    if scores is not None:
        numbers: dict[str, Any] = {k: None if v is None else float(v) for k, v in scores.items()}
        read = Scores(**numbers)
    return Result(
        table=cell["table"],
        method=cell["method"],
        split=cell["split"],
        scores=read,
        true_nll=record["true_nll"],
        messages=tuple(record["messages"]),
    )
