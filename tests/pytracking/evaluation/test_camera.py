"""Frames that come by themselves: pipes, streams on loopback, and what ends or breaks them."""

import os
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import suppress
from fractions import Fraction
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import cv2
import numpy as np
import pytest

from ebm.exceptions import InputError, MissingPackageError
from pytracking.evaluation import camera as camera_module
from pytracking.evaluation.camera import Camera, Live, Played, Stream
from pytracking.evaluation.camera_names import open_camera
from pytracking.evaluation.video_frames import Frame, VideoSource
from tests.pytracking.evaluation.tiny import boxes_of, draw_frames

av = pytest.importorskip("av", reason="the extra 'eval' is not installed")

SIZE = (48, 64)


def jpeg(value: int) -> bytes:
    return cv2.imencode(".jpg", np.full((*SIZE, 3), value, np.uint8))[1].tobytes()


def container(path: Path, kind: str, frames: int = 8) -> bytes:
    """Frames at 10 a second, 20, 30, 40... bright, in a container."""
    codec = {"yuv4mpegpipe": "wrapped_avframe"}.get(kind, "libx264")
    with av.open(str(path), "w", format=kind) as made:
        stream = made.add_stream(codec, rate=10)
        stream.height, stream.width = SIZE
        stream.pix_fmt = "yuv420p"
        for number in range(frames):
            picture = av.VideoFrame.from_ndarray(
                np.full((*SIZE, 3), 20 + 10 * number, np.uint8), format="rgb24"
            )
            picture = picture.reformat(format="yuv420p")
            picture.pts, picture.time_base = number, Fraction(1, 10)
            made.mux(stream.encode(picture))
        made.mux(stream.encode(None))
    return path.read_bytes()


def piped(data: bytes, name: str = "standard input", fps: float | None = None) -> Stream:
    """A stream of bytes that come through a pipe."""
    reader, writer = os.pipe()

    def feed() -> None:
        with suppress(BrokenPipeError), os.fdopen(writer, "wb") as file:
            file.write(data)

    threading.Thread(target=feed, daemon=True).start()
    return Stream(os.fdopen(reader, "rb"), name, fps)


def brightness(frames: list[Frame]) -> list[int]:
    return [round(float(frame.image.mean()), -1) for frame in frames if frame.image is not None]


@pytest.mark.parametrize("kind", ["yuv4mpegpipe", "mpegts", "matroska"])
def test_containers_through_a_pipe_keep_their_times(kind: str, tmp_path: Path) -> None:
    source = piped(container(tmp_path / "clip", kind))
    frames = list(source.timed())
    assert [frame.number for frame in frames] == list(range(8))
    assert np.allclose([frame.time for frame in frames], np.arange(8) / 10, atol=0.002)
    assert brightness(frames) == list(range(20, 100, 10))
    assert (source.fps, source.cut) == (10, "")


def test_jpegs_through_a_pipe_are_evenly_spaced() -> None:
    source = piped(b"".join(jpeg(20 + 10 * number) for number in range(5)), fps=20)
    frames = list(source.timed())
    assert [frame.time for frame in frames] == [0, 0.05, 0.1, 0.15, 0.2]
    assert brightness(frames) == [20, 30, 40, 50, 60]
    assert source.time_base is None


def test_a_damaged_jpeg_is_one_frame(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    noisy = cv2.imencode(".jpg", rng.integers(0, 256, (*SIZE, 3), dtype=np.uint8))[1].tobytes()
    torn = noisy[:40] + bytes(len(noisy) - 42) + b"\xff\xd9"
    frames = list(piped(jpeg(20) + torn + jpeg(60)).timed())
    assert len(frames) == 3
    assert [frame.image is None for frame in frames] == [False, True, False]
    assert "cannot be decoded" in frames[1].fault
    assert brightness(frames) == [20, 60]


def test_the_first_frame_is_there_before_the_third_is_sent() -> None:
    reader, writer = os.pipe()
    os.write(writer, jpeg(20) + jpeg(40))
    frames = Stream(os.fdopen(reader, "rb"), "pipe").timed()
    assert brightness([next(frames)]) == [20]  # waits for ever if a block has to be full
    os.close(writer)
    assert brightness(list(frames)) == [40]


@pytest.mark.parametrize(
    ("data", "words"), [(b"", "it is empty"), (b"no video" * 500, "cannot be read as a video")]
)
def test_what_is_no_video(data: bytes, words: str) -> None:
    with pytest.raises(InputError, match=f"standard input .*{words}" if words == "it is empty" else words):
        piped(data)


def test_without_pyav_standard_input_names_the_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(camera_module, "load_av", lambda: None)
    with pytest.raises(
        MissingPackageError, match=r"av is needed for frames on standard input.*ebmtrack\[eval\]"
    ):
        piped(jpeg(1))


class Paced(VideoSource):
    """Frames at their times; an error at the end, if there is one."""

    def __init__(self, count: int, step: float = 0.0, error: Exception | None = None) -> None:
        self.fps, self.time_base, self.count, self.notes = 10.0, None, count, []
        self.step, self.error = step, error
        self.left = False

    def timed(self) -> Iterator[Frame]:
        try:
            for number in range(self.count or 0):
                time.sleep(self.step)
                yield Frame(number, number / 10, np.zeros((4, 4, 3), np.uint8))
        finally:
            self.left = True
        if self.error is not None:
            raise self.error
        self.cut = "it broke off"


def test_the_newest_frame_or_every_one() -> None:
    every = Live(Paced(20), latest=False)
    assert [frame.number for frame in every.timed()] == list(range(20))
    assert every.cut == "it broke off"
    taken = []
    for frame in Live(Paced(60, 0.01), latest=True).timed():
        taken.append(frame.number)
        time.sleep(0.1)
    assert taken == sorted(set(taken))
    assert taken[-1] == 59
    assert len(taken) < 40


def test_an_error_of_the_source_comes_out() -> None:
    with pytest.raises(InputError, match="broken"):
        list(Live(Paced(3, error=InputError("broken")), latest=False).timed())


def test_who_leaves_early_lets_go_of_the_camera() -> None:
    source = Paced(1000, 0.001)
    frames = Live(source, latest=True).timed()
    next(frames)
    frames.close()  # type: ignore[attr-defined]
    assert source.left


def test_a_file_plays_at_its_own_speed() -> None:
    start = time.monotonic()
    assert len(list(Played(Paced(4)).timed())) == 4
    assert time.monotonic() - start >= 0.3  # three steps of a tenth: never sooner


@pytest.fixture
def host(tmp_path: Path) -> Iterator[str]:
    """A server on loopback that gives a stream, and breaks off on request."""
    data = container(tmp_path / "clip.ts", "mpegts", frames=12)

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200)
            broken = self.path == "/broken"
            self.send_header("Content-Length", str(len(data) * 5 if broken else len(data)))
            self.end_headers()
            self.wfile.write(data)

        def log_message(self, *args: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    server.server_close()


def test_a_stream_from_an_address(host: str) -> None:
    given = open_camera(f"{host}/live")
    frames = list(given.source.timed())
    assert brightness(frames) == list(range(20, 140, 10))
    assert given.live
    assert given.files is None
    times = [frame.time for frame in frames]
    assert times[0] == 0  # those at which they came
    assert times == sorted(times)
    assert given.source.cut == ""


def test_a_stream_that_breaks_off(host: str) -> None:
    given = open_camera(f"{host}/broken")
    assert len(list(given.source.timed())) == 12
    assert "broke off after 12 frames" in given.source.cut


def test_a_stream_that_falls_silent(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(camera_module, "_TIMEOUT", 1.0)
    data, done = container(tmp_path / "clip.ts", "mpegts", frames=12), threading.Event()
    with socket.create_server(("127.0.0.1", 0)) as server:

        def serve() -> None:
            connection, _ = server.accept()
            with connection:
                connection.sendall(data)
                done.wait(60)

        threading.Thread(target=serve, daemon=True).start()
        given = open_camera(f"tcp://127.0.0.1:{server.getsockname()[1]}")
        assert len(list(given.source.timed())) == 12
        assert "broke off after 12 frames" in given.source.cut
        done.set()


def test_an_address_where_nobody_is(host: str) -> None:
    port = int(host.rpartition(":")[2])
    with pytest.raises(InputError, match="cannot be read as a video"):
        open_camera(f"tcp://127.0.0.1:{1 if port != 1 else 2}")


def test_a_camera_that_is_not_there(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cv2, "VideoCapture", lambda source: Silent([]))
    with pytest.raises(InputError, match="Camera 7 gives no picture: there is no camera of that number"):
        open_camera("7")
    with pytest.raises(InputError, match="Rtsp://x gives no picture: nothing answers"):
        Camera("rtsp://x")


class Silent:
    """Stands in for OpenCV's capture: a camera that is unplugged after some pictures."""

    def __init__(self, images: list[np.ndarray]) -> None:
        self.images, self.released = list(images), False

    def isOpened(self) -> bool:
        return bool(self.images)

    def read(self) -> tuple[bool, np.ndarray | None]:
        return (True, self.images.pop(0)) if self.images else (False, None)

    def get(self, what: int) -> float:
        return 0.0

    def release(self) -> None:
        self.released = True


def test_a_camera_that_is_unplugged(monkeypatch: pytest.MonkeyPatch) -> None:
    blue = np.zeros((4, 4, 3), np.uint8)
    blue[..., 0] = 255
    capture = Silent([blue] * 3)
    monkeypatch.setattr(cv2, "VideoCapture", lambda source: capture)
    monkeypatch.setattr(camera_module, "_PAUSE", 0.0)
    given = open_camera("/dev/video3")
    frames = list(given.source.timed())
    assert given.name == "camera 3"
    assert len(frames) == 3
    assert frames[0].image is not None
    assert frames[0].image[0, 0].tolist() == [0, 0, 255]  # RGB
    assert given.source.fps == 30
    assert "camera 3 gives no more pictures" in given.source.cut
    assert capture.released


def test_names(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    draw_frames(tmp_path / "0", boxes_of(2))  # a folder of that name comes before a camera
    given = open_camera("0", 10)
    assert given.files == Path("0")
    assert [frame.time for frame in given.source.timed()] == [0, 0.1]
    assert open_camera((tmp_path / "0").as_uri()).stem == "0"
    with pytest.raises(InputError, match=r"no video file or image folder none\.mp4"):
        open_camera("none.mp4")
    os.mkfifo(tmp_path / "pipe")
    threading.Thread(target=lambda: (tmp_path / "pipe").write_bytes(jpeg(20) + jpeg(40)), daemon=True).start()
    assert brightness(list(open_camera("pipe").source.timed())) == [20, 40]
