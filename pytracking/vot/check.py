"""Run trackers on a few frames through the real toolkit, and say in words what came out."""

import re
import shutil
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from pytracking.vot.ini import Entry, section_change
from pytracking.vot.regions import Box, box_of_text
from pytracking.vot.sequence_folder import ShortSequence
from pytracking.vot.toolkit import Said, Toolkit

__all__ = ["Finding", "check_entries", "reference_entry"]

_STACK = """title: Check
experiments:
  baseline:
    type: unsupervised
    repetitions: 1
    multiobject: true
"""
_REFERENCE = "ebmtrack_ncc"  # module of the copy in the workspace
_SAID = (  # what the toolkit says when something is wrong, and what that means
    (
        r"did not reply in \d+|timed out|Timeout reached",
        "it did not answer in time: loading the network or the first frame takes longer than the section's "
        "timeout. Raise --timeout, and try the device alone with 'ebmtrack video'",
    ),
    (r"Python tracker worker failed: (.+)", "the tracker refused: {0}"),
    (r"does not support multiple objects", "the toolkit takes it for a tracker of one object alone"),
    (r"Runtime protocol '(\w+)' not available", "this toolkit has no protocol {0}; it came with 0.8"),
    (
        r"Unable to connect|Exception when setting up|Tracker not alive",
        "its process ended before the handshake",
    ),
    (r"Tracker process exited with code (-?\d+)", "its process ended with code {0}"),
)
_OURS = re.compile(r"^.*?error: (.+)$", re.MULTILINE)


@dataclass(frozen=True)
class Finding:
    """What came out of one tracker.

    Attributes:
        name: its section in ``trackers.ini``.
        ok: whether it answered every frame.
        words: a sentence.
        overlap: mean overlap with the annotation behind the first frame; None where there is none.
        log: what the toolkit printed.
    """

    name: str
    ok: bool
    words: str
    overlap: float | None = None
    log: str = ""


def reference_entry(toolkit: Toolkit, timeout: int) -> Entry:
    """The section of the reference, which the toolkit's own Python runs."""
    values = {"label": "NCC", "timeout": str(timeout)}
    if toolkit.has_python_api:
        values |= {"protocol": "python", "command": f"{_REFERENCE}:NCC", "convert": "rectangle"}
    else:
        values |= {"protocol": "traxpython", "command": _REFERENCE, "paths": "."}
    return Entry(name="NCC", values=values)


def check_entries(
    toolkit: Toolkit, workspace: Path, entries: Sequence[Entry], sequence: ShortSequence, *, timeout: int
) -> Iterator[Finding]:
    """Evaluate trackers one after the other.

    Args:
        toolkit: that runs them.
        workspace: a folder with ``sequences/<name>``, where everything else is written.
        entries: sections for the trackers.
        sequence: what they follow.
        timeout: seconds for an answer.
    """
    (workspace / "stack.yaml").write_text(_STACK, encoding="utf-8")
    (workspace / "config.yaml").write_text(
        f"registry:\n- ./trackers.ini\nstack: {workspace / 'stack.yaml'}\nsequences: sequences\n", "utf-8"
    )
    shutil.copyfile(Path(__file__).with_name("ncc.py"), workspace / f"{_REFERENCE}.py")
    for entry in entries:
        section_change(workspace / "trackers.ini", entry).write()
    limit = timeout * (sequence.frames + 2) + 60  # the toolkit's own start included
    for entry in entries:
        said = toolkit.run(["evaluate", "--workspace", str(workspace), entry.name], workspace, limit)
        said = Said(said.code, said.text + _logged(workspace / "logs", entry.name))
        yield _finding(entry.name, said, workspace / "results" / entry.name / "baseline", sequence)


def _logged(folder: Path, name: str) -> str:
    """What the tracker printed, where the toolkit has put that into a file."""
    files = sorted(folder.glob(f"{name}_*")) if folder.is_dir() else []
    return "".join(file.read_text(encoding="utf-8", errors="replace") for file in files)


def _finding(name: str, said: Said, folder: Path, sequence: ShortSequence) -> Finding:
    stem = f"{sequence.name}/{sequence.name}"
    files = {key: folder / f"{stem}_{key + '_' if key else ''}001.txt" for key in sequence.truth}
    missing = [key or "the target" for key, file in files.items() if not file.is_file()]
    if missing:
        return Finding(name, False, f"no result for {', '.join(missing)}: {_reason(said)}", log=said.text)
    try:
        answers = {key: _answers(file) for key, file in files.items()}
    except ValueError as error:
        return Finding(name, False, f"its result cannot be read: {error}", log=said.text)
    short = {key: len(rows) for key, rows in answers.items() if len(rows) != sequence.frames}
    if short:
        rows = ", ".join(map(str, short.values()))
        return Finding(name, False, f"{rows} of {sequence.frames} frames answered", log=said.text)
    overlap = _overlap(answers, sequence)
    words = f"all {sequence.frames} frames answered"
    if len(answers) > 1:
        words += f" for {len(answers)} objects"
    if overlap is not None:
        words += f", mean overlap with the annotation {overlap:.2f}"
    seconds = _seconds(next(iter(files.values())))
    return Finding(name, True, words + seconds, overlap, said.text)


def _answers(file: Path) -> list[Box | None]:
    """Boxes of a result; None in the first frame of an object, before it, and where nothing was found."""
    lines = file.read_text(encoding="utf-8").split()
    return [_bounds(line) if "," in line else None for line in lines]


def _bounds(line: str) -> Box | None:
    numbers = [float(part) for part in line.split(",")] if line[0] != "m" else []
    empty = len(numbers) == 4 and (min(numbers[2:]) <= 0 or not np.isfinite(numbers).all())
    return None if empty else box_of_text(line, "union")


def _overlap(answers: Mapping[str, list[Box | None]], sequence: ShortSequence) -> float | None:
    from pytracking.analysis.metrics import iou

    values = []
    for key, rows in answers.items():
        pairs = [(a, t) for a, t in zip(rows[1:], sequence.boxes(key)[1:]) if t is not None]
        values += [0.0 if a is None else float(iou(np.array([a]), np.array([t]))[0]) for a, t in pairs]
    return float(np.mean(values)) if values else None


def _seconds(file: Path) -> str:
    """How long the frames behind the first took, by the toolkit's clock; empty if it says nothing."""
    times = file.with_name(f"{file.stem}_time.value")
    if not times.is_file():
        return ""
    values = [float(line) for line in times.read_text(encoding="utf-8").split()[1:]]
    return f", {np.mean(values):.3f} s a frame" if values else ""


def _reason(said: Said) -> str:
    """Why there is no result, from what the toolkit printed."""
    if said.code is None:
        return f"{_SAID[0][1]}."
    ours = _OURS.findall(said.text)
    for pattern, words in _SAID:
        found = re.search(pattern, said.text)
        if found:
            told = words.format(*found.groups()).rstrip(".")
            own = ours[-1].strip().rstrip(".") if ours else ""
            return f"{told} ({own})." if own and own not in told else f"{told}."
    lines = [line.strip() for line in said.text.splitlines() if line.strip()]
    return (ours or lines or [f"the toolkit ended with code {said.code} and said nothing"])[-1]
