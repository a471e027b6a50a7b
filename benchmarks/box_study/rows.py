"""Results of the study as a CSV file that grows by one whole row at a time."""

import csv
import os
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import TYPE_CHECKING, Any, Generic, TypeVar

from ebm.exceptions import InputError

if TYPE_CHECKING:
    from _typeshed import DataclassInstance

__all__ = ["Row", "Store"]

_SAME = ("samples", "start_samples")  # what rows and the budget must agree in
T = TypeVar("T", bound="DataclassInstance")


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


R = TypeVar("R", bound="DataclassInstance")


class Store(Generic[R]):
    """The CSV file of a study.

    Args:
        path: the file; made with the first row.
        budget: rows of another budget are refused, since they compare with nothing.
        kind: of the rows; they have the fields of the study's runs and those of `_SAME` that the budget has.

    Raises:
        InputError: if the file is no such table, or holds rows of another budget.
    """

    def __init__(self, path: Path, budget: Any, kind: type[R]) -> None:
        self.path, self.kind = path, kind
        self.rows: list[R] = list(self._read()) if path.is_file() else []
        same = [name for name in _SAME if hasattr(budget, name)]
        for row in self.rows:
            there, wanted = ([getattr(one, name) for name in same] for one in (row, budget))
            if there != wanted:
                raise InputError(
                    f"{path} holds runs of {there[0]} samples{_after(there)}, not of {wanted[0]}"
                    f"{_after(wanted)}; give the same numbers of samples, or another --csv."
                )

    def _read(self) -> Iterable[R]:
        kinds: dict[str, Any] = {field.name: field.type for field in fields(self.kind)}
        with self.path.open(newline="", encoding="utf-8") as file:
            table = csv.DictReader(file)
            if table.fieldnames != list(kinds):
                raise InputError(
                    f"{self.path} is no table of this study: its columns are {table.fieldnames}."
                )
            for line in table:
                yield self.kind(**{name: kind(line[name]) for name, kind in kinds.items()})

    def _row_of(self, run: "DataclassInstance") -> R | None:
        wanted = asdict(run)
        return next((r for r in self.rows if all(getattr(r, k) == v for k, v in wanted.items())), None)

    def missing(self, runs: "Iterable[T]") -> "list[T]":
        """The runs that have no row yet."""
        return [run for run in runs if self._row_of(run) is None]

    def add(self, row: R) -> None:
        """Append a row, on disk before this returns."""
        new = not self.path.is_file()
        self.path.parent.mkdir(parents=True, exist_ok=True)
        with self.path.open("a", newline="", encoding="utf-8") as file:
            table = csv.DictWriter(file, [field.name for field in fields(self.kind)], lineterminator="\n")
            if new:
                table.writeheader()
            table.writerow({name: _text(value) for name, value in asdict(row).items()})
            file.flush()
            os.fsync(file.fileno())
        self.rows.append(row)

    def select(self, runs: "Iterable[DataclassInstance]") -> list[R]:
        """The rows of these runs that are there, in their order."""
        return [row for run in runs if (row := self._row_of(run)) is not None]


def _after(numbers: Sequence[int]) -> str:
    return f" after {numbers[1]}" if len(numbers) > 1 else ""


def _text(value: str | float) -> str:
    return f"{value:.6g}" if isinstance(value, float) else str(value)
