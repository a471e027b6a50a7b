"""Sections of the toolkit's ``trackers.ini``, and a workspace's ``config.yaml``."""

import configparser
import io
import json
import re
import shlex
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal, get_args

from ebm.exceptions import InputError
from ebm.files import write_atomic

__all__ = [
    "PROTOCOLS",
    "Change",
    "Entry",
    "Protocol",
    "entry_of",
    "needs_boxes",
    "require_name",
    "section_change",
    "workspace_change",
]

Protocol = Literal["python", "folder", "trax"]
PROTOCOLS: tuple[Protocol, ...] = get_args(Protocol)

PROGRAM = Path(__file__).resolve().parents[1] / "run_vot.py"
FACTORY = "pytracking.vot.python_tracker:VOTTracker"
_NAME = re.compile(r"[A-Za-z0-9_-]+")
_POLYGON_YEARS = ("vot2013", "vot2014", "vot2015", "vot2016", "vot2017", "vot2018", "vot2019")


@dataclass(frozen=True, kw_only=True)
class Entry:
    """A tracker for the toolkit.

    Attributes:
        name: its section; letters, digits, ``_`` and ``-``.
        values: key -> value.
    """

    name: str
    values: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Change:
    """What is to become of a file; nothing is written before `write`.

    Attributes:
        path: of the file.
        done: ``"added"``, ``"replaced"`` or ``"unchanged"``.
        text: the file's; None where it stays as it is.
    """

    path: Path
    done: str
    text: str | None = None

    def write(self) -> str:
        """Write the file, and say what was done."""
        if self.text is not None:
            write_atomic(self.path, self.text)
        return self.done


def entry_of(
    name: str,
    protocol: Protocol,
    tracker: str,
    parameters: str,
    options: Mapping[str, str],
    *,
    timeout: int,
    boxes: bool = True,
    python: str | Path = sys.executable,
) -> Entry:
    """The section of one of our trackers.

    Args:
        name: of the section.
        protocol: how the toolkit talks to it.
        tracker: its name.
        parameters: name of its parameter set.
        options: of `VOTTracker`, those that differ from its defaults.
        timeout: seconds that the toolkit waits for an answer, the network's loading included; not with
            ``folder``, where it waits 30 seconds for every frame of the sequence.
        boxes: have the toolkit make a box of what it starts from; its Python API cannot hand over a mask.
        python: that runs the tracker; with ``python`` the toolkit's own does.
    """
    values = {"label": name, "protocol": protocol}
    if protocol == "python":
        values["command"] = FACTORY
        given = {"tracker": tracker, "parameters": parameters, **options}
        values |= {f"arg_{key}": value for key, value in given.items()}
        if boxes:
            values["convert"] = "rectangle"
    else:
        words = [str(python), str(PROGRAM), tracker, parameters, "--protocol", protocol]
        for key, value in options.items():
            flag = f"--{key.replace('_', '-')}"
            words += [flag] if key == "compat" else [flag, value]
        values["command"] = shlex.join(words)
    if protocol != "folder":  # toolkit 0.8 takes the text there for a number, and fails
        values["timeout"] = str(timeout)
    return Entry(name=name, values=values)


def require_name(name: str) -> str:
    """A name that the toolkit takes.

    Raises:
        InputError: if it has other characters, which the toolkit would pass over without an error.
    """
    if _NAME.fullmatch(name) is None:
        raise InputError(
            f"The toolkit takes letters, digits, _ and - in the name of a tracker; got {name!r}."
        )
    return name


def needs_boxes(stack: str | None) -> bool:
    """Whether the toolkit should make boxes of the initial regions: except where they are polygons."""
    return stack is None or not stack.startswith(_POLYGON_YEARS)


def section_change(path: Path, entry: Entry, *, replace: bool = False) -> Change:
    """Add a tracker to a ``trackers.ini``, whose other sections and comments stay as they are.

    Args:
        path: of the file; need not exist.
        entry: the tracker.
        replace: a section of that name with other values.

    Raises:
        InputError: if there is one with other values and `replace` is not set, or the file is no ini file.
    """
    text = path.read_text(encoding="utf-8") if path.is_file() else ""
    known = _parsed(path, text)
    section = _section(entry)
    if not known.has_section(entry.name):
        gap = "" if not text else "\n" if text.endswith("\n") else "\n\n"
        return Change(path, "added", f"{text}{gap}{section}")
    if dict(known.items(entry.name, raw=True)) == dict(_parsed(path, section).items(entry.name, raw=True)):
        return Change(path, "unchanged")
    if not replace:
        raise InputError(
            f"{path} has another tracker [{entry.name}]; give another --name, or replace it with --replace."
        )
    header = re.compile(rf"^\[{re.escape(entry.name)}\][^\n]*\n?(?:(?!\[)[^\n]*\n?)*", re.MULTILINE)
    return Change(path, "replaced", header.sub(lambda _: f"{section}\n", text, count=1).rstrip("\n") + "\n")


def _parsed(path: Path, text: str) -> configparser.ConfigParser:
    parser = configparser.ConfigParser()
    try:
        parser.read_string(text)
    except configparser.Error as error:
        raise InputError(f"{path} is no ini file: {error}.") from error
    return parser


def _section(entry: Entry) -> str:
    parser = configparser.ConfigParser(interpolation=None)
    parser[entry.name] = {key: value.replace("%", "%%") for key, value in entry.values.items()}
    text = io.StringIO()
    parser.write(text)
    return text.getvalue().rstrip("\n") + "\n"


def workspace_change(folder: Path, stack: str, sequences: Path | None = None) -> Change:
    """Write a workspace's ``config.yaml``, unless there is the same one.

    Args:
        folder: of the workspace.
        stack: name of one of the toolkit's stacks, e.g. ``vots2026/main``, or path of a yaml file.
        sequences: folder of the sequences with their ``list.txt``; None: ``sequences`` in the workspace, to
            which the toolkit downloads the data.

    Raises:
        InputError: if there is another one.
    """
    path = folder / "config.yaml"
    lines = ["registry:", "- ./trackers.ini", f"stack: {json.dumps(stack)}"]
    if sequences is not None:
        lines.append(f"sequences: {json.dumps(str(sequences))}")
    text = "\n".join([*lines, ""])
    if not path.exists():
        return Change(path, "added", text)
    if path.read_text(encoding="utf-8") != text:
        raise InputError(
            f"{path} is there and says something else; the workspace stays as it is. Leave --stack out to "
            "add the tracker alone, or name another folder."
        )
    return Change(path, "unchanged")
