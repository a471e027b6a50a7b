"""Results of the study as a CSV file that grows by one whole row at a time."""

import csv
import os
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any

from box_study.plan import Budget, Run
from ebm.exceptions import InputError

__all__ = ["Row", "Store"]


@dataclass(frozen=True, kw_only=True)
class Row:
    """What came out of one run.

    Attributes:
        loss: see `Run`.
        noise: see `Run`.
        seed: see `Run`.
        trained: see `Run`.
        change: see `Run`.
        samples: training samples.
        start_samples: training samples of the start.
        step_length: of the refinement, relative box units, as chosen on other frames.
        iou_start: mean overlap of the starts of the refinement with the true boxes.
        iou: mean overlap after it.
        good: share of the refined boxes with an overlap above 0.75.
        auc: of the tracker, percent.
        op50: of the tracker, percent.
        op75: of the tracker, percent.
        training_loss: mean of the box loss over the last fifth of the training.
        seconds: processor time.
    """

    loss: str
    noise: float
    seed: int
    trained: str
    change: str
    samples: int
    start_samples: int
    step_length: float
    iou_start: float
    iou: float
    good: float
    auc: float
    op50: float
    op75: float
    training_loss: float
    seconds: float


class Store:
    """The CSV file of a study.

    Args:
        path: the file; made with the first row.
        budget: rows of another budget are refused, since they compare with nothing.

    Raises:
        InputError: if the file is no such table, or holds rows of another budget.
    """

    def __init__(self, path: Path, budget: Budget) -> None:
        self.path, self.budget = path, budget
        self.rows = list(self._read()) if path.is_file() else []
        wanted = (budget.samples, budget.start_samples)
        for row in self.rows:
            if (row.samples, row.start_samples) != wanted:
                raise InputError(
                    f"{path} holds runs of {row.samples} samples after {row.start_samples}, not of "
                    f"{wanted[0]} after {wanted[1]}; give the same --samples and "
                    "--start-samples, or another --csv."
                )

    def _read(self) -> Iterable[Row]:
        kinds: dict[str, Any] = {field.name: field.type for field in fields(Row)}
        with self.path.open(newline="", encoding="utf-8") as file:
            table = csv.DictReader(file)
            if table.fieldnames != list(kinds):
                raise InputError(
                    f"{self.path} is no table of this study: its columns are {table.fieldnames}."
                )
            for line in table:
                yield Row(**{name: kind(line[name]) for name, kind in kinds.items()})

    def missing(self, runs: Iterable[Run]) -> list[Run]:
        """The runs that have no row yet."""
        done = {(r.loss, r.noise, r.seed, r.trained, r.change) for r in self.rows}
        return [run for run in runs if tuple(asdict(run).values()) not in done]

    def add(self, row: Row) -> None:
        """Append a row, on disk before this returns."""
        new = not self.path.is_file()
        self.path.parent.mkdir(parents=True, exist_ok=True)
        with self.path.open("a", newline="", encoding="utf-8") as file:
            table = csv.DictWriter(file, [field.name for field in fields(Row)], lineterminator="\n")
            if new:
                table.writeheader()
            table.writerow({name: _text(value) for name, value in asdict(row).items()})
            file.flush()
            os.fsync(file.fileno())
        self.rows.append(row)

    def select(self, runs: Sequence[Run]) -> list[Row]:
        """The rows of these runs that are there, in their order."""
        by_run = {(r.loss, r.noise, r.seed, r.trained, r.change): r for r in self.rows}
        keys = [tuple(asdict(run).values()) for run in runs]
        return [by_run[key] for key in keys if key in by_run]


def _text(value: str | float) -> str:
    return f"{value:.6g}" if isinstance(value, float) else str(value)
