"""Tables that go into a paper as they are: Markdown, LaTeX, CSV, or aligned text for a terminal."""

import csv
import io
import math
from collections.abc import Callable
from dataclasses import dataclass

__all__ = ["Table", "number_with_error", "share"]

_LATEX = {
    **{mark: f"\\{mark}" for mark in "&%$#_{}"},
    "\\": r"\textbackslash{}",
    "~": r"\textasciitilde{}",
    "^": r"\textasciicircum{}",
    "±": r"$\pm$",
    "−": "$-$",
    "<": "$<$",
    ">": "$>$",
}


@dataclass(frozen=True)
class Table:
    """Rows of text below a head; as a string it is aligned for a terminal.

    Attributes:
        head: C column names.
        rows: C cells each, the first being the row's name.
        caption: what a reader must know; "" for nothing.
        best: (row, column) of the cells to be set in bold.
    """

    head: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    caption: str = ""
    best: frozenset[tuple[int, int]] = frozenset()

    def markdown(self) -> str:
        """A pipe table, the caption below it."""
        marked = self._marked("**{}**", lambda cell: cell.replace("|", "\\|"))
        lines = ["| " + " | ".join(row) + " |" for row in marked]
        lines.insert(1, "|---" + "|---:" * (len(self.head) - 1) + "|")
        return "\n".join(lines) + (f"\n\n{self.caption}" if self.caption else "") + "\n"

    def latex(self) -> str:
        """A ``tabular`` with the rules of the package booktabs, in a ``table`` where there is a caption."""
        head, *rows = [" & ".join(row) + r" \\" for row in self._marked(r"\textbf{{{}}}", _escaped)]
        body = [rf"\begin{{tabular}}{{l{'r' * (len(self.head) - 1)}}}", r"\toprule", head, r"\midrule"]
        body += [*rows, r"\bottomrule", r"\end{tabular}"]
        if self.caption:
            body = [
                r"\begin{table}",
                r"\centering",
                *body,
                rf"\caption{{{_escaped(self.caption)}}}",
                r"\end{table}",
            ]
        return "\n".join(body) + "\n"

    def csv(self) -> str:
        """The cells separated by commas, without caption."""
        stream = io.StringIO()
        csv.writer(stream, lineterminator="\n").writerows([self.head, *self.rows])
        return stream.getvalue()

    def __str__(self) -> str:
        lines = [self.head, *self.rows]
        widths = [max(len(row[column]) for row in lines) for column in range(len(self.head))]
        text = [
            "  ".join(
                cell.ljust(w) if i == 0 else cell.rjust(w) for i, (cell, w) in enumerate(zip(row, widths))
            )
            for row in lines
        ]
        return "\n".join([*(line.rstrip() for line in text), *([self.caption] if self.caption else [])])

    def _marked(self, bold: str, escape: Callable[[str], str]) -> list[list[str]]:
        """Head and rows, escaped, the best cells in bold."""
        rows = [
            [bold.format(escape(cell)) if (i, j) in self.best else escape(cell) for j, cell in enumerate(row)]
            for i, row in enumerate(self.rows)
        ]
        return [[escape(name) for name in self.head], *rows]


def number_with_error(value: float, error: float) -> str:
    """A number to the second digit of its standard error, as in ``0.206 ± 0.012``."""
    if not math.isfinite(value):
        return str(value)
    if not (math.isfinite(error) and error > 1e-9 * abs(value)):  # what is constant but for rounding has none
        return f"{value:.4g}"
    decimals = max(0, 1 - math.floor(math.log10(error)))
    return f"{value:.{decimals}f} ± {error:.{decimals}f}"


def share(value: float, error: float | None = None) -> str:
    """A share in percent, as in ``84.1 %`` or ``84.1 % ± 1.2``."""
    if not math.isfinite(value):
        return "-"
    return f"{100 * value:.1f} %" + ("" if error is None else f" ± {100 * error:.1f}")


def _escaped(text: str) -> str:
    return "".join(_LATEX.get(mark, mark) for mark in text)
