"""Arguments as people type them: negative numbers, cameras and streams, terminals that lack letters."""

import argparse
import importlib
import os
import subprocess
import sys
from pathlib import Path

import pytest

from ebm.exceptions import InputError
from pytracking.cli import COMMANDS, main
from pytracking.evaluation.video_names import video_path
from tests.pytracking.evaluation.tiny import boxes_of, draw_frames, write_otb

ROOT = Path(__file__).resolve().parents[2]


def parsers() -> list[argparse.ArgumentParser]:
    """The parser of every command, and those of the commands below it."""
    found = []
    for command in COMMANDS.values():
        module = importlib.import_module(command.module)
        build = getattr(module, "build_parser", None) or getattr(module, "_parser", None)
        waiting = [build()] if build else []
        while waiting:
            parser = waiting.pop()
            found.append(parser)
            for action in parser._actions:
                if isinstance(action, argparse._SubParsersAction):
                    waiting += action.choices.values()
    return found


@pytest.mark.parametrize("value", ["-1", "-1.5e-3", "-5,10,20,20"])
def test_no_option_of_any_command_takes_a_number_for_an_option(
    value: str, capsys: pytest.CaptureFixture[str]
) -> None:
    seen = 0
    for parser in parsers():
        for action in parser._actions:
            if not action.option_strings or action.nargs == 0:
                continue
            with pytest.raises(
                SystemExit
            ):  # for want of other arguments, or since the value is none of these
                parser.parse_args([action.option_strings[-1], value, "--no-such-option"])
            error = capsys.readouterr().err.splitlines()[-1]
            assert "expected one argument" not in error, error
            assert "expected at least one argument" not in error, error
            seen += 1
    assert seen > 60


def test_a_box_that_begins_left_of_the_picture(tmp_path: Path) -> None:
    draw_frames(tmp_path / "f", boxes_of(3))
    out = tmp_path / "o.mp4"
    arguments = ["video", "first_box", "default", str(tmp_path / "f"), "--out", str(out)]
    assert main([*arguments, "--box", "-5,10,20,20"]) == 0
    assert out.with_suffix(".csv").read_text().splitlines()[1].startswith("0,-5.000,10.000,20.000,20.000,")


def test_a_negative_value_of_a_setting(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["train", "dimp", "dimp_nce_plus_small", "--set", "clip=-1", "--show"]) == 2
    assert "clip" in capsys.readouterr().err
    with pytest.raises(SystemExit):
        main(["track", "first_box", "default", "--seed", "-1"])
    assert "must be at least 0, got -1" in capsys.readouterr().err


NAMED = [
    (
        "rtsp://host/x",
        "is a stream; 'ebmtrack webcam' tracks from it: ebmtrack webcam 'rtsp",
    ),
    ("rtmp://host/live/key", "is a stream"),
    ("udp://@239.0.0.1:1234", "is a stream"),
    ("https://host/live.m3u8", "is a stream"),
    ("http://host/mjpg", "is a stream"),
    ("http://host/a/clip.mp4?x=1", "Download it first, e.g. curl -L -o clip.mp4"),
    ("s3://bucket/clip.mp4", "Download it first"),
    ("0", "0 is a camera; 'ebmtrack webcam' tracks from it: ebmtrack webcam 0"),
    ("12", "webcam 12"),
    ("/dev/video0", "is a camera"),
    ("-", "'ebmtrack webcam' reads frames from standard input"),
    ("/dev/null", "is a device"),
    ("", "is empty"),
]


@pytest.mark.parametrize(("text", "words"), NAMED)
def test_what_is_no_video_file_is_named(
    text: str, words: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    code = main(["video", "first_box", "default", text, "--box", "1,2,3,4", "--out", str(tmp_path / "o.mp4")])
    assert code == 2
    assert words in capsys.readouterr().err
    assert not list(tmp_path.iterdir())


def test_a_pipe_is_no_video(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")  # reading it would wait for ever
    with pytest.raises(InputError, match="is a pipe"):
        video_path(str(tmp_path / "pipe"))


def test_files_that_only_look_like_cameras_and_streams(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "0").mkdir()
    (tmp_path / "a:").mkdir()
    assert video_path("0") == Path("0")
    assert video_path("./-") == Path("./-")
    assert video_path("a://b") == Path("a:/b")
    assert video_path("file:///data/my%20clip.mp4") == Path("/data/my clip.mp4")
    assert video_path("clip: the first.mp4") == Path("clip: the first.mp4")


@pytest.mark.parametrize("option", ["--checkpoint", "--out", "--csv"])
def test_an_address_for_a_file(option: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        main(["video", "first_box", "default", "f", "--box", "1,2,3,4", option, "https://host/x.mp4"])
    assert "is an address; download it and name the file" in capsys.readouterr().err


def script(
    path: str, *arguments: str, after: str = "", **environment: str
) -> subprocess.CompletedProcess[bytes]:
    """Run one of the scripts in bash, ``after`` it e.g. a pipe; `environment` in place of the usual one."""
    line = f'set -o pipefail; "{sys.executable}" "{ROOT / path}" "$@" {after}'
    variables = {"PATH": os.environ["PATH"], "HOME": os.environ.get("HOME", "/"), "OMP_NUM_THREADS": "1"}
    return subprocess.run(
        ["bash", "-c", line, "bash", *arguments],
        env=variables | environment,
        capture_output=True,
        check=False,
    )


ASCII = {"LC_ALL": "C", "PYTHONIOENCODING": "ascii"}


def test_a_cyrillic_folder_on_a_terminal_of_ascii(tmp_path: Path) -> None:
    folder = tmp_path / "видео"
    draw_frames(folder, boxes_of(3))
    arguments = [
        "first_box",
        "default",
        str(folder),
        "--box",
        "4,8,12,10",
        "--out",
        str(folder.parent / "выход.mp4"),
    ]
    done = script("pytracking/run_video.py", *arguments, **ASCII)
    assert done.returncode == 0, done.stderr
    assert b"Traceback" not in done.stderr
    assert b"3 frames tracked." in done.stdout
    assert (tmp_path / "выход.csv").is_file()


def test_results_in_a_cyrillic_folder_and_a_reader_that_leaves(tmp_path: Path) -> None:
    root = write_otb(tmp_path / "данные", {"Шаг": 3})
    arguments = [
        "first_box",
        "default",
        "--dataset",
        "otb",
        "--root",
        str(root),
        "--results",
        str(tmp_path / "итог"),
    ]
    done = script("pytracking/run_tracker.py", *arguments, after="| head -1", **ASCII)
    assert done.returncode == 0, done.stderr
    assert b"Traceback" not in done.stderr
    assert b"BrokenPipe" not in done.stderr
    assert len(list((tmp_path / "итог").rglob("Шаг.txt"))) == 1


def test_a_setting_shown_to_a_reader_that_leaves() -> None:
    done = script("ltr/run_training.py", "dimp", "dimp_nce_plus_small", "--show", after="| true")
    assert (done.returncode, done.stderr) == (0, b"")


def test_a_place_that_cannot_be_written_is_told_before_the_work(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    draw_frames(tmp_path / "f", boxes_of(3))
    video = ["video", "first_box", "default", str(tmp_path / "f"), "--box", "4,8,12,10", "--out"]
    assert main([*video, "/proc/x.mp4"]) == 2
    root = write_otb(tmp_path / "otb", {"Walk": 3})
    track = ["track", "first_box", "default", "--dataset", "otb", "--root", str(root), "--results", "/proc/r"]
    assert main(track) == 2
    assert main(["demo", "--workspace", "/proc/ws"]) == 2
    captured = capsys.readouterr()
    assert captured.err.count("cannot be written") == 3
    assert captured.out == ""


def test_a_wrong_comparison_is_told_before_the_work(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    root = write_otb(tmp_path / "otb", {"Walk": 3})
    (tmp_path / "empty").mkdir()
    track = ["track", "first_box", "default", "--dataset", "otb", "--root", str(root)]
    track += ["--results", str(tmp_path / "results"), "--compare"]
    assert main([*track, "nobody/none"]) == 2
    assert main([*track, f"label={tmp_path / 'empty'}"]) == 2
    assert "has no result of sequence Walk (1 of 1 sequences" in capsys.readouterr().err
    assert not (tmp_path / "results").exists()
    assert main([*track, "first_box/default"]) == 0  # what this run gives


def test_a_run_that_cannot_start_leaves_the_files_of_the_last(tmp_path: Path) -> None:
    draw_frames(tmp_path / "f", boxes_of(3))
    out = tmp_path / "o.mp4"
    arguments = ["video", "first_box", "default", str(tmp_path / "f"), "--out", str(out), "--box"]
    assert main([*arguments, "4,8,12,10"]) == 0
    before = [file.read_bytes() for file in (out, out.with_suffix(".csv"))]
    assert main([*arguments, "900,900,10,10"]) == 2
    assert [file.read_bytes() for file in (out, out.with_suffix(".csv"))] == before


def test_a_table_on_a_full_disk_is_one_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    draw_frames(tmp_path / "f", boxes_of(3))
    arguments = ["video", "first_box", "default", str(tmp_path / "f"), "--box", "4,8,12,10"]
    assert main([*arguments, "--out", str(tmp_path / "o.mp4"), "--csv", "/dev/full"]) == 2
    assert "error: /dev/full cannot be written: No space left on device." in capsys.readouterr().err
