"""``ebmtrack toy1d``: what it prints, writes and answers."""

import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from ebm.exceptions import NumericalError
from ebm.tasks.toy1d import study
from ebm.tasks.toy1d.command import main

TINY = [
    "--runs",
    "2",
    "--samples",
    "4",
    "--epochs",
    "1",
    "--threads",
    "1",
    "--variant",
    "train-size=64,grid=64",
]


def run(tmp_path: Path, *arguments: str) -> int:
    return main([*arguments, *TINY, "--out", str(tmp_path / "out")])


def test_a_table_is_printed_and_written(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(tmp_path, "table", "--methods", "nce", "sm", "--format", "markdown") == 0
    captured = capsys.readouterr()
    assert captured.out.startswith("| method | M |")
    assert "4 jobs to run" in captured.err
    assert "[4/4] SM on data set 2 (train_size 64, grid_size 64): best-2" in captured.err
    assert (tmp_path / "out" / "variants.csv").is_file()
    assert not (tmp_path / "out" / "table.csv").exists()  # a table of variants leaves the other one alone
    assert run(tmp_path, "table", "--methods", "nce", "sm") == 0
    assert "0 jobs to run; 4 have a result already" in capsys.readouterr().err


def test_a_sweep_is_printed_and_drawn(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    pytest.importorskip("matplotlib")
    out = tmp_path / "out"
    arguments = ["sweep", "--methods", "nce", "--samples", "1,4", "--runs", "1", "--epochs", "1"]
    arguments += ["--variant", "train-size=64,grid=64", "--threads", "1", "--out", str(out)]
    assert main(arguments) == 0
    assert capsys.readouterr().out.splitlines()[0].split() == ["M", "1", "4"]
    assert {"sweep.png", "sweep.pdf", "sweep.csv", "sweep_runs.csv"} <= {path.name for path in out.iterdir()}


def test_pictures_are_drawn(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    pytest.importorskip("matplotlib")
    assert run(tmp_path, "plot", "--methods", "nce", "--data-sets", "1", "--no-first-paper") == 0
    names = sorted(path.name for path in (tmp_path / "out").glob("*.png"))
    assert names == ["figure_s1_data_set_1.png", "figure_s3_data_set_1_learnt.png"]
    assert "figure_s3_data_set_1_learnt.png" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["table", "--methods", "nec"], "did you mean 'nce'"),
        (["table", "--methods", "nce", "--runs", "0"], "--runs must be >= 1, got 0"),
        (["table", "--methods", "nce", "--runs", "x"], "--runs takes a number"),
        (["table", "--methods", "nce", "--epochs", "0"], "epochs must be an integer >= 1"),
        (["table", "--methods", "nce", "--data-sets", "3"], "data_set must be 1 or 2"),
        (["table", "--methods", "nce", "--jobs", "0"], "--jobs must be an integer >= 1"),
        (["table", "--methods", "nce", "--format", "tex"], "Unknown table format 'tex'"),
        (["table", "--methods", "nce+", "--beta-mode", "var"], "did you mean 'variance'"),
        (["table", "--methods", "nce", "--variant", "nu=off"], "Unknown variant setting 'nu'"),
        (
            ["table", "--methods", "nce", "--device", "cuda:77"],
            "Device 'cuda:77' was asked for, but torch sees",
        ),
        (["sweep", "--samples", "1;2"], "--samples takes numbers with commas"),
        (["plot", "--pick", "worst"], "Unknown pick 'worst'"),
    ],
)
def test_bad_input_is_told_and_answered_with_2(
    arguments: list[str], words: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main([*arguments, "--out", str(tmp_path / "out")]) == 2
    error = capsys.readouterr().err
    assert error.startswith("error: ")
    assert words in error


def test_a_folder_that_cannot_be_written_is_told_before_training(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "out").write_text("a file")
    assert run(tmp_path, "table", "--methods", "nce") == 2
    assert "is a file; choose a folder" in capsys.readouterr().err


def test_a_damaged_result_is_told_with_the_remedy(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(tmp_path, "table", "--methods", "nce", "--data-sets", "1") == 0
    (file,) = (tmp_path / "out" / "results").iterdir()
    file.write_text("{")
    capsys.readouterr()
    assert run(tmp_path, "table", "--methods", "nce", "--data-sets", "1") == 2
    assert f"Result file {file} cannot be used" in capsys.readouterr().err
    file.unlink()
    assert run(tmp_path, "table", "--methods", "nce", "--data-sets", "1") == 0


def test_a_failed_job_gives_1_and_a_table_of_the_rest(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    original = study.train_ensemble

    def fail(method: Any, *args: Any, **kwargs: Any) -> Any:
        if method.name == "ml-is":
            raise NumericalError("infinite")
        return original(method, *args, **kwargs)

    monkeypatch.setattr(study, "train_ensemble", fail)
    assert run(tmp_path, "table", "--methods", "nce", "ml-is", "--data-sets", "1") == 1
    captured = capsys.readouterr()
    assert "error: ML-IS on data set 1" in captured.err
    assert "has no result: NumericalError: infinite" in captured.err
    assert captured.out.splitlines()[2].startswith("NCE")


def test_ctrl_c_gives_130_and_says_what_is_kept(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupt(*args: Any, **kwargs: Any) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(study, "train_ensemble", interrupt)
    assert run(tmp_path, "table", "--methods", "nce") == 130
    assert "finished jobs are kept in the folder --out" in capsys.readouterr().err


def test_help_answers_at_once_without_torch() -> None:
    code = "import sys; from ebm.tasks.toy1d.command import main\n"
    code += "try: main(['table', '--help'])\nexcept SystemExit as end: assert end.code == 0\n"
    code += "assert 'torch' not in sys.modules"
    start = time.perf_counter()
    output = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    assert time.perf_counter() - start < 5  # 0.1 s where nothing else runs
    assert "examples:" in output
    assert "share=on|off" in output


@pytest.mark.slow
def test_the_smoke_run_of_the_study(tmp_path: Path) -> None:
    """Two seeds, M = 128, 25 epochs, data set 1: NCE is below 0.35 and below SM, ML-IS is finite."""
    from ebm.tasks.toy1d.plan import Request, make_plan
    from ebm.tasks.toy1d.store import Store

    request = Request(methods=["nce", "sm", "ml-is"], data_sets=[1], quick=True)
    jobs = {key.name: row[1] for key, row in make_plan(request).items()}
    outcome = study.run_study(list(jobs.values()), Store(tmp_path), study.Resources(threads=1))
    best = {name: outcome.results[job].summary().best for name, job in jobs.items()}
    assert best["nce"] < 0.35
    assert best["nce"] < best["sm"]
    assert outcome.results[jobs["ml-is"]].summary().failures == 0
