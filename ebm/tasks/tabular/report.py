"""The comparison as a table, text or Markdown, and as CSV: one line per method, or per run."""

import csv
import io
import math
from collections.abc import Callable, Sequence
from dataclasses import asdict, fields
from statistics import fmean, stdev

from ebm.tasks.tabular.methods import BASELINES
from ebm.tasks.tabular.predictions import Scores
from ebm.tasks.tabular.study import Result

__all__ = ["csv_of_results", "markdown", "text"]

# Column, field of `Scores`, digits.
_COLUMNS = (
    ("NLL", "nll", 3),
    ("CRPS", "crps", 4),
    ("in 50 %", "coverage_50", 3),
    ("in 90 %", "coverage_90", 3),
    ("in 95 %", "coverage_95", 3),
    ("width 90 %", "width_90", 3),
    ("RMSE", "rmse", 4),
    ("epochs", "epochs", 0),
    ("seconds", "seconds", 1),
)
LEGEND = (
    "Mean and standard deviation over the splits, on rows that took no part in training. NLL in nats; CRPS, "
    "width of the equal-tailed 90 % interval and RMSE (of the mean) in the unit of y; 'in L' is the share of "
    "labels inside the equal-tailed interval of that level. Lower is better for NLL, CRPS, RMSE. 'quantile' "
    "has no density. Seconds of training are the processor's on a CPU."
)


def text(results: Sequence[Result]) -> str:
    """Aligned text, a table per problem."""
    parts = []
    for title, rows in _tables(results):
        widths = [max(len(row[i]) for row in rows) for i in range(len(rows[0]))]
        lines = [
            "  ".join(c.ljust(w) if i == 0 else c.rjust(w) for i, (c, w) in enumerate(zip(row, widths)))
            for row in rows
        ]
        parts.append("\n".join([title, *(line.rstrip() for line in lines)]))
    return "\n\n".join([*parts, LEGEND])


def markdown(results: Sequence[Result], heading: str = "##") -> str:
    """Markdown, a table per problem."""
    parts = []
    for title, rows in _tables(results):
        lines = ["| " + " | ".join(row) + " |" for row in rows]
        lines.insert(1, "|---" + "|---:" * (len(rows[0]) - 1) + "|")
        parts.append(f"{heading} {title}\n\n" + "\n".join(lines))
    return "\n\n".join([*parts, LEGEND]) + "\n"


def csv_of_results(results: Sequence[Result]) -> str:
    """CSV, a line per run."""
    names = [f.name for f in fields(Scores)]
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(["problem", "method", "seed", *names, "true_nll", "messages"])
    for result in results:
        scores = {} if result.scores is None else asdict(result.scores)
        values = [scores.get(name) for name in names]
        cell = result.cell
        writer.writerow(
            [cell.problem, cell.method, cell.seed, *values, result.true_nll, " / ".join(result.messages)]
        )
    return out.getvalue()


def _tables(results: Sequence[Result]) -> list[tuple[str, list[list[str]]]]:
    """Per problem a title and rows of cells, the head first."""
    tables = []
    for problem in dict.fromkeys(result.cell.problem for result in results):
        rows = [result for result in results if result.cell.problem == problem]
        methods = dict.fromkeys(result.cell.method for result in rows)
        lines = [_line(method, [r for r in rows if r.cell.method == method]) for method in methods]
        seeds = len({result.cell.seed for result in rows})
        title = f"{problem}, {seeds} split{'s' if seeds > 1 else ''}"
        truths = {r.cell.seed: r.true_nll for r in rows if r.true_nll is not None}
        if truths:
            title += f"; NLL of the true density {fmean(truths.values()):.3f}"
        tables.append((title, [["method", *(column for column, _, _ in _COLUMNS), "failed"], *lines]))
    return tables


def _line(method: str, results: Sequence[Result]) -> list[str]:
    scores = [result.scores for result in results if result.scores is not None]
    label = method if method in BASELINES else f"EBM {method}"
    cells = [_mean_and_std(scores, name, digits) for _, name, digits in _COLUMNS]
    return [label, *cells, str(len(results) - len(scores))]


def _mean_and_std(scores: Sequence[Scores], name: str, digits: int) -> str:
    get: Callable[[Scores], float | None] = lambda s: getattr(s, name)  # noqa: E731
    values = [value for s in scores if (value := get(s)) is not None]
    if not values:
        return "-"
    spread = stdev(values) if len(values) > 1 else math.nan
    return f"{fmean(values):.{digits}f}" + ("" if math.isnan(spread) else f" ± {spread:.{digits}f}")
