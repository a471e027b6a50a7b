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
    assert len(list(plots.glob("*.mp4"))) == 1
    assert main(command) == 0
    again = capsys.readouterr().out
    assert "Training is finished" in again
    assert again.split("Result (")[1].splitlines()[1:10] == first.split("Result (")[1].splitlines()[1:10]
