"""Experiments: trackers and the datasets they run on, by a function of a module or by plain names."""

import importlib
import importlib.util
import inspect
import sys
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from traceback import extract_tb
from types import ModuleType
from typing import Any

from ebm.exceptions import EBMError, InputError
from ebm.lookup import unknown_name

__all__ = [
    "Experiment",
    "Tracker",
    "get_dataset",
    "parse_tracker",
    "read_experiment",
    "trackerlist",
    "with_runs",
]

_BUILT_IN = "pytracking.experiments"


@dataclass(frozen=True)
class Tracker:
    """A tracker of an experiment.

    Args:
        name: of the tracker.
        parameter_name: of its parameter set.
        run_id: number of the repetition, or None for a single run.
        display_name: in tables; None: ``name/parameter_name``.
        checkpoint: weights file; None looks for it.
    """

    name: str
    parameter_name: str
    run_id: int | None = None
    display_name: str | None = None
    checkpoint: str | Path | None = None

    @property
    def label(self) -> str:
        """Its name in tables, which its repetitions share."""
        return self.display_name or f"{self.name}/{self.parameter_name}"


@dataclass(frozen=True)
class Experiment:
    """Every tracker runs on every dataset."""

    trackers: tuple[Tracker, ...]
    datasets: tuple[str, ...]


def trackerlist(
    name: str,
    parameter_name: str,
    run_ids: int | Iterable[int] | None = None,
    display_name: str | None = None,
) -> list[Tracker]:
    """A tracker for each of `run_ids`; one where that is None or a number."""
    if run_ids is None or isinstance(run_ids, int):
        return [Tracker(name, parameter_name, run_ids, display_name)]
    return [Tracker(name, parameter_name, number, display_name) for number in run_ids]


def get_dataset(*names: str) -> list[str]:
    """The datasets of these names.

    Raises:
        UnknownNameError: naming the nearest ones.
    """
    from pytracking.evaluation.datasets import benchmark_name

    return [benchmark_name(name) for name in names]


def parse_tracker(text: str) -> Tracker:
    """``NAME/PARAMETERS`` or ``NAME/PARAMETERS=WEIGHTS``.

    Raises:
        InputError: if it is neither.
    """
    which, _, weights = text.partition("=")
    name, _, parameters = which.partition("/")
    if not name or not parameters or ("=" in text and not weights):
        raise InputError(f"A tracker is NAME/PARAMETERS or NAME/PARAMETERS=WEIGHTS; got {text!r}.")
    label = f"{which}={Path(weights).name}" if weights else None
    return Tracker(name, parameters, display_name=label, checkpoint=weights or None)


def read_experiment(module: str, name: str) -> Experiment:
    """What the function `name` of a module returns.

    Args:
        module: a Python file, with or without its ``.py``; else a module of ``pytracking.experiments``; else
            any that can be imported, from the current folder too. A file finds the modules beside it.
        name: of a function without arguments, which returns trackers and datasets: lists, or one of each. A
            tracker is a `Tracker` or a text for `parse_tracker`; a dataset is its name.

    Raises:
        InputError: if the file is not there, it or the function fails, or what that returns is none of these.
        UnknownNameError: if there is no such module, function or dataset.
    """
    file = Path(module if module.endswith(".py") else f"{module}.py")
    with _importable(file.parent, Path()), _faults_named(module):
        found = _file(file) if module.endswith(".py") or file.is_file() else _module(module)
        answer = _answer(found, module, name)
    if not isinstance(answer, tuple) or len(answer) != 2:
        raise InputError(f"Experiment {name} of {module} returns trackers and datasets; got {answer!r}.")
    trackers = [_tracker(item) for item in _listed(answer[0])]
    datasets = _listed(answer[1])
    if not trackers or not datasets or not all(isinstance(item, str) for item in datasets):
        raise InputError(
            f"Experiment {name} of {module} gives no trackers, or datasets that are no names: {answer!r}."
        )
    return Experiment(tuple(trackers), tuple(get_dataset(*datasets)))


@contextmanager
def _importable(*folders: Path) -> Iterator[None]:
    """Have modules of these folders found, as Python has those beside a script; installed ones come first."""
    added = [str(folder.resolve()) for folder in folders]
    sys.path.extend(added)
    try:
        yield
    finally:
        for folder in added:
            sys.path.remove(folder)


@contextmanager
def _faults_named(module: str) -> Iterator[None]:
    """Have what goes wrong in the user's own code end as an input that cannot be used, with its place."""
    try:
        yield
    except EBMError:
        raise
    except SyntaxError as error:
        raise InputError(f"{error.filename}, line {error.lineno}: {error.msg}.") from error
    except Exception as error:
        last = extract_tb(error.__traceback__)[-1]
        raise InputError(
            f"{module} fails: {type(error).__name__}: {error} ({last.filename}, line {last.lineno})."
        ) from error


def _answer(found: ModuleType, module: str, name: str) -> Any:
    """What the function `name` returns."""
    functions = {
        key: value
        for key, value in vars(found).items()
        if inspect.isfunction(value) and value.__module__ == found.__name__ and not key.startswith("_")
    }
    if name not in functions:
        raise unknown_name("experiment", name, functions, f"They are the functions of {module}.")
    return functions[name]()


def with_runs(trackers: Iterable[Tracker], runs: int | None) -> list[Tracker]:
    """Every tracker `runs` times; as they are where that is None."""
    if runs is None:
        return list(trackers)
    return [replace(tracker, run_id=number) for tracker in trackers for number in range(runs)]


def _listed(value: Any) -> list[Any]:
    return list(value) if isinstance(value, Sequence) and not isinstance(value, str) else [value]


def _tracker(item: Any) -> Tracker:
    if isinstance(item, Tracker):
        return item
    if isinstance(item, str):
        return parse_tracker(item)
    raise InputError(f"A tracker of an experiment is a Tracker or NAME/PARAMETERS; got {item!r}.")


def _file(path: Path) -> ModuleType:
    if not path.is_file():
        raise InputError(f"{path} is not there; an experiment is a function of a Python file.")
    # Its own name might be that of a module that it imports; what it defines is looked up by its name.
    spec = importlib.util.spec_from_file_location(f"_experiments_of_{path.stem}", path)
    assert spec is not None
    assert spec.loader is not None
    module = sys.modules[spec.name] = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def _module(name: str) -> ModuleType:
    named = all(part.isidentifier() for part in name.split("."))
    for full in (f"{_BUILT_IN}.{name}", name) if named else ():
        try:
            return importlib.import_module(full)
        except ModuleNotFoundError as error:
            if error.name is None or not full.startswith(error.name):
                raise
    folder = Path(importlib.import_module(_BUILT_IN).__path__[0])
    known = [path.stem for path in folder.glob("*.py") if path.stem != "__init__"]
    raise unknown_name(
        "module of experiments",
        name,
        known,
        f"A file lies in the current folder, {Path.cwd()}, or is named with its path.",
    )
