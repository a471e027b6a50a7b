"""Video files by OpenCV alone, which comes with every installation and tells less than PyAV."""

from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path

import cv2
import numpy as np

from ebm.exceptions import InputError
from pytracking.evaluation.video_damage import MOST_FPS, odd_rate, torn_stream, without_frame_table
from pytracking.evaluation.video_frames import DEFAULT_FPS, Frame, VideoSource

__all__ = ["OpenCVVideo"]

_GIVE_UP = 256  # reads in vain one after another, after which the end is reached
_DEEP = 12  # bits; see `video_av`
_MILLISECONDS = 1000
_TICK = 1e-4  # s; frames of a damaged file that are closer than this have one time
_OFF_THE_GRID = 0.08  # share of the time between two frames; a millisecond at 80 frames/s


class OpenCVVideo(VideoSource):
    """A video file, read with OpenCV, which turns it upright, and turned from BGR to RGB."""

    def __init__(self, path: Path) -> None:
        """Open the file once to see that it is a video.

        Raises:
            InputError: if OpenCV cannot read a frame of it, or only in part of its depth.
        """
        self.path = path
        capture = cv2.VideoCapture(str(path))
        try:
            fps, count = capture.get(cv2.CAP_PROP_FPS), capture.get(cv2.CAP_PROP_FRAME_COUNT)
            readable = capture.isOpened() and any(_read(capture)[0] for _ in range(_GIVE_UP))
            depth = _bits(int(capture.get(cv2.CAP_PROP_CODEC_PIXEL_FORMAT)))
        finally:
            capture.release()
        if not readable:
            raise InputError(
                f"{path} cannot be read as a video: it is damaged, or OpenCV lacks its codec. Convert it to "
                "H.264 mp4, or unpack it to a folder of images and name that."
            )
        if depth > _DEEP:
            raise InputError(
                f"{path} has {depth} bits a sample, of which OpenCV reads 8: it may be nearly black. Install "
                "PyAV, which reads all of them: pip install 'ebmtrack[eval]'."
            )
        self.fps = float(fps) if np.isfinite(fps) and 0 < fps <= MOST_FPS else DEFAULT_FPS
        self.time_base = Fraction(1, _MILLISECONDS)
        # Read from the container's table of frames, or guessed from its length where there is none: such a
        # guess is dropped by `timed` if the times speak against it.
        self.count = int(count) if np.isfinite(count) and count > 0 else None
        self.notes = [note for note in (odd_rate(path, fps),) if note]
        if self.count is None or without_frame_table(path):
            self.notes.append(
                f"{path} was read without PyAV, by OpenCV, which does not tell whether frames of it "
                "were lost to damage. Install it: pip install 'ebmtrack[eval]'."
            )

    def timed(self) -> Iterator[Frame]:
        """Every frame until the end of what can be decoded; a gap in the times after a fault is a bad one."""
        capture = cv2.VideoCapture(str(self.path))
        number, last, widest, in_vain, start = 0, -1 / self.fps, 1 / self.fps, 0, None
        faulty, even = False, True  # a read has failed; times are multiples of 1 / fps
        try:
            while in_vain < _GIVE_UP:
                found, image = _read(capture)
                if image is None:
                    in_vain += 1
                    continue
                faulty |= in_vain > 0
                stamp = capture.get(cv2.CAP_PROP_POS_MSEC) / _MILLISECONDS
                start = stamp if start is None else start
                time = stamp - start if stamp - start > last + _TICK else last + 1 / self.fps
                even &= abs(time * self.fps - round(time * self.fps)) < _OFF_THE_GRID
                # The first failure can come before the frame that it is about is due.
                lost = round((time - last) * self.fps) - 1 if in_vain or (faulty and even) else 0
                for _ in range(lost):
                    last += 1 / self.fps
                    yield Frame(number, last, None, "it cannot be decoded")
                    number += 1
                widest, last, in_vain = max(widest, time - last), time, 0
                yield Frame(number, time, np.ascontiguousarray(image[..., ::-1]))
                number += 1
        finally:
            capture.release()
        self.cut = torn_stream(self.path)
        if self.count is not None and self.count > number and without_frame_table(self.path):
            missing = self.count / self.fps - (last + 1 / self.fps)  # s
            if missing <= 0.5 * widest or missing * self.fps <= self.count - number - 1:
                self.count = None


def _read(capture: cv2.VideoCapture) -> tuple[bool, np.ndarray | None]:
    """The next frame, if there is one that OpenCV can read; sizes that are nonsense are an error to it."""
    try:
        found, image = capture.read()
    except cv2.error:
        return False, None
    return found, (image if found else None)


def _bits(pixel_format: int) -> int:
    """Bits of a sample by FFmpeg's code of a pixel format, whose last byte they are; 8 for most."""
    code = pixel_format.to_bytes(4, "little") if pixel_format > 0 else bytes(4)
    return code[3] if code[:2] in (b"Y1", b"G3", b"G4") and code[3] in (9, 10, 12, 14, 16) else 8
