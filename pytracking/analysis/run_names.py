"""Names of folders of results: ``dimp50_003`` of PyTracking, ``dimp50_003-1a2b3c4d`` of ours."""

import re
from pathlib import Path

__all__ = ["configuration_name", "is_run_of_ours", "runs_of", "split_name", "without_run"]

_RUN = re.compile(r"(.+)_(\d{3})")  # PyTracking's name of a run's folder, and ours before the hash


def without_run(path: Path) -> Path:
    """``atom/default_003`` -> ``atom/default``; any other folder as it is."""
    found = _RUN.fullmatch(path.name)
    return path.with_name(found[1]) if found else path


def runs_of(folder: Path) -> list[Path]:
    """The folders ``<name>_000``, ``<name>_001`` ... of PyTracking's layout for a folder ``<name>``."""
    siblings = folder.parent.iterdir() if folder.parent.is_dir() else ()
    return sorted(path for path in siblings if path.is_dir() and without_run(path) == folder != path)


def split_name(folder: Path) -> tuple[str, str]:
    """``dimp50_003-1a2b3c4d`` -> parameter set (``dimp50``) and hash."""
    stem, _, digest = folder.name.rpartition("-")
    head, _, run = stem.rpartition("_")
    return (head if head and len(run) == 3 and run.isdigit() else stem), digest


def is_run_of_ours(folder: Path) -> bool:
    """Whether a folder is called as a numbered run of a configuration with a hash."""
    return "-" in folder.name and _RUN.fullmatch(folder.name.rpartition("-")[0]) is not None


def configuration_name(folder: Path) -> str:
    """``dimp50_003-1a2b3c4d`` -> ``dimp50-1a2b3c4d``: what the runs of one configuration share."""
    return "-".join(split_name(folder))
