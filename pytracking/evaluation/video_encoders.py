"""The two encoders of mp4 files: H.264 by PyAV, MPEG-4 part 2 by OpenCV."""

import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from fractions import Fraction
from pathlib import Path
from typing import Any, Protocol

import cv2
import numpy as np

from ebm.exceptions import InputError

__all__ = ["AVEncoder", "Encoder", "OpenCVEncoder"]

_FRAGMENT = 12  # frames after which what was written can be played
_MPEG4_TICKS = 65535  # largest denominator of a time in MPEG-4 part 2


class Encoder(Protocol):
    """Frames into a file of the encoder's own, which becomes the finished one when it is closed."""

    def add(self, frame: np.ndarray, time: float | None) -> None:
        """Append a frame, uint8 RGB ``[H, W, 3]``, shown at `time` (s) if that is given."""

    def close(self, path: Path) -> None:
        """Finish the file under its name."""

    def abandon(self) -> None:
        """Let go of the encoder's own file, which is not going to be finished."""


class AVEncoder:
    """H.264 by PyAV, written in fragments, each of which can be played without what follows."""

    def __init__(
        self, av: Any, part: Path, size: tuple[int, int], rate: Fraction, time_base: Fraction | None
    ) -> None:
        self._av, self._part = av, part
        self._timed, self._base = time_base is not None, time_base or 1 / rate
        self._last = -1  # time stamp
        options = {
            "movflags": "empty_moov+default_base_moof",
            "frag_duration": str(min(10**9, max(1, round(_FRAGMENT * 10**6 / rate)))),  # us
            "flush_packets": "1",
        }
        try:
            self._container = av.open(str(part), "w", options=options)
            self._stream = self._container.add_stream("libx264", rate=rate)
            self._stream.width, self._stream.height = size
            self._stream.pix_fmt = "yuv420p"
            self._stream.codec_context.time_base = self._base
            # Without B-frames times start at 0 in every player, and less is waiting when a run is killed.
            self._stream.options = {"crf": "20", "preset": "veryfast", "bf": "0"}
            self._stream.codec_context.open()
        except (OSError, av.FFmpegError) as error:
            reason = error.strerror or error
            raise InputError(
                f"{part} cannot be written as {size[0]} x {size[1]} px, {float(rate):g} frames/s: {reason}."
            ) from error

    def add(self, frame: np.ndarray, time: float | None) -> None:
        """See `Encoder`; times that do not grow are moved up by one tick."""
        stamp = round(time / self._base) if self._timed and time is not None else self._last + 1
        self._last = max(self._last + 1, stamp)
        picture = self._av.VideoFrame.from_ndarray(frame, format="rgb24")
        picture.pts, picture.time_base = self._last, self._base
        with self._plain_errors():
            self._container.mux(self._stream.encode(picture))

    @contextmanager
    def _plain_errors(self) -> Iterator[None]:
        """FFmpeg's errors as OSError, which some of them are not."""
        try:
            yield
        except self._av.FFmpegError as error:
            if isinstance(error, OSError):
                raise
            raise OSError(error.errno, error.strerror) from error

    def close(self, path: Path) -> None:
        """Copy the fragments into a plain mp4 whose table comes first; where that fails they are the file."""
        with self._plain_errors():
            self._container.mux(self._stream.encode(None))
            self._container.close()
        handle, name = tempfile.mkstemp(suffix=".mp4", prefix=f".{path.stem}.", dir=path.parent)
        os.close(handle)
        plain = Path(name)
        try:
            with self._plain_errors():
                self._copy(plain)
            plain.chmod(self._part.stat().st_mode)
            plain.replace(path)
        except OSError:  # the disk is full: the fragments are a whole video, too
            self._part.replace(path)
        finally:
            plain.unlink(missing_ok=True)
        self._part.unlink(missing_ok=True)

    def abandon(self) -> None:
        """See `Encoder`."""
        with suppress(OSError), self._plain_errors():  # what cannot be flushed is not wanted either
            self._container.close()

    def _copy(self, plain: Path) -> None:
        av = self._av
        with (
            av.open(str(self._part)) as source,
            av.open(str(plain), "w", options={"movflags": "+faststart"}) as target,
        ):
            stream = source.streams.video[0]
            copy = target.add_stream_from_template(stream)
            for packet in source.demux(stream):
                if packet.dts is not None:
                    packet.stream = copy
                    target.mux(packet)


class OpenCVEncoder:
    """MPEG-4 part 2 by OpenCV, which comes with every installation; evenly spaced frames only."""

    def __init__(self, part: Path, size: tuple[int, int], fps: float) -> None:
        decimals = next(n for n in (3, 2, 1, 0) if fps * 10**n <= _MPEG4_TICKS)
        self.fps, self._part = round(fps, decimals), part
        more = "pip install 'ebmtrack[eval]' brings an encoder that can"
        if self.fps < 0.01:
            raise InputError(
                f"OpenCV's encoder holds no fewer than 0.01 frames per second, got {fps:g}; {more}, or "
                "choose another --fps."
            )
        self._writer = cv2.VideoWriter(str(part), cv2.VideoWriter.fourcc(*"mp4v"), self.fps, size)
        if not self._writer.isOpened():
            raise InputError(
                f"OpenCV cannot write {part} as {size[0]} x {size[1]} px, {self.fps:g} frames/s, or lacks "
                f"the mp4v encoder; {more}."
            )

    def add(self, frame: np.ndarray, time: float | None) -> None:
        """See `Encoder`; the time is not used."""
        self._writer.write(np.ascontiguousarray(frame[..., ::-1]))

    def close(self, path: Path) -> None:
        """See `Encoder`."""
        self._writer.release()
        self._part.replace(path)

    def abandon(self) -> None:
        """See `Encoder`."""
        self._writer.release()
