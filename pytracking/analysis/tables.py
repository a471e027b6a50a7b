"""Evaluations as tables: text, Markdown, LaTeX and CSV."""

import csv
import io
from dataclasses import dataclass

import numpy as np

from ebm.lookup import lookup
from pytracking.analysis.extract import Evaluation
from pytracking.analysis.scores import SCORES

__all__ = ["FORMATS", "Table", "format_table", "per_sequence_table", "score_table"]


@dataclass(frozen=True)
class Table:
    """A titled table of strings; the first column holds the row's name."""

    title: str
    header: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    notes: tuple[str, ...] = ()


def score_table(evaluation: Evaluation, columns: tuple[str, ...] | None = None) -> Table:
    """One row a tracker, the best by the protocol's first score on top; scores in percent.

    Args:
        evaluation: of one dataset.
        columns: keys of `SCORES`; None: those of the protocol.
    """
    columns = columns or evaluation.protocol.columns
    speed = any(tracker.fps is not None for tracker in evaluation.trackers)
    titles = [lookup("score", column, SCORES) for column in columns]
    rows = []
    for tracker in evaluation.ranked():
        row = [tracker.label, *(f"{tracker.score(column):.2f}" for column in columns)]
        if speed:
            row.append("-" if tracker.fps is None else f"{tracker.fps:.1f}")
        rows.append(tuple(row))
    header = ("Tracker", *titles, *(["FPS"] if speed else []))
    return Table(evaluation.title, header, tuple(rows), _notes(evaluation))


def per_sequence_table(evaluation: Evaluation) -> Table:
    """Rows of every sequence, one a tracker, the best by the protocol's first score on top of all.

    The columns are the protocol's scores as far as a single sequence has them, and the mean overlap over its
    valid frames, in percent; means over runs.
    """
    columns = tuple(dict.fromkeys(c for c in (*evaluation.protocol.columns, "ao") if c != "mao"))
    trackers = evaluation.ranked()
    scores = np.array([[t.per_sequence(c).mean(axis=0) for c in columns] for t in trackers]) * 100.0
    rows = tuple(
        (name, tracker.label, *("-" if np.isnan(value) else f"{value:.2f}" for value in of[:, index]))
        for index, name in enumerate(evaluation.sequences)
        for tracker, of in zip(trackers, scores, strict=True)
    )
    titles = ("Mean overlap" if c == "ao" else SCORES[c] for c in columns)
    return Table(f"{evaluation.title}: by sequence [%]", ("Sequence", "Tracker", *titles), rows)


def _notes(evaluation: Evaluation) -> tuple[str, ...]:
    notes = [
        f"Protocol {evaluation.rule}: {evaluation.protocol.summary}.",
        f"{evaluation.frames} frames"
        + (f", of which {evaluation.unscored} cannot be scored" if evaluation.unscored else ", all scored")
        + f"; the annotation itself has an AUC of {evaluation.ceiling:.2f}.",
    ]
    notes += evaluation.remarks
    if evaluation.left_out:
        names = ", ".join(evaluation.left_out[:8]) + (" ..." if len(evaluation.left_out) > 8 else "")
        notes.append(
            f"{len(evaluation.left_out)} sequences without results of every tracker left out: {names}."
        )
    return tuple(notes)


def _text(table: Table) -> str:
    """Columns padded to their widest cell, numbers to the right."""
    grid = [table.header, *table.rows]
    widths = [max(len(row[column]) for row in grid) for column in range(len(table.header))]

    def line(row: tuple[str, ...]) -> str:
        cells = [f"{row[0]:<{widths[0]}}", *(f"{cell:>{width}}" for cell, width in zip(row[1:], widths[1:]))]
        return " | ".join(cells)

    rule = "-+-".join("-" * width for width in widths)
    lines = [table.title, "", line(table.header), rule, *map(line, table.rows), "", *table.notes]
    return "\n".join(lines).rstrip()


def _markdown(table: Table) -> str:
    def line(row: tuple[str, ...]) -> str:
        return "| " + " | ".join(cell.replace("|", "\\|") for cell in row) + " |"

    rule = "|---|" + "---:|" * (len(table.header) - 1)
    lines = [f"**{table.title}**", "", line(table.header), rule, *map(line, table.rows), "", *table.notes]
    return "\n".join(lines).rstrip()


_LATEX_ESCAPES = str.maketrans(
    {char: f"\\{char}" for char in "&%$#_{}"}
    | {"±": r"$\pm$", "\\": r"\textbackslash{}", "~": r"\textasciitilde{}", "^": r"\textasciicircum{}"}
)


def _latex(table: Table) -> str:
    def line(row: tuple[str, ...]) -> str:
        return "  " + " & ".join(cell.translate(_LATEX_ESCAPES) for cell in row) + r" \\"

    columns = "l" + "r" * (len(table.header) - 1)
    caption = " ".join([f"{table.title}.", *table.notes]).translate(_LATEX_ESCAPES)
    return "\n".join(
        [
            r"% needs \usepackage{booktabs}",
            r"\begin{table}",
            r"  \centering",
            rf"  \caption{{{caption}}}",
            rf"  \begin{{tabular}}{{{columns}}}",
            r"  \toprule",
            line(table.header),
            r"  \midrule",
            *map(line, table.rows),
            r"  \bottomrule",
            r"  \end{tabular}",
            r"\end{table}",
        ]
    )


def _csv(table: Table) -> str:
    stream = io.StringIO()
    writer = csv.writer(stream, lineterminator="\n")
    writer.writerow(table.header)
    writer.writerows(table.rows)
    return stream.getvalue().rstrip("\n")


FORMATS = {"text": _text, "markdown": _markdown, "latex": _latex, "csv": _csv}


def format_table(table: Table, style: str = "text") -> str:
    """A table as ``text``, ``markdown``, ``latex`` or ``csv`` (no title, no notes); no newline at the end.

    Raises:
        UnknownNameError: if there is no such style.
    """
    return lookup("table format", style, FORMATS)(table)
