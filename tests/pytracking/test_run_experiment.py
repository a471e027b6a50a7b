"""Experiments: by a function of a module or a file, and by plain names."""

import subprocess
import sys
from pathlib import Path

import pytest

from ebm.exceptions import InputError, UnknownNameError
from pytracking.demo import untrained
from pytracking.evaluation.experiment import (
    Experiment,
    Tracker,
    get_dataset,
    parse_tracker,
    read_experiment,
    trackerlist,
)
from pytracking.run_experiment import main
from tests.pytracking.evaluation.tiny import write_lasot, write_otb

FILE = """
from pytracking.evaluation import Tracker, get_dataset, trackerlist

def boxes():
    return [Tracker("first_box", "default", display_name="Floor"), "first_box/default"], get_dataset("otb")

def twice():
    return trackerlist("first_box", "default", range(2)), "otb"

def one_name():
    return [Tracker("first_box", "default", run_id=n, display_name="x") for n in (0, 0)], ["otb", "lasot"]

def nothing():
    return [], []

def single():
    return "first_box/default"

def typo():
    return ["first_box/default"], ["obt"]
"""


@pytest.fixture
def data(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with an experiment file, and an OTB and a LaSOT of two tiny sequences each."""
    monkeypatch.setenv("EBMTRACK_OTB", str(write_otb(tmp_path / "otb", {"A": 4, "B": 3})))
    monkeypatch.setenv("EBMTRACK_LASOT", str(write_lasot(tmp_path / "lasot", {"cat-1": 4, "cat-2": 3})))
    monkeypatch.setenv("EBMTRACK_WORKSPACE", str(tmp_path / "runs"))
    (tmp_path / "mine.py").write_text(FILE)
    return tmp_path


def test_every_tracker_runs_on_every_dataset(data: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--trackers", "first_box/default", "--datasets", "otb", "lasot"]) == 0
    said = capsys.readouterr().out
    assert "== first_box/default on otb" in said
    assert "== first_box/default on lasot" in said
    assert said.count("2 sequences run, 7 frames") == 2
    assert said.count("first_box/default") > 4  # and a row in each table
    assert main(["--trackers", "first_box/default", "--datasets", "otb"]) == 0
    assert "2 sequences finished before and kept" in capsys.readouterr().out


def test_repetitions_are_averaged(data: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main([str(data / "mine.py"), "twice"]) == 0
    said = capsys.readouterr().out
    assert "first_box/default, run 1 on otb" in said
    folders = sorted(
        path.name.rpartition("-")[0] for path in (data / "runs/tracking_results/first_box").iterdir()
    )
    assert folders == ["default_000", "default_001"]
    command = ["--trackers", "first_box/default", "--datasets", "otb", "--runs", "3"]
    assert main(command) == 0
    assert "run 2 on otb" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ([], "--trackers and --datasets"),
        (["mine.py"], "name of its function"),
        (["mine.py", "boxes", "--datasets", "otb"], "name of its function"),
        (["--trackers", "first_box/default"], "go together"),
        (["--trackers", "first_box", "--datasets", "otb"], "NAME/PARAMETERS"),
        (["--trackers", "first_box/default", "--datasets", "obt"], "did you mean 'vot' or 'otb'"),
        (["--trackers", "dimp/nce_plus=none.pth.tar", "--datasets", "otb"], "none.pth.tar"),
        (["--trackers", "first_bax/default", "--datasets", "otb"], "first_box"),
        (["mine.py", "box"], "did you mean 'boxes'"),
        (["mine.py", "boxes"], "there twice, also as Floor"),
        (["mine.py", "nothing"], "gives no trackers"),
        (["mine.py", "single"], "returns trackers and datasets"),
        (["mine.py", "typo"], "did you mean 'vot' or 'otb'"),
        (["none.py", "x"], "none.py is not there"),
        (["myexperiment", "x"], "did you mean 'myexperiments'"),
    ],
)
def test_what_is_no_experiment(
    data: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    arguments: list[str],
    words: str,
) -> None:
    monkeypatch.chdir(data)
    assert main(arguments) == 2
    assert words in capsys.readouterr().err
    assert not (data / "runs").exists()


def test_the_advice_names_options_that_there_are(
    data: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    part = write_otb(data / "part", {"Deer": 71}, generated=False)
    (data / "empty").mkdir()
    monkeypatch.setenv("EBMTRACK_OTB", str(part))
    monkeypatch.setenv("EBMTRACK_LASOT", str(data / "empty"))
    monkeypatch.delenv("EBMTRACK_NFS", raising=False)
    monkeypatch.setenv("XDG_CONFIG_HOME", str(data))
    monkeypatch.chdir(data)
    for name, advice in {
        "otb": "Add them, or pass --allow-missing to use the others alone",
        "lasot": "its root is the folder that contains airplane-1.",
        "nfs": "in one of two ways: set the environment variable EBMTRACK_NFS=",
        "folder": "this command cannot take it",
    }.items():
        assert main(["--trackers", "first_box/default", "--datasets", name]) == 2
        said = capsys.readouterr().err
        assert advice in said
        assert "--root" not in said
        assert "--sequence" not in said
    assert main(["--trackers", "first_box/default", "--datasets", "otb", "--allow-missing"]) == 0
    assert "1 sequence" in capsys.readouterr().out


def test_the_same_run_twice_is_one_run(data: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main([str(data / "mine.py"), "one_name"]) == 0
    assert capsys.readouterr().out.count("== x, run 0 on otb") == 1


def test_two_trackers_of_one_name_are_refused(data: Path, capsys: pytest.CaptureFixture[str]) -> None:
    weights = untrained(data)
    assert parse_tracker("dimp/nce_plus=/a/b.pth.tar").label == "dimp/nce_plus=b.pth.tar"
    (data / "mine.py").write_text(
        "from pytracking.evaluation import Tracker\n"
        "def clash():\n"
        f"    other = Tracker('dimp', 'nce_plus_small', None, 'First_box/default', {str(weights)!r})\n"
        "    return ['first_box/default', other], 'otb'\n"
    )
    assert main([str(data / "mine.py"), "clash"]) == 2
    assert "display_name" in capsys.readouterr().err


def test_the_examples_that_come_with_it() -> None:
    assert read_experiment("myexperiments", "first_box") == Experiment(
        (Tracker("first_box", "default"),), ("generated",)
    )
    runs = read_experiment("myexperiments", "nce_plus_runs")
    assert [tracker.run_id for tracker in runs.trackers] == [0, 1, 2, 3, 4]
    losses = read_experiment("pytracking.experiments.myexperiments", "box_losses")
    assert {tracker.name for tracker in losses.trackers} == {"dimp"}
    from pytracking.parameter import find_parameters

    for tracker in (*runs.trackers, *losses.trackers):
        find_parameters(tracker.name, tracker.parameter_name)


def test_names_as_in_pytracking() -> None:
    assert trackerlist("dimp", "dimp50") == [Tracker("dimp", "dimp50")]
    assert [tracker.run_id for tracker in trackerlist("dimp", "dimp50", range(2))] == [0, 1]
    assert trackerlist("dimp", "dimp50", 3, "D")[0].label == "D"
    assert get_dataset("otb", "nfs") == ["otb", "nfs"]
    with pytest.raises(UnknownNameError):
        get_dataset("tn")
    for text in ("dimp", "/x", "dimp/", "dimp/x="):
        with pytest.raises(InputError):
            parse_tracker(text)


@pytest.mark.parametrize(
    ("module", "file"),
    [
        ("mymodule", "mymodule.py"),
        ("myexperiments", "myexperiments.py"),  # rather than the example of this name
        ("work.of_mine", "work/of_mine.py"),
        ("FOLDER/mymodule", "mymodule.py"),
    ],
)
def test_a_users_own_module_needs_no_ending_and_no_installation(
    data: Path, monkeypatch: pytest.MonkeyPatch, module: str, file: str
) -> None:
    (data / file).parent.mkdir(exist_ok=True)
    (data / file).write_text("import beside_it_all\n" + FILE)
    (data / "beside_it_all.py").write_text("")
    monkeypatch.chdir(data)
    monkeypatch.setattr(sys, "path", [entry for entry in sys.path if entry])  # as in a script
    found = read_experiment(module.replace("FOLDER", str(data)), "twice")
    assert found == Experiment(tuple(trackerlist("first_box", "default", range(2))), ("otb",))
    assert str(data) not in sys.path
    sys.modules.pop("beside_it_all")


def test_as_pytrackings_users_type_it(data: Path) -> None:
    (data / "myexperiments.py").write_text(FILE)
    script = Path(__file__).resolve().parents[2] / "pytracking/run_experiment.py"
    command = [sys.executable, str(script), "myexperiments", "twice", "--threads", "0"]
    done = subprocess.run(command, cwd=data, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, done.stderr
    assert "first_box/default, run 1 on otb" in done.stdout


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("def mine(:\n    pass", "own.py, line 1: "),
        ("import not_installed_here", "No module named 'not_installed_here'"),
        ("def mine():\n    raise ValueError('of mine')", r"ValueError: of mine \(.*own.py, line 2\)"),
        ("def mine(which): ...", "missing 1 required positional argument"),
    ],
)
def test_faults_of_a_users_file_are_told_with_their_place(tmp_path: Path, text: str, words: str) -> None:
    (tmp_path / "own.py").write_text(text)
    with pytest.raises(InputError, match=words):
        read_experiment(str(tmp_path / "own"), "mine")
    with pytest.raises(UnknownNameError):
        read_experiment("..", "mine")


def test_a_users_file_may_hold_dataclasses_and_be_called_as_a_module(tmp_path: Path) -> None:
    lines = ["from __future__ import annotations", "import json", "from dataclasses import dataclass", ""]
    lines += ["@dataclass", "class Kind:", "    name: str = json.dumps('first_box/default')[1:-1]", ""]
    lines += ["def mine():", "    return Kind().name, 'otb'"]
    (tmp_path / "json.py").write_text("\n".join(lines))
    found = read_experiment(str(tmp_path / "json.py"), "mine")
    assert found == Experiment((parse_tracker("first_box/default"),), ("otb",))
