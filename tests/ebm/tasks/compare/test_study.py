"""A comparison goes on where it ended; the command writes what it found and names what it left out."""

import json
from pathlib import Path

import pytest

from ebm.exceptions import InputError
from ebm.tasks.compare import study
from ebm.tasks.compare.budget import Budget
from ebm.tasks.compare.command import main
from ebm.tasks.compare.methods import METHODS, Method
from ebm.tasks.compare.study import RESULTS, Plan, compute_cell, read_results, run_study
from ebm.tasks.tabular.command import main as regress

TINY = Budget(epochs=2, trees=5, rounds=5, rows=30)
PLAN = Plan(tables=("branches", "gaussian-2d"), methods=("ebm", "mdn-4"), splits=1, budget=TINY)


def test_a_study_goes_on_where_it_ended(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    first = run_study(PLAN, tmp_path)
    assert [(r.table, r.method) for r in first] == [(t, m) for t in PLAN.tables for m in PLAN.methods]
    assert all(r.scores is not None and r.scores.nll is not None for r in first)
    assert [r.scores.energy is not None for r in first if r.scores] == [False, False, True, True]
    assert read_results(tmp_path) == first
    computed = []
    monkeypatch.setattr(study, "compute_cell", lambda cell: computed.append(cell) or compute_cell(cell))
    assert run_study(PLAN, tmp_path) == first
    assert not computed
    longer = Plan(tables=("branches",), methods=("mdn-4",), splits=2, budget=TINY)
    assert [r.split for r in run_study(longer, tmp_path)] == [0, 1]
    other = Plan(tables=("branches",), methods=("mdn-4",), splits=1, budget=Budget(epochs=3, rows=30))
    run_study(other, tmp_path)
    assert [(cell["split"], cell["settings"]["epochs"]) for cell in computed] == [(1, 2), (0, 3)]


def test_a_method_that_raises_is_a_result_and_the_others_go_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*arguments: object) -> None:
        raise ZeroDivisionError("no rows")

    monkeypatch.setattr(study, "METHODS", {**METHODS, "ebm": Method(about="", fit=broken)})  # type: ignore[arg-type]
    results = run_study(Plan(tables=("branches",), methods=("ebm", "mdn-4"), splits=1, budget=TINY), tmp_path)
    assert results[0].scores is None
    assert results[0].messages == ("ZeroDivisionError: no rows",)
    assert results[1].scores is not None


@pytest.mark.parametrize("content", ["{", '{"results": [1]}', '{"results": [{"cell": {}, "scores": null}]}'])
def test_damaged_results_are_refused_and_kept(tmp_path: Path, content: str) -> None:
    (tmp_path / RESULTS).write_text(content)
    with pytest.raises(InputError, match=RESULTS):
        read_results(tmp_path)
    assert (tmp_path / RESULTS).read_text() == content


def test_the_command_writes_report_tables_and_pictures(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("ebm.tasks.compare.budget.QUICK", TINY)
    out = tmp_path / "out"
    given = ["--quick", "--tables", "branches", "gaussian-2d", "--methods", "ebm", "mdn-4", "--out", str(out)]
    assert regress(["compare", *given]) == 0
    report = (out / "report.md").read_text()
    assert capsys.readouterr().out.strip() == report.strip()
    assert report.startswith("## When to pick what\n\nPick ")
    assert len((out / "results.csv").read_text().splitlines()) == 5
    written = {path.name for path in out.iterdir()}
    assert {"nll.csv", "crps.csv", "coverage.csv", "width.csv", "ranks-crps.png"} <= written
    record = json.loads((out / "study.json").read_text())
    assert record["cells"] == 4
    assert record["command"].startswith("ebmtrack regress compare --quick")
    before = (out / RESULTS).read_bytes()
    assert main(given) == 0
    assert (out / RESULTS).read_bytes() == before


def test_a_peer_that_is_not_installed_is_named_and_left_out(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(
        "ebm.tasks.compare.methods.why_left_out", lambda name: "not here" if name == "mapie" else None
    )
    monkeypatch.setattr("ebm.tasks.compare.budget.QUICK", TINY)
    given = ["--quick", "--tables", "branches", "--methods", "mapie", "mdn-4", "--out", str(tmp_path)]
    assert main(given) == 0
    printed = capsys.readouterr()
    assert "left out: mapie: not here" in printed.err
    assert "- mapie: not here" in printed.out
    assert main(["--methods", "mapie", "--out", str(tmp_path)]) == 2
    assert "no method is left: mapie: not here" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("arguments", "word"),
    [
        (["--tables", "branchs"], "branches"),
        (["--methods", "ngbost"], "ngboost"),
        (["--splits", "0"], "--splits"),
        (["--jobs", "0"], "--jobs"),
    ],
)
def test_what_cannot_be_asked_for_is_refused(
    arguments: list[str], word: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main([*arguments, "--out", str(tmp_path / "none")]) == 2
    assert word in capsys.readouterr().err
    assert not (tmp_path / "none").exists()


def test_the_list_names_sources_and_licences(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--list"]) == 0
    listed = capsys.readouterr().out
    assert "RAND Health Insurance Experiment; public domain" in listed
    assert "NGBoost" in listed
