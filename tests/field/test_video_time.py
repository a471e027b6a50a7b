"""Times of frames are read, kept in the mp4 and written to the csv; what cannot be held is said truly."""

import csv
from pathlib import Path
from typing import Any

import pytest

from ebm.exceptions import InputError
from pytracking.evaluation.video_frames import rate_of
from pytracking.evaluation.video_io import VideoWriter, open_video
from pytracking.run_video import main
from tests.field.clips import OFFSETS, mjpeg, picture, pyav, reader, timed_video, without_av

__all__ = ["reader"]

SECONDS = [offset / 1000 for offset in OFFSETS]


def track(video: Path, out: Path, *more: str) -> int:
    return main(["first_box", "default", str(video), "--box", "5,5,20,20", "--out", str(out), *more])


def times_of(path: Path) -> list[float]:
    av = pyav()
    with av.open(str(path)) as container:
        return [frame.time for frame in container.decode(video=0)]


@pytest.mark.parametrize(
    ("name", "codec"), [("a.webm", "libvpx"), ("a.mkv", "libx264"), ("a.mp4", "libx264"), ("a.mov", "mpeg4")]
)
def test_uneven_times_are_kept(name: str, codec: str, tmp_path: Path, capsys: Any) -> None:
    video, out = timed_video(tmp_path / name, codec), tmp_path / "out.mp4"
    assert track(video, out) == 0
    assert times_of(out) == pytest.approx(SECONDS, abs=0.0005)
    with out.with_suffix(".csv").open() as file:
        assert [float(row["time"]) for row in csv.DictReader(file)] == pytest.approx(SECONDS, abs=0.0005)
    assert "note" not in capsys.readouterr().err


@pytest.mark.parametrize(("name", "codec"), [("a.webm", "libvpx"), ("a.mkv", "libx264")])
def test_without_pyav_the_csv_has_the_times_and_the_mp4_says_that_it_has_not(
    name: str, codec: str, tmp_path: Path, capsys: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    video, out = timed_video(tmp_path / name, codec), tmp_path / "out.mp4"
    without_av(monkeypatch)
    assert track(video, out) == 0
    with out.with_suffix(".csv").open() as file:
        assert [float(row["time"]) for row in csv.DictReader(file)] == pytest.approx(SECONDS, abs=0.0005)
    said = capsys.readouterr().err
    assert "not evenly spaced in time" in said
    assert "announces" not in said  # the length is no number of frames


@pytest.mark.parametrize("fps", [211.222, 239.913, 29.97002997, 12.5])
def test_every_rate_is_held(fps: float, reader: str, tmp_path: Path) -> None:
    with VideoWriter(tmp_path / "a.mp4", fps) as writer:
        for index in range(5):
            writer.add(picture(index))
    source = open_video(tmp_path / "a.mp4")
    assert source.fps == pytest.approx(fps, rel=1e-7 if reader == "av" else 2e-5)
    times = [frame.time for frame in source.timed()]
    assert times == pytest.approx([index / fps for index in range(5)], abs=1e-4)
    told = reader == "opencv" and fps in (211.222, 239.913)
    assert len(writer.notes) == told
    assert not told or f"instead of {fps}" in writer.notes[0]


def test_a_frame_an_hour(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    video, out = mjpeg(tmp_path / "a.avi", 3), tmp_path / "out.mp4"
    pyav()
    assert track(video, out, "--fps", "0.0003") == 0
    assert times_of(out) == pytest.approx([0, 1 / 0.0003, 2 / 0.0003])
    without_av(monkeypatch)
    with pytest.raises(InputError, match=r"no fewer than 0\.01 frames per second, got 0\.0003"):
        VideoWriter(tmp_path / "b.mp4", 0.0003).add(picture(0))
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a.avi", "out.csv", "out.mp4"]


@pytest.mark.parametrize("fps", ["0", "-3", "1e-9", "100000", "nan"])
def test_a_rate_that_no_mp4_holds_is_the_trouble_named(fps: str, tmp_path: Path, capsys: Any) -> None:
    assert track(mjpeg(tmp_path / "a.avi", 2), tmp_path / "out.mp4", f"--fps={fps}") == 2
    said = capsys.readouterr().err
    assert "frames per second" in said
    assert "written to" not in said
    assert not (tmp_path / "out.mp4").exists()


def test_joined_recordings_go_on_in_time(reader: str, tmp_path: Path) -> None:
    parts = [timed_video(tmp_path / f"{n}.ts", "libx264", range(0, 400, 40), bf="0") for n in range(2)]
    (tmp_path / "both.ts").write_bytes(b"".join(part.read_bytes() for part in parts))
    times = [frame.time for frame in open_video(tmp_path / "both.ts").timed()]
    assert len(times) == 20
    assert times == pytest.approx([index / 25 for index in range(20)], abs=0.002)


def test_a_rate_of_images_sets_their_times(tmp_path: Path) -> None:
    import cv2

    (tmp_path / "f").mkdir()
    for index in range(3):
        cv2.imwrite(str(tmp_path / f"f/{index}.png"), picture(index))
    assert track(tmp_path / "f", tmp_path / "out.mp4", "--fps", "4") == 0
    assert [line.rsplit(",", 1)[1] for line in (tmp_path / "out.csv").read_text().splitlines()] == [
        "time",
        "0.000000",
        "0.250000",
        "0.500000",
    ]


def test_rates_are_simple_fractions() -> None:
    assert str(rate_of(30000 / 1001)) == "30000/1001"
    assert str(rate_of(239.913)) == "239913/1000"
    assert str(rate_of(0.0003)) == "3/10000"
    assert str(rate_of(25)) == "25"
