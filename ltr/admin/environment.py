"""Where datasets, networks and outputs lie on this machine, and who said so."""

import os
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import platformdirs

from ebm.exceptions import InputError
from ebm.files import expanded
from ebm.lookup import lookup, unknown_name
from ltr.admin.known_datasets import DATASETS
from ltr.admin.legacy_paths import read_legacy_paths

__all__ = [
    "Located",
    "Paths",
    "configured_datasets",
    "dataset_root",
    "locate_dataset",
    "network_folders",
    "paths_files",
    "read_paths",
    "require_dataset_root",
    "workspace",
]


@dataclass(frozen=True, kw_only=True)
class Located:
    """A path and the place it came from, for messages."""

    path: Path
    origin: str

    @property
    def exists(self) -> bool:
        """Whether the folder is there now."""
        return self.path.is_dir()


@dataclass(frozen=True, kw_only=True)
class Paths:
    """All configured paths of this machine, precedence already resolved."""

    datasets: Mapping[str, Located]
    workspace: Located
    networks: tuple[Located, ...]


def paths_files() -> tuple[Path, Path]:
    """The two files that are looked at: the project's ``./paths.toml``, then the user's."""
    return Path.cwd() / "paths.toml", Path(platformdirs.user_config_dir("ebmtrack")) / "paths.toml"


def _check_table(file: Path, table: str, value: Any, allowed: set[str]) -> dict[str, Any]:
    """`value` as a table whose keys are all in `allowed`; InputError naming the file otherwise."""
    if not isinstance(value, dict):
        raise InputError(f'{file}: [{table}] must be a table of lines such as lasot = "/data/LaSOT".')
    for key in value:
        if key not in allowed:
            raise InputError(f"{file}: {unknown_name(f'key in [{table}]', key, allowed)}")
    return value


def _as_paths(file: Path, key: str, value: Any) -> list[Path]:
    """A string or list of strings as paths; relative ones count from the file's own folder."""
    values = value if isinstance(value, list) else [value]
    if not all(isinstance(v, str) and v for v in values):
        raise InputError(f"{file}: {key} must be a path in quotes, not {value!r}.")
    return [file.parent / expanded(v) for v in values]


def _read_toml(file: Path) -> dict[str, list[Located]]:
    """Key -> paths of one paths.toml; nothing if there is no such file.

    Raises:
        InputError: if the file is not TOML (naming the line) or says something we do not know.
    """
    if not file.is_file():
        return {}
    try:
        content = tomllib.loads(file.read_text(encoding="utf-8"))
    except (ValueError, RecursionError) as error:  # no TOML, no text, thousands of brackets
        raise InputError(
            f'{file} is not valid TOML: {error}. A line reads lasot = "/data/LaSOT"; backslashes need '
            "single quotes."
        ) from error
    _check_table(file, "paths.toml", content, {"datasets", "outputs", "legacy"})
    entries = dict(_check_table(file, "datasets", content.get("datasets", {}), set(DATASETS)))
    entries |= _check_table(file, "outputs", content.get("outputs", {}), {"workspace", "networks"})
    entries |= _check_table(file, "legacy", content.get("legacy", {}), {"pytracking"})
    return {k: [Located(path=p, origin=str(file)) for p in _as_paths(file, k, v)] for k, v in entries.items()}


def _read_environment() -> dict[str, list[Located]]:
    """Key -> paths of the EBMTRACK_* variables; an empty variable counts as not set."""
    found: dict[str, list[Located]] = {}
    for key in (*DATASETS, "workspace", "networks", "pytracking"):
        variable = f"EBMTRACK_{key.upper()}"
        value = os.environ.get(variable, "").strip()
        if value:
            # Only networks is a list; a dataset root may legally contain the separator.
            parts = value.split(os.pathsep) if key == "networks" else [value]
            origin = f"environment variable {variable}"
            found[key] = [Located(path=expanded(part), origin=origin) for part in parts if part]
    return found


def _read_legacy(named: list[Located]) -> dict[str, list[Located]]:
    """Key -> paths of an existing PyTracking clone: the one named, otherwise one in the current folder."""
    clones = [located.path for located in named] or [Path.cwd()]
    found: dict[str, list[Located]] = {}
    for clone in clones:
        for key, (path, origin) in read_legacy_paths(clone).items():
            found.setdefault(key, []).append(Located(path=path, origin=origin))
    return found


def read_paths() -> Paths:
    """Everything configured on this machine.

    Precedence, highest first: environment variables ``EBMTRACK_<KEY>``, ``./paths.toml``, the user's
    ``paths.toml``, an existing PyTracking ``local.py`` (in the current folder, or in the clone named by
    ``EBMTRACK_PYTRACKING`` or ``[legacy] pytracking``). Command arguments come before all of these, see
    `locate_dataset`.

    Raises:
        InputError: if a file that is looked at is broken, naming file and line.
    """
    layers = [_read_environment(), *(_read_toml(file) for file in paths_files())]
    merged: dict[str, list[Located]] = {}
    for layer in layers:
        merged = layer | merged
    merged = _read_legacy(merged.get("pytracking", [])) | merged
    default = Located(path=Path.cwd() / "runs", origin="default")
    home = merged["workspace"][0] if "workspace" in merged else default
    beside = Located(path=home.path / "networks", origin="default, below the workspace")
    return Paths(
        datasets={key: merged[key][0] for key in DATASETS if key in merged},
        workspace=home,
        networks=tuple(merged.get("networks", [beside])),
    )


def locate_dataset(key: str, override: str | Path | None = None) -> Located | None:
    """The root configured for a dataset and where that was said; None if nobody said anything.

    Args:
        key: one of `DATASETS`.
        override: a root given as a command argument; wins over every other source.

    Raises:
        UnknownNameError: if `key` is no dataset.
        InputError: if a configuration file is broken.
    """
    lookup("dataset", key, DATASETS)
    if override is not None:
        return Located(path=expanded(override), origin="argument")
    return read_paths().datasets.get(key)


def dataset_root(key: str, override: str | Path | None = None) -> Path | None:
    """The root configured for a dataset, unchecked, or None. Arguments and errors as `locate_dataset`."""
    located = locate_dataset(key, override)
    return located.path if located else None


def require_dataset_root(
    key: str, override: str | Path | None = None, *, root_option: str | None = "--root DIR"
) -> Path:
    """The existing root of a dataset.

    Args:
        key: one of `DATASETS`.
        override: a root given as a command argument.
        root_option: the argument that gives it, for the error; None where the command has none.

    Raises:
        InputError: if it is not configured or not there; one paragraph that says how to set it.
    """
    located = locate_dataset(key, override)
    if located is not None and located.exists:
        return located.path
    info, (project, user) = DATASETS[key], paths_files()
    if located is None:
        problem = f"{info.title} is not configured on this machine."
    else:
        problem = f"{info.title} was expected at {located.path} ({located.origin}); there is no such folder."
    ways = "two" if root_option is None else "three"
    passed = "" if root_option is None else f"pass {root_option.replace('DIR', str(info.example))}; "
    raise InputError(
        f"{problem} Its root is the folder that holds {info.holds}. Say where it is in one of {ways} ways: "
        f"{passed}set the environment variable EBMTRACK_{key.upper()}={info.example}; or write the line "
        f'{key} = "{info.example}" under the heading [datasets] in {project} (this project) or {user} (all '
        "projects)."
    )


def configured_datasets() -> dict[str, Located]:
    """The datasets that are configured, in the order of `DATASETS`, whether or not their folders exist."""
    return dict(read_paths().datasets)


def workspace() -> Path:
    """The folder that outputs go to: configured, or ``./runs``. It need not exist yet."""
    return read_paths().workspace.path


def network_folders() -> tuple[Path, ...]:
    """Folders in which weights are looked for, in order; they need not exist."""
    return tuple(located.path for located in read_paths().networks)
