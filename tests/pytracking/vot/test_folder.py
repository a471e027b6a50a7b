"""The folder protocol and the program that speaks it."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from ebm.exceptions import InputError
from pytracking.run_vot import main, run_vot2020
from pytracking.tracker.first_box import FirstBox
from pytracking.vot.folder import run_folder
from pytracking.vot.follower import Follower
from tests.pytracking.evaluation.tiny import boxes_of, draw_frames

ROOT = Path(__file__).resolve().parents[3]
COMMAND = ["first_box", "default"]


@pytest.fixture
def task(tmp_path: Path) -> Path:
    """A folder as the toolkit prepares it: three frames, one object from the first, one from the second."""
    draw_frames(tmp_path / "walk", boxes_of(3))
    folder = tmp_path / "task"
    folder.mkdir()
    frames = sorted((tmp_path / "walk").iterdir())
    lines = [str(frames[0]), "../walk/0002.jpg", str(frames[2])]  # also relative to the folder
    (folder / "frames_color.txt").write_text("\n".join(lines) + "\n")
    (folder / "query_b.txt").write_text("0\n4,8,12,10\ntext=the square\n")
    (folder / "query_a.txt").write_text("1\nm30,20,2,2,0,4\n")
    return folder


def lines_of(path: Path) -> list[str]:
    return path.read_text().splitlines()


def test_every_object_has_a_line_a_frame(task: Path) -> None:
    assert run_folder(task, Follower(FirstBox())) == 3
    assert lines_of(task / "output_b.txt") == ["4.0000,8.0000,12.0000,10.0000"] * 3
    assert lines_of(task / "output_a.txt") == ["0", *["30.0000,20.0000,2.0000,2.0000"] * 2]
    assert lines_of(task / "output_a_confidence.txt") == ["0.000000", "1.000000", "1.000000"]


def test_the_files_of_the_first_challenges(task: Path) -> None:
    (task / "frames_color.txt").rename(task / "images.txt")
    for query in task.glob("query_*"):
        query.unlink()
    (task / "region.txt").write_text("10,20,40,10,60,50,30,60\n")
    assert run_folder(task, Follower(FirstBox())) == 3
    assert lines_of(task / "output.txt") == ["15.6970,15.6970,38.6060,38.6060"] * 3


@pytest.mark.parametrize(
    ("file", "text", "words"),
    [
        ("query_b.txt", "0\n0\n", "query_b.txt: The target is given without a region"),
        ("query_b.txt", "0\n5,6\n", "a point"),
        ("query_b.txt", "first\n4,8,12,10\n", "number of a frame from 0"),
        ("query_b.txt", "0\n", "number of a frame from 0"),
        ("query_b.txt", "7\n4,8,12,10\n", "behind the last of 3 frames"),
        ("query_b.txt", "0\n400,8,12,10\n", "outside the image"),
        ("frames_color.txt", "\n", "lists no images"),
        ("frames_color.txt", "none.jpg\nnone.jpg\n", "none.jpg"),
    ],
)
def test_what_cannot_be_followed(
    task: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    file: str,
    text: str,
    words: str,
) -> None:
    (task / file).write_text(text)
    monkeypatch.chdir(task)
    assert main([*COMMAND, "--protocol", "folder"]) == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert words in err
    assert not list(task.glob("output_*"))


def test_frames_without_a_query_and_an_empty_folder(task: Path, tmp_path: Path) -> None:
    for query in task.glob("query_*"):
        query.unlink()
    with pytest.raises(InputError, match="holds no query_"):
        run_folder(task, Follower(FirstBox()))
    with pytest.raises(InputError, match="ebmtrack video"):
        run_folder(tmp_path, Follower(FirstBox()))


def test_the_program_as_the_toolkit_starts_it(task: Path) -> None:
    environment = {key: value for key, value in os.environ.items() if key != "PYTHONPATH"}
    done = subprocess.run(
        [sys.executable, str(ROOT / "pytracking/run_vot.py"), *COMMAND],
        cwd=task,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stdout) == (0, "")
    assert "3 frames tracked." in done.stderr
    assert len(lines_of(task / "output_b.txt")) == 3


def test_the_function_that_pytrackings_trackers_ini_names(
    task: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(task)
    run_vot2020("first_box", "default", debug=1)
    assert len(lines_of(task / "output_b.txt")) == 3
    out, err = capsys.readouterr()
    assert out == ""
    assert "'debug' is passed over" in err
    with pytest.raises(SystemExit) as caught:
        run_vot2020("first_bax", "default")
    assert caught.value.code == 2


def test_by_hand_it_says_who_starts_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("TRAX", raising=False)
    assert main(COMMAND) == 2
    assert "ebmtrack vot integrate" in capsys.readouterr().err
