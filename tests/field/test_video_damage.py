"""A damaged video gives every frame that can be read, and names the others."""

import csv
from dataclasses import replace
from itertools import pairwise
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from ebm.exceptions import InputError
from pytracking.evaluation.video_damage import Rhythm
from pytracking.evaluation.video_io import open_video
from pytracking.run_video import main
from tests.field.clips import mjpeg, picture, pyav, reader, timed_video, without_av, zeroed

__all__ = ["reader"]


def track(video: Path, folder: Path) -> tuple[int, list[dict[str, str]]]:
    out = folder / "out.mp4"
    code = main(["first_box", "default", str(video), "--box", "5,5,20,20", "--out", str(out)])
    with out.with_suffix(".csv").open() as file:
        return code, list(csv.DictReader(file))


def unreadable(rows: list[dict[str, str]]) -> list[int]:
    assert [int(row["frame"]) for row in rows] == list(range(len(rows)))
    return [int(row["frame"]) for row in rows if row["state"] == "unreadable"]


def h264(path: Path, *, faststart: bool = False) -> Path:
    """30 frames without B-frames; single pictures, so that damage stays where it is."""
    av = pyav()
    options = {"movflags": "+faststart"} if faststart else {}
    with av.open(str(path), "w", options=options) as container:
        stream = container.add_stream("libx264", rate=25)
        stream.width, stream.height, stream.pix_fmt = 64, 48, "yuv420p"
        stream.options = {"g": "1", "bf": "0"}
        for index in range(30):
            container.mux(stream.encode(av.VideoFrame.from_ndarray(picture(index), format="rgb24")))
        container.mux(stream.encode(None))
    return path


def frame_bytes(path: Path, number: int) -> int:
    """Where the data of a frame begins."""
    av = pyav()
    with av.open(str(path)) as container:
        return next(p for i, p in enumerate(container.demux(video=0)) if i == number).pos


def test_200_zero_bytes_in_an_avi(reader: str, tmp_path: Path, capsys: Any) -> None:
    video = mjpeg(tmp_path / "a.avi")
    code, rows = track(zeroed(video, frame_bytes(video, 13) + 8), tmp_path)
    assert (code, len(rows), unreadable(rows)) == (1, 30, [13])
    assert rows[13]["score"] == "nan"
    assert [rows[13][key] for key in "xywh"] == [rows[12][key] for key in "xywh"]
    assert float(rows[13]["time"]) == pytest.approx(13 / 25)
    assert rows[14]["state"] == "ok"
    said = capsys.readouterr()
    assert "29 frames tracked" in said.out
    assert "1 of 30 frames" in said.err
    assert len(list(open_video(tmp_path / "out.mp4").frames())) == 30


def test_damaged_bytes_in_an_mp4(reader: str, tmp_path: Path) -> None:
    video = h264(tmp_path / "a.mp4")
    code, rows = track(zeroed(video, frame_bytes(video, 20), 40), tmp_path)
    assert (code, len(rows), unreadable(rows)) == (1, 30, [20])


def test_what_ffmpeg_repairs_in_h264_is_named(tmp_path: Path) -> None:
    """Frames that others refer to, damaged in their middle: FFmpeg decodes them all, and knows better."""
    av = pyav()
    video = timed_video(tmp_path / "a.mp4", "libx264", list(range(0, 600, 40)), g="5", bf="0", crf="1")
    at, intact = frame_bytes(video, 5), video.read_bytes()
    repaired, av_level = 0, av.logging.get_level()
    av.logging.set_level(av.logging.ERROR)
    try:
        for offset in range(60, 180, 10):
            video.write_bytes(intact)
            with av.logging.Capture() as said:
                frames = list(open_video(zeroed(video, at + offset, 12)).timed())
            if any("error while decoding MB" in text for _, _, text in said):
                repaired += 1
                assert any(frame.fault for frame in frames), offset
    finally:
        av.logging.set_level(av_level)
    assert repaired


def test_the_frames_beside_a_bad_one_are_the_right_ones(reader: str, tmp_path: Path) -> None:
    video = mjpeg(tmp_path / "a.avi")
    zeroed(video, frame_bytes(video, 4) + 8)
    for frame in open_video(video).timed():
        if frame.image is not None:
            bar = frame.image[20, :, 1].astype(int) > 130
            assert abs(np.flatnonzero(bar)[0] - frame.number) <= 1, frame.number


@pytest.mark.parametrize("kind", ["avi", "mp4"])
def test_half_a_file(kind: str, reader: str, tmp_path: Path, capsys: Any) -> None:
    video = mjpeg(tmp_path / "a.avi") if kind == "avi" else h264(tmp_path / "a.mp4", faststart=True)
    data = video.read_bytes()
    video.write_bytes(data[: len(data) // 2])
    code, rows = track(video, tmp_path)
    assert code == 1
    assert 5 < len(rows) < 22
    assert set(unreadable(rows)) <= {len(rows) - 1}  # the one that is cut
    assert f"{30 - len(rows)} of them are not in the file" in capsys.readouterr().err


def test_half_an_mkv_ends_early(tmp_path: Path, capsys: Any) -> None:
    video = timed_video(tmp_path / "a.mkv", "mjpeg", list(range(0, 6000, 100)), "yuvj420p")
    data = video.read_bytes()
    video.write_bytes(data[: len(data) // 2])
    code, rows = track(video, tmp_path)
    assert len(rows) < 50
    assert code == 1
    assert f"they end at {(len(rows) - 1) / 10:.2f} s" in capsys.readouterr().err


@pytest.mark.parametrize("bad", [0, 2, 4])
def test_an_unreadable_image_in_a_folder(bad: int, tmp_path: Path, capsys: Any) -> None:
    folder = tmp_path / "f"
    folder.mkdir()
    for index in range(5):
        cv2.imwrite(str(folder / f"{index}.png"), picture(index))
    (folder / f"{bad}.png").write_bytes(b"\x89PNG\r\n\x1a\n and nothing else")
    code, rows = track(folder, tmp_path)
    assert (code, len(rows), unreadable(rows)) == (1, 5, [bad])
    assert f"{bad}.png" in capsys.readouterr().err
    assert len(list(open_video(tmp_path / "out.mp4").frames())) == 5


def test_nothing_that_can_be_read(tmp_path: Path, capsys: Any) -> None:
    folder = tmp_path / "f"
    folder.mkdir()
    (folder / "1.jpg").write_bytes(b"")
    out = tmp_path / "o.mp4"
    assert main(["first_box", "default", str(folder), "--box", "1,1,9,9", "--out", str(out)]) == 2
    assert "no frame that can be read" in capsys.readouterr().err
    assert not out.exists()


@pytest.mark.parametrize("name", ["a.mkv", "a.webm", "a.mp4", "a.ts"])
def test_nothing_but_the_head_of_a_file(name: str, reader: str, tmp_path: Path) -> None:
    """FFmpeg calls some of these an end of file, which Python takes for no OSError."""
    video = timed_video(tmp_path / name, "libvpx" if name == "a.webm" else "libx264")
    data = video.read_bytes()
    for length in (1, 40, 200):
        video.write_bytes(data[:length])
        with pytest.raises(InputError, match="cannot be read as a video"):
            open_video(video)


def test_hidden_frames_of_vp9_are_no_bad_ones(tmp_path: Path) -> None:
    video = timed_video(tmp_path / "a.webm", "libvpx-vp9", list(range(0, 1600, 40)), **{"auto-alt-ref": "1"})
    frames = list(open_video(video).timed())
    assert [frame.number for frame in frames] == list(range(40))
    assert all(frame.image is not None for frame in frames)


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.data())
def test_whatever_is_damaged_every_frame_is_there_or_named(reader: str, tmp_path: Path, data: Any) -> None:
    """No error but `InputError`, numbers without gaps, and no more frames than there were without a word."""
    whole = tmp_path / "whole.avi"
    if not whole.exists():
        mjpeg(whole)
    content = bytearray(whole.read_bytes())
    for _ in range(data.draw(st.integers(1, 4))):
        at = data.draw(st.integers(0, len(content) - 1))
        content[at : at + data.draw(st.integers(1, 300))] = data.draw(st.binary(max_size=300))
    video = tmp_path / "damaged.avi"
    video.write_bytes(content)
    try:
        source = open_video(video)
        frames = [replace(frame, image=None) for frame in source.timed()]
    except InputError:
        return
    numbers = [frame.number for frame in frames]
    assert numbers == list(range(len(numbers)))
    if len(numbers) > 40:  # a damaged index sends the reader back
        assert source.cut or source.notes or any(frame.fault for frame in frames)


@pytest.fixture(scope="module")
def stream(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    """An MPEG-TS of 20 pictures that need no other."""
    path = tmp_path_factory.mktemp("ts") / "a.ts"
    return timed_video(path, "libx264", range(0, 800, 40), g="1").read_bytes()


def said_of(path: Path) -> tuple[int, str]:
    """How many frames there are, and all that is said."""
    source = open_video(path)
    count = len(list(source.timed()))
    return count, " ".join([*source.notes, source.cut])


def test_a_transport_stream_that_ends_within_a_packet(reader: str, tmp_path: Path, stream: bytes) -> None:
    video = tmp_path / "a.ts"
    video.write_bytes(stream[: len(stream) // 2 // 188 * 188 + 70])
    count, said = said_of(video)
    assert count < 15
    assert "has 70 bytes more than whole packets" in said


def test_packets_that_are_missing_in_a_transport_stream(tmp_path: Path, stream: bytes) -> None:
    video = tmp_path / "a.ts"
    video.write_bytes(stream)
    assert said_of(video) == (20, "")
    packets = [stream[at : at + 188] for at in range(0, len(stream), 188)]
    video.write_bytes(b"".join(packets[:14] + packets[16:]))
    assert "do not follow the ones before: recordings were joined there, or frames are" in said_of(video)[1]


def test_a_webm_cut_within_its_last_second(tmp_path: Path) -> None:
    video = timed_video(tmp_path / "a.webm", "libvpx", range(0, 800, 40))
    assert said_of(video) == (20, "")
    data = video.read_bytes()
    video.write_bytes(data[: len(data) * 3 // 4])
    count, said = said_of(video)
    assert count < 20
    assert "announces 0.80 s of pictures; they end at" in said


@pytest.mark.parametrize(("kind", "codec"), [("webm", "libvpx"), ("mkv", "libx264")])
def test_the_last_frame_alone_is_missed(kind: str, codec: str, tmp_path: Path) -> None:
    video = timed_video(
        tmp_path / f"a.{kind}", codec, range(0, 800, 40), **{"bf": "0"} if kind == "mkv" else {}
    )
    assert said_of(video) == (20, "")
    video.write_bytes(video.read_bytes()[: frame_bytes(video, 19)])
    count, said = said_of(video)
    assert count == 19
    assert "announces 0.80 s of pictures; they end at 0.72 s" in said


def test_a_first_frame_that_is_hidden_is_said(tmp_path: Path) -> None:
    """One bit of VP8 hides a frame; of the first one neither times nor length tell that it is gone."""
    video = timed_video(tmp_path / "a.webm", "libvpx", range(0, 800, 40))
    data = bytearray(video.read_bytes())
    data[data.index(b"\x9d\x01\x2a") - 3] &= ~0x10  # show_frame, in front of the start code of RFC 6386
    video.write_bytes(data)
    count, said = said_of(video)
    assert count == 19
    assert "the first 0.04 s" in said


def test_times_that_go_back_are_said(tmp_path: Path) -> None:
    """One wrong time stamp moves all that follow, and hides how much is missing at the end."""
    video = timed_video(tmp_path / "a.mkv", "libx264", range(0, 800, 40), bf="0")
    data = bytearray(video.read_bytes())
    at = data.index(b"\x81\x00\x50", frame_bytes(video, 2))  # track 1, 80 ms
    data[at + 1 : at + 3] = (1104).to_bytes(2, "big")
    video.write_bytes(data[: frame_bytes(video, 6)])
    count, said = said_of(video)
    assert count == 6
    assert "go back 1 times" in said


def test_damage_that_only_the_container_knows_of(tmp_path: Path) -> None:
    video = timed_video(tmp_path / "a.mkv", "mjpeg", range(0, 800, 40), "yuvj420p")
    at = frame_bytes(video, 9)
    zeroed(video, at - 4, 2000)
    count, said = said_of(video)
    assert count < 20
    assert "is damaged, and frames may be missing: " in said


def test_pictures_whose_first_one_is_missing(tmp_path: Path) -> None:
    video = timed_video(tmp_path / "a.ts", "libx264", range(0, 800, 40), g="10", bf="0")
    data = video.read_bytes()
    packets = [data[at : at + 188] for at in range(0, len(data), 188)]
    pictures = [at for at, packet in enumerate(packets) if packet[1:3] == b"\x41\x00"]  # where they begin
    second = pictures[1]
    kept = [packet for packet in packets[:second] if packet[1] & 0x1F != 1]  # nothing of the first one
    video.write_bytes(b"".join(kept + packets[second:]))
    count, said = said_of(video)
    assert count < 20
    assert "since others that they are made from are damaged or missing" in said


def test_without_pyav_what_cannot_be_known_is_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    without_av(monkeypatch)
    videos = [mjpeg(tmp_path / "a.avi"), timed_video(tmp_path / "a.webm", "libvpx")]
    assert ["without PyAV" in said_of(video)[1] for video in videos] == [False, True]


@pytest.mark.parametrize(
    ("times", "said"),
    [
        ([*range(0, 4000, 40), *range(4080, 4800, 40)], "skip 2 frames"),
        ([*range(0, 400, 40), *range(440, 800, 40)], "skip 1 frames"),
        ([*range(0, 400, 40), 405, *range(440, 800, 40)], ""),
        ([0, 40, 120, 240, 280, 400], ""),
    ],
)
def test_frames_that_an_even_rate_skips(times: list[int], said: str) -> None:
    rhythm = Rhythm(0.04)
    for before, after in pairwise(times):
        rhythm.add((after - before) / 1000)
    found = rhythm.said_of(Path("a.webm"))
    assert ("skip" in found) == bool(said)
    assert said in found


@pytest.mark.parametrize("tag", [b"DURATION", b"XURATION"])
def test_lengths_of_the_track_and_of_the_file(tag: bytes, tmp_path: Path) -> None:
    video = timed_video(tmp_path / "a.webm", "libvpx", range(600, 1400, 40))  # does not start at 0
    data = video.read_bytes().replace(b"DURATION", tag)
    video.write_bytes(data)
    assert said_of(video) == (20, "")
    video.write_bytes(data[: len(data) * 3 // 4])
    assert "s of pictures; they end at" in said_of(video)[1]


def test_a_frame_of_an_avi_that_states_gigabytes(reader: str, tmp_path: Path) -> None:
    video = mjpeg(tmp_path / "a.avi")
    data = bytearray(video.read_bytes())
    at = frame_bytes(video, 13)
    start = data.index(b"00dc", at - 8)
    data[start + 4 : start + 8] = (0x7FFFFFFF).to_bytes(4, "little")
    video.write_bytes(data)
    code, rows = track(video, tmp_path)
    assert code == 1
    assert len(rows) >= 13


def test_a_file_that_states_no_length_says_so(tmp_path: Path) -> None:
    """Without its first bytes an avi is read as a bare stream of JPEGs, and pictures may be gone."""
    pyav()
    whole = mjpeg(tmp_path / "a.avi")
    assert open_video(whole).notes == []
    bare = tmp_path / "bare.avi"
    bare.write_bytes(whole.read_bytes()[64:])
    (note,) = open_video(bare).notes
    assert "does not state how long it is" in note


def test_a_rate_that_is_not_believed(reader: str, tmp_path: Path) -> None:
    video = mjpeg(tmp_path / "a.avi", 20)
    data = bytearray(video.read_bytes())
    at = data.index(b"vidsMJPG") + 24  # rate over scale, as it stands behind them
    data[at : at + 4] = (2_000_000_000).to_bytes(4, "little")
    video.write_bytes(data)
    _, said = said_of(video)
    assert "frames a second; more than 1000 are not believed" in said
