"""What a killed run has written can be played; a finished file is a plain mp4."""

import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from pytracking.evaluation import video_encoders
from pytracking.evaluation.video_io import VideoWriter, open_video
from pytracking.run_video import main
from tests.field.clips import mjpeg, picture

_SLOW_RUN = """
import sys, time
from pathlib import Path
from pytracking.evaluation import video_frames
from pytracking.run_video import main
read = video_frames.read_image
def slow(path):
    if path.stem == "40":
        print("forty", flush=True)
        time.sleep(600)
    return read(path)
video_frames.read_image = slow
main(["first_box", "default", sys.argv[1], "--box", "5,5,20,20", "--out", sys.argv[2]])
"""


def test_kill_9_leaves_a_video_that_plays(tmp_path: Path) -> None:
    pytest.importorskip("av")
    import cv2

    frames, out = tmp_path / "f", tmp_path / "out.mp4"
    frames.mkdir()
    for index in range(42):
        cv2.imwrite(str(frames / f"{index}.png"), picture(index % 50))
    process = subprocess.Popen(
        [sys.executable, "-c", _SLOW_RUN, str(frames), str(out)],
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
        env={**os.environ, "PYTHONPATH": str(Path(__file__).parents[2])},
    )
    assert process.stdout is not None
    assert any("forty" in line for line in process.stdout)
    process.send_signal(signal.SIGKILL)
    process.wait()
    assert sorted(path.name for path in tmp_path.iterdir()) == ["f", "out.csv", "out.part.mp4"]
    played = list(open_video(tmp_path / "out.part.mp4").frames())
    assert 12 <= len(played) <= 40
    assert len((tmp_path / "out.csv").read_text().splitlines()) == 41


def test_a_part_of_a_killed_run_is_not_overwritten(tmp_path: Path) -> None:
    left = tmp_path / "out.part.mp4"
    left.write_bytes(b"of yesterday")
    with VideoWriter(tmp_path / "out.mp4", 25) as writer:
        writer.add(picture(0))
        assert writer.part == tmp_path / "out.part-2.mp4"
    assert left.read_bytes() == b"of yesterday"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["out.mp4", "out.part.mp4"]


def test_a_table_of_the_name_that_the_part_would_have_is_kept(tmp_path: Path) -> None:
    table = tmp_path / "out.part.mp4"
    video = mjpeg(tmp_path / "in.avi", 4)
    arguments = ["--box", "5,5,20,20", "--out", str(tmp_path / "out.mp4"), "--csv", str(table)]
    assert main(["first_box", "default", str(video), *arguments]) == 0
    assert len(table.read_text().splitlines()) == 5
    assert sorted(path.name for path in tmp_path.iterdir()) == ["in.avi", "out.mp4", "out.part.mp4"]


def test_a_finished_file_is_a_plain_mp4_with_its_table_first(tmp_path: Path) -> None:
    pytest.importorskip("av")
    with VideoWriter(tmp_path / "out.mp4", 25) as writer:
        for index in range(40):
            writer.add(picture(index))
    data = (tmp_path / "out.mp4").read_bytes()
    assert b"moof" not in data
    assert data.index(b"moov") < data.index(b"mdat")
    assert open_video(tmp_path / "out.mp4").count == 40


def test_a_full_disk_leaves_the_fragments(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("av")

    def full(*_: Any) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(video_encoders.AVEncoder, "_copy", full)
    with VideoWriter(tmp_path / "out.mp4", 25) as writer:
        for index in range(20):
            writer.add(picture(index))
    assert len(list(open_video(tmp_path / "out.mp4").frames())) == 20
    assert [path.name for path in tmp_path.iterdir()] == ["out.mp4"]


def test_a_disk_that_fills_while_writing_is_named(tmp_path: Path) -> None:
    pytest.importorskip("av")
    limit = subprocess.run(
        [
            sys.executable,
            "-c",
            "import resource, signal, sys, numpy as np\n"
            "from pathlib import Path\n"
            "from ebm.exceptions import InputError\n"
            "from pytracking.evaluation.video_io import VideoWriter\n"
            "signal.signal(signal.SIGXFSZ, signal.SIG_IGN)\n"
            "resource.setrlimit(resource.RLIMIT_FSIZE, (30000, 30000))\n"
            "rng = np.random.default_rng(0)\n"
            "try:\n"
            "    with VideoWriter(Path(sys.argv[1]), 25) as writer:\n"
            "        for _ in range(60):\n"
            "            writer.add(rng.integers(0, 256, (48, 64, 3), dtype=np.uint8))\n"
            "except InputError as error:\n"
            "    print(error)\n",
            str(tmp_path / "out.mp4"),
        ],
        capture_output=True,
        text=True,
        env={**os.environ, "PYTHONPATH": str(Path(__file__).parents[2])},
    )
    assert "cannot be" in limit.stdout, limit.stderr
    assert "out.part.mp4" in limit.stdout
    assert "Traceback" not in limit.stderr


def test_time_goes_on(tmp_path: Path) -> None:
    """Times that stand still or go back are moved on by a tick: no encoder takes them as they are."""
    from fractions import Fraction

    with VideoWriter(tmp_path / "out.mp4", 25, Fraction(1, 1000)) as writer:
        for stamp in (0.0, 0.1, 0.1, 0.05, 0.2):
            writer.add(picture(0), stamp)
    times = [frame.time for frame in open_video(tmp_path / "out.mp4").timed()]
    assert (np.diff(times) > 0).all()
    assert len(times) == 5
