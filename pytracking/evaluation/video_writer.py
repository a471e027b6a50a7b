"""Mp4 files that any player shows, also as far as a run that was killed has written them."""

import os
from collections.abc import Collection, Container
from contextlib import suppress
from fractions import Fraction
from pathlib import Path
from types import TracebackType

import cv2
import numpy as np

from ebm.exceptions import InputError, ShapeError
from pytracking.evaluation.video_av import load_av
from pytracking.evaluation.video_encoders import AVEncoder, Encoder, OpenCVEncoder
from pytracking.evaluation.video_frames import rate_of

__all__ = ["VideoWriter"]

_SLOWEST, _FASTEST = 1e-4, 1000.0  # frames per second that an mp4's 32-bit durations hold, and players show


class VideoWriter:
    """An mp4 file, yuv420p: H.264 where PyAV is installed, else MPEG-4 by OpenCV.

    The file appears under its name when it is closed, also after an error or Ctrl-C, with the frames so far;
    not then where only a `whole` one is wanted. Until then it is `part`, beside it: ``name.part.mp4``. With
    PyAV that can be played at any time, so a process that is killed leaves a video behind; with OpenCV it can
    be played only once it is closed.
    The first frame decides the size; odd sizes grow by one pixel, later frames of other sizes are fitted in.
    """

    def __init__(
        self,
        path: Path,
        fps: float,
        time_base: Fraction | None = None,
        *,
        reserved: Collection[Path] = (),
        whole: bool = False,
    ) -> None:
        """Nothing is written before the first frame.

        Args:
            path: the file; its folder is made.
            fps: frames per second, their mean if they have times.
            time_base: s, of which the times given to `add` are multiples; None: frames are 1 / fps apart.
            reserved: other files that are going to be written, which `part` must not be.
            whole: leave nothing behind after an error or Ctrl-C, and a file of that name as it was.

        Raises:
            InputError: if the name does not end in .mp4, or an mp4 cannot hold the rate.
        """
        if path.suffix.lower() != ".mp4":
            raise InputError(f"Videos are written as .mp4; got {path.name!r}.")
        if not _SLOWEST <= fps <= _FASTEST:
            raise InputError(
                f"An mp4 holds {_SLOWEST:g} to {_FASTEST:g} frames per second; got {fps:g}. Choose another "
                "--fps."
            )
        self.path, self.fps, self.time_base, self.whole = path, fps, time_base, whole
        self._reserved = {other.resolve() for other in reserved}
        self.frames = 0
        self.part: Path | None = None
        self.notes: list[str] = []
        self._size = (0, 0)
        self._uneven = False
        self._encoder: Encoder | None = None

    def add(self, frame: np.ndarray, time: float | None = None) -> None:
        """Append a frame.

        Args:
            frame: uint8 RGB ``[H, W, 3]``.
            time: s after the first one; used if there is a time base.

        Raises:
            ShapeError: if it is no frame.
            InputError: if the file cannot be written.
        """
        if frame.ndim != 3 or frame.shape[2] != 3 or frame.dtype != np.uint8:
            raise ShapeError(f"A frame is uint8 [H, W, 3]; got {frame.dtype} {list(frame.shape)}.")
        if self._encoder is None:
            self._size = (frame.shape[1] + frame.shape[1] % 2, frame.shape[0] + frame.shape[0] % 2)
            self._encoder = self._start()
        if time is not None and self.time_base is not None:
            self._uneven |= abs(time - self.frames / self.fps) > 0.5 / self.fps
        try:
            self._encoder.add(_fit(frame, self._size), time)
        except OSError as error:
            left = "" if self.whole else f" The {self.frames} frames so far are in {self.part}."
            raise InputError(
                f"{self.path} cannot be written further: {error.strerror or error}.{left}"
            ) from error
        self.frames += 1

    def _start(self) -> Encoder:
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            self.part = _new_file(self.path, self._reserved)
        except OSError as error:
            raise InputError(
                f"{self.path.parent} cannot be written to: {error.strerror or error}."
            ) from error
        av = load_av()
        try:
            if av is not None and "libx264" in av.codecs_available:
                return AVEncoder(av, self.part, self._size, rate_of(self.fps), self.time_base)
            return OpenCVEncoder(self.part, self._size, self.fps)
        except InputError:
            self.part.unlink(missing_ok=True)
            raise

    def close(self) -> None:
        """Finish the file; without frames there is none.

        Raises:
            InputError: if the disk is full or the like; what was written stays in `part`, unless the file is
                wanted whole.
        """
        if self._encoder is None or self.part is None:
            return
        encoder, self._encoder = self._encoder, None
        try:
            encoder.close(self.path)
        except OSError as error:
            left = f" What was written is in {self.part}."
            if self.whole:
                self.part.unlink(missing_ok=True)
                left = ""
            raise InputError(f"{self.path} cannot be finished: {error.strerror or error}.{left}") from error
        if isinstance(encoder, OpenCVEncoder):
            self._say_what_was_lost(encoder.fps)

    def _say_what_was_lost(self, fps: float) -> None:
        more = "; with PyAV they are exact (pip install 'ebmtrack[eval]')"
        if self.time_base is not None and self._uneven:
            self.notes.append(
                f"the frames are not evenly spaced in time; {self.path} has {fps:g} a second throughout, the "
                f"times are in the csv{more}."
            )
        elif abs(fps / self.fps - 1) > 2e-6:
            self.notes.append(f"{self.path} has {fps:g} frames a second instead of {self.fps:.7g}{more}.")

    def _discard(self) -> None:
        """Leave nothing of what was written."""
        if self._encoder is None or self.part is None:
            return
        encoder, self._encoder = self._encoder, None
        encoder.abandon()
        self.part.unlink(missing_ok=True)

    def __enter__(self) -> "VideoWriter":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self.whole and error is not None:
            self._discard()
        else:
            self.close()


def _new_file(path: Path, reserved: Container[Path]) -> Path:
    """A new empty ``name.part.mp4`` beside a path, or ``name.part-2.mp4``: what a killed run left stays."""
    number = 0
    while True:
        number += 1
        part = path.with_name(f"{path.stem}.part{f'-{number}' if number > 1 else ''}.mp4")
        if part.resolve() not in reserved:
            with suppress(FileExistsError):
                os.close(os.open(part, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o666))
                return part


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
