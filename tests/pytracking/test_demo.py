"""The demo, end to end on tiny sets, and again."""

from pathlib import Path

import pytest
import torch

from ltr.admin.loading import read_checkpoint
from pytracking.cli import main
from pytracking.weights.shipped import find_shipped


@pytest.mark.slow
def test_the_demo_ends_with_a_table_and_files_and_a_second_call_only_prints(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    command = [
        "demo",
        "--from-scratch",
        "--workspace",
        str(tmp_path),
        "--scale",
        "tiny",
        "--epochs",
        "1",
        "--samples",
        "32",
    ]
    command += ["--workers", "2"]
    assert main(command) == 0
    first = capsys.readouterr().out
    for label in ("DiMP-NCE+ small, trained", "the same network, untrained", "first box repeated"):
        assert label in first
    assert "2 processes of 8 samples" in first
    plots = tmp_path / "result_plots" / "demo"
    assert {"success_plot.png", "success_plot.pdf", "scores.csv"} <= {path.name for path in plots.iterdir()}
    [video] = plots.glob("*.mp4")
    last = first.splitlines()[-1].split()  # the command that tracks a video with what was trained
    assert (last[0], last[-2:]) == ("ebmtrack", ["--workspace", str(tmp_path)])
    places = {"VIDEO": str(video), "x,y,w,h": "20,20,40,40", "tracked.mp4": str(tmp_path / "t.mp4")}
    assert main([places.get(word, word) for word in last[1:]]) == 0
    assert str(tmp_path / "checkpoints") in capsys.readouterr().out
    rows = [line.split("|") for line in first.splitlines() if line.startswith("DiMP-NCE+ small, trained ")]
    options = ["--dataset", "generated", "--scale", "tiny", "--workspace", str(tmp_path)]
    assert main(["evaluate", "dimp/nce_plus_small", *options]) == 0
    shown = [line.split("|") for line in capsys.readouterr().out.splitlines() if line.startswith("dimp/")]
    assert shown[0][1] == rows[0][1]  # the trained network's results are what its name stands for
    assert main(command) == 0
    again = capsys.readouterr().out
    assert "Training is finished" in again
    assert again.split("Result (")[1].splitlines()[1:10] == first.split("Result (")[1].splitlines()[1:10]


@pytest.mark.slow
def test_the_short_demo_tracks_fine_tunes_and_compares(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    command = ["demo", "--workspace", str(tmp_path), "--scale", "tiny", "--samples", "16", "--workers", "1"]
    assert main(command) == 0
    first = capsys.readouterr().out
    assert "begins with" in first  # training, with the installed weights
    for label in (
        "installed weights",
        "the same, fine-tuned",
        "without the box energy",
        "first box repeated",
    ):
        assert f"\n{label} " in first
    plots = tmp_path / "demo" / "result"
    made = {path.relative_to(plots).as_posix() for path in plots.rglob("*") if path.is_file()}
    assert {"clip.mp4", "density.png", "clip/success_plot.png", "drawn/success_plot.png"} <= made
    states = read_checkpoint(
        tmp_path / "demo/checkpoints/ltr/bbreg/atom_nce_plus_lite/ATOMnet_ep0001.pth.tar"
    )
    begun = read_checkpoint(find_shipped("atom_nce_plus_lite").path)["net"]
    moved = {key for key, value in begun.items() if not torch.equal(value, states["net"][key])}
    assert moved
    assert all(key.startswith("bb_regressor.") for key in moved)
    assert not [key for key in moved if "running_" in key]  # which a short run would move too far
    before = {path: path.read_bytes() for path in tmp_path.rglob("*.txt")}
    assert main(command) == 0
    again = capsys.readouterr().out
    assert "Training is finished" in again
    assert {path: path.read_bytes() for path in tmp_path.rglob("*.txt")} == before
    rows = [line for line in first.splitlines() if "|" in line]
    assert [line for line in again.splitlines() if "|" in line] == rows


def test_options_of_the_other_demo_are_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["demo", "--workspace", str(tmp_path), "--epochs", "2"]) == 2
    assert "--epochs goes with --from-scratch" in capsys.readouterr().err
    assert main(["demo", "--workspace", str(tmp_path), "--from-scratch", "--train-time", "9s"]) == 2
    assert "--train-time is of fine-tuning" in capsys.readouterr().err
    assert main(["demo", "--workspace", str(tmp_path), "--train-time", "soon"]) == 2
    assert not list(tmp_path.iterdir())
