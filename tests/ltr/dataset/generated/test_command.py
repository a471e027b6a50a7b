"""The generator's command."""

import signal
import subprocess
import sys
import time
from pathlib import Path

import cv2
import pytest

from ltr.dataset.generated import ensure_generated
from ltr.dataset.generated.command import main
from ltr.dataset.generated.plans import TestPlan, adapted_plan
from pytracking.evaluation.datasets import open_dataset


def test_a_contact_sheet_is_a_picture_of_at_most_half_a_megabyte(tmp_path: Path) -> None:
    file = tmp_path / "sheet.jpg"
    assert main(["--contact-sheet", str(file), "--size", "160x120", "--length", "4-6"]) == 0
    assert file.stat().st_size <= 500_000
    assert cv2.imread(str(file)).shape == (4 * 240, 6 * 320, 3)


def test_sets_are_written_and_their_roots_printed(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    code = main(
        [
            "--out",
            str(tmp_path),
            "--kind",
            "test",
            "--scale",
            "tiny",
            "--sequences",
            "1",
            "--length",
            "3-3",
            "--no-progress",
        ]
    )
    assert code == 0
    output = capsys.readouterr().out
    assert "otb" in output
    assert len(list(tmp_path.rglob("generated.json"))) == 2


def test_targets_that_leave_are_drawn_where_a_layout_can_say_so(tmp_path: Path) -> None:
    plan = adapted_plan("test", "tiny", sequences=2, length=(40, 44), focus=("out_of_view",))
    roots = ensure_generated(tmp_path, "test", "tiny", progress=False, plan=plan)
    assert list(roots) == ["lasot"]
    for sequence in open_dataset("generated_lasot", roots["lasot"]):
        assert sequence.target_visible is not None
        assert 0 < (~sequence.target_visible).sum() < len(sequence)
    both = adapted_plan("test", "tiny", focus=("out_of_view", "small"))
    assert isinstance(both, TestPlan)
    assert list(both.sequences) == ["otb", "lasot"]
    assert both.focus == ("out_of_view", "small")


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (["--scale", "demmo"], "did you mean 'demo'"),
        (["--size", "big"], "--size big"),
        (["--videos", "1"], "at least one"),
        (["--textures", "/nowhere/at/all"], "no such folder"),
        (["--workers", "-2"], "workers"),
        (["--kind", "test", "--focus", "out_of_sight"], "did you mean 'out_of_view'"),
        (["--kind", "train", "--focus", "small"], "is for test sequences"),
    ],
)
def test_wrong_options_are_named(
    tmp_path: Path, options: list[str], words: str, capsys: pytest.CaptureFixture[str]
) -> None:
    scale = [] if "--scale" in options else ["--scale", "tiny"]
    assert main(["--out", str(tmp_path), "--no-progress", *scale, *options]) == 2
    assert words in capsys.readouterr().err
    assert not list(tmp_path.rglob("generated.json"))


def test_ctrl_c_ends_the_workers_and_leaves_nothing(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "ltr.dataset.generated", "--out", str(tmp_path), "--kind", "train"]
    with subprocess.Popen([*command, "--workers", "2", "--no-progress"], stderr=subprocess.PIPE) as process:
        deadline = time.monotonic() + 120
        while not list(tmp_path.rglob("*.jpg")) and time.monotonic() < deadline:
            assert process.poll() is None, "the command ended before it could be interrupted"
            time.sleep(0.1)
        process.send_signal(signal.SIGINT)
        _, output = process.communicate(timeout=60)
    assert process.returncode == 130, output.decode()
    assert list((tmp_path / "generated").iterdir()) == []
