"""The comparison as Markdown and CSV: a table per measure, ranks, what was left out."""

import csv
import io
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from statistics import fmean

from ebm.tasks.compare.answers import Scores
from ebm.tasks.compare.methods import METHODS
from ebm.tasks.compare.ranks import Measure, Ranking, group_means, rank_methods
from ebm.tasks.compare.study import Result
from ebm.tasks.compare.tables import TABLES
from ebm.tasks.compare.verdict import verdict

__all__ = ["MEASURES", "Column", "csv_of_means", "csv_of_ranks", "csv_of_results", "markdown", "rankings"]


@dataclass(frozen=True)
class Column:
    """A measure of the report.

    Attributes:
        name: of its files.
        title: of its table.
        of: takes it from scores.
        digits: behind the point.
        ranked: whether lower is better, so that methods can be ranked by it.
    """

    name: str
    title: str
    of: Measure
    digits: int
    ranked: bool


MEASURES: Mapping[str, Column] = {
    column.name: column
    for column in (
        Column("nll", "NLL", lambda s: s.nll, 3, True),
        Column("crps", "CRPS", lambda s: s.crps, 4, True),
        Column("energy", "Energy score, several targets", lambda s: s.energy, 4, True),
        Column("coverage", "Coverage of the 90 % interval", lambda s: s.coverage_90, 3, False),
        Column("width", "Width of the 90 % interval", lambda s: s.width_90, 3, False),
        Column("winkler", "Winkler score of the 90 % interval", lambda s: s.winkler_90, 3, True),
        Column("fit", "Processor seconds of a fit", lambda s: s.fit_seconds, 2, True),
        Column("predict", "Processor seconds of the predictions", lambda s: s.predict_seconds, 2, True),
    )
}
LEGEND = (
    "Means over the splits, on rows that took no part in training. Lengths are in standard deviations of the "
    "target over the rows to fit; NLL in nats of targets in that unit, of counts the NLL of their mass. CRPS "
    "is that of the distribution through 39 quantiles, the same for all methods, and a mean over targets, as "
    "coverage, width and Winkler score are. Methods without a density have no NLL. Lower is better, but for "
    "coverage. Peers that know no joint density are given independent targets in the energy score."
)


def rankings(results: Sequence[Result]) -> dict[str, Ranking]:
    """A ranking for every measure by which methods can be ranked."""
    found = {
        name: rank_methods(group_means(results, column.of))
        for name, column in MEASURES.items()
        if column.ranked
    }
    return {name: ranking for name, ranking in found.items() if ranking is not None}


def markdown(results: Sequence[Result], left_out: Mapping[str, str], heading: str = "##") -> str:
    """The whole report.

    Args:
        results: of the plan.
        left_out: methods and tables that were left out, and why.
        heading: of its sections.
    """
    ranked = rankings(results)
    parts = [f"{heading} When to pick what", verdict(results)]
    if left_out:
        parts.append("\n".join(["Left out:", "", *(f"- {name}: {why}" for name, why in left_out.items())]))
    if ranked:
        parts += [f"{heading} Mean ranks", _ranks_table(ranked), _pairs_text(ranked)]
    for column in MEASURES.values():
        table = _means_table(results, column)
        if table:
            parts += [f"{heading} {column.title}", table]
    parts += [_failures(results), LEGEND, f"{heading} Methods", _methods_table(results)]
    parts += [f"{heading} Tables", _tables_table(results)]
    return "\n\n".join(filter(None, parts)) + "\n"


def csv_of_results(results: Sequence[Result]) -> str:
    """A line per cell."""
    names = [f.name for f in fields(Scores)]
    rows = []
    for result in results:
        values = [getattr(result.scores, name) if result.scores is not None else None for name in names]
        head = [result.table, result.method, result.split]
        rows.append([*head, *values, result.true_nll, " / ".join(result.messages)])
    return _csv([["table", "method", "split", *names, "true_nll", "messages"], *rows])


def csv_of_means(results: Sequence[Result], column: Column) -> str:
    """A line per table, a column per method; empty where there is nothing."""
    means, methods = group_means(results, column.of), _methods(results)
    rows = [[table, *(row.get(method) for method in methods)] for table, row in means.items()]
    return _csv([["table", *methods], *rows])


def csv_of_ranks(ranked: Mapping[str, Ranking]) -> str:
    """A line per measure and method."""
    rows = [
        [name, method, rank, ranking.tables, ranking.critical_difference, ranking.friedman]
        for name, ranking in ranked.items()
        for method, rank in zip(ranking.methods, ranking.ranks)
    ]
    return _csv([["measure", "method", "mean_rank", "tables", "critical_difference", "friedman_p"], *rows])


def _csv(rows: Sequence[Sequence[object]]) -> str:
    out = io.StringIO()
    csv.writer(out, lineterminator="\n").writerows(rows)
    return out.getvalue()


def _methods(results: Sequence[Result]) -> list[str]:
    return list(dict.fromkeys(result.method for result in results))


def _grid(rows: Sequence[Sequence[str]], words: int = 1) -> str:
    """Markdown of a table whose first row is its head; the first `words` columns are set left."""
    lines = ["| " + " | ".join(row) + " |" for row in rows]
    lines.insert(1, "|" + "|".join("---" if i < words else "---:" for i in range(len(rows[0]))) + "|")
    return "\n".join(lines)


def _means_table(results: Sequence[Result], column: Column) -> str:
    means, methods = group_means(results, column.of), _methods(results)
    methods = [m for m in methods if any(math.isfinite(row.get(m, math.inf)) for row in means.values())]
    means = {table: row for table, row in means.items() if any(map(math.isfinite, row.values()))}
    truth = _truths(results) if column.name == "nll" else {}
    if not means or not methods:
        return ""
    rows = [["table", *methods, *(["truth"] if truth else [])]]
    for table, row in means.items():
        best = min(row.values()) if column.ranked else None
        cells = [_cell(row.get(method), best, column.digits) for method in methods]
        if truth:
            cells.append(f"{truth[table]:.{column.digits}f}" if table in truth else "-")
        rows.append([table, *cells])
    return _grid(rows)


def _cell(value: float | None, best: float | None, digits: int) -> str:
    if value is None:
        return "-"
    if not math.isfinite(value):
        return "failed"
    text = f"{value:.{digits}f}"
    return f"**{text}**" if best is not None and text == f"{best:.{digits}f}" else text


def _truths(results: Sequence[Result]) -> dict[str, float]:
    """Mean NLL of what the tables were drawn from, over the splits."""
    found: dict[str, dict[int, float]] = {}
    for result in results:
        if result.true_nll is not None:
            found.setdefault(result.table, {})[result.split] = result.true_nll
    return {table: fmean(values.values()) for table, values in found.items()}


def _ranks_table(ranked: Mapping[str, Ranking]) -> str:
    methods = list(dict.fromkeys(m for ranking in ranked.values() for m in ranking.methods))
    rows = [["measure", *methods, "tables", "critical difference", "Friedman p"]]
    for name, ranking in ranked.items():
        cells = [f"{ranking.rank(m):.2f}" if m in ranking.methods else "-" for m in methods]
        rest = [str(ranking.tables), f"{ranking.critical_difference:.2f}", f"{ranking.friedman:.2g}"]
        rows.append([MEASURES[name].title, *cells, *rest])
    return _grid(rows)


def _pairs_text(ranked: Mapping[str, Ranking]) -> str:
    """Pairs that differ by Wilcoxon's test with Holm's correction, a line per measure."""
    lines = []
    for name, ranking in ranked.items():
        apart = [f"`{a}` before `{b}`" for (a, b), chance in ranking.pairs.items() if chance < 0.05]
        if not name.startswith(("fit", "predict")):
            lines.append(f"- {MEASURES[name].title}: {', '.join(apart) or 'none'}")
    return "\n".join(["Pairs that differ at 5 % (Wilcoxon's signed ranks, Holm's correction):", "", *lines])


def _failures(results: Sequence[Result]) -> str:
    failed = [result for result in results if result.scores is None]
    lines = [f"- {r.table}, {r.method}, split {r.split}: {' '.join(r.messages)[:200]}" for r in failed]
    return "\n".join(["Failed:", "", *lines]) if lines else ""


def _methods_table(results: Sequence[Result]) -> str:
    return _grid([["method", "what"], *([f"`{m}`", METHODS[m].about] for m in _methods(results))], words=2)


def _tables_table(results: Sequence[Result]) -> str:
    rows = [["table", "what", "kind", "source", "licence", "splits"]]
    for name in dict.fromkeys(result.table for result in results):
        table = TABLES[name]
        splits = len({result.split for result in results if result.table == name})
        rows.append([name, table.about, ", ".join(table.kinds), table.source, table.licence, str(splits)])
    return _grid(rows, words=5)
