"""Small videos of every kind, whole and damaged."""

from collections.abc import Iterator, Sequence
from fractions import Fraction
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

__all__ = ["OFFSETS", "mjpeg", "picture", "pyav", "timed_video", "turned", "without_av", "zeroed"]

OFFSETS = [0, 100, 130, 500, 900, 970]  # ms: six frames over 1.01 s


try:
    import av as _AV
    import av.subtitles.stream  # noqa: F401  loaded with the first stream, which may be while PyAV is hidden
except ImportError:
    _AV = None


def pyav() -> Any:
    """PyAV, also where a test acts as if it were not installed; skips the test where it is not."""
    if _AV is None:
        pytest.skip("PyAV makes this test's videos")
    return _AV


def picture(index: int, size: tuple[int, int] = (64, 48)) -> np.ndarray:
    """A bright bar that moves right, whose place tells the frame's number, RGB ``[H, W, 3]``."""
    width, height = size
    image = np.full((height, width, 3), 30, dtype=np.uint8)
    image[:, :, 0] += np.arange(width, dtype=np.uint8) % 64
    image[10:30, index : index + 8] = 230
    return image


def timed_video(
    path: Path, codec: str, offsets: Sequence[int] = OFFSETS, pix_fmt: str = "yuv420p", **options: str
) -> Path:
    """A video with these times (ms), by PyAV."""
    av = pyav()
    with av.open(str(path), "w") as container:
        stream = container.add_stream(codec, rate=25)
        stream.width, stream.height, stream.pix_fmt, stream.options = 64, 48, pix_fmt, options
        stream.codec_context.time_base = Fraction(1, 1000)
        for index, offset in enumerate(offsets):
            frame = av.VideoFrame.from_ndarray(picture(index), format="rgb24")
            frame.pts, frame.time_base = offset, Fraction(1, 1000)
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    return path


def mjpeg(path: Path, frames: int = 30) -> Path:
    """An avi of single pictures, by OpenCV."""
    writer = cv2.VideoWriter(str(path), cv2.VideoWriter.fourcc(*"MJPG"), 25, (64, 48))
    for index in range(frames):
        writer.write(np.ascontiguousarray(picture(index)[..., ::-1]))
    writer.release()
    return path


def zeroed(path: Path, at: int, count: int = 200) -> Path:
    """The file with bytes set to zero."""
    data = bytearray(path.read_bytes())
    data[at : at + count] = bytes(count)
    path.write_bytes(data)
    return path


def turned(path: Path, quarter_turns: int) -> Path:
    """An mp4 marked as a phone does it: to be shown after so many quarter turns clockwise."""
    cos, sin = {1: (0, 1), 2: (-1, 0), 3: (0, -1)}[quarter_turns]
    data = path.read_bytes()

    def matrix(a: int, b: int, c: int, d: int) -> bytes:
        numbers = (a << 16, b << 16, 0, c << 16, d << 16, 0, 0, 0, 1 << 30)
        return b"".join((number & 0xFFFFFFFF).to_bytes(4, "big") for number in numbers)

    at = data.index(matrix(1, 0, 0, 1), data.index(b"tkhd"))
    path.write_bytes(data[:at] + matrix(cos, sin, -sin, cos) + data[at + 36 :])
    return path


def without_av(monkeypatch: pytest.MonkeyPatch) -> None:
    """As if PyAV were not installed."""
    monkeypatch.setitem(__import__("sys").modules, "av", None)


@pytest.fixture(params=["av", "opencv"])
def reader(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """Once with PyAV, once as if it were not installed."""
    if request.param == "av":
        pyav()
    else:
        without_av(monkeypatch)
    return str(request.param)
