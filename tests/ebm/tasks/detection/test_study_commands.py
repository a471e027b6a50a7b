"""``ebmtrack detect table`` and ``sweep`` at the smallest size."""

import re
from pathlib import Path

import pytest

from ebm.integrity.json_files import write_sealed_json
from ebm.tasks.cells import FORMAT, read_records
from ebm.tasks.detection.command import main
from ebm.tasks.detection.data.opening import open_detection_set
from ebm.tasks.detection.loading import load_trained
from ebm.tasks.detection.parts import divided
from ebm.tasks.detection.recipes import BranchRecipe
from ebm.tasks.detection.results_file import read_detections
from ebm.tasks.detection.scoring import score_detections
from tests.ebm.tasks.detection.small import FEW


def study_of(place: Path, verb: str, out: Path) -> list[str]:
    """The start of a command on the tiny data."""
    given = [str(place / "data"), "--detector", str(place / "detector.pt"), "--tuning", "2", *FEW]
    return [verb, *given, "--out", str(out)]


def test_a_table_keeps_what_it_found(place: Path, capsys: pytest.CaptureFixture[str]) -> None:
    pytest.importorskip("faster_coco_eval")
    out = place / "table"
    table = [*study_of(place, "table", out), "--methods", "gaussian", "nce+", "--seeds", "2"]
    table += ["--set", "nce+:hidden=16", "--set", "nce+:method.num_samples=8"]
    assert main(table) == 0
    printed = capsys.readouterr().out
    assert "As published" in printed
    assert "nce+ gains more AP75 than AP50" in printed
    rows = (out / "runs.csv").read_text().splitlines()
    assert rows[0].startswith("method,seed,AP,AP50,AP75,AP90,APs,APm,APl,step")
    assert [row.split(",")[:2] for row in rows[1:4]] == [["detector", "0"], ["gaussian", "0"], ["nce+", "0"]]
    assert {"table.md", "table.csv", "table.png", "study.json", "results.json"} <= {
        file.name for file in out.iterdir()
    }
    require_same_scores(place, out)
    require_resampled(table, out, capsys)


def require_same_scores(place: Path, out: Path) -> None:
    """The files of detections score as reported."""
    val, _ = open_detection_set(place / "data", "val")
    reported = divided(val, val, 2, of_report=True).report
    records = read_records(out / "results.json")
    assert len({record["detections"] for record in records}) == 5
    for record in records:
        found, _ = read_detections(out / record["detections"], reported, to_score=True)
        again = score_detections(found, reported)
        assert {name: 100 * again[name] for name in record["scores"]} == pytest.approx(record["scores"])


def require_resampled(table: list[str], out: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Nothing is computed twice for other pictures, and nothing trained if they cannot be scored."""
    assert main([*table, "--resample", "40"]) == 0
    again, err = capsys.readouterr()
    assert "training" not in err
    assert re.search(r"nce\+ .* [+-]\d\.\d\d \([+-]\d\.\d to [+-]\d\.\d\)", again)
    records = read_records(out / "results.json")
    (out / records[-1]["detections"]).unlink()
    more = [*table, "--resample", "--methods", "gaussian", "nce+", "nce"]
    assert main(more) == 2
    err = capsys.readouterr().err
    assert records[-1]["detections"] in err
    assert "training" not in err  # it is told before the method that is missing is trained
    del records[-1]["detections"]  # as an earlier release left it
    write_sealed_json(out / "results.json", {"format": FORMAT, "results": records})
    assert main(more) == 2
    assert "an earlier release made it" in capsys.readouterr().err


def test_a_sweep(place: Path, capsys: pytest.CaptureFixture[str]) -> None:
    pytest.importorskip("faster_coco_eval")
    out = place / "sweep"
    vary = ["--vary", "method.num_samples", "1", "4", "--methods", "nce", "--on", "tuning", "--seeds", "1"]
    assert main([*study_of(place, "sweep", out), *vary, "--set", "hidden=16"]) == 0
    printed = capsys.readouterr().out
    assert "nce, 4" in printed
    assert "; hidden=16." in printed
    made = [load_trained(file) for file in out.glob("nce-*.pt")]
    assert sorted(
        (one.recipe.hidden, one.recipe.method.num_samples)
        for one in made
        if isinstance(one.recipe, BranchRecipe)
    ) == [(16, 1), (16, 4)]


def test_what_would_count_twice_is_refused(place: Path, capsys: pytest.CaptureFixture[str]) -> None:
    given = [str(place / "data"), "--detector", str(place / "detector.pt"), "--out", str(place / "none")]
    vary = ["sweep", *given, "--vary", "hidden", "8"]
    for command, words in (
        (["table", *given, "--methods", "nce", "nce"], "--methods: nce is given twice"),
        ([*vary, "16", "8"], "--vary hidden: 8 is given twice"),
        ([*vary, "--methods", "dsm", "dsm"], "--methods: dsm is given twice"),
        ([*vary, "--set", "hidden=4"], "--set and --vary both change hidden"),
    ):
        assert main(command) == 2
        assert words in capsys.readouterr().err
    assert not (place / "none").exists()


def test_a_method_may_have_seeds_of_its_own(place: Path, capsys: pytest.CaptureFixture[str]) -> None:
    pytest.importorskip("faster_coco_eval")
    out = place / "seeds"
    given = [str(place / "data"), "--detector", str(place / "detector.pt"), "--tuning", "2", *FEW]
    given += ["--methods", "gaussian", "laplace", "--seeds", "2", "--out", str(out)]
    assert main(["table", *given, "--seeds-of", "laplace=1"]) == 0
    found = [(own["cell"]["method"], own["cell"]["seed"]) for own in read_records(out / "results.json")]
    assert found == [("detector", 0), ("gaussian", 0), ("laplace", 0), ("gaussian", 1)]
    for wrong in ("laplace", "laplace=0", "nce=1", "laplace=x"):
        assert main(["table", *given, "--seeds-of", wrong]) == 2
        assert "--seeds-of takes METHOD=N" in capsys.readouterr().err


def test_two_processes_find_what_one_finds(place: Path) -> None:
    pytest.importorskip("faster_coco_eval")
    given = [str(place / "data"), "--detector", str(place / "detector.pt"), "--tuning", "2", *FEW]
    given += ["--methods", "gaussian", "nce+", "--seeds", "1"]
    given += ["--set", "nce+:hidden=16", "--set", "nce+:method.num_samples=8", "--rates-of", "nce+=1,1e30"]
    found = []
    for jobs, keep in (("1", "0"), ("2", "1")):  # nor does it matter what is kept
        out = place / f"jobs{jobs}"
        assert main(["table", *given, "--jobs", jobs, "--keep", keep, "--out", str(out)]) == 0
        rows = {
            (own["cell"]["method"], own["cell"].get("factor")): own
            for own in read_records(out / "results.json")
        }
        told = ("scores", "AP", "step", "loss", "rate")
        found.append({key: [row.get(name) for name in told] for key, row in rows.items()})
    assert len(found[0]) == 5
    assert found[0] == found[1]
