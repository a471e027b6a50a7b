"""Where a benchmark's files lie: patterns of a data file, filled in for a sequence."""

import json
import os
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from pathlib import Path

from ebm.exceptions import InputError
from ebm.images.listing import own_names
from pytracking.evaluation.data import plain_name

__all__ = ["Place", "entry_of", "official_table", "places_of", "required_entry"]

_TABLES = "pytracking.evaluation.sequences"


@dataclass(frozen=True, kw_only=True)
class Place:
    """One way in which the files of a sequence may lie below the root, as ``places.json`` describes it."""

    annotation: str
    images: str | None = None  # None: annotations alone
    hidden: tuple[str, ...] = ()
    every: int = 1
    numbered: str | None = None
    format: str = "boxes"

    def folder(self) -> str | None:
        """The pattern of the folder that belongs to one sequence, or None where annotations share one."""
        above = self.annotation.rpartition("/")[0]
        return above if "{" in above else None


def _read(name: str) -> dict:
    read: dict = json.loads((files(_TABLES) / f"{name}.json").read_text(encoding="utf-8"))
    return read


@cache
def places_of(benchmark: str) -> tuple[Place, ...]:
    """The ways in which a benchmark is distributed, official ones and PyTracking's, and annotations alone."""
    rows = _read("places")[benchmark]
    return tuple(Place(**{**row, "hidden": tuple(row.get("hidden", ()))}) for row in rows)


@cache
def official_table(benchmark: str) -> dict[str, dict]:
    """The official sequences of a benchmark, e.g. ``"otb"``, in order: name -> its row of the table."""
    content = _read(benchmark)
    rows = content["sequences"]
    if "of" in content:  # a part of another table
        whole = official_table(content["of"])
        return {name: whole[name] for name in rows}
    return {row: {} for row in rows} if isinstance(rows[0], str) else {row["name"]: row for row in rows}


@cache
def _listing(folder: str, changed: int) -> tuple[dict[str, str], dict[str, list[str]]]:
    """Entries of a folder by lower-case name and by plain name; `changed` tells one state from the next."""
    lower: dict[str, str] = {}
    plain: dict[str, list[str]] = {}
    for entry in sorted(own_names(os.listdir(folder))):
        lower.setdefault(entry.lower(), entry)
        plain.setdefault(plain_name(entry), []).append(entry)
    return lower, plain


def entry_of(root: Path, relative: str) -> Path | None:
    """The entry of a root with this relative path: as written, else up to case and separators of names.

    Raises:
        InputError: if two entries may be meant.
    """
    exact = root / relative
    if exact.exists():
        return exact
    found = root
    for part in relative.split("/"):
        if not (found / part).exists():
            if not found.is_dir():
                return None
            matches = _listing(str(found), found.stat().st_mtime_ns)[1].get(plain_name(part), [])
            if len(matches) > 1:
                raise InputError(
                    f"{found} holds {' and '.join(matches)}; which is {part}? Rename the one that is."
                )
            if not matches:
                return None
            part = matches[0]
        found = found / part
    return found


def required_entry(root: Path, relative: str, sequence: str) -> Path:
    """As `entry_of`.

    Raises:
        InputError: if it is not there.
    """
    found = entry_of(root, relative)
    if found is None:
        raise InputError(f"{root / relative} is missing (sequence {sequence}); unpack this sequence again.")
    return found
