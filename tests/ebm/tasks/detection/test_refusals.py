"""What ``ebmtrack detect`` does not do: lose an input or a training, or take what has no effect."""

import json
from pathlib import Path
from typing import Any

import pytest

from ebm.tasks.detection.command import main
from ebm.tasks.detection.loading import save_light
from ebm.training.iterations import Trained
from tests.ebm.tasks.detection.small import FEW, NAMES, SMALL, small_detector


def code_of(argv: list[str]) -> int:
    """The exit code, also where the arguments alone are refused."""
    try:
        return main(argv)
    except SystemExit as stop:
        return int(stop.code or 0)


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
