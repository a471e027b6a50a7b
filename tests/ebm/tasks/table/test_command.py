"""The whole way: a table, its report, its model, and predictions of another table."""

import csv
import json
from pathlib import Path

import numpy as np
import pytest

import ebm
from ebm.tasks.table.command import build_parser
from ebm.tasks.tabular.command import main
from tests.ebm.fitting.long_fits import interrupted_at

pytest.importorskip("matplotlib")
pytest.importorskip("pandas")
QUICK = ("--epochs", "2", "--hidden", "8", "--members", "1")


def write_table(path: Path, count: int = 130, shift: float = 0.0) -> Path:
    rng = np.random.default_rng(0)
    a, b = rng.uniform(-1, 1, (2, count))
    y = a + 0.1 * rng.standard_normal(count)
    lines = [f"{i},{p + shift:.6f},{q:.6f},{r:.6f}" for i, (p, q, r) in enumerate(zip(a, b, y))]
    lines[4] = lines[4].rsplit(",", 1)[0] + ","  # no target
    path.write_text("\n".join(["id,a,b,y", *lines]) + "\n")
    return path


def rows_of(path: Path) -> list[dict[str, str]]:
    with path.open() as file:
        return list(csv.DictReader(file))


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where the files of one run are."""
    folder = tmp_path_factory.mktemp("run")
    table = write_table(folder / "t.csv")
    assert main([str(table), "--target", "y", "--drop", "id", "--out", str(folder / "out"), *QUICK]) == 0
    return folder


def test_all_files_say_the_same(folder: Path) -> None:
    out = folder / "out"
    summary = json.loads((out / "summary.json").read_text())
    assert summary["rows"] == {"fit": 77, "calibration": 26, "test": 26}
    assert summary["notes"][0] == "1 of 130 rows have no target and were left out."
    page = (out / "report.html").read_text()
    assert all(sentence in page.replace("&#x27;", "'") for sentence in summary["verdict"])
    assert "77 to fit, 26 to calibrate, 26 to test" in page
    fitted = ebm.load_fitted(out / "model.ebm")
    assert fitted.scaling.x_names == ("a", "b")
    assert fitted.calibration is not None
    assert len(fitted.calibration.scores.rank) == 26


def test_predictions_are_those_of_the_model_for_their_rows(folder: Path) -> None:
    table = rows_of(folder / "t.csv")
    fitted = ebm.load_fitted(folder / "out" / "model.ebm")
    found = rows_of(folder / "out" / "predictions.csv")
    assert len(found) == 26
    assert "5" not in {line["row"] for line in found}  # the row without a target
    x = np.array([[float(table[int(line["row"]) - 1][name]) for name in "ab"] for line in found])
    with pytest.warns(UserWarning, match="names"):
        mean, ends = fitted.predict(x), fitted.predict_interval(x, [0.5, 0.9])
    for line, m, own in zip(found, mean, ends):
        assert float(line["actual"]) == float(table[int(line["row"]) - 1]["y"])
        assert float(line["mean"]) == pytest.approx(m, rel=1e-5)
        shown = [[float(line["p25"]), float(line["p75"])], [float(line["p5"]), float(line["p95"])]]
        assert shown == [pytest.approx(pair, rel=1e-5) for pair in own]


def test_scores_and_verdict_are_printed(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = folder / "again"
    argv = [str(folder / "t.csv"), "--target=y", "--drop", "id", "--out", str(out), "--time-order", *QUICK]
    assert main(argv) == 0
    printed = capsys.readouterr()
    assert "log score" in printed.out
    assert "inside calibrated" in printed.out
    summary = json.loads((out / "summary.json").read_text())
    assert all(sentence in printed.out for sentence in summary["verdict"])
    assert "note: 1 of 130 rows have no target" in printed.err
    tested = [int(line["row"]) for line in rows_of(out / "predictions.csv")]
    assert tested == list(range(105, 131))


def test_another_table_is_predicted_by_the_names_of_its_columns(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    new = folder / "new.csv"
    new.write_text("b,c,a\n0.1,7,0.5\n0.2,7,90\n")
    argv = ["--predict", str(new), "--model", str(folder / "out" / "model.ebm"), "--out", str(folder / "p")]
    assert main(argv) == 0
    assert "1 of 2 rows lie outside" in capsys.readouterr().out
    found = rows_of(folder / "p" / "predictions.csv")
    assert [line["out_of_range"] for line in found] == ["0", "1"]
    assert [line["out_of_range_in"] for line in found] == ["", "a"]
    assert [line["clipped"] for line in found] == ["0", "1"]
    fitted = ebm.load_fitted(folder / "out" / "model.ebm")
    with pytest.warns(UserWarning, match="names"):
        assert float(found[0]["mean"]) == pytest.approx(fitted.predict([[0.5, 0.1]])[0], rel=1e-5)


def test_text_and_gaps_of_inputs(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    rng = np.random.default_rng(0)
    city, size = rng.choice(["Bern", "Rome"], 130), rng.uniform(0, 1, 130)
    cells = ["" if i % 5 == 0 else f"{value:.6f}" for i, value in enumerate(size)]
    lines = [f"{name},{cell},{(name == 'Rome') + value:.6f}" for name, cell, value in zip(city, cells, size)]
    table = tmp_path / "t.csv"
    table.write_text("\n".join(["city,size,y", *lines]) + "\n")
    argv = [str(table), "--target", "y", "--out", str(tmp_path / "out"), *QUICK]
    assert main(argv) == 2
    assert "Column 'size': fill in or drop" in capsys.readouterr().err
    assert main([*argv, "--impute"]) == 0
    fitted = ebm.load_fitted(tmp_path / "out" / "model.ebm")
    assert fitted.encoded_names == ("city=Bern", "city=Rome", "size", "size missing")
    assert "city=Rome" in (tmp_path / "out" / "report.html").read_text()
    new = tmp_path / "new.csv"
    new.write_text("size,city\n,Rome\n0.5,Oslo\n")
    argv = [
        "--predict",
        str(new),
        "--model",
        str(tmp_path / "out" / "model.ebm"),
        "--out",
        str(tmp_path / "p"),
    ]
    with pytest.warns(UserWarning, match="'Oslo' in 1 rows"):
        assert main(argv) == 0
    assert [line["out_of_range"] for line in rows_of(tmp_path / "p" / "predictions.csv")] == ["0", "1"]


def test_two_targets_and_few_rows(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(folder)
    few = write_table(folder / "few.csv", 60)
    (folder / "runs" / "table" / "few").mkdir(parents=True)  # of an earlier run, which stays
    assert main([str(few), "--target", "y", "--target", "b", "--seed", "1", *QUICK]) == 0
    out = folder / "runs" / "table" / "few-2"
    assert "Not calibrated: that takes 19 rows" in json.loads((out / "summary.json").read_text())["notes"][1]
    assert list(rows_of(out / "predictions.csv")[0])[:4] == ["row", "y actual", "y mean", "y median"]


@pytest.mark.parametrize(
    ("argv", "message"),
    [
        (["TABLE"], "name the column to predict"),
        (["--target", "y"], "name a table"),
        (["TABLE", "--target", "z"], "no column 'z'; its columns are id, a, b, y"),
        (["TABLE", "--target", "y", "--drop", "z"], "no column 'z'"),
        (["TABLE", "--target", "y", *("--drop", "id", "--drop", "a", "--drop", "b")], "no column is left"),
        (["TABLE", "--target", "y", "--loss", "mse"], "Unknown loss 'mse'"),
        (["TABLE", "--target", "y", "--level", "90"], "level"),
        (["TABLE", "--target", "y", "--out", "TABLE"], "is a file; choose a folder"),
        (["TABLE", "--target", "y", "--threads", "0"], "--threads"),
        (["--predict", "TABLE"], "go together"),
        (["--predict", "TABLE", "--model", "TABLE"], "truncated or not a torch file"),
        (["--predict", "TABLE", "--model", "TABLE", "--target", "y"], "--target is in the model"),
        (["table"], "name a table"),
        (["comapre"], "neither a table nor a study comapre"),
    ],
)
def test_refusals(folder: Path, capsys: pytest.CaptureFixture[str], argv: list[str], message: str) -> None:
    table = folder / "t.csv"
    before = table.read_bytes()
    given = [str(table) if word == "TABLE" else word for word in argv]
    assert main([*given, *([] if "--out" in argv else ["--out", str(folder / "no")])]) == 2
    assert message in capsys.readouterr().err
    assert table.read_bytes() == before
    assert not (folder / "no").exists()


def test_a_table_is_not_overwritten(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    table = write_table(folder / "predictions.csv")
    before = table.read_bytes()
    assert main([str(table), "--target", "y", "--out", str(folder), *QUICK]) == 2
    assert "would be lost" in capsys.readouterr().err
    assert table.read_bytes() == before


def test_help_of_both(capsys: pytest.CaptureFixture[str]) -> None:
    for argv, text in (
        (["--help"], "ebmtrack regress my.csv --target y"),
        (["table", "--help"], "--time-order"),
    ):
        with pytest.raises(SystemExit) as end:
            main(argv)
        assert end.value.code == 0
        assert text in capsys.readouterr().out


def test_options_of_the_study_still_reach_it(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--problems", "nowhere"]) == 2
    assert "'nowhere'" in capsys.readouterr().err
    assert build_parser().parse_args(["t.csv", "--target", "y"]).members == 4


def test_an_interrupted_fit_goes_on(
    folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    call = [str(folder / "t.csv"), "--target", "y", "--drop", "id", *QUICK, "--epochs", "3"]
    monkeypatch.chdir(tmp_path)
    with interrupted_at(2):
        assert main(call) == 130
    out = tmp_path / "runs" / "table" / "t"
    assert [path.name for path in out.iterdir()] == ["fit.checkpoint"]
    told = capsys.readouterr().err.splitlines()[-1]
    assert told.endswith(f"--epochs 3 --out {Path('runs') / 'table' / 't'}")
    assert told.startswith("interrupted: the fit goes on from where it is with: ebmtrack regress")
    with interrupted_at(1):  # one epoch is left
        assert main([*call, "--out", str(out)]) == 0
    assert not (out / "fit.checkpoint").exists()
    assert main([*call, "--out", str(tmp_path / "whole")]) == 0
    assert (out / "predictions.csv").read_text() == (tmp_path / "whole" / "predictions.csv").read_text()
