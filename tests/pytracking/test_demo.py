"""The demo, end to end on tiny sets, and again."""

from pathlib import Path

import pytest

from pytracking.cli import main


@pytest.mark.slow
def test_the_demo_ends_with_a_table_and_files_and_a_second_call_only_prints(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    command = ["demo", "--workspace", str(tmp_path), "--scale", "tiny", "--epochs", "1", "--samples", "32"]
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
