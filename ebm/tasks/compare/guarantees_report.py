"""What calibrated intervals held, as Markdown and CSV."""

import csv
import io
import math
from collections.abc import Iterable, Sequence
from dataclasses import asdict, fields
from statistics import fmean, stdev

from ebm.tasks.compare.guarantees import KINDS, LEVELS, Held

__all__ = ["csv_of_held", "furthest", "markdown_of_held"]

# Points of coverage that a guarantee may be off by.
MARGIN = 0.02
_ABOUT = {
    "as fitted": "equal-tailed intervals of the fit, no calibration",
    "equal-tailed": "equal-tailed intervals, calibrated",
    "highest-density": "highest-density sets, calibrated",
}


def markdown_of_held(held: Sequence[Held], messages: Sequence[str], heading: str = "##") -> str:
    """A sentence, a table per kind, what was refused.

    Args:
        held: of all cells.
        messages: what was refused or failed.
        heading: of the sections.
    """
    kinds = [kind for kind in KINDS if any(h.kind == kind for h in held)]
    parts = [_sentence(kind, [h for h in held if h.kind == kind]) for kind in kinds]
    for kind in kinds:
        rows = [h for h in held if h.kind == kind]
        parts += [f"{heading} {_title(kind)}", _table(rows)]
    if messages:
        parts.append("\n".join(["Refused or failed:", "", *(f"- {line}" for line in messages)]))
    parts.append(
        "Coverage is the mean over the splits with its standard error, in percent; the width behind it is in "
        "standard deviations of the target, of a set the length of all its runs."
    )
    return "\n\n".join(parts) + "\n"


def csv_of_held(held: Sequence[Held]) -> str:
    """A line per cell, kind and level."""
    out = io.StringIO()
    writer = csv.DictWriter(out, [f.name for f in fields(Held)], lineterminator="\n")
    writer.writeheader()
    writer.writerows(asdict(h) for h in held)
    return out.getvalue()


def furthest(held: Sequence[Held]) -> tuple[float, str, float]:
    """How far the mean coverage of a table is from its level at most, which table, and which level."""
    off = {
        (table, level): fmean(h.coverage for h in held if (h.table, h.level) == (table, level)) - level
        for table, level in dict.fromkeys((h.table, h.level) for h in held)
    }
    (table, level), most = max(off.items(), key=lambda item: abs(item[1]))
    return most, table, level


def _title(kind: str) -> str:
    return _ABOUT[kind][0].upper() + _ABOUT[kind][1:]


def _sentence(kind: str, held: Sequence[Held]) -> str:
    pairs = dict.fromkeys((h.table, h.level) for h in held)
    within = sum(
        abs(furthest([h for h in held if (h.table, h.level) == pair])[0]) <= MARGIN for pair in pairs
    )
    most, table, level = furthest(held)
    return (
        f"{_title(kind)}: {within} of {len(pairs)} pairs of table and level within {100 * MARGIN:g} points; "
        f"furthest off is {table} at {100 * level:g} %, by {100 * most:+.1f} points."
    )


def _table(held: Sequence[Held]) -> str:
    sets = any(h.kind == "highest-density" for h in held)
    levels = [level for level in LEVELS if any(h.level == level for h in held)]
    head = ["table", "splits"]
    for level in levels:
        head += [f"{100 * level:g} %", "width"]
    rows = [[*head, *(["runs at 90 %"] if sets else [])]]
    for table in dict.fromkeys(h.table for h in held):
        own = [h for h in held if h.table == table]
        row = [table, str(len({h.split for h in own}))]
        for level in levels:
            row += _cells([h for h in own if h.level == level])
        if sets:
            runs = [h.runs for h in own if h.level == 0.9]
            row.append(_mean(runs) if runs else "-")
        rows.append(row)
    lines = ["| " + " | ".join(row) + " |" for row in rows]
    lines.insert(1, "|---" + "|---:" * (len(rows[0]) - 1) + "|")
    return "\n".join(lines)


def _cells(held: Sequence[Held]) -> list[str]:
    if not held:
        return ["-", "-"]
    shares = [100 * h.coverage for h in held]
    error = f" ± {stdev(shares) / math.sqrt(len(shares)):.1f}" if len(shares) > 1 else ""
    return [f"{fmean(shares):.1f}{error}", _mean(h.width for h in held)]


def _mean(values: Iterable[float]) -> str:
    """Mean of numbers of which all or none are NaN."""
    mean = fmean(values)
    return "-" if math.isnan(mean) else f"{mean:.2f}"
