"""The page: complete in itself, and saying what was found."""

import base64
import re
import warnings
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from ebm.exceptions import DomainError, InputError, ShapeError
from ebm.fitting import FittedEBM
from ebm.fitting.tables import NamedArray
from ebm.pictures import Report, fan_curves, make_report
from ebm.pictures.intervals import interval_table
from tests.ebm.pictures.conftest import Case

pytest.importorskip("matplotlib")


class Addresses(HTMLParser):
    """Everything that a browser would fetch or follow, and whether tags are closed in order."""

    def __init__(self) -> None:
        super().__init__()
        self.found: list[str] = []
        self.open: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.found += [value or "" for name, value in attrs if name in ("src", "href")]
        if tag not in ("meta", "img"):
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag


@pytest.fixture(scope="module")
def report(case: Case, tmp_path_factory: pytest.TempPathFactory) -> tuple[Report, str]:
    path = tmp_path_factory.mktemp("page") / "report.html"
    found = case.fitted.report(
        case.x,
        case.y,
        path,
        marginal=case.y,
        notes=["3 rows <b>"],
        title="Two & two",
        facts=[("rows", "520")],
    )
    return found, path.read_text(encoding="utf-8")


def test_densities_of_all_rows_are_computed_once(case: Case, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[int] = []
    block = FittedEBM._block
    monkeypatch.setattr(FittedEBM, "_block", lambda self, rows: asked.append(len(rows)) or block(self, rows))
    once = make_report(case.fitted, case.x, case.y)
    assert sum(asked) < 1.1 * len(case.x)  # and the few that are drawn one by one
    monkeypatch.setattr(FittedEBM, "once", lambda self: self)
    again = make_report(case.fitted, case.x, case.y)
    assert sum(asked) > 5 * len(case.x)
    assert again.html == once.html


def test_the_page_needs_no_other_file(report: tuple[Report, str]) -> None:
    reader = Addresses()
    reader.feed(report[1])
    assert not reader.open
    assert len(reader.found) == 10  # five pictures, and the numbers of each
    assert all(re.match(r"data:(image/png|text/csv);base64,", address) for address in reader.found)
    assert "@import" not in report[1]
    assert "url(" not in report[1]


def test_scores_and_words_are_on_it(report: tuple[Report, str]) -> None:
    found, html = report
    for score in found.evaluation.scores:
        assert f"<td>{score.name}</td><td>{score.figure}</td>" in html
    assert found.verdict[0].startswith("The densities are better than")
    assert found.local is not None
    assert any(found.local.verdict() in sentence for sentence in found.verdict)
    assert "<title>Two &amp; two</title>" in html
    assert "3 rows &lt;b&gt;" in html
    assert "split conformal, 120 rows" in html
    assert '<td>rows</td><td class="text">520</td>' in html


def test_the_numbers_of_a_picture_are_those_of_its_function(report: tuple[Report, str], case: Case) -> None:
    found = re.search(r'download="fan.csv" href="data:text/csv;base64,([^"]+)"', report[1])
    assert found is not None
    expected = fan_curves(case.fitted, case.x, case.y, order="median").csv_text()
    assert base64.b64decode(found[1]).decode() == expected


def test_intervals_before_and_after(case: Case) -> None:
    table = interval_table(case.fitted, case.x, case.y[:, None], [0.9])
    low, high = case.fitted.predict_interval(case.x, 0.9).T
    inside = ((low <= case.y) & (case.y <= high)).mean()
    assert table.head == ("interval", "inside as fitted", "width", "inside calibrated", "width")
    assert table.rows[0][3].startswith(f"{100 * inside:.1f} %")
    assert float(table.rows[0][4]) == pytest.approx((high - low).mean(), rel=1e-3)


def test_rows_beyond_the_range_are_counted(case: Case) -> None:
    far = case.x.values[:40].copy()
    far[:3, 0] = 5.0
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        found = make_report(case.fitted, NamedArray(far, case.x.columns), case.y[:40])
    assert "3 of 40 rows lie outside" in found.verdict[-1]


def test_of_many_rows_some_are_drawn_and_said(case: Case) -> None:
    found = make_report(case.fitted, case.x, case.y, most=50)
    assert "50 rows, drawn at random from 200" in found.verdict[0]
    assert found.evaluation.scores[0].count == 50


def test_several_targets_each_have_their_pictures(
    two_targets: tuple[FittedEBM, NDArray[np.float64], NDArray[np.float64]],
) -> None:
    fitted, x, y = two_targets
    found = make_report(fitted, x, y)
    for name in ("fan_0.csv", "fan_1.csv", "pit_1.csv", "reliability.csv"):
        assert f'download="{name}"' in found.html
    assert "Not calibrated" in found.verdict[1]


def test_refusals(case: Case, tmp_path: Path) -> None:
    with pytest.raises(ShapeError, match="two rows, got 1"):
        make_report(case.fitted, case.x[:1], case.y[:1])
    with pytest.raises(DomainError):
        make_report(case.fitted, case.x, case.y, level=1.0)
    (tmp_path / "file").write_text("")
    with pytest.raises(InputError, match="cannot be written"):
        case.fitted.report(case.x, case.y, tmp_path / "file" / "report.html")
