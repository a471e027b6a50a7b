"""The page on parameter sets lists all of them, and every difference from the published trackers."""

import re
from pathlib import Path

from pytracking.parameter import parameter_names
from pytracking.parameter.compat import DIFFERENCES

PAGE = (Path(__file__).parents[3] / "docs/guide/parameter-sets.md").read_text(encoding="utf-8")


def test_every_set_is_listed() -> None:
    table = PAGE.split("## ")[0]
    first_column = " ".join(line.split("|")[1] for line in table.splitlines() if line.startswith("| `"))
    assert sorted(re.findall(r"`(\w+)`", first_column)) == parameter_names("dimp")


def test_every_difference_is_a_row() -> None:
    rows = [line for line in PAGE.split("## As the published")[1].splitlines() if line.startswith("| `")]
    assert rows == [f"| `{name}` | {d.what} | {d.why} | {d.where} |" for name, d in DIFFERENCES.items()]
