"""Fit, calibrate, score and report one table; predict another one."""

import json
import math
import sys
import warnings
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from ebm.exceptions import DomainError, InputError
from ebm.files import write_atomic, write_json
from ebm.fitting import FittedEBM, fit
from ebm.fitting.tables import as_tensor
from ebm.pictures import Report, make_report
from ebm.tasks.table.parts import FEWEST, FEWEST_GROUPS, Parts, split
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
        groups: a column whose equal entries tell which rows belong together; no input.
        weights: a column that says how much each row counts in the fit; no input.
        dates: columns of text that are dates.
        test: share of the rows to score.
        calibration: share of the rows to calibrate with.
        in_order: rows are in order of time; the last ones are the test.
        levels: of intervals; the first is looked at closely.
        seed: of the parts and the fit.
        options: of `ebm.fit`.
    """

    targets: tuple[str, ...]
    left_out: tuple[str, ...] = ()
    groups: str | None = None
    weights: str | None = None
    dates: tuple[str, ...] = ()
    test: float = 0.2
    calibration: float = 0.2
    in_order: bool = False
    levels: tuple[float, ...] = (0.9,)
    seed: int = 0
    options: Mapping[str, Any] = field(default_factory=dict)

    @property
    def no_inputs(self) -> tuple[str, ...]:
        """Names of all columns that are no inputs."""
        others = [name for name in (self.groups, self.weights) if name is not None]
        return (*self.targets, *self.left_out, *others)


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
    sheet.only([name for name in (*choice.no_inputs, *choice.dates) if name not in choice.targets])
    inputs = [name for name in sheet.names if name not in choice.no_inputs]
    if not inputs:
        raise InputError("no column is left as an input.")
    sheet = sheet.dated(choice.dates)
    gaps = targets.missing()
    parts = _parts(sheet, np.flatnonzero(~gaps), choice)
    notes = [f"{gaps.sum()} of {len(sheet)} rows have no target and were left out."] * bool(gaps.any())
    notes += _notes(parts, choice)
    rows = _Rows(sheet.only(inputs), sheet, choice)
    _say(f"fitting to {len(parts.fit)} rows, {len(inputs)} inputs")
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        fitted = _fitted(rows, parts, choice, checkpoint)
    notes += dict.fromkeys(str(warning.message) for warning in caught)
    if len(parts.calibration):
        _say(f"calibrating with {len(parts.calibration)} rows")
        fitted.calibrate(*rows.of(parts.calibration), clusters=rows.groups(parts.calibration))
    _say(f"scoring {len(parts.test)} rows")
    x, y = rows.of(parts.test)
    report = make_report(
        fitted,
        x,
        y,
        marginal=as_tensor("y", rows.of(parts.fit)[1]),
        level=choice.levels[0],
        title=title,
        notes=notes,
        facts=_facts(sheet, parts, choice),
        numbers=(parts.test + 1).tolist(),
        seed=choice.seed,
    )
    actual = as_tensor("y", y).reshape(len(x), -1).numpy()
    levels = {0.5, *choice.levels}
    predictions = predictions_csv(fitted, x, (parts.test + 1).tolist(), actual, [*levels])
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


def predict_table(fitted: FittedEBM, sheet: Sheet, levels: Sequence[float] = (0.9,)) -> tuple[str, str]:
    """Predictions of every row of a new table, and in words which of them no calibration covers.

    Args:
        fitted: the density; its inputs are taken by their names, other columns are left alone.
        sheet: the table; where it has the targets, they stand beside the predictions. Texts in columns that
            were dates in the fit are read as such.
        levels: of intervals, beside 50 %.

    Raises:
        InputError: if an input is not there or holds no numbers.
    """
    names = fitted.scaling.x_names
    targets = fitted.scaling.y_names or ()
    inputs = sheet.only([name for name in sheet.names if name not in targets] if names is None else names)
    table = fitted.scaling.x_table
    inputs = inputs.dated([c.name for c in table.columns if c.kind == "date"] if table is not None else [])
    actual = None
    if targets and set(targets) <= set(sheet.names):
        known = sheet.only(targets)
        if not known.missing().any():
            actual = as_tensor("y", known.frame).reshape(len(sheet), -1).numpy()
    numbers, wanted = range(1, len(sheet) + 1), [*{0.5, *levels}]
    text = predictions_csv(fitted, inputs.frame, numbers, actual, wanted)
    words = fitted.beyond(inputs.frame).words()
    return text, " ".join(words) or "All rows lie in the range of inputs that the fit saw."


@dataclass(frozen=True)
class _Rows:
    """Inputs and targets of a table."""

    inputs: Sheet
    sheet: Sheet
    choice: Choice

    def groups(self, index: np.ndarray) -> Any:
        """Labels of some rows' groups; None where there are no groups."""
        return None if self.choice.groups is None else self.sheet.labels(self.choice.groups, index)

    def weights(self, index: np.ndarray) -> Any:
        """Weights of some rows; None where all count the same."""
        name = self.choice.weights
        return None if name is None else as_tensor("the weights", self.sheet.rows(index).column(name))

    def of(self, index: np.ndarray) -> tuple[Any, Any]:
        """Inputs and targets of some rows; a single target has one dimension."""
        some = self.sheet.rows(index)
        names = self.choice.targets
        y = some.column(names[0]) if len(names) == 1 else some.only(names).frame
        return self.inputs.rows(index).frame, y


def _fitted(rows: _Rows, parts: Parts, choice: Choice, checkpoint: Path | None) -> FittedEBM:
    """In order of time, what training is stopped by comes after what it learns from, too."""
    own: dict[str, Any] = {"seed": choice.seed, "checkpoint": checkpoint, **choice.options}
    if not choice.in_order:
        own |= {"groups": rows.groups(parts.fit), "sample_weight": rows.weights(parts.fit)}
        return fit(*rows.of(parts.fit), **own)
    held = max(2, round(0.15 * len(parts.fit)))
    first, last = parts.fit[:-held], parts.fit[-held:]
    return fit(*rows.of(first), validation_data=rows.of(last), sample_weight=rows.weights(first), **own)


def _parts(sheet: Sheet, known: np.ndarray, choice: Choice) -> Parts:
    """Which of the rows with a target are for what, with enough of them for the levels.

    Raises:
        DomainError: if a calibration has too few rows for a level.
    """
    groups = None if choice.groups is None else sheet.labels(choice.groups, known)
    shares = choice.test, choice.calibration
    parts = split(known, *shares, in_order=choice.in_order, groups=groups, seed=choice.seed)
    rows, what = parts.calibration, "rows"
    if choice.groups is not None:
        rows, what = np.unique(sheet.labels(choice.groups, rows)), f"different {choice.groups!r}"
    level = max(choice.levels)
    needed = math.ceil(level / (1 - level) - 1e-9)
    if 0 < len(rows) < needed:
        raise DomainError(
            f"a calibration with {len(rows)} {what} cannot guarantee {level:g}, that takes {needed}; give it "
            "a larger share (--calibration), ask for a lower --level, or do without (--calibration 0)."
        )
    return parts


def _notes(parts: Parts, choice: Choice) -> Iterator[str]:
    """What the user must know before the fit."""
    if not len(parts.calibration):
        of_groups = f"{FEWEST_GROUPS} different {choice.groups!r} of their own, for sets of 90 %"
        of_rows = f"{FEWEST} rows of their own, for sets of 95 %"
        yield f"Not calibrated: that takes {of_rows if choice.groups is None else of_groups}."
    if choice.groups is not None:
        yield (
            f"Rows of one {choice.groups!r} say the same to some extent: standard errors take them for "
            "independent, and are too small."
        )


def _facts(sheet: Sheet, parts: Parts, choice: Choice) -> list[tuple[str, str]]:
    how = (
        "in the order of the file, the last ones tested"
        if choice.in_order
        else f"at random, seed {choice.seed}"
    )
    counts = f"{len(parts.fit)} to fit, {len(parts.calibration)} to calibrate, {len(parts.test)} to test"
    if choice.groups is not None:
        how = f"by whole groups of {choice.groups!r}, {how}"
    facts = [("rows", f"{counts}, {how}"), ("left out", ", ".join(choice.left_out) or "none")]
    if choice.weights is not None:
        facts.append(("weights", f"{choice.weights}, in the fit; scores and calibration take all rows alike"))
    for name in choice.dates:
        dates = sheet.column(name)
        facts.append(("dates", f"{name}, from {dates.min()} to {dates.max()}"))
    support = choice.options.get("support")
    return facts + [("support", str(support))] * (support is not None)


def _say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)
