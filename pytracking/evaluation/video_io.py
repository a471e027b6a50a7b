"""Video in and out without a display: frames of a file or a folder, and mp4 files that any player shows."""

import os
from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path
from types import TracebackType
from typing import Any, Protocol

import cv2
import numpy as np

from ebm.exceptions import InputError, ShapeError
from ltr.data.image_loader import read_image
from ltr.data.listing import IMAGE_SUFFIXES, image_names

__all__ = ["VideoSource", "VideoWriter", "open_video"]

_DEFAULT_FPS = 30.0


class VideoSource(Protocol):
    """Frames in order, uint8 RGB ``[H, W, 3]``; `count` is None where the file does not say."""

    fps: float
    count: int | None

    def frames(self) -> Iterator[np.ndarray]:
        """Every frame, from the first."""


def open_video(path: Path) -> VideoSource:
    """The frames of a video file, or of the images of a folder in the order of their numbers.

    Raises:
        InputError: if there is no such path, or it holds no frames that can be read.
    """
    if path.is_dir():
        return ImageFolder(path)
    if not path.exists():
        raise InputError(f"There is no video file or image folder {path}.")
    return VideoFile(path)


class ImageFolder:
    """The images of a folder, sorted as a person would: 2.jpg before 10.jpg."""

    def __init__(self, path: Path, fps: float = _DEFAULT_FPS) -> None:
        """List the images.

        Raises:
            InputError: if there are none.
        """
        self.paths = [path / name for name in image_names(path)]
        if not self.paths:
            kinds = ", ".join(sorted(IMAGE_SUFFIXES))
            raise InputError(f"{path} holds no images ({kinds}).")
        self.fps = fps
        self.count: int | None = len(self.paths)

    def frames(self) -> Iterator[np.ndarray]:
        """Every image, decoded when it is asked for."""
        for index, path in enumerate(self.paths):
            yield read_image(path, sequence=path.parent.name, frame=index)


class VideoFile:
    """A video file, read with OpenCV and turned from BGR to RGB."""

    def __init__(self, path: Path) -> None:
        """Open the file once to see that it is a video.

        Raises:
            InputError: if OpenCV cannot read a frame of it.
        """
        self.path = path
        capture = cv2.VideoCapture(str(path))
        try:
            fps, count = capture.get(cv2.CAP_PROP_FPS), capture.get(cv2.CAP_PROP_FRAME_COUNT)
            readable = capture.isOpened() and capture.grab()
        finally:
            capture.release()
        if not readable:
            raise InputError(
                f"{path} cannot be read as a video: it is damaged, or OpenCV lacks its codec. Convert it to "
                "H.264 mp4, or unpack it to a folder of images and name that."
            )
        self.fps = float(fps) if np.isfinite(fps) and 0 < fps <= 1000 else _DEFAULT_FPS
        self.count = int(count) if np.isfinite(count) and count > 0 else None

    def frames(self) -> Iterator[np.ndarray]:
        """Every frame until the end of what can be decoded."""
        capture = cv2.VideoCapture(str(self.path))
        try:
            while True:
                found, image = capture.read()
                if not found:
                    return
                yield np.ascontiguousarray(image[..., ::-1])
        finally:
            capture.release()


class VideoWriter:
    """An mp4 file, yuv420p: H.264 where PyAV is installed, else MPEG-4 by OpenCV.

    The file appears under its name when it is closed, also after an error or Ctrl-C, with the frames so far.
    The first frame decides the size; odd sizes grow by one pixel, later frames of other sizes are fitted in.
    """

    def __init__(self, path: Path, fps: float) -> None:
        """Nothing is written before the first frame.

        Args:
            path: the file; its folder is made.
            fps: frames per second.

        Raises:
            InputError: if the name does not end in .mp4 or the rate is not positive.
        """
        if path.suffix.lower() != ".mp4":
            raise InputError(f"Videos are written as .mp4; got {path.name!r}.")
        if not 0 < fps <= 1000:
            raise InputError(f"A video needs between 0 and 1000 frames per second; got {fps:g}.")
        self.path = path
        self.fps = fps
        self.frames = 0
        # With the process's number: the unfinished video of a killed run may be what is read.
        self._temporary = path.with_name(f".{path.stem}.{os.getpid()}.part.mp4")
        self._size = (0, 0)
        self._encoder: _Encoder | None = None

    def add(self, frame: np.ndarray) -> None:
        """Append a frame, uint8 RGB ``[H, W, 3]``.

        Raises:
            ShapeError: if it is none.
            InputError: if the file cannot be written.
        """
        if frame.ndim != 3 or frame.shape[2] != 3 or frame.dtype != np.uint8:
            raise ShapeError(f"A frame is uint8 [H, W, 3]; got {frame.dtype} {list(frame.shape)}.")
        if self._encoder is None:
            self._size = (frame.shape[1] + frame.shape[1] % 2, frame.shape[0] + frame.shape[0] % 2)
            self.path.parent.mkdir(parents=True, exist_ok=True)
            self._encoder = _make_encoder(self._temporary, self._size, self.fps)
        self._encoder.add(_fit(frame, self._size))
        self.frames += 1

    def close(self) -> None:
        """Finish the file; without frames there is none."""
        if self._encoder is not None:
            self._encoder.close()
            self._encoder = None
            self._temporary.replace(self.path)

    def __enter__(self) -> "VideoWriter":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


def _fit(frame: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    """A frame of exactly `size` (w, h): grown by its last row and column, or scaled with black bars."""
    width, height = size
    if (frame.shape[1], frame.shape[0]) == size:
        return np.ascontiguousarray(frame)
    if 0 <= width - frame.shape[1] <= 1 and 0 <= height - frame.shape[0] <= 1:
        return np.pad(frame, ((0, height - frame.shape[0]), (0, width - frame.shape[1]), (0, 0)), "edge")
    scale = min(width / frame.shape[1], height / frame.shape[0])
    inner = (max(1, round(frame.shape[1] * scale)), max(1, round(frame.shape[0] * scale)))
    canvas = np.zeros((height, width, 3), dtype=np.uint8)
    left, top = (width - inner[0]) // 2, (height - inner[1]) // 2
    canvas[top : top + inner[1], left : left + inner[0]] = cv2.resize(
        frame, inner, interpolation=cv2.INTER_AREA
    )
    return canvas


class _Encoder(Protocol):
    def add(self, frame: np.ndarray) -> None: ...

    def close(self) -> None: ...


def _make_encoder(path: Path, size: tuple[int, int], fps: float) -> _Encoder:
    try:
        import av
    except ImportError:  # also: an installed PyAV whose libraries cannot be loaded
        return _OpenCVEncoder(path, size, fps)
    if "libx264" not in av.codecs_available:
        return _OpenCVEncoder(path, size, fps)
    return _AVEncoder(path, size, fps)


class _AVEncoder:
    """H.264 by PyAV."""

    def __init__(self, path: Path, size: tuple[int, int], fps: float) -> None:
        import av

        self._av: Any = av
        try:
            self._container = av.open(str(path), "w", options={"movflags": "+faststart"})
        except OSError as error:
            raise InputError(f"{path.parent} cannot be written to: {error}.") from error
        self._stream = self._container.add_stream("libx264", rate=Fraction(fps).limit_denominator(1001))
        self._stream.width, self._stream.height = size
        self._stream.pix_fmt = "yuv420p"
        self._stream.options = {"crf": "20", "preset": "veryfast"}

    def add(self, frame: np.ndarray) -> None:
        self._container.mux(self._stream.encode(self._av.VideoFrame.from_ndarray(frame, format="rgb24")))

    def close(self) -> None:
        self._container.mux(self._stream.encode(None))
        self._container.close()


class _OpenCVEncoder:
    """MPEG-4 part 2 by OpenCV, which comes with every installation."""

    def __init__(self, path: Path, size: tuple[int, int], fps: float) -> None:
        self._writer = cv2.VideoWriter(str(path), cv2.VideoWriter.fourcc(*"mp4v"), fps, size)
        if not self._writer.isOpened():
            raise InputError(
                f"{path.parent} cannot be written to, or OpenCV lacks the mp4v encoder; "
                "pip install 'ebmtrack[eval]' brings another one."
            )

    def add(self, frame: np.ndarray) -> None:
        self._writer.write(np.ascontiguousarray(frame[..., ::-1]))

    def close(self) -> None:
        self._writer.release()
