"""The command that tracks through a video, with several targets."""

import csv
from pathlib import Path

import numpy as np
import pytest

from pytracking.evaluation.video_io import open_video
from pytracking.run_video import main
from tests.pytracking.evaluation.tiny import boxes_of, draw_frames

HEADER = ["frame", "id", "x", "y", "w", "h", "score", "state", "time"]


@pytest.fixture
def images(tmp_path: Path) -> Path:
    draw_frames(tmp_path / "walk", boxes_of(4), size=(48, 64))
    (tmp_path / "boxes.txt").write_text("3,4,8,12,10\n8,40,20,10,16\n")
    return tmp_path / "walk"


def test_every_target_has_a_row_and_a_box_in_the_picture(images: Path, tmp_path: Path) -> None:
    out, mot = tmp_path / "out.mp4", tmp_path / "mot/out.txt"
    arguments = ["first_box", "default", str(images), "--box-file", str(tmp_path / "boxes.txt")]
    assert main([*arguments, "--out", str(out), "--mot", str(mot)]) == 0
    with out.with_suffix(".csv").open() as file:
        rows = list(csv.DictReader(file))
    assert list(rows[0]) == HEADER
    assert [(row["frame"], row["id"]) for row in rows] == [(str(t), i) for t in range(4) for i in ("3", "8")]
    assert [float(rows[-1][key]) for key in "xywh"] == [40, 20, 10, 16]
    lines = mot.read_text().splitlines()
    assert lines[0] == "1,3,5.000,9.000,12.000,10.000,1.0000,-1,-1,-1"  # frames and pixels from 1
    assert len(lines) == 8
    drawn = np.stack(list(open_video(out).frames())).astype(int)[2]
    assert drawn.shape == (48, 64, 3)
    for x, y in ((40, 28), (49, 30)):  # the sides of the second box, in a colour; the picture there is grey
        assert np.ptp(drawn[y, x]) > 60


def test_frames_that_cannot_be_read(images: Path, tmp_path: Path) -> None:
    (images / "0003.jpg").write_bytes(b"\xff\xd8 nothing")
    out, mot = tmp_path / "out.mp4", tmp_path / "out.txt"
    arguments = ["first_box", "default", str(images), "--box-file", str(tmp_path / "boxes.txt")]
    assert main([*arguments, "--out", str(out), "--mot", str(mot)]) == 1
    with out.with_suffix(".csv").open() as file:
        states = [row["state"] for row in csv.DictReader(file)]
    assert states == ["ok"] * 4 + ["unreadable"] * 2 + ["ok"] * 2
    assert [line.split(",")[0] for line in mot.read_text().splitlines()] == ["1", "1", "2", "2", "4", "4"]


def test_one_box_as_mot(images: Path, tmp_path: Path) -> None:
    mot = tmp_path / "one.txt"
    arguments = ["first_box", "default", str(images), "--box", "4,8,12,10", "--mot", str(mot)]
    assert main([*arguments, "--out", str(tmp_path / "o.mp4")]) == 0
    assert mot.read_text().splitlines()[3] == "4,1,5.000,9.000,12.000,10.000,1.0000,-1,-1,-1"


@pytest.mark.parametrize(
    ("boxes", "options", "words"),
    [
        ("a,4,8,12,10\n", ["--mot", "m.txt"], "whole numbers as ids"),
        ("a,4,8,12,10\nb,400,8,12,10\n", [], "frame 0: Target 'b'"),
        ("4,8,12,10\n", ["--mot", "boxes.txt"], "boxes.txt"),
        ("4,8,12,10\n", ["--mot", "o.csv"], "o.csv"),
    ],
)
def test_what_is_refused(
    boxes: str,
    options: list[str],
    words: str,
    images: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("boxes.txt").write_text(boxes)
    assert main(["first_box", "default", "walk", "--box-file", "boxes.txt", "--out", "o.mp4", *options]) == 2
    assert words in capsys.readouterr().err
    assert Path("boxes.txt").read_text() == boxes
    assert not Path("o.mp4").exists()


@pytest.mark.parametrize("given", [[], ["--box", "1,2,3,4", "--box-file", "b.txt"]])
def test_either_a_box_or_a_file(given: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        main(["first_box", "default", "walk", *given])
    assert "--box" in capsys.readouterr().err
