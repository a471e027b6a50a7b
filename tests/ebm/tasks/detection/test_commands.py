"""``ebmtrack detect`` from pictures to a table, at the smallest size."""

import json
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from ebm.tasks.detection.command import VERBS, main
from ebm.tasks.detection.data.coco_json import write_coco
from ebm.tasks.detection.loading import load_trained, save_light
from ebm.training.iterations import Trained
from tests.ebm.tasks.detection.sets import draw
from tests.ebm.tasks.detection.small import NAMES, SMALL, small_detector, small_set

FEW = ["--iterations", "2", "--threads", "1"]


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A data set of both splits, and a detector."""
    root = tmp_path_factory.mktemp("detect")
    for split in ("train", "val"):
        found = small_set(root / "data" / split, count=6)
        file = root / "data" / "annotations" / f"instances_{split}.json"
        file.parent.mkdir(exist_ok=True)
        write_coco(file, found, [image.path.name for image in found.images])
    save_light(root / "detector.pt", small_detector().model, SMALL, NAMES)
    return root


@pytest.fixture(scope="module")
def branch(place: Path) -> Path:
    sizes = ["--set", "hidden=16", "--set", "method.num_samples=8", "--set", "batch_size=2"]
    given = ["nce+", str(place / "data"), "--detector", str(place / "detector.pt"), "--out", str(place)]
    assert main(["train", *given, *sizes, *FEW]) == 0
    return place / "nce+.pt"


def code_of(argv: list[str]) -> int:
    """The exit code, also where the arguments alone are refused."""
    try:
        return main(argv)
    except SystemExit as stop:
        return int(stop.code or 0)


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


@pytest.mark.parametrize(
    ("given", "words"),
    [
        (["refine", "--branch", "b", "--out", "o"], "name either DATA"),
        (["train", "nce", "DATA", "--detector", "absent.pt"], "No file absent.pt"),
        (["train", "nces", "DATA", "--detector", "DETECTOR"], "did you mean 'nce'"),
        (["train", "nce", "DATA", "--detector", "DETECTOR", "--set", "bins=many"], "bins must be a whole"),
        (
            ["train", "nce", "DATA", "--detector", "DETECTOR", "--split", "test"],
            "no file of the split 'test'",
        ),
        (["train", "nce", "DATA", "--detector", "DETECTOR", "--iterations", "0"], "at least 1"),
        (["train", "nce", "DATA", "--detector", "DETECTOR", "--threads", "-2"], "at least 1"),
        (["train", "nce", "DATA", "--detector", "DETECTOR", "--workers", "-1"], "at least 0"),
        (["train", "nce", "DATA", "--detector", "DETECTOR", "--seed", "9" * 20], "a whole number"),
        (
            ["train", "nce", "DATA", "--detector", "DETECTOR", "--weights", "random"],
            "weights and sides of its",
        ),
        (
            ["train", "nce", "DATA", "--detector", "DETECTOR", "--short-side", "99"],
            "weights and sides of its",
        ),
        (["train", "nce", "JSON", "--detector", "DETECTOR", "--split", "val"], "leave the split out"),
        (["train-detector", "DATA", "--set", "batch_size=0"], "batch_size must be"),
        (["table", "DATA", "--detector", "DETECTOR", "--report-split", "train"], "6 pictures are in both"),
        (["sweep", "JSON", "--detector", "DETECTOR", "--vary", "rate", "1"], "name a folder that has two"),
        (["table", "DATA", "--detector", "DETECTOR", "--tuning", "6"], "leaves none of 6 pictures"),
        (["table", "DATA", "--detector", "DETECTOR", "--set", "rate=3"], "METHOD:KEY=VALUE"),
        (["sweep", "DATA", "--detector", "DETECTOR", "--vary", "rate"], "at least one value"),
    ],
)
def test_what_cannot_be_done_is_told(
    place: Path,
    given: list[str],
    words: str,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.chdir(place)
    file = place / "data" / "annotations" / "instances_train.json"
    named = {"DATA": str(place / "data"), "DETECTOR": str(place / "detector.pt"), "JSON": str(file)}
    assert code_of([named.get(text, text) for text in given]) == 2
    assert words in capsys.readouterr().err


def test_a_finished_training_and_what_it_reads_stay(
    place: Path, branch: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    content = branch.read_bytes()
    given = ["--detector", str(place / "detector.pt"), "--out", str(place), *FEW]
    assert main(["train", "nce+", str(place / "data"), *given, "--seed", "1"]) == 2
    assert "its training is finished" in capsys.readouterr().err
    assert branch.read_bytes() == content
    monkeypatch.chdir(place / "data" / "annotations")
    for name in ("detector.json", "nce.json"):
        Path(name).write_bytes(Path("instances_train.json").read_bytes())
    for command in (["train-detector", "detector.json", "--weights", "random"], ["train", "nce", "nce.json"]):
        more = ["--detector", str(place / "detector.pt")] if command[0] == "train" else []
        assert main([*command, *more, "--out", "."]) == 2
        assert "which would be lost" in capsys.readouterr().err
    Path("detector.json").unlink()
    Path("nce.json").unlink()


def test_a_branch_goes_on_only_with_its_detector(
    place: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    save_light(place / "second.pt", small_detector(seed=1).model, SMALL, NAMES)
    sizes = ["--set", "hidden=20", "--set", "method.num_samples=8"]  # begins with nothing of the detector's
    command = ["train", "nce", str(place / "data"), "--out", str(place / "other"), *sizes, *FEW]

    def stopped(*_: Any, checkpoint: Any, **__: Any) -> Trained:
        checkpoint.keep({"stage": 0}, now=True)
        return Trained(1, 130)

    with monkeypatch.context() as patched:
        patched.setattr("ebm.tasks.detection.training.train", stopped)
        assert main([*command, "--detector", str(place / "detector.pt")]) == 130
    assert "the same command goes on" in capsys.readouterr().err
    assert main([*command, "--detector", str(place / "second.pt")]) == 2
    assert (
        "is the checkpoint of another call of ebmtrack detect train: detector is" in capsys.readouterr().err
    )


def test_refinement_takes_only_what_counts_then(
    place: Path, branch: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    given = ["refine", str(place / "data"), "--branch", str(branch), "--detector", str(place / "detector.pt")]
    out = ["--out", str(place / "set.json")]
    assert main([*given, *out, "--set", "rate=1"]) == 2
    assert "only prediction and method.refine count" in capsys.readouterr().err
    assert main([*given, *out, "--set", "method.refine.steps=0", "--limit", "1"]) == 0
    picture = place / "data" / "val" / "0.png"
    file = str(place / "data" / "annotations" / "instances_val.json")
    content = picture.read_bytes()
    assert main(["refine", file, *given[2:], "--out", str(picture)]) == 2
    assert "which would be lost" in capsys.readouterr().err
    assert picture.read_bytes() == content


def test_classes_of_one_name_are_not_learnt(place: Path, capsys: pytest.CaptureFixture[str]) -> None:
    content = json.loads((place / "data" / "annotations" / "instances_train.json").read_text())
    file = place / "data" / "annotations" / "twice_train.json"
    for changes, words in (
        ({"categories": [{"id": 10, "name": "cat"}, {"id": 20, "name": "cat"}]}, "two categories are called"),
        ({"annotations": []}, "none with an object that can be trained on"),
    ):
        file.write_text(json.dumps({**content, **changes}))
        assert main(["train-detector", str(file), "--weights", "random", "--out", str(place / "x")]) == 2
        assert words in capsys.readouterr().err
    file.unlink()


def test_recipes_are_shown_and_tried(place: Path, capsys: pytest.CaptureFixture[str]) -> None:
    given = ["nce+", str(place / "data"), "--detector", str(place / "detector.pt")]
    assert main(["train", *given, "--set", "method.beta=0.2", "--show"]) == 0
    assert "= 0.2  # 0.1 in light/nce+" in capsys.readouterr().out
    assert main(["train", *given, "--set", "hidden=16", "--dry-run", "--out", str(place / "dry")]) == 0
    printed = capsys.readouterr().out
    assert "s a step" in printed
    assert "MiB of memory" in printed
    assert not (place / "dry").exists()


def test_a_table_and_a_sweep(place: Path, capsys: pytest.CaptureFixture[str]) -> None:
    pytest.importorskip("faster_coco_eval")
    out = place / "table"
    given = [str(place / "data"), "--detector", str(place / "detector.pt"), "--tuning", "2", *FEW]
    given += ["--out", str(out)]
    changes = ["--set", "nce+:hidden=16", "--set", "nce+:method.num_samples=8"]
    table = ["table", *given, "--methods", "gaussian", "nce+", *changes, "--seeds", "2"]
    assert main(table) == 0
    printed = capsys.readouterr().out
    assert "As published" in printed
    assert "nce+ gains more AP75 than AP50" in printed
    assert {"table.md", "table.csv", "table.png", "study.json", "results.json"} <= {
        file.name for file in out.iterdir()
    }
    start = time.perf_counter()
    assert main(table) == 0  # nothing is computed twice
    assert time.perf_counter() - start < 5
    capsys.readouterr()
    vary = ["--vary", "method.num_samples", "1", "4", "--methods", "nce", "--on", "tuning", "--seeds", "1"]
    assert main(["sweep", *given, *vary]) == 0
    assert "nce, 4" in capsys.readouterr().out


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
