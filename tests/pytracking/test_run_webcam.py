"""The command that tracks what a camera sees; a video file and a pipe stand in for one."""

import csv
import io
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import cv2
import numpy as np
import pytest

from pytracking.cli import main
from tests.pytracking.evaluation.tiny import boxes_of, draw_frames

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture
def images(tmp_path: Path) -> Path:
    draw_frames(tmp_path / "walk", boxes_of(6), size=(48, 64))
    return tmp_path / "walk"


def rows_of(path: Path) -> list[dict[str, str]]:
    with path.open() as file:
        return list(csv.DictReader(file))


def track(source: Path | str, out: Path, *options: str) -> int:
    return main(
        ["webcam", "first_box", "default", str(source), "--box", "4,8,12,10", "--out", str(out), *options]
    )


def test_a_folder_stands_in_for_a_camera(
    images: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    mot = tmp_path / "o.txt"
    assert track(images, tmp_path / "o.mp4", "--fps", "50", "--mot", str(mot)) == 0
    rows = rows_of(tmp_path / "o.csv")
    assert [(row["frame"], row["state"], row["time"]) for row in rows][-1] == ("5", "ok", "0.100000")
    assert len(mot.read_text().splitlines()) == 6
    said = capsys.readouterr()
    assert "6 frames tracked." in said.out
    assert "Left out" not in said.out


def test_frames_that_come_meanwhile_are_left_out_and_counted(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    from pytracking.tracker.first_box import FirstBox

    draw_frames(tmp_path / "walk", boxes_of(20), size=(48, 64))
    advance = FirstBox.advance

    def slowly(self: FirstBox, targets: list[FirstBox], frames: list[np.ndarray]) -> list[object]:
        time.sleep(0.05)
        return list(advance(self, targets, frames))

    monkeypatch.setattr(FirstBox, "advance", slowly)
    assert track(tmp_path / "walk", tmp_path / "o.mp4", "--fps", "100", "--latest-frame") == 0
    numbers = [int(row["frame"]) for row in rows_of(tmp_path / "o.csv")]
    assert numbers[-1] == 19
    assert len(numbers) < 20
    assert f"Left out: {20 - len(numbers)} frames that came while" in capsys.readouterr().out


def test_a_damaged_frame(images: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (images / "0003.jpg").write_bytes(b"\xff\xd8 nothing")
    assert track(images, tmp_path / "o.mp4", "--fps", "100") == 1
    assert "1 of 6 frames" in capsys.readouterr().err
    assert [row["state"] for row in rows_of(tmp_path / "o.csv")].count("unreadable") == 1


def test_what_is_refused(
    images: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    for source, options, words in [
        ("walk", ["--port", "8000"], "goes with --select or --show"),
        ("none.mp4", [], "no video file or image folder none.mp4"),
        ("walk", ["--csv", "o.mp4"], "the same file"),
    ]:
        assert track(source, Path("o.mp4"), *options) == 2
        assert words in capsys.readouterr().err
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO()))
    monkeypatch.setattr(sys.stdin, "isatty", lambda: True, raising=False)
    assert track("-", Path("o.mp4")) == 2
    assert "Standard input is the keyboard" in capsys.readouterr().err
    assert not Path("o.mp4").exists()


def test_ctrl_c_while_no_frame_comes_keeps_those_that_came(tmp_path: Path) -> None:
    pytest.importorskip("av", reason="the extra 'eval' is not installed")
    arguments = [
        "webcam",
        "first_box",
        "default",
        "-",
        "--box",
        "4,8,12,10",
        "--out",
        str(tmp_path / "o.mp4"),
    ]
    run = subprocess.Popen(
        [sys.executable, "-m", "ebmtrack", *arguments],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, cwd=ROOT,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
    )  # fmt: skip
    assert run.stdin is not None
    run.stdin.write(cv2.imencode(".jpg", np.full((48, 64, 3), 90, np.uint8))[1].tobytes() * 4)
    run.stdin.flush()  # and then nothing more: the camera hangs
    table, end = tmp_path / "o.csv", time.monotonic() + 120
    while time.monotonic() < end and not (table.exists() and len(table.read_text().splitlines()) >= 4):
        time.sleep(0.05)
    run.send_signal(signal.SIGINT)
    try:
        _, error = run.communicate(timeout=120)
    finally:
        run.kill()
    assert run.returncode == 130, error
    assert b"the frames so far are in the mp4 and the csv" in error
    assert len(rows_of(table)) == 3  # the last one is whole only when the next begins
    assert (tmp_path / "o.mp4").exists()
    assert not list(tmp_path.glob("*.part*"))
