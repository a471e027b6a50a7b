"""Do calibrated intervals and sets hold what they promise? Coverage and width over many splits.

Of the rows to fit, a part is kept back to calibrate on; the rows to test on take part in nothing.
"""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from importlib.metadata import version
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from ebm.exceptions import EBMError
from ebm.fitting import FitConfig, fit
from ebm.tasks.cells import Record, damaged_results, run_cells
from ebm.tasks.compare.budget import Budget
from ebm.tasks.compare.tables import TABLES, Split, load_split
from ebm.tasks.toy1d.store import to_plain

__all__ = [
    "KINDS",
    "LEVELS",
    "GuaranteePlan",
    "Held",
    "compute_guarantee",
    "held_by",
    "run_guarantees",
]

Array = NDArray[np.float64]
RESULTS = "guarantees.json"
LEVELS = (0.5, 0.8, 0.9, 0.95)
# Intervals as they come out of the fit, then calibrated ones, then calibrated sets.
KINDS = ("as fitted", "equal-tailed", "highest-density")
CALIBRATION_SHARE = 0.4


class Calibrated(Protocol):
    """What is asked of a fit, see `FittedEBM`."""

    def calibrate(self, x: Any, y: Any) -> Any:
        """Take rows to calibrate on."""

    def predict_interval(self, x: Any, level: Any = 0.9) -> Any:
        """For L levels ``(N, L, 2)``, or ``(N, D, L, 2)``."""

    def predict_set(self, x: Any, level: float = 0.9) -> Any:
        """Per row ``(runs, 2)``; one target."""

    def contains(self, x: Any, y: Any, level: float = 0.9) -> Any:
        """Whether each row's targets lie in its set, ``(N,)``."""


@dataclass(frozen=True, kw_only=True)
class GuaranteePlan:
    """What to check.

    Attributes:
        tables: keys of `TABLES`.
        splits: of every table.
        budget: of every fit.
    """

    tables: tuple[str, ...] = tuple(TABLES)
    splits: int = 20
    budget: Budget = field(default_factory=Budget)

    def cells(self) -> list[dict[str, Any]]:
        """All cells, one split after the other."""
        defaults = FitConfig().plain()
        settings = {
            "package": f"ebmtrack {version('ebmtrack')}",
            "config": {key: defaults[key] for key in sorted(defaults) if key != "seed"},
            "share": CALIBRATION_SHARE,
            **self.budget.plain(),
        }
        return [
            {"table": table, "split": split, "settings": settings}
            for split in range(self.splits)
            for table in self.tables
        ]


@dataclass(frozen=True, kw_only=True)
class Held:
    """What intervals or sets of one kind and level held on one split.

    Attributes:
        table: its table.
        split: its number.
        kind: of `KINDS`.
        level: promised.
        coverage: share of the targets inside, mean over targets; of sets that of the rows.
        width: mean length, of a set that of all its runs, in standard deviations of the target; NaN for
            sets of several targets, which are no intervals.
        runs: mean number of intervals that a set consists of; NaN likewise.
    """

    table: str
    split: int
    kind: str
    level: float
    coverage: float
    width: float
    runs: float


def run_guarantees(
    plan: GuaranteePlan,
    folder: Path,
    *,
    jobs: int = 1,
    report: Callable[[int, int, Record | None], None] | None = None,
) -> tuple[list[Held], list[str]]:
    """Run what is missing; every cell is written as soon as it is there.

    Args:
        plan: what to check.
        folder: holds `RESULTS`.
        jobs: processes.
        report: see `ebm.tasks.cells.run_cells`.

    Returns:
        What was held, and what was refused or failed, a line each.

    Raises:
        InputError: if the folder or its file cannot be used.
    """
    path = folder / RESULTS
    records = run_cells(plan.cells(), path, compute_guarantee, jobs=jobs, report=report)
    try:
        return [held for record in records for held in _read(record)], [
            f"{record['cell']['table']}, split {record['cell']['split']}: {message}"
            for record in records
            for message in record["messages"]
        ]
    except (KeyError, TypeError, ValueError) as error:
        raise damaged_results(path, error) from error


def compute_guarantee(
    cell: dict[str, Any], fit_rows: Callable[[Array, Array, int, Budget], Calibrated] | None = None
) -> Record:
    """Fit, calibrate and test on one split; the fields of its record as plain values.

    Args:
        cell: of a plan.
        fit_rows: fits rows by a seed; None is `ebm.fit`.
    """
    settings = cell["settings"]
    budget = Budget(**{name: settings[name] for name in Budget.__dataclass_fields__})
    split = load_split(cell["table"], cell["split"], budget.rows)
    kept_back = round(settings["share"] * len(split.x_train))
    y = split.targets()
    messages: list[str] = []
    held: list[dict[str, Any]] = []
    try:
        fitted = (fit_rows or _fit)(split.x_train[kept_back:], y[kept_back:], cell["split"], budget)
        held += _held(fitted, split, ("as fitted",), messages)
        fitted.calibrate(split.x_train[:kept_back], y[:kept_back])
        held += _held(fitted, split, KINDS[1:], messages)
    except EBMError as error:
        messages.append(f"failed: {error}")
    return {"held": to_plain(held), "messages": messages}


def _fit(x: Array, y: Array, seed: int, budget: Budget) -> Calibrated:
    fitted: Any = fit(x, y, seed=seed, progress=False, **budget.network_options())
    return fitted


def _held(fitted: Calibrated, split: Split, kinds: Sequence[str], messages: list[str]) -> list[Record]:
    """What each kind and level held; a level that is refused for want of rows is said in `messages`."""
    found = []
    for kind in kinds:
        for level in LEVELS:
            try:
                held = _held_at(fitted, split, kind, level)
            except EBMError as error:
                messages.append(f"{kind}, {100 * level:g} %: {error}")
                continue
            found.append({"kind": kind, "level": level, **held})
    return found


def _held_at(fitted: Calibrated, split: Split, kind: str, level: float) -> Record:
    if kind != "highest-density":
        ends = np.asarray(fitted.predict_interval(split.x_test, [level]), float)
        shape = (len(split.x_test), split.target_dim, 1, 2)
        return held_by([list(row) for row in ends.reshape(shape)], split)
    if split.target_dim == 1:
        return held_by([[np.asarray(row, float)] for row in fitted.predict_set(split.x_test, level)], split)
    inside = np.asarray(fitted.contains(split.x_test, split.y_test, level))
    return {"coverage": float(inside.mean()), "width": math.nan, "runs": math.nan}


def held_by(sets: Sequence[Sequence[Array]], split: Split) -> dict[str, float]:
    """Coverage, width and runs of sets.

    Args:
        sets: per row and target, ``(runs, 2)``.
        split: their rows to test on.
    """
    inside, width, runs = [], [], []
    for row, y in zip(sets, split.y_test, strict=True):
        for ends, value, unit in zip(row, y, split.unit, strict=True):
            inside.append(bool(((ends[:, 0] <= value) & (value <= ends[:, 1])).any()))
            width.append(float((ends[:, 1] - ends[:, 0]).sum() / unit))
            runs.append(len(ends))
    return {
        "coverage": float(np.mean(inside)),
        "width": float(np.mean(width)),
        "runs": float(np.mean(runs)),
    }


def _read(record: Record) -> list[Held]:
    cell = record["cell"]
    return [
        Held(
            table=cell["table"],
            split=cell["split"],
            kind=entry["kind"],
            **{name: float(entry[name]) for name in ("level", "coverage", "width", "runs")},
        )
        for entry in record["held"]
    ]
