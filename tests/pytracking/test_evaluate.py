"""The command that evaluates results."""

import json
import sys
from pathlib import Path

import numpy as np
import pytest

from pytracking.evaluate import main
from tests.pytracking.evaluation.tiny import boxes_of, write_otb


@pytest.fixture
def root(tmp_path: Path) -> Path:
    root = write_otb(tmp_path / "otb", {"Walking": 6, "Deer": 4})
    for name, shift in (("near", 1), ("far", 3)):
        folder = tmp_path / name
        folder.mkdir()
        for sequence, frames in (("Walking", 6), ("Deer", 4)):
            np.savetxt(folder / f"{sequence}.txt", boxes_of(frames) + (shift, 0, 0, 0), delimiter="\t")
    return root


def test_tables_plots_and_curves(root: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    results = [str(tmp_path / "near"), f"Far away={tmp_path / 'far'}", "first_box"]
    out = tmp_path / "report"
    options = ["--dataset", "generated", "--root", str(root), "--out", str(out), "--per-sequence"]
    assert main([*results, *options]) == 0
    printed = capsys.readouterr()
    rows = [line.split(" |")[0].strip() for line in printed.out.splitlines() if " | " in line]
    assert rows == ["Tracker", "near", "Far away", "first_box", "Sequence", *["Walking"] * 3, *["Deer"] * 3]
    # Shifted by 1 of 12 px: IoU 11 / 13, which passes 17 of 21 thresholds; the first frame counts as right.
    csv = (out / "per_sequence.csv").read_text().splitlines()
    assert csv[0] == "Sequence,Tracker,AUC,OP50,OP75,Precision,Norm Precision,Mean overlap"
    assert csv[4] == "Deer,near,84.52,100.00,100.00,100.00,100.00,88.46"
    assert "AUC by protocol otb: near" in printed.out
    names = {path.name for path in out.iterdir()}
    assert {"scores.tex", "success_plot.png", "success_plot.pdf", "precision_plot.png"} <= names
    assert str(out / "success_plot.png") in printed.err
    assert json.loads((out / "evaluation.json").read_text())["protocol"] == "pytracking"


def test_markdown_alone_goes_to_the_output(
    root: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    options = ["--dataset", "generated", "--root", str(root), "--out", str(tmp_path / "o")]
    assert main([str(tmp_path / "near"), *options, "--format", "markdown"]) == 0
    out = capsys.readouterr().out
    assert "| near |" in out
    assert "AUC by protocol" not in out


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["dimp/nothing"], "Unknown results"),
        (["first_box", "--protocol", "pytrackin"], "'pytracking'"),
        (["first_box", "--format", "latx"], "'latex'"),
        (["first_box", "--sequence", "Walkin"], "'Walking'"),
    ],
)
def test_wrong_names(
    root: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], arguments: list[str], message: str
) -> None:
    options = ["--dataset", "generated", "--root", str(root), "--results-root", str(tmp_path / "r")]
    assert main([*arguments, *options]) == 2
    assert message in capsys.readouterr().err


def test_a_missing_result_is_named(root: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "near/Deer.txt").unlink()
    options = ["--dataset", "generated", "--root", str(root), "--out", str(tmp_path / "o")]
    assert main([str(tmp_path / "near"), *options]) == 2
    assert "near has no result of sequence Deer" in capsys.readouterr().err
    assert main([str(tmp_path / "near"), *options, "--allow-missing"]) == 0
    assert "1 sequences without results of every tracker left out: Deer" in capsys.readouterr().out


def test_a_table_of_trackers_by_rules(root: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    options = ["--dataset", "generated", "--root", str(root), "--out", str(tmp_path / "o")]
    results = [str(tmp_path / "far"), str(tmp_path / "near")]
    assert main([*results, *options, "--protocols", "all", "--format", "csv"]) == 0
    header, *rows = capsys.readouterr().out.splitlines()
    assert header == "Tracker,pytracking,lasot,otb,uav,got10k,pysot,trackingnet,default"
    assert [row.split(",")[0] for row in rows] == ["near", "far"]
    assert main([*results, *options, "--protocols", "otb,got10k"]) == 0
    printed = capsys.readouterr().out
    assert "otb: every box with area is scored" in printed
    assert "0 of 10 frames cannot be scored" in printed
    assert main([*results, *options, "--protocols", "otb,gotk"]) == 2
    assert "'got10k'" in capsys.readouterr().err


def test_long_term_and_published_rows_on_request(
    root: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    options = ["--dataset", "generated", "--root", str(root), "--out", str(tmp_path / "o")]
    words = [str(tmp_path / "near"), "first_box", "--long-term", "--published", "--format", "markdown"]
    assert main([*words, *options]) == 0
    printed = capsys.readouterr().out
    assert "No published figures are on record" in printed
    table = printed.partition("long-term**")[2]
    assert "| near | 87.69 | 87.69 | 87.69 | - |" in table
    assert "first_box" not in table  # it has no files


def test_a_page_that_cannot_be_drawn_is_told_before_anything_is_scored(
    root: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "plotly.offline", None)
    options = ["--dataset", "generated", "--root", str(root), "--out", str(tmp_path / "o")]
    assert main([str(tmp_path / "near"), *options, "--page"]) == 2
    printed = capsys.readouterr()
    assert "ebmtrack[report]" in printed.err
    assert not printed.out
    assert not (tmp_path / "o").exists()
