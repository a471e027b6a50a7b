"""Figures that papers print, as reference rows beside what was measured."""

import json
from dataclasses import dataclass, replace
from functools import cache
from importlib.resources import files

from pytracking.analysis.extract import Evaluation
from pytracking.analysis.tables import Table

__all__ = ["Published", "published", "with_published"]


@dataclass(frozen=True)
class Published:
    """One row of a paper's table.

    Args:
        dataset: key of `BENCHMARKS`.
        tracker: as the paper calls it.
        source: paper and table.
        scores: in percent, by keys of `SCORES`.
    """

    dataset: str
    tracker: str
    source: str
    scores: dict[str, float]


@cache
def published() -> tuple[Published, ...]:
    """All rows, in the papers' order."""
    text = (files("pytracking.analysis") / "published.json").read_text(encoding="utf-8")
    return tuple(Published(**row) for row in json.loads(text)["rows"])


def with_published(table: Table, evaluation: Evaluation) -> Table:
    """A score table with the published rows of its dataset below, marked as such, best first.

    Args:
        table: as `score_table` makes it.
        evaluation: what it was made of.
    """
    columns = evaluation.protocol.columns
    known = [row for row in published() if row.dataset == evaluation.dataset]
    if not known:
        return replace(table, notes=(*table.notes, "No published figures are on record for this data set."))
    sources = {source: mark for mark, source in enumerate(dict.fromkeys(row.source for row in known), 1)}
    rows = []
    for row in sorted(known, key=lambda row: -row.scores.get(columns[0], 0.0)):
        cells = [f"{row.scores[key]:.1f}" if key in row.scores else "-" for key in columns]
        filler = ["-"] * (len(table.header) - 1 - len(cells))
        rows.append((f"{row.tracker} (published [{sources[row.source]}])", *cells, *filler))
    marks = "; ".join(f"[{mark}] {source}" for source, mark in sources.items())
    note = f"Published rows are what papers print for the whole benchmark, not measured here: {marks}."
    return replace(table, rows=(*table.rows, *rows), notes=(*table.notes, note))
