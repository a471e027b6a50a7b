"""Fit, calibrate, score and report one table; predict another one."""

import json
import sys
import warnings
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from ebm.exceptions import InputError
from ebm.files import write_atomic, write_json
from ebm.fitting import FittedEBM, fit
from ebm.fitting.tables import as_tensor
from ebm.pictures import Report, make_report
from ebm.tasks.table.parts import FEWEST, Parts, split
from ebm.tasks.table.predictions import predictions_csv
from ebm.tasks.table.sheets import Sheet
from ebm.tasks.tabular.study import versions

__all__ = ["FILES", "Choice", "Outcome", "fit_table", "predict_table", "write_outcome"]

FILES = ("model.ebm", "predictions.csv", "report.html", "summary.json")


@dataclass(frozen=True, kw_only=True)
class Choice:
    """What is fitted to what.

    Attributes:
        targets: names of the columns to predict.
        left_out: names of the columns that are no inputs either.
        test: share of the rows to score.
        calibration: share of the rows to calibrate with.
        in_order: rows are in order of time; the last ones are the test.
        level: of the intervals that are looked at closely.
        seed: of the parts and the fit.
        options: of `ebm.fit`.
    """

    targets: tuple[str, ...]
    left_out: tuple[str, ...] = ()
    test: float = 0.2
    calibration: float = 0.2
    in_order: bool = False
    level: float = 0.9
    seed: int = 0
    options: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class Outcome:
    """What came of a table.

    Attributes:
        fitted: the density, calibrated where there were rows for it.
        report: about the test rows.
        predictions: of the test rows, as CSV.
        parts: rows of the table, from 0.
        notes: what the user must know, in words.
    """

    fitted: FittedEBM
    report: Report
    predictions: str
    parts: Parts
    notes: tuple[str, ...]


def fit_table(sheet: Sheet, choice: Choice, title: str, checkpoint: Path | None = None) -> Outcome:
    """Fit to one part of the rows, calibrate with another, and report on a third.

    Args:
        sheet: the table.
        choice: what to do.
        title: of the report.
        checkpoint: of the fit, which goes on from it.

    Raises:
        InputError: if a column is not there, there are no inputs, or a column holds no numbers.
        DomainError: (a ValueError) if there are too few rows, or an option is outside its domain.
    """
    targets = sheet.only(choice.targets)
    sheet.only(choice.left_out)
    inputs = [name for name in sheet.names if name not in (*choice.targets, *choice.left_out)]
    if not inputs:
        raise InputError("no column is left as an input.")
    gaps = targets.missing()
    known = np.flatnonzero(~gaps)
    parts = split(known, choice.test, choice.calibration, in_order=choice.in_order, seed=choice.seed)
    notes = [f"{gaps.sum()} of {len(sheet)} rows have no target and were left out."] * bool(gaps.any())
    if not len(parts.calibration):
        notes.append(f"Not calibrated: that takes {FEWEST} rows of their own, for sets of 95 %.")
    rows = _Rows(sheet.only(inputs), sheet, choice.targets)
    _say(f"fitting to {len(parts.fit)} rows, {len(inputs)} inputs")
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        fitted = _fitted(rows, parts, choice, checkpoint)
    notes += dict.fromkeys(str(warning.message) for warning in caught)
    if len(parts.calibration):
        _say(f"calibrating with {len(parts.calibration)} rows")
        fitted.calibrate(*rows.of(parts.calibration))
    _say(f"scoring {len(parts.test)} rows")
    x, y = rows.of(parts.test)
    report = make_report(
        fitted,
        x,
        y,
        marginal=as_tensor("y", rows.of(parts.fit)[1]),
        level=choice.level,
        title=title,
        notes=notes,
        facts=_facts(parts, choice),
        seed=choice.seed,
    )
    actual = as_tensor("y", y).reshape(len(x), -1).numpy()
    predictions = predictions_csv(fitted, x, (parts.test + 1).tolist(), actual)
    return Outcome(fitted=fitted, report=report, predictions=predictions, parts=parts, notes=tuple(notes))


def write_outcome(outcome: Outcome, choice: Choice, folder: Path, command: str) -> None:
    """Write `FILES` to a folder, the model first.

    Raises:
        InputError: if a file cannot be written.
    """
    folder.mkdir(parents=True, exist_ok=True)
    outcome.fitted.save(folder / "model.ebm")
    write_atomic(folder / "predictions.csv", outcome.predictions)
    write_atomic(folder / "report.html", outcome.report.html)
    evaluation = outcome.report.evaluation
    scores = {
        score.name: {"mean": score.mean, "standard_error": score.standard_error}
        for score in evaluation.scores
    }
    record = {
        "command": command,
        "choice": asdict(choice) | {"options": dict(choice.options)},
        "rows": {name: len(rows) for name, rows in vars(outcome.parts).items()},
        "scores": json.loads(json.dumps(scores), parse_constant=lambda _: None),  # JSON has no NaN
        "verdict": outcome.report.verdict,
        "notes": outcome.notes,
        "versions": versions(),
    }
    write_json(folder / "summary.json", record)


def predict_table(fitted: FittedEBM, sheet: Sheet) -> tuple[str, str]:
    """Predictions of every row of a new table, and in words which of them no calibration covers.

    Args:
        fitted: the density; its inputs are taken by their names, other columns are left alone.
        sheet: the table; where it has the targets, they stand beside the predictions.

    Raises:
        InputError: if an input is not there or holds no numbers.
    """
    names = fitted.scaling.x_names
    targets = fitted.scaling.y_names or ()
    inputs = sheet.only([name for name in sheet.names if name not in targets] if names is None else names)
    actual = None
    if targets and set(targets) <= set(sheet.names):
        known = sheet.only(targets)
        if not known.missing().any():
            actual = as_tensor("y", known.frame).reshape(len(sheet), -1).numpy()
    text = predictions_csv(fitted, inputs.frame, range(1, len(sheet) + 1), actual)
    words = fitted.beyond(inputs.frame).words()
    return text, " ".join(words) or "All rows lie in the range of inputs that the fit saw."


@dataclass(frozen=True)
class _Rows:
    """Inputs and targets of a table."""

    inputs: Sheet
    sheet: Sheet
    targets: Sequence[str]

    def of(self, index: np.ndarray) -> tuple[Any, Any]:
        """Inputs and targets of some rows; a single target has one dimension."""
        some = self.sheet.rows(index)
        y = some.column(self.targets[0]) if len(self.targets) == 1 else some.only(self.targets).frame
        return self.inputs.rows(index).frame, y


def _fitted(rows: _Rows, parts: Parts, choice: Choice, checkpoint: Path | None) -> FittedEBM:
    """In order of time, what training is stopped by comes after what it learns from, too."""
    options = {"seed": choice.seed, "checkpoint": checkpoint, **choice.options}
    if not choice.in_order:
        return fit(*rows.of(parts.fit), **options)
    held = max(2, round(0.15 * len(parts.fit)))
    earlier, later = rows.of(parts.fit[:-held]), rows.of(parts.fit[-held:])
    return fit(*earlier, validation_data=later, **options)


def _facts(parts: Parts, choice: Choice) -> list[tuple[str, str]]:
    how = (
        "in the order of the file, the last ones tested"
        if choice.in_order
        else f"at random, seed {choice.seed}"
    )
    counts = f"{len(parts.fit)} to fit, {len(parts.calibration)} to calibrate, {len(parts.test)} to test"
    return [("rows", f"{counts}, {how}"), ("left out", ", ".join(choice.left_out) or "none")]


def _say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)
