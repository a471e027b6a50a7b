"""One run of the VOT toolkit: a region or a code for every frame, and values beside it."""

import math
import re
from collections.abc import Callable, Sequence

from ebm.exceptions import InputError
from pytracking.leaderboards.findings import Finding

__all__ = ["check_run"]

_WHOLE = re.compile(r".+_\d{3}\.\w+")  # a run from the first frame to the last; anchors have eight digits


def check_run(name: str, read: Callable[[str], bytes], values: Sequence[str], frames: int) -> list[Finding]:
    """What is wrong with a trajectory and the values beside it.

    Args:
        name: of the trajectory in the archive.
        read: bytes of a file of the archive.
        values: its ``.value`` files.
        frames: of the sequence; 0: not known.
    """
    try:
        data = read(name)
    except InputError as error:
        return [Finding("damaged", name, str(error))]
    if not data.strip():
        return [Finding("empty", name, "it is empty; run the toolkit on the sequence again.")]
    if name.endswith(".bin"):
        return []  # the toolkit's own binary form
    lines = data.decode("ascii", errors="replace").split("\n")
    lines = lines[:-1] if not lines[-1] else lines
    found = [finding for finding in (_first(name, lines), _odd(name, lines)) if finding is not None]
    if frames and _WHOLE.fullmatch(name) and len(lines) != frames:
        what = f"it has {len(lines)} lines, the sequence {frames} frames."
        found.append(Finding("line-count", name, what))
    for value in values:
        found += _values(value, read, len(lines))
    return found


def _first(name: str, lines: Sequence[str]) -> Finding | None:
    """A trajectory begins with the code 1 where the target is given; before that it is 0."""
    start = next((line.strip() for line in lines if line.strip() != "0"), "")
    if start == "1":
        return None
    what = f"it begins with {start[:40]!r}, not with the code 1 of an initialisation."
    if re.fullmatch(r"[-\d.eE+]+([,\t ][-\d.eE+]+){3}", start):
        what += " Is it a result file of another benchmark? The toolkit has to make the runs."
    return Finding("first-box", name, what)


def _odd(name: str, lines: Sequence[str]) -> Finding | None:
    for number, line in enumerate(lines, start=1):
        reason = _reason(line.strip())
        if reason:
            return Finding(reason[0], name, f"line {number} is {line.strip()[:50]!r}: {reason[1]}.")
    return None


def _reason(line: str) -> tuple[str, str] | None:
    """Why a line is no code, rectangle, polygon or mask."""
    if not line:
        return "blank-line", "every frame has a region or a code"
    if re.fullmatch(r"\d", line):
        return None
    if line.startswith("m"):
        fine = re.fullmatch(r"m-?\d+,-?\d+(,\d+)*", line)
        return None if fine else ("number", "a mask is m and whole numbers with commas")
    if re.search(r"[\t ;]", line):
        return "delimiter", "numbers are parted by commas alone"
    try:
        numbers = [float(field) for field in line.split(",")]
    except ValueError:
        return "number", "a region is numbers with commas"
    if not all(map(math.isfinite, numbers)):
        return "not-finite", "it holds NaN or infinity"
    if len(numbers) != 4 and (len(numbers) < 6 or len(numbers) % 2):
        return "columns", "a rectangle has 4 numbers, a polygon 6, 8 and so on"
    if len(numbers) == 4 and min(numbers[2:]) < 0:
        return "no-area", "width and height are negative"
    return None


def _values(name: str, read: Callable[[str], bytes], lines: int) -> list[Finding]:
    try:
        rows = read(name).decode("ascii", errors="replace").split("\n")
    except InputError as error:
        return [Finding("damaged", name, str(error))]
    rows = rows[:-1] if not rows[-1] else rows
    if len(rows) != lines:
        return [Finding("time-lines", name, f"it has {len(rows)} lines for {lines} frames.")]
    return []
