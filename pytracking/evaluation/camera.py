"""Frames that come by themselves: of a camera, a stream, standard input, or a file in a camera's place."""

import os
import threading
import time
from collections import deque
from collections.abc import Iterator
from fractions import Fraction
from typing import Any, BinaryIO

import cv2
import numpy as np

from ebm.exceptions import InputError
from ebm.extras import explain_missing
from pytracking.evaluation.video_av import Reading, load_av, pixels
from pytracking.evaluation.video_damage import MOST_FPS, Rhythm
from pytracking.evaluation.video_frames import DEFAULT_FPS, Frame, VideoSource

__all__ = ["Camera", "Live", "Played", "Stream"]

_TICK = Fraction(1, 1000)  # s, of the times at which frames came
_IN_VAIN, _PAUSE = 50, 0.02  # reads of a camera one after another without a picture, and s between them
_WAITING = 2  # frames read ahead where none is left out
_POLL = 0.5  # s between two looks at Ctrl-C on systems that do not interrupt a wait
_FAREWELL = 1.0  # s for a reader to let go of its camera
_TIMEOUT = 10.0  # s without data, after which a stream is taken for broken
_FAULTS = 2  # such waits or faults of the container one after another, after which it is at its end
_HEADS = {b"YUV4MPEG2": "yuv4mpegpipe", b"\xff\xd8\xff": "mjpeg"}  # first bytes of what has to be named
_BLOCK = 1 << 16  # bytes


class Camera(VideoSource):
    """A camera, or a stream where PyAV is not installed, by OpenCV; times are those at which frames came."""

    def __init__(self, source: int | str) -> None:
        """Open it.

        Args:
            source: number of the camera, or address of a stream.

        Raises:
            InputError: if it gives no picture.
        """
        self.name = f"camera {source}" if isinstance(source, int) else source
        self._capture = cv2.VideoCapture(source)
        found, image = self._capture.read() if self._capture.isOpened() else (False, None)
        self._first: np.ndarray | None = image if found else None
        if self._first is None:
            self._capture.release()
            why = (
                f"there is no camera of that number, another program has it, or you may not read "
                f"/dev/video{source}"
                if isinstance(source, int)
                else "nothing answers there, or OpenCV lacks its protocol or codec"
            )
            raise InputError(f"{self.name[0].upper()}{self.name[1:]} gives no picture: {why}.")
        fps = float(self._capture.get(cv2.CAP_PROP_FPS))
        self.fps = fps if np.isfinite(fps) and 0 < fps <= MOST_FPS else DEFAULT_FPS
        self.time_base, self.count, self.notes = _TICK, None, []

    def timed(self) -> Iterator[Frame]:
        """Every picture until there are no more."""
        image, start, number, in_vain = self._first, 0.0, 0, 0
        try:
            while in_vain < _IN_VAIN:
                if image is None:
                    in_vain += 1
                    time.sleep(_PAUSE)
                else:
                    came, in_vain = time.monotonic(), 0
                    start = came if number == 0 else start
                    yield Frame(number, came - start, np.ascontiguousarray(image[..., ::-1]))
                    number += 1
                found, image = self._capture.read()
                image = image if found else None
        finally:
            self._capture.release()
        self.cut = f"{self.name} gives no more pictures: it was unplugged, or the stream broke off."


class Stream(VideoSource):
    """What FFmpeg reads from an address or a pipe, by PyAV."""

    def __init__(self, source: str | BinaryIO, name: str, fps: float | None = None) -> None:
        """Open it.

        Args:
            source: an address, or an open pipe: concatenated JPEG, yuv4mpeg, or a container that can be read
                from front to back, such as MPEG-TS and Matroska.
            name: for messages.
            fps: of what has no times; None: 30.

        Raises:
            InputError: if it is no video.
            MissingPackageError: if PyAV is not installed.
        """
        av = load_av()
        if av is None:
            raise explain_missing("frames on standard input", "av")
        self.name, self._av, self._by_clock = name, av, isinstance(source, str)
        try:
            self._container = _open_address(av, source) if isinstance(source, str) else _open_pipe(av, source)
            stream = next(iter(self._container.streams.video), None)
        except (OSError, ValueError, av.FFmpegError) as error:
            reason = getattr(error, "strerror", None) or error
            raise InputError(f"{name} cannot be read as a video ({reason}).") from error
        if stream is None:
            raise InputError(f"{name} has no pictures: there is no track of video in it.")
        self._even = self._container.format.name in ("mjpeg", "jpeg_pipe") and not self._by_clock
        rate = None if self._even else stream.average_rate or stream.guessed_rate
        self.fps = fps or (float(rate) if rate and 0 < rate <= MOST_FPS else DEFAULT_FPS)
        self.time_base = None if self._even else _TICK if self._by_clock else stream.time_base
        self.count, self.notes = None, []

    def timed(self) -> Iterator[Frame]:
        """Every frame until the end, and those that raise an error."""
        begun, first, last, number = time.monotonic(), None, -1 / self.fps, 0
        reading = Reading(self._av, self._container, Rhythm(1 / self.fps), patience=_FAULTS)
        for frame, (stamp, fault) in reading.frames():
            now = number / self.fps
            if self._by_clock:
                came = time.monotonic()
                begun = came if number == 0 else begun
                now = came - begun
            elif stamp is not None and self.time_base is not None:
                seconds = float(stamp * self.time_base)
                first = seconds if first is None else first
                now = seconds - first
            last = max(now, last)  # damaged time stamps do not turn back
            yield Frame(number, max(0.0, last), None if frame is None else pixels(frame), fault)
            number += 1
        if reading.broken:
            self.cut = f"{self.name} broke off after {number} frames: {reading.broken}."


class Played(VideoSource):
    """A video that gives its frames no sooner than a camera would have."""

    def __init__(self, source: VideoSource) -> None:
        self._source = source
        self.fps, self.time_base, self.count = source.fps, source.time_base, source.count
        self.notes = source.notes

    def timed(self) -> Iterator[Frame]:
        """Every frame at its time."""
        start = time.monotonic()
        for frame in self._source.timed():
            time.sleep(max(0.0, start + frame.time - time.monotonic()))
            yield frame
        self.cut = self._source.cut


class Live(VideoSource):
    """Frames that a thread reads, so that Ctrl-C is heard while none comes.

    Args:
        source: of the frames.
        latest: whether what comes while nobody asks is left out, but for the newest frame; the numbers of the
            frames tell how many that were. Otherwise the source waits.
    """

    def __init__(self, source: VideoSource, *, latest: bool) -> None:
        self._source, self._latest = source, latest
        self.fps, self.time_base, self.count = source.fps, source.time_base, None
        self.notes = source.notes
        self._waiting = deque[Frame]()
        self._changed = threading.Condition()
        self._ended = self._left = False
        self._error: Exception | None = None

    def timed(self) -> Iterator[Frame]:
        """Every frame, or the newest one whenever it is asked for."""
        thread = threading.Thread(target=self._read, name="camera", daemon=True)
        thread.start()
        try:
            while (frame := self._next()) is not None:
                yield frame
        finally:
            with self._changed:
                self._left = True
                self._changed.notify_all()
            thread.join(_FAREWELL)
        if self._error is not None:
            raise self._error
        self.cut = self._source.cut

    def _next(self) -> Frame | None:
        with self._changed:
            while not self._waiting and not self._ended:
                self._changed.wait(_POLL)
            frame = self._waiting.popleft() if self._waiting else None
            self._changed.notify_all()
        return frame

    def _read(self) -> None:
        try:
            for frame in self._source.timed():
                with self._changed:
                    if self._latest:
                        self._waiting.clear()
                    while len(self._waiting) >= _WAITING and not self._left:
                        self._changed.wait(_POLL)
                    if self._left:
                        return
                    self._waiting.append(frame)
                    self._changed.notify_all()
        except Exception as error:  # noqa: BLE001 - raised where the frames are asked for
            self._error = error
        finally:
            with self._changed:
                self._ended = True
                self._changed.notify_all()


class _Pipe:
    """Bytes as they come: a buffered file would wait until a block is full, and its lock outlive Ctrl-C."""

    def __init__(self, file: BinaryIO) -> None:
        self._file, self._number = file, file.fileno()
        self.head = b""
        while len(self.head) < max(map(len, _HEADS)) and (block := os.read(self._number, _BLOCK)):
            self.head += block
        self._ahead = self.head

    def read(self, size: int) -> bytes:
        """Up to so many bytes; none at the end."""
        if self._ahead:
            block, self._ahead = self._ahead[:size], self._ahead[size:]
            return block
        return os.read(self._number, size)


def _open_pipe(av: Any, file: BinaryIO) -> Any:
    pipe = _Pipe(file)
    if not pipe.head:
        raise OSError("it is empty")
    kind = next((kind for head, kind in _HEADS.items() if pipe.head.startswith(head)), None)
    # Of JPEGs, which have no times, FFmpeg would read many to guess at a rate.
    options = {"fpsprobesize": "0", "analyzeduration": "0", "probesize": "32"} if kind == "mjpeg" else {}
    return av.open(pipe, format=kind, options=options, buffer_size=_BLOCK if kind is None else 4096)


def _open_address(av: Any, address: str) -> Any:
    options = {"rtsp_transport": "tcp"} if address.lower().startswith("rtsp") else {}
    return av.open(address, options=options, timeout=_TIMEOUT)
