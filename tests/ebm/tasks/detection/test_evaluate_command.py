"""``ebmtrack detect evaluate``: tables on the screen and in files, what is left out, how it ends."""

import csv
import json
from pathlib import Path
from typing import Any

import pytest

from ebm.tasks.detection.command import VERBS, main
from tests.ebm.tasks.detection.sets import write_set

pytest.importorskip("faster_coco_eval")
RIGHT = [
    {"image_id": 7, "category_id": 20, "bbox": [5, 6, 10, 12], "score": 0.9},
    {"image_id": 8, "category_id": 10, "bbox": [20, 10, 25.5, 20], "score": 0.9},
]


def results(file: Path, *rows: dict[str, Any]) -> str:
    file.write_text(json.dumps(rows))
    return str(file)


@pytest.fixture
def annotations(tmp_path: Path) -> str:
    return str(write_set(tmp_path / "set"))


def test_scores_of_one_file(tmp_path: Path, annotations: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["evaluate", results(tmp_path / "a.json", *RIGHT), "--annotations", annotations]) == 0
    out, err = capsys.readouterr()
    lines = out.splitlines()
    assert lines[0].split() == ["AP", "AP50", "AP75", "AP90", "APs", "APm", "APl", "detections"]
    assert lines[1].split() == ["a.json", "100.00", "100.00", "100.00", "100.00", "100.00", "-", "-", "2"]
    assert "on 2 pictures with 2 objects" in out
    assert err == ""


def test_before_and_after_and_every_form(
    tmp_path: Path, annotations: str, capsys: pytest.CaptureFixture[str]
) -> None:
    moved = [{**RIGHT[0], "bbox": [5, 6, 10, 9]}, RIGHT[1]]  # an overlap of three quarters
    command = ["evaluate", results(tmp_path / "b.json", *RIGHT), "--annotations", annotations, "--per-class"]
    command += ["--before", results(tmp_path / "a.json", *moved), "--out", str(tmp_path / "out")]
    assert main(command) == 0
    out = capsys.readouterr().out
    assert [line.split()[:5] for line in out.splitlines()[1:4]] == [
        ["before", "80.00", "100.00", "100.00", "50.00"],
        ["after", "100.00", "100.00", "100.00", "100.00"],
        ["difference", "+20.00", "+0.00", "+0.00", "+50.00"],
    ]
    assert "dog" in out
    rows = list(csv.DictReader((tmp_path / "out/categories.csv").open()))
    assert [row["category"] for row in rows] == ["cat", "dog"]
    assert rows[1]["AP before"] == "60.0000"
    assert rows[1]["AP difference"] == "+40.0000"
    assert rows[0]["objects"] == "1"  # the crowd is none
    assert (tmp_path / "out/scores.md").read_text().startswith("|  | AP | AP50 |")
    assert r"\toprule" in (tmp_path / "out/scores.tex").read_text()
    for style, start in (("markdown", "|"), ("latex", r"\begin"), ("csv", ",AP")):
        assert main([*command[:4], "--format", style]) == 0
        assert capsys.readouterr().out.startswith(start)


def test_rows_that_cannot_be_read_are_named_and_the_rest_is_scored(
    tmp_path: Path, annotations: str, capsys: pytest.CaptureFixture[str]
) -> None:
    bad = [
        {**RIGHT[0], "bbox": [float("nan"), 1, 1, 1]},
        {**RIGHT[0], "category_id": 5},
        {**RIGHT[0], "image_id": 99},
        {"image_id": 7},
    ]
    file = results(tmp_path / "a.json", *bad, *RIGHT)
    assert main(["evaluate", file, "--annotations", annotations]) == 1
    out, err = capsys.readouterr()
    assert out.splitlines()[1].split()[1] == "100.00"
    assert len(err.splitlines()) == 4
    for number, line in ((3, "1 detections of unknown images"), (2, "1 detections of unknown categories")):
        assert f"left out of {file}: {line}, first: row {number}" in err


# Before the right detection of its category: wrong ones take from it, others do not. In percent AP.
MISSHAPEN = {
    "none": ([20, 10, 25.5, 20], 100.0),
    "without area": ([5, 5, 0, 7], 50.0),
    "outside": ([500, 500, 9, 9], 50.0),
    "both sides negative": ([45.5, 30, -25.5, -20], 50.0),
    "a negative side": ([45.5, 10, -25.5, 20], 100.0),
    "vast": ([0, 0, 1e9, 1e9], 100.0),
}


@pytest.mark.parametrize("name", MISSHAPEN)
def test_scores_agree_with_the_library_itself_on_boxes_that_are_none(
    name: str, tmp_path: Path, annotations: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """Rows as another detector writes them, given to faster-coco-eval as its own manual says."""
    library = pytest.importorskip("faster_coco_eval")
    box, expected = MISSHAPEN[name]
    rows = [{**RIGHT[1], "bbox": box, "score": 0.95}, {**RIGHT[1], "score": 0.5}]
    rows = rows[1:] if name == "none" else rows
    file = results(tmp_path / "a.json", RIGHT[0], *rows)
    truth = json.loads(Path(annotations).read_text())
    for number, row in enumerate(truth["annotations"]):
        row |= {"area": row.get("area", 510.0), "iscrowd": row.get("iscrowd", 0), "id": number + 1}
    known = library.COCO(truth)
    own = library.COCOeval_faster(known, known.loadRes(file), "bbox", print_function=lambda *_: None)
    own.evaluate()
    own.accumulate()
    own.summarize()
    cat = own.eval["precision"][:, :, 0, 0, 2]
    assert 100 * cat.mean() == pytest.approx(expected)
    assert main(["evaluate", file, "--annotations", annotations, "--per-class", "--format", "csv"]) == 0
    out, err = capsys.readouterr()
    scores, categories = (list(csv.DictReader(part.splitlines())) for part in out.strip().split("\n\n"))
    assert float(scores[0]["AP"]) == pytest.approx(100 * own.stats[0], abs=0.006)
    assert float(categories[0]["AP"]) == pytest.approx(expected)
    assert scores[0]["detections"] == str(1 + len(rows))
    told = [] if name == "none" else [f"kept of {file}: 1 boxes"]
    assert [line[: len(told[0])] for line in err.splitlines()] == told


def test_inputs_that_cannot_be_used_end_with_two(
    tmp_path: Path, annotations: str, capsys: pytest.CaptureFixture[str]
) -> None:
    file = results(tmp_path / "a.json", *RIGHT)
    assert main(["evaluate", str(tmp_path / "no.json"), "--annotations", annotations]) == 2
    assert main(["evaluate", file, "--annotations", str(tmp_path / "no.json")]) == 2
    assert main(["evaluate", file, "--annotations", file]) == 2
    assert "is no JSON file in the manner of COCO" in capsys.readouterr().err
    link = tmp_path / "out/scores.csv"
    link.parent.mkdir()
    link.symlink_to(file)
    assert main(["evaluate", file, "--annotations", annotations, "--out", str(link.parent)]) == 2
    assert "which would be lost" in capsys.readouterr().err
    assert json.loads(Path(file).read_text()) == RIGHT


def test_verbs_are_listed_and_suggested(capsys: pytest.CaptureFixture[str]) -> None:
    for given, code in ((["--help"], 0), ([], 2)):
        with pytest.raises(SystemExit) as stop:
            main(given)
        assert stop.value.code == code
        out = capsys.readouterr().out
        assert all(name in out for name in VERBS)
    assert main(["evalute"]) == 2
    assert "did you mean 'evaluate'?" in capsys.readouterr().err


def test_scores_and_gains_on_other_pictures(
    tmp_path: Path, annotations: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """Of two pictures a set has both, or one of them twice."""
    moved = [{**RIGHT[0], "bbox": [5, 6, 10, 9]}, RIGHT[1]]  # AP of dog is 0.6
    file = results(tmp_path / "a.json", *moved)
    command = ["evaluate", file, "--annotations", annotations, "--resample", "200"]
    assert main(command) == 0
    lines = [line.split() for line in capsys.readouterr().out.splitlines()]
    assert lines[2][:4] == ["a.json,", "2.5", "%", "60.00"]
    assert lines[3][:4] == ["a.json,", "97.5", "%", "100.00"]
    assert "95 % of 200 sets" in " ".join(lines[4])
    before = ["evaluate", results(tmp_path / "b.json", *RIGHT), "--before", file]
    out = ["--out", str(tmp_path / "out")]
    assert main([*before, "--annotations", annotations, "--resample", *out]) == 0
    rows = list(csv.DictReader((tmp_path / "out/scores.csv").open()))
    assert [row[""] for row in rows] == [
        *("before", "after", "difference"),
        *("difference, 2.5 %", "difference, 97.5 %"),
    ]
    assert [float(row["AP"]) for row in rows[3:]] == [0, 40]
    assert [row["AP50"] for row in rows[3:]] == ["+0.0000", "+0.0000"]
    assert [row["APl"] for row in rows[3:]] == ["-", "-"]  # no object is large


@pytest.mark.parametrize("number", ["0", "-3", "39", "10001", "1e3", "a.json", "9" * 30])
def test_how_often_pictures_can_be_drawn(
    annotations: str, capsys: pytest.CaptureFixture[str], number: str
) -> None:
    """A results file behind --resample is taken for N, and the message says where to put it."""
    with pytest.raises(SystemExit) as refused:
        main(["evaluate", "--annotations", annotations, "--resample", number])
    assert refused.value.code == 2
    assert f"from 40 to 10,000, got {number!r}; for the usual number put" in capsys.readouterr().err
