"""Depth, orientation, and targets and pictures of unusual sizes."""

from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

from ltr.data.depth import folder_levels
from pytracking.evaluation.video_io import open_video
from pytracking.run_video import main
from tests.field.clips import picture, pyav, reader, timed_video, turned, without_av
from tests.ltr.data.test_jpeg import with_orientation

__all__ = ["reader"]


def track(video: Path, out: Path, box: str = "5,5,9,9") -> int:
    return main(["first_box", "default", str(video), "--box", box, "--out", str(out)])


def deep_video(path: Path, top: int) -> Path:
    """A ramp of 16-bit grey up to `top`, without loss."""
    av = pyav()
    ramp = np.repeat(np.linspace(0, top, 64)[None], 48, axis=0).astype(np.uint16)
    with av.open(str(path), "w") as container:
        stream = container.add_stream("ffv1", rate=25)
        stream.width, stream.height, stream.pix_fmt = 64, 48, "gray16le"
        for _ in range(3):
            container.mux(stream.encode(av.VideoFrame.from_ndarray(ramp, format="gray16le")))
        container.mux(stream.encode(None))
    return path


def test_14_bits_in_a_16_bit_video(tmp_path: Path, capsys: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    video = deep_video(tmp_path / "a.mkv", 2**14 - 1)
    assert track(video, tmp_path / "o.mp4") == 0
    assert capsys.readouterr().err.count("16383 as white") == 1
    image = next(open_video(video).frames())
    assert np.abs(image[0, :, 0].astype(int) - np.linspace(0, 255, 64)).max() <= 1
    without_av(monkeypatch)
    assert track(video, tmp_path / "o.mp4") == 2
    assert "16 bits a sample" in capsys.readouterr().err


def test_10_bit_video_is_as_bright_as_8_bit(reader: str, tmp_path: Path) -> None:
    eight = timed_video(tmp_path / "8.mkv", "ffv1", [0, 40], "yuv420p")
    ten = timed_video(tmp_path / "10.mkv", "ffv1", [0, 40], "yuv420p10le")
    images = [next(open_video(path).frames()).astype(int) for path in (eight, ten)]
    assert np.abs(images[0] - images[1]).mean() < 3
    assert not [note for note in open_video(ten).notes if "PyAV" not in note]


def test_deep_images_of_a_folder_say_so_once(tmp_path: Path, capsys: Any) -> None:
    folder_levels.cache_clear()
    (tmp_path / "f").mkdir()
    for index in range(3):
        cv2.imwrite(str(tmp_path / f"f/{index}.png"), picture(index)[..., 0].astype(np.uint16) * 60)
    assert (
        main(
            [
                "first_box",
                "default",
                str(tmp_path / "f"),
                "--box",
                "5,5,9,9",
                "--out",
                str(tmp_path / "o.mp4"),
            ]
        )
        == 0
    )
    means = [frame.mean() for frame in open_video(tmp_path / "f").frames()]
    assert 40 < min(means) <= max(means) < 90
    assert np.ptp(means) < 3  # no flicker


@pytest.mark.parametrize("quarter_turns", [1, 2, 3])
def test_phones_and_cameras_follow_one_rule(
    quarter_turns: int, reader: str, tmp_path: Path, capsys: Any
) -> None:
    stored = timed_video(tmp_path / "a.mp4", "libx264", [0, 40, 80])
    upright = next(open_video(stored).frames())
    video = turned(stored, quarter_turns)
    folder = tmp_path / "f"
    folder.mkdir()
    exif = {1: 6, 2: 3, 3: 8}[quarter_turns]
    jpeg = cv2.imencode(".jpg", upright[..., ::-1], [cv2.IMWRITE_JPEG_QUALITY, 98])[1].tobytes()
    (folder / "1.jpg").write_bytes(with_orientation(jpeg, exif))
    shown = np.rot90(upright, -quarter_turns).astype(int)
    for source in (video, folder):
        image = next(open_video(source).frames())
        assert image.shape == shown.shape
        assert np.abs(image - shown).mean() < 4
        if quarter_turns != 2:
            assert track(source, tmp_path / "o.mp4", "50,5,10,10") == 2  # fits the stored picture only
            said = capsys.readouterr().err
            assert "48 x 64 px" in said
            assert "as it is shown" in said


def test_a_picture_that_changes_its_size(tmp_path: Path) -> None:
    (tmp_path / "f").mkdir()
    for index, size in enumerate(((64, 48), (64, 48), (96, 40), (31, 77))):
        cv2.imwrite(str(tmp_path / f"f/{index}.png"), picture(index, size))
    out = tmp_path / "o.mp4"
    assert track(tmp_path / "f", out) == 0
    assert {frame.shape for frame in open_video(out).frames()} == {(48, 64, 3)}


def test_one_frame(reader: str, tmp_path: Path) -> None:
    (tmp_path / "f").mkdir()
    cv2.imwrite(str(tmp_path / "f/1.png"), picture(0))
    out = tmp_path / "o.mp4"
    assert track(tmp_path / "f", out) == 0
    again = tmp_path / "again.mp4"
    assert track(out, again) == 0
    assert len(list(open_video(again).frames())) == 1


def test_no_frame(reader: str, tmp_path: Path, capsys: Any) -> None:
    video = timed_video(tmp_path / "a.mkv", "mpeg4", []) if reader == "av" else tmp_path / "a.mkv"
    video.touch()
    assert (
        main(["first_box", "default", str(video), "--box", "5,5,9,9", "--out", str(tmp_path / "o.mp4")]) == 2
    )
    assert "cannot be read as a video" in capsys.readouterr().err
    assert not (tmp_path / "o.mp4").exists()


def test_a_text_is_not_drawn_as_a_video(reader: str, tmp_path: Path, capsys: Any) -> None:
    (tmp_path / "boxes.txt").write_text("12,5,30,20\n" * 300)
    assert track(tmp_path / "boxes.txt", tmp_path / "o.mp4") == 2
    assert "it is a text" in capsys.readouterr().err


def test_sound_without_pictures(tmp_path: Path, capsys: Any) -> None:
    av = pyav()
    with av.open(str(tmp_path / "a.wav"), "w") as container:
        stream = container.add_stream("pcm_s16le", rate=8000)
        frame = av.AudioFrame.from_ndarray(np.zeros((1, 800), dtype=np.int16), format="s16", layout="mono")
        frame.sample_rate = 8000
        container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    assert track(tmp_path / "a.wav", tmp_path / "o.mp4") == 2
    assert "no pictures" in capsys.readouterr().err
