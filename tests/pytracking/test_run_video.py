"""The command that tracks through a video."""

import argparse
import csv
import sys
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch

from ebm.threads import in_words, using_threads
from pytracking.evaluation.video_io import VideoWriter, open_video
from pytracking.run_video import main, parse_box
from pytracking.tracker.base import Tracked
from pytracking.tracker.first_box import FirstBox
from tests.pytracking.evaluation.tiny import boxes_of, draw_frames


@pytest.fixture
def images(tmp_path: Path) -> Path:
    draw_frames(tmp_path / "walk", boxes_of(5), size=(49, 65))
    return tmp_path / "walk"


def rows_of(path: Path) -> list[dict[str, str]]:
    with path.open() as file:
        return list(csv.DictReader(file))


def test_images_to_mp4_and_csv(images: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = tmp_path / "results/out.mp4"
    assert main(["first_box", "default", str(images), "--box", "4,8,12,10", "--out", str(out)]) == 0
    said = capsys.readouterr().out
    assert "5 frames tracked" in said
    assert "States: 5 ok, 0 uncertain, 0 lost (the classifier's opinion" in said
    rows = rows_of(out.with_suffix(".csv"))
    assert [row["frame"] for row in rows] == ["0", "1", "2", "3", "4"]
    assert list(rows[0]) == ["frame", "x", "y", "w", "h", "score", "state", "time"]
    assert [float(rows[4][key]) for key in "xywh"] == [4, 8, 12, 10]
    assert rows[4]["state"] == "ok"
    frames = list(open_video(out).frames())
    assert len(frames) == 5
    assert frames[0].shape == (50, 66, 3)


@pytest.mark.parametrize(("options", "threads"), [([], 1), (["--threads", "3"], 3)])
def test_it_runs_with_the_threads_that_it_says_and_leaves_the_callers(
    options: list[str],
    threads: int,
    images: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    seen, track = set(), FirstBox.track

    def noted(self: FirstBox, image: np.ndarray) -> Tracked:
        seen.add((torch.get_num_threads(), cv2.getNumThreads()))
        return track(self, image)

    monkeypatch.setattr(FirstBox, "track", noted)
    with using_threads(2):
        place = ["--out", str(tmp_path / "out.mp4"), *options]
        assert main(["first_box", "default", str(images), "--box", "4,8,12,10", *place]) == 0
        assert (torch.get_num_threads(), cv2.getNumThreads()) == (2, 2)
    assert seen == {(threads, threads)}
    assert f": {in_words(threads, 'thread')}\n" in capsys.readouterr().out


def test_a_video_file_keeps_its_rate(images: Path, tmp_path: Path) -> None:
    with VideoWriter(tmp_path / "in.mp4", 12) as writer:
        for frame in open_video(images).frames():
            writer.add(frame)
    out, table = tmp_path / "out.mp4", tmp_path / "table.csv"
    arguments = ["first_box", "default", str(tmp_path / "in.mp4"), "--box", "4,8,12,10"]
    assert main([*arguments, "--out", str(out), "--csv", str(table)]) == 0
    assert open_video(out).fps == 12
    assert len(rows_of(table)) == 5


def test_the_default_place_is_the_workspace(
    images: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("EBMTRACK_WORKSPACE", str(tmp_path / "runs"))
    assert main(["first_box", "default", str(images), "--box", "4,8,12,10"]) == 0
    made = sorted(path.name for path in (tmp_path / "runs/videos").iterdir())
    assert made == ["walk_first_box.csv", "walk_first_box.mp4"]


def test_a_damaged_frame_keeps_all_the_others(
    images: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (images / "0004.jpg").write_bytes(b"\xff\xd8 nothing")
    out = tmp_path / "out.mp4"
    assert main(["first_box", "default", str(images), "--box", "4,8,12,10", "--out", str(out)]) == 1
    said = capsys.readouterr().err
    assert "0004.jpg" in said
    assert "1 of 5 frames" in said
    rows = rows_of(out.with_suffix(".csv"))
    assert [row["state"] for row in rows] == ["ok", "ok", "ok", "unreadable", "ok"]
    assert rows[3]["score"] == "nan"
    assert len(list(open_video(out).frames())) == 5


@pytest.mark.parametrize("box", ["900,900,10,10", "-50,-50,20,20", "-50,8,20,20"])
def test_a_box_outside_the_image(
    images: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], box: str
) -> None:
    arguments = ["first_box", "default", str(images), f"--box={box}", "--out", str(tmp_path / "o.mp4")]
    assert main(arguments) == 2
    error = capsys.readouterr().err
    assert "frame 0" in error
    assert "walk" in error
    assert not (tmp_path / "o.mp4").exists()


@pytest.mark.parametrize("box", ["1,2,3", "a,b,c,d", "1,2,0,4", "1,2,3,-4", "nan,1,2,3", "1,2,inf,3"])
def test_what_is_no_box(box: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as caught:
        main(["first_box", "default", "x.mp4", f"--box={box}"])
    assert caught.value.code == 2
    assert "--box" in capsys.readouterr().err


def test_a_box_is_four_numbers() -> None:
    assert parse_box("1.5,-2,30,4e1") == (1.5, -2.0, 30.0, 40.0)
    for odd in ("1_0,5,20,20", "\u0661,5,20,20", "1,2,3,inf"):
        with pytest.raises(argparse.ArgumentTypeError):
            parse_box(odd)


def test_a_video_that_is_not_there(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["first_box", "default", "none.mp4", "--box", "1,2,3,4"]) == 2
    assert "none.mp4" in capsys.readouterr().err


def test_the_page_names_its_extra_and_its_port_goes_with_it(
    images: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setitem(sys.modules, "tornado", None)
    arguments = ["first_box", "default", str(images), "--out", str(tmp_path / "o.mp4")]
    assert main([*arguments, "--select"]) == 2
    assert "tornado is needed for the page" in (said := capsys.readouterr().err)
    assert "ebmtrack[page]" in said
    assert main([*arguments, "--box", "1,2,3,4", "--port", "8000"]) == 2
    assert "--port is that of the page" in capsys.readouterr().err
    assert not (tmp_path / "o.mp4").exists()
