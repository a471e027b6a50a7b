"""Every method on every problem and split: a cell each, kept on disk, so that a study can go on later."""

import json
import platform
import warnings
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field, replace
from functools import lru_cache, partial
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import torch

from ebm.exceptions import NumericalError
from ebm.fitting import FitConfig
from ebm.fitting.recipes import RECIPES
from ebm.tasks.cells import Record, damaged_results, read_records, run_cells
from ebm.tasks.tabular.methods import METHODS, run_method
from ebm.tasks.tabular.predictions import Scores, score
from ebm.tasks.tabular.problems import PROBLEMS, Problem, load_problem

__all__ = ["Cell", "Plan", "Result", "read_results", "run_study", "versions"]

RESULTS = "results.json"


@dataclass(frozen=True, kw_only=True)
class Plan:
    """What to compare.

    Attributes:
        methods: entries of `ebm.tasks.tabular.methods.METHODS`.
        splits: how many seeds each problem is run with: 0, 1, ...
        config: network and budget, the same for all methods.
        device: where to train.
    """

    methods: tuple[str, ...] = METHODS
    splits: Mapping[str, int] = field(default_factory=lambda: {"diabetes": 10, "toy-1": 3, "toy-2": 3})
    config: FitConfig = field(default_factory=FitConfig)
    device: str = "cpu"

    def cells(self) -> list["Cell"]:
        """All cells, one split after the other, so that an interrupted study has all methods."""
        return [
            Cell(problem=problem, method=method, seed=seed, settings=self._settings(method))
            for seed in range(max(self.splits.values(), default=0))
            for problem in PROBLEMS
            if seed < self.splits.get(problem, 0)
            for method in self.methods
        ]

    def _settings(self, method: str) -> dict[str, Any]:
        """What a result depends on; a result made with other settings is not taken for this one."""
        budget = {key: value for key, value in self.config.plain().items() if key not in ("loss", "seed")}
        recipe = json.loads(json.dumps(dict(RECIPES.get(method, {}))))
        return {**budget, "loss_options": recipe, "device": torch.device(self.device).type}


@dataclass(frozen=True, kw_only=True)
class Cell:
    """One method on one split of one problem."""

    problem: str
    method: str
    seed: int
    settings: dict[str, Any]


@dataclass(frozen=True, kw_only=True)
class Result:
    """What became of a cell.

    Attributes:
        cell: the cell.
        scores: None where training failed.
        true_nll: of the test rows under the density they were drawn from, nats, where it is known.
        messages: warnings, or the error.
    """

    cell: Cell
    scores: Scores | None
    true_nll: float | None
    messages: tuple[str, ...]


def run_study(
    plan: Plan, folder: Path, report: Callable[[int, int, Result | None], None] | None = None
) -> list[Result]:
    """Run what is missing; every result is written as soon as it is there.

    Args:
        plan: what to compare.
        folder: holds ``results.json``; results of other settings that it has stay in it.
        report: told after every cell how many of how many are done, and the result.

    Returns:
        The results of the plan's cells, in their order.

    Raises:
        InputError: if the folder or its file cannot be used.
    """
    records = run_cells(
        [asdict(cell) for cell in plan.cells()],
        folder / RESULTS,
        partial(_run, plan),
        report=None if report is None else lambda done, total, record: report(done, total, _told(record)),
    )
    return [_result(record) for record in records]


def read_results(folder: Path) -> list[Result]:
    """The results in a folder; none where it has no file of them.

    Raises:
        InputError: if the file is damaged.
    """
    path = folder / RESULTS
    try:
        return [_result(record) for record in read_records(path)]
    except (KeyError, TypeError) as error:
        raise damaged_results(path, error) from error


def versions() -> dict[str, str]:
    """What the figures were made with."""
    found = {"python": platform.python_version(), "machine": platform.machine()}
    for name in ("ebmtrack", "torch", "numpy", "scikit-learn"):
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            found[name] = "not installed"
    return found


def _result(record: Record) -> Result:
    return Result(
        cell=Cell(**record["cell"]),
        scores=None if record["scores"] is None else Scores(**record["scores"]),
        true_nll=record["true_nll"],
        messages=tuple(record["messages"]),
    )


def _told(record: Record | None) -> Result | None:
    return None if record is None else _result(record)


def _run(plan: Plan, cell: dict[str, Any]) -> Record:
    problem = _problem(cell["problem"], cell["seed"])
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        try:
            predictions = run_method(
                cell["method"], problem, replace(plan.config, seed=cell["seed"]), device=plan.device
            )
            scores = asdict(score(predictions, problem.y_test))
            messages = sorted({str(w.message) for w in caught})
        except NumericalError as error:
            scores, messages = None, [str(error)]
    return {"scores": scores, "true_nll": problem.true_nll, "messages": messages}


@lru_cache(maxsize=1)
def _problem(name: str, seed: int) -> Problem:
    """A problem, kept while one method after the other is run on it."""
    return load_problem(name, seed)
