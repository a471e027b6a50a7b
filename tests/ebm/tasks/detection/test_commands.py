"""``ebmtrack detect`` from pictures to a table, at the smallest size."""

import json
import shutil
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from ebm.tasks.detection.command import VERBS, main
from ebm.tasks.detection.loading import load_trained
from tests.ebm.tasks.detection.sets import draw
from tests.ebm.tasks.detection.small import FEW


def rows_of(file: Path) -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = json.loads(file.read_text())
    return rows


def test_a_trained_branch_says_how(branch: Path) -> None:
    record = json.loads(branch.with_suffix(".json").read_text())
    assert record["training"]["iterations"] == 2
    assert record["recipe"]["method"]["num_samples"] == 8
    assert "ebmtrack detect train nce+" in record["command"]
    assert load_trained(branch).recipe.optimisation.drops == (1, 2)
    assert not branch.with_suffix(".checkpoint").exists()


def test_pictures_are_detected_and_refined(
    place: Path, branch: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out, before = place / "refined.json", place / "before.json"
    given = ["--branch", str(branch), "--detector", str(place / "detector.pt"), "--density"]
    code = main(["refine", str(place / "data"), *given, "--out", str(out), "--before", str(before)])
    assert code == 0
    printed = capsys.readouterr().out
    assert "before" in printed
    assert "difference" in printed
    row = rows_of(out)[0]
    assert {row["image_id"] for row in rows_of(out)} == {1, 2, 3, 4, 5, 6}
    assert len(row["covariance"]) == 4
    assert len(row["interval95"]) == 4
    assert before.exists()
    assert main(["evaluate", str(out), "--annotations", str(place / "data"), "--split", "val"]) == 0


@pytest.mark.parametrize("option", [["--order", "after"], ["--score", "energy"]])
def test_other_orders_and_scores(place: Path, branch: Path, option: list[str]) -> None:
    given = ["--branch", str(branch), "--detector", str(place / "detector.pt"), "--limit", "2"]
    assert main(["refine", str(place / "data"), *given, *option, "--out", str(place / "other.json")]) == 0
    assert rows_of(place / "other.json")


def test_a_picture_is_shown(place: Path, branch: Path, capsys: pytest.CaptureFixture[str]) -> None:
    pytest.importorskip("matplotlib")
    out = place / "shown"
    given = ["--branch", str(branch), "--detector", str(place / "detector.pt"), "--out", str(out)]
    assert main(["show", str(place / "data"), *given, "--image", "3", "--box", "2", "--boxes", "2"]) == 0
    printed = capsys.readouterr().out
    assert "picture 3, 2.png" in printed
    assert printed.count("95 % intervals of") == 2
    files = sorted(file.name for file in out.iterdir())
    assert files == [f"{name}.{end}" for name in ("ascent", "boxes", "corner") for end in ("csv", "png")]
    assert all((out / name).read_bytes()[:4] == b"\x89PNG" for name in files if name.endswith("png"))
    assert len((out / "boxes.csv").read_text().splitlines()) == 3
    assert len((out / "ascent.csv").read_text().splitlines()) == 1 + 2 * 11
    for wrong, words in (
        (["--boxes", "6"], "--boxes must be 1 to 5"),
        (["--box", "4"], "--box must be one of the 3 that are drawn"),
        (["--corner", "left"], "did you mean"),
        (["--image", "77"], "none of the 6 pictures"),
        (["--out", str(place / "data")], "--out"),
    ):
        assert main(["show", str(place / "data"), *given, *wrong]) == 2
        assert words in capsys.readouterr().err


@pytest.mark.parametrize("foreign", [False, True])
def test_a_picture_that_cannot_be_read_costs_itself_alone(
    place: Path, branch: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], foreign: bool
) -> None:
    data, out = shutil.copytree(place / "data", tmp_path / "data"), tmp_path / "refined.json"
    (broken,) = data.rglob("val/2.png")
    pictures = sorted(broken.parent.glob("*.png"))
    broken.write_bytes(broken.read_bytes()[:60])
    given = ["--branch", str(branch), "--detector", str(place / "detector.pt"), "--out", str(out)]
    if foreign:
        rows = [row_of(image, category_id=10) for image in range(1, 7)]
        (tmp_path / "foreign.json").write_text(json.dumps(rows))
        given += ["--detections", str(tmp_path / "foreign.json")]
    assert main(["refine", str(data), *given]) == 1
    answer = capsys.readouterr()
    assert "1 pictures that cannot be read, first:" in answer.err
    assert "2.png" in answer.err
    assert "in 5 pictures" in answer.out
    assert {row["image_id"] for row in rows_of(out)} == {1, 2, 4, 5, 6}
    out.unlink()
    for picture in pictures:
        picture.write_bytes(b"no picture")
    assert main(["refine", str(data), *given]) == 2
    assert "none of the pictures can be read" in capsys.readouterr().err
    assert not out.exists()


def row_of(image: Any, **changes: Any) -> dict[str, Any]:
    row = {"image_id": image, "category_id": 10, "bbox": [10, 10, 30, 30], "score": 0.5}
    return {**row, **changes}


def test_results_of_others_are_refined_but_for_bad_rows(
    place: Path, branch: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    good = [row_of(1), row_of(2, category_id=20), row_of(2, score=0.9)]
    bad = [
        row_of(1, bbox=[10, 10, -3, 5]),
        row_of(1, bbox=[10, float("nan"), 3, 5]),
        row_of(1, bbox=[900, 900, 10, 10]),
        row_of(1, category_id=77),
        row_of(99),
    ]
    file = place / "foreign.json"
    file.write_text(json.dumps(good + bad))
    given = [
        "--branch",
        str(branch),
        "--detector",
        str(place / "detector.pt"),
        "--out",
        str(place / "r.json"),
    ]
    code = main(["refine", str(place / "data"), "--detections", str(file), *given])
    assert code == 1
    told = capsys.readouterr().err
    for words in ("negative sides", "not finite", "outside", "unknown categories", "unknown images"):
        assert words in told
    rows = rows_of(place / "r.json")
    assert sorted((row["image_id"], row["category_id"], row["score"]) for row in rows) == [
        (1, 10, 0.5),
        (2, 10, 0.9),
        (2, 20, 0.5),
    ]
    assert all(row["bbox"][2] > 0 and row["bbox"][3] > 0 for row in rows)


def test_a_folder_of_pictures_needs_no_annotations(place: Path, branch: Path, tmp_path: Path) -> None:
    for number in (3, 12):
        draw(tmp_path / "pictures" / f"{number:06d}.png", 96, 64, seed=number)
    (tmp_path / "foreign.json").write_text(json.dumps([row_of(3), row_of(12, category_id=20)]))
    given = ["--branch", str(branch), "--detector", str(place / "detector.pt")]
    found = tmp_path / "found.json"
    pictures = ["--images", str(tmp_path / "pictures")]
    assert main(["refine", *pictures, *given, "--out", str(found)]) == 0
    assert {row["image_id"] for row in rows_of(found)} == {3, 12}
    results = ["--detections", str(tmp_path / "foreign.json")]
    assert main(["refine", *pictures, *results, *given, "--out", str(tmp_path / "refined.json")]) == 0
    assert [row["image_id"] for row in rows_of(tmp_path / "refined.json")] == [3, 12]


def test_recipes_are_shown_and_tried(place: Path, capsys: pytest.CaptureFixture[str]) -> None:
    given = ["nce+", str(place / "data"), "--detector", str(place / "detector.pt")]
    assert main(["train", *given, "--set", "method.beta=0.2", "--show"]) == 0
    assert "= 0.2  # 0.1 in light/nce+" in capsys.readouterr().out
    assert main(["train", *given, "--set", "hidden=16", "--dry-run", "--out", str(place / "dry")]) == 0
    printed = capsys.readouterr().out
    assert "s a step" in printed
    assert "MiB of memory" in printed
    assert not (place / "dry").exists()


def test_the_light_detector_is_trained(place: Path) -> None:
    sizes = ["network.channels=8", "network.hidden=16", "network.short_side=64", "network.long_side=96"]
    changes = [word for size in (*sizes, "batch_size=2") for word in ("--set", size)]
    given = [str(place / "data"), "--weights", "random", "--out", str(place / "own"), *changes, *FEW]
    assert main(["train-detector", *given]) == 0
    assert (place / "own" / "detector.pt").is_file()
    assert main(["train-detector", *given, "--show"]) == 0


def test_help_answers_at_once() -> None:
    for verb in VERBS:
        start = time.perf_counter()
        command = [sys.executable, "-m", "ebm.tasks.detection.command", verb, "--help"]
        done = subprocess.run(command, capture_output=True, text=True, check=True)
        assert "examples:" in done.stdout
        assert time.perf_counter() - start < 5
        loaded = subprocess.run(
            [sys.executable, "-X", "importtime", *command[1:]], capture_output=True, text=True, check=True
        )
        assert "| torch" not in loaded.stderr.replace("|   ", "| ")
