"""Videos are written so that any player shows them, and read as they are."""

import builtins
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

from ebm.exceptions import InputError, ShapeError
from pytracking.evaluation.video_io import VideoWriter, open_video
from tests.pytracking.evaluation.tiny import boxes_of, draw_frames


def colour_bars(height: int, width: int, shift: int = 0) -> np.ndarray:
    """Red, green and blue thirds, RGB."""
    image = np.zeros((height, width, 3), dtype=np.uint8)
    for third in range(3):
        image[:, third * width // 3 : (third + 1) * width // 3, (third + shift) % 3] = 220
    return image


def without_av(monkeypatch: pytest.MonkeyPatch) -> None:
    original = builtins.__import__

    def refuse(name: str, *args: Any, **options: Any) -> Any:
        if name == "av":
            raise ImportError("no av here")
        return original(name, *args, **options)

    monkeypatch.setattr(builtins, "__import__", refuse)


@pytest.fixture(params=["av", "opencv"])
def encoder(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    if request.param == "av":
        pytest.importorskip("av")
    else:
        without_av(monkeypatch)
    return str(request.param)


@pytest.mark.parametrize(("height", "width"), [(48, 64), (47, 63), (120, 31)])
def test_frames_come_back_in_order_and_colour(tmp_path: Path, encoder: str, height: int, width: int) -> None:
    path = tmp_path / "out.mp4"
    with VideoWriter(path, 25) as writer:
        for index in range(7):
            writer.add(colour_bars(height, width, shift=index))
    source = open_video(path)
    frames = list(source.frames())
    assert (len(frames), source.count, source.fps) == (7, 7, 25.0)
    assert frames[0].shape == (height + height % 2, width + width % 2, 3)
    for index, frame in enumerate(frames):
        wanted = colour_bars(height, width, shift=index)
        error = np.abs(frame[:height, :width].astype(int) - wanted)[:, :: max(1, width // 6)]
        assert np.median(error) < 40
        middle = frame[height // 2, width // 6]
        assert middle.argmax() == index % 3, f"frame {index} has the colours of another"


def test_the_file_is_h264_in_yuv420p(tmp_path: Path) -> None:
    av = pytest.importorskip("av")
    path = tmp_path / "out.mp4"
    with VideoWriter(path, 29.97) as writer:
        writer.add(colour_bars(33, 35))
    with av.open(str(path)) as container:
        stream = container.streams.video[0]
        assert stream.codec_context.name == "h264"
        assert stream.codec_context.pix_fmt == "yuv420p"
        assert (stream.width, stream.height) == (36, 34)
        assert float(stream.average_rate) == pytest.approx(29.97, abs=0.01)


def test_an_error_leaves_the_frames_so_far(tmp_path: Path, encoder: str) -> None:
    path = tmp_path / "out.mp4"

    def interrupted() -> None:
        with VideoWriter(path, 30) as writer:
            for _ in range(3):
                writer.add(colour_bars(32, 32))
            assert not path.exists()
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        interrupted()
    assert len(list(open_video(path).frames())) == 3
    assert list(tmp_path.iterdir()) == [path]


def test_frames_of_another_size_are_fitted_in(tmp_path: Path) -> None:
    path = tmp_path / "out.mp4"
    with VideoWriter(path, 30) as writer:
        writer.add(np.full((40, 80, 3), 200, dtype=np.uint8))
        writer.add(np.full((80, 80, 3), 200, dtype=np.uint8))
    second = list(open_video(path).frames())[1]
    assert second.shape == (40, 80, 3)
    assert second[20, 40].min() > 180  # the image in the middle
    assert second[20, 3].max() < 20  # a bar beside it


def test_no_frames_no_file(tmp_path: Path) -> None:
    with VideoWriter(tmp_path / "out.mp4", 30):
        pass
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(("name", "fps"), [("out.avi", 30.0), ("out.mp4", 0.0), ("out.mp4", float("nan"))])
def test_bad_names_and_rates(tmp_path: Path, name: str, fps: float) -> None:
    with pytest.raises(InputError):
        VideoWriter(tmp_path / name, fps)


def test_what_is_no_frame_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ShapeError, match="float32"), VideoWriter(tmp_path / "out.mp4", 30) as writer:
        writer.add(np.zeros((8, 8, 3), dtype=np.float32))


def test_an_image_folder_is_read_in_the_order_of_its_numbers(tmp_path: Path) -> None:
    for number in (1, 2, 10):
        cv2.imwrite(str(tmp_path / f"{number}.png"), np.full((8, 8, 3), number * 20, dtype=np.uint8))
    source = open_video(tmp_path)
    assert source.count == 3
    assert [int(frame[0, 0, 0]) for frame in source.frames()] == [20, 40, 200]


def test_an_image_folder_is_rgb(tmp_path: Path) -> None:
    draw_frames(tmp_path / "img", boxes_of(1))
    frame = next(iter(open_video(tmp_path / "img").frames()))
    assert frame[12, 9].argmax() == 0  # the square is (30, 120, 220) in BGR: reddish


def test_what_cannot_be_opened(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no video file or image folder"):
        open_video(tmp_path / "none.mp4")
    (tmp_path / "text.mp4").write_text("hello")
    with pytest.raises(InputError, match="cannot be read as a video"):
        open_video(tmp_path / "text.mp4")
    (tmp_path / "empty").mkdir()
    with pytest.raises(InputError, match="holds no images"):
        open_video(tmp_path / "empty")


def write_until(error: BaseException, path: Path, frames: int) -> None:
    with VideoWriter(path, 25, whole=True) as writer:
        for _ in range(frames):
            writer.add(colour_bars(48, 64))
        raise error


@pytest.mark.parametrize("error", [InputError, KeyboardInterrupt])
def test_whole_or_not_at_all(tmp_path: Path, encoder: str, error: type[BaseException]) -> None:
    path = tmp_path / "out.mp4"
    with VideoWriter(path, 25, whole=True) as writer:
        writer.add(colour_bars(48, 64))
    before = path.read_bytes()
    with pytest.raises(error):
        write_until(error(), path, 30)
    assert path.read_bytes() == before
    with pytest.raises(error):
        write_until(error(), tmp_path / "new.mp4", 0)
    assert [file.name for file in tmp_path.iterdir()] == ["out.mp4"]


def test_a_whole_file_that_cannot_be_finished_leaves_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, encoder: str
) -> None:
    def full(*_: Any) -> None:
        raise OSError(28, "No space left on device")

    for name in ("AVEncoder", "OpenCVEncoder"):
        monkeypatch.setattr(f"pytracking.evaluation.video_encoders.{name}.close", full)
    with VideoWriter(tmp_path / "out.mp4", 25, whole=True) as writer:
        writer.add(colour_bars(48, 64))
        with pytest.raises(InputError, match=r"No space left on device\.$"):
            writer.close()
    assert not list(tmp_path.iterdir())
