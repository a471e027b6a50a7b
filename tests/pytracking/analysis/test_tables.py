"""Tables in four formats."""

import csv

import pytest

from ebm.exceptions import UnknownNameError
from pytracking.analysis.tables import FORMATS, Table, format_table

TABLE = Table(
    "otb, 2 sequences",
    ("Tracker", "AUC", "OP50"),
    (("dimp/nce_plus", "66.70", "82.10 ± 0.40"), ("first_box", "7.11", "5.00")),
    ("Protocol pytracking: x.",),
)


def test_text_lines_up() -> None:
    lines = format_table(TABLE).splitlines()
    grid = [line for line in lines if " | " in line]
    assert len({len(line) for line in grid}) == 1
    assert [line.index(" | ") for line in grid] == [len("dimp/nce_plus")] * 3
    assert lines[0] == "otb, 2 sequences"
    assert lines[-1] == "Protocol pytracking: x."


def test_markdown_has_a_rule_line_and_a_cell_for_each_column() -> None:
    lines = [line for line in format_table(TABLE, "markdown").splitlines() if line.startswith("|")]
    assert lines[1] == "|---|---:|---:|"
    assert {line.count("|") for line in lines} == {4}


def test_latex_escapes_names() -> None:
    text = format_table(TABLE, "latex")
    assert r"dimp/nce\_plus & 66.70 & 82.10 $\pm$ 0.40 \\" in text
    odd = format_table(Table("t", ("Tracker",), ((r"a\b~c^d",),)), "latex")
    assert r"a\textbackslash{}b\textasciitilde{}c\textasciicircum{}d" in odd
    assert text.count(r"\begin{table}") == text.count(r"\end{table}") == 1


def test_csv_reads_back() -> None:
    rows = list(csv.reader(format_table(TABLE, "csv").splitlines()))
    assert rows == [list(TABLE.header), *map(list, TABLE.rows)]


@pytest.mark.parametrize("style", FORMATS)
def test_every_format_holds_every_row(style: str) -> None:
    text = format_table(TABLE, style)
    assert "66.70" in text
    assert "7.11" in text


def test_unknown_format_is_an_error() -> None:
    with pytest.raises(UnknownNameError, match="markdown"):
        format_table(TABLE, "markdwn")
