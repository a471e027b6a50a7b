"""Whose `ebm`, `ltr` and `pytracking` are loaded, and how to part them from others of these names.

`faults` is quick and runs at every start of the command: it looks where Python would import the packages
from, and compares the sizes of the installed files with the list that the installer has left. `inspect` is
thorough: it compares hashes, and names whatever else lies in the way. Nothing is imported.
"""

import base64
import hashlib
import importlib.util
import os
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

__all__ = ["HOME", "PACKAGES", "Fault", "faults", "inspect"]

PACKAGES = ("ebm", "ltr", "pytracking")
HOME = Path(__file__).resolve().parents[1]  # holds the three packages: a clone or site-packages
_OPENCV = ("opencv", "opencv_contrib")  # each also as ..._headless
_SHOWN = 4
_AGAIN = "install EBMTrack again ('pip install --force-reinstall --no-deps' with its clone or wheel)"


@dataclass(frozen=True)
class Fault:
    """What is wrong with the installation, what to do, and whether a command may run all the same."""

    what: str
    remedy: str
    fatal: bool = True

    def __str__(self) -> str:
        return f"{self.what} {self.remedy}"


class _Entry(NamedTuple):
    """A line of an installer's RECORD: path relative to site-packages, ``sha256=...``, bytes."""

    path: str
    digest: str
    size: str


def _records(site: Path, pattern: str) -> Iterator[tuple[str, list[_Entry]]]:
    """Name and version of the distributions in a folder, with the files that each has installed."""
    for folder in sorted(site.glob(f"{pattern}.dist-info")):
        try:
            lines = (folder / "RECORD").read_text(encoding="utf-8").splitlines()
        except OSError:
            continue
        entries = [_Entry(*line.rsplit(",", 2)) for line in lines if line.count(",") >= 2]
        yield folder.name.removesuffix(".dist-info").replace("-", " ", 1), entries


def _claims(site: Path, names: Sequence[str]) -> dict[str, set[str]]:
    """Files below packages of these names, by the other distributions that have installed them."""
    heads = tuple(f"{name}/" for name in names)
    claims = {}
    for owner, entries in _records(site, "*"):
        files = {e.path for e in entries if e.path.startswith(heads) and "__pycache__" not in e.path}
        if files and not owner.startswith("ebmtrack "):
            claims[owner] = files
    return claims


def _origin(name: str) -> Path | None:
    """The file or, without an ``__init__.py``, the folder that ``import name`` would load."""
    spec = importlib.util.find_spec(name)
    if spec is None:
        return None
    if spec.origin is not None:
        return Path(spec.origin)
    return Path(next(iter(spec.submodule_search_locations or ["?"])))


def _same(path: Path, other: Path) -> bool:
    return path.exists() and other.exists() and path.samefile(other)


def _misplaced(name: str, home: Path) -> Fault | None:
    """The fault where ``import name`` would not load `home`'s package."""
    expected = home / name / "__init__.py"
    origin = _origin(name)
    if origin is None:
        return Fault(f"The package '{name}' is missing from {home}.", f"To mend that, {_AGAIN}.")
    if _same(origin, expected):
        return None
    folder = origin.parent if origin.name == "__init__.py" else origin
    if _same(folder, expected.parent):  # Python takes the rest of the package for a namespace
        return Fault(f"{expected} is missing.", f"To mend that, {_AGAIN}.")
    what = f"'import {name}' takes {folder}, which is not EBMTrack's ({expected.parent})."
    return Fault(what, _way_out(folder))


def _way_out(folder: Path) -> str:
    """How to keep a foreign package out: it depends on how it came onto the path."""
    parent = folder.parent
    listed = [Path(part) for part in os.environ.get("PYTHONPATH", "").split(os.pathsep) if part]
    if any(_same(parent, part) for part in listed):
        return f"It comes from PYTHONPATH: unset PYTHONPATH, or take {parent} out of it."
    if "site-packages" in parent.parts or "dist-packages" in parent.parts:
        owners = sorted(_claims(parent, [folder.name.removesuffix(".py")]))
        if owners:
            names = ", ".join(owners)
            return (
                f"It was installed by {names}: give EBMTrack an environment of its own, or uninstall "
                f"{names} ('pip uninstall {' '.join(owner.split()[0] for owner in owners)}')."
            )
    if _same(parent, Path.cwd()):
        return "It lies in the current folder: start the command from another folder, or rename it."
    return f"Take {parent} off Python's path (PYTHONPATH, .pth files), or use an environment without it."


def _differing(home: Path, by_content: bool) -> tuple[set[str], set[str]]:
    """Installed files that are not as the installer left them: the changed and the missing."""
    changed: set[str] = set()
    missing: set[str] = set()  # without what `_misplaced` tells of
    heads = tuple(f"{name}/" for name in PACKAGES)
    for _, entries in _records(home, "ebmtrack-*"):
        for entry in entries:
            if not entry.size or not entry.path.startswith(heads):
                continue
            path = f"{home}/{entry.path}"  # a string: pathlib would take longer than the rest
            try:
                same = os.stat(path).st_size == int(entry.size)
                if same and by_content:
                    same = _digest(path) == entry.digest
            except OSError:
                if entry.path.removesuffix("/__init__.py") not in PACKAGES:
                    missing.add(entry.path)
            else:
                if not same:
                    changed.add(entry.path)
    return changed, missing


def _digest(path: str) -> str:
    with open(path, "rb") as file:
        raw = hashlib.file_digest(file, "sha256").digest()
    return "sha256=" + base64.urlsafe_b64encode(raw).rstrip(b"=").decode()


def _overwritten(home: Path, by_content: bool) -> list[Fault]:
    """Faults for installed files that are not EBMTrack's any more."""
    changed, missing = _differing(home, by_content)
    found = []
    for owner, files in _claims(home, PACKAGES).items() if changed else ():
        if theirs := files & changed:
            changed -= theirs
            way_out = (
                f"The two cannot share an environment: 'pip uninstall {owner.split()[0]}', then {_AGAIN}; or "
                "give one of them an environment of its own."
            )
            found.append(Fault(f"{owner} has overwritten {_some(theirs)} of EBMTrack in {home}.", way_out))
    if missing:
        what = f"{_some(missing)} of EBMTrack {'is' if len(missing) == 1 else 'are'} missing from {home}."
        found.append(Fault(what, f"To mend that, {_AGAIN}."))
    if changed:
        what = f"{_some(changed)} of EBMTrack in {home} {'was' if len(changed) == 1 else 'were'} changed."
        found.append(Fault(what, f"If not by you, {_AGAIN}.", fatal=False))
    return found


def _some(files: set[str]) -> str:
    names = sorted(files)
    more = f" and {len(names) - _SHOWN} more" if len(names) > _SHOWN else ""
    return f"{len(names)} file{'s' * (len(names) != 1)} ({', '.join(names[:_SHOWN])}{more})"


def faults(home: Path = HOME, *, by_content: bool = False) -> list[Fault]:
    """What would make a command run another project's files.

    Args:
        home: the folder of EBMTrack's packages.
        by_content: compare installed files by hash and not by size; takes a tenth of a second.
    """
    misplaced = (_misplaced(name, home) for name in PACKAGES)
    return [*filter(None, misplaced), *_overwritten(home, by_content)]


def _neighbours(home: Path) -> Iterator[Fault]:
    """What does no harm yet: distributions and folders of the same names that Python finds later."""
    for owner, files in _claims(home, PACKAGES).items():
        folders = sorted({file.split("/")[0] for file in files})
        yield Fault(
            f"{owner} has {len(files)} files in {', '.join(folders)} of {home} too.",
            "Installing or removing one takes files from the other: keep them in two environments.",
            fatal=False,
        )
    for folder in _path_folders():
        for name in PACKAGES:
            init = folder / name / "__init__.py"
            loaded = _origin(name)
            if init.is_file() and not _same(init.parent, home / name) and loaded != init:
                yield Fault(f"{init.parent} is on Python's path too.", "It is not loaded now.", fatal=False)


def _path_folders() -> list[Path]:
    return [Path(part) for part in dict.fromkeys(part or "." for part in sys.path) if os.path.isdir(part)]


def _versions(folders: Sequence[Path]) -> Iterator[Fault]:
    """More than one release of EBMTrack on the path, or more than one OpenCV in the folder ``cv2``."""
    stem = {".dist-info", ".egg-info"}
    found = {p for f in folders for p in f.glob("ebmtrack-*") if p.suffix in stem}
    if len({path.name.split("-")[1].removesuffix(path.suffix) for path in found}) > 1:
        yield Fault(
            f"Several releases of EBMTrack are on Python's path: {', '.join(map(str, sorted(found)))}.",
            "Uninstall until none is left ('pip uninstall ebmtrack', more than once), then install one.",
            fatal=False,
        )
    for folder in folders:
        several = [owner for name in _OPENCV for owner, _ in _records(folder, f"{name}_python*")]
        if len(several) > 1:
            names = " ".join(owner.split()[0].replace("_", "-") for owner in several)
            yield Fault(
                f"{' and '.join(several)} have both installed the folder cv2 in {folder}.",
                f"Keep one: 'pip uninstall {names}', then install one of them.",
                fatal=False,
            )


def inspect(home: Path = HOME) -> list[str]:
    """The lines of the doctor's section on files: where each package comes from, then every fault."""
    lines = [f"{name:<15} {_origin(name) or 'not found'}" for name in PACKAGES]
    found = faults(home, by_content=True)
    for fault in [*found, *_neighbours(home), *_versions(_path_folders())]:
        lines.append(f"{'FAULT' if fault.fatal else 'note'}: {fault}")
    return lines
