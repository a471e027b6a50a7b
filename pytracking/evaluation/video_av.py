"""Video files by PyAV: exact times, the frames that are damaged, any depth, upright."""

from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np

from ebm.exceptions import InputError
from ltr.data.depth import Levels, find_levels, to_eight_bits
from pytracking.evaluation.video_damage import MOST_FPS, Rhythm, joints, listening, odd_rate, torn_stream
from pytracking.evaluation.video_frames import DEFAULT_FPS, Frame, VideoSource

__all__ = ["AVVideo", "Reading", "load_av", "pixels"]

_DEEP = 12  # bits; formats of up to 12 say how many of them are used, those of 16 do not
_LOOKED_AT = 16  # frames from which black and white of a deep video are found
_ONE_EACH = ("h264", "hevc")  # codecs with a picture to be shown in every packet
_ROUNDED = 0.001  # s, to which Matroska states times and lengths
_GIVE_UP = 1000  # faults of the container one after another, after which its end is reached


def load_av() -> Any | None:
    """PyAV, or None where it is not installed or its libraries cannot be loaded."""
    try:
        import av
    except ImportError:
        return None
    return av


class AVVideo(VideoSource):
    """A video file, read with PyAV."""

    def __init__(self, path: Path) -> None:
        """Open the file once to see that it is a video.

        Raises:
            InputError: if it is none, or no frame of it can be read.
        """
        self.path, self._av = path, load_av()
        self._levels: Levels | None = None
        self.notes = []
        self._length: float | None = None  # s, of the track of pictures alone
        if not self._probe():
            raise InputError(
                f"{path} cannot be read as a video: no frame in it can be decoded. It is damaged or empty, "
                "or its codec is unknown here. Convert it to H.264 mp4, or unpack it to a folder of images "
                "and name that."
            )

    def _open(self) -> Any:
        try:
            return self._av.open(str(self.path))  # type: ignore[union-attr]
        except (OSError, ValueError, self._av.FFmpegError) as error:  # type: ignore[union-attr]
            reason = getattr(error, "strerror", None) or error
            raise InputError(
                f"{self.path} cannot be read as a video ({reason}): it is damaged or cut off, or no video. "
                "Convert it to H.264 mp4, or unpack it to a folder of images and name that."
            ) from error

    def _probe(self) -> bool:
        with self._open() as container:
            if not container.streams.video:
                raise InputError(f"{self.path} has no pictures: there is no track of video in it.")
            stream = container.streams.video[0]
            rate = stream.average_rate or stream.guessed_rate
            self.fps = float(rate) if rate and 0 < rate <= MOST_FPS else DEFAULT_FPS
            self.notes += [note for note in (odd_rate(self.path, float(rate or 0)),) if note]
            self.time_base, self.count = stream.time_base, stream.frames or None
            self._length = _length(container, stream)
            if self.count is None and stream.duration is None and container.duration is None:
                self.notes.append(
                    f"{self.path} does not state how long it is, like a recording that was broken off or a "
                    "file whose beginning is damaged: it cannot be told whether frames are missing."
                )
            reading = Reading(self._av, container, Rhythm(1 / self.fps))
            decoded = (frame for frame, _ in reading.frames() if frame is not None)
            first = next(decoded, None)
            if first is None:
                return False
            if _is_deep(first):
                looked = [first, *islice(decoded, _LOOKED_AT - 1)]
                self._levels = find_levels(_samples(frame) for frame in looked)
                self.notes.append(
                    f"{self.path} has 16 bits a sample; {self._levels.black:g} is shown as black, "
                    f"{self._levels.white:g} as white, throughout."
                )
        return True

    def timed(self) -> Iterator[Frame]:
        """Every frame until the end of what can be decoded, and those that raise an error."""
        step, start, last, number = 1 / self.fps, None, -1 / self.fps, 0  # last: s after the first frame
        widest, back, rhythm = step, 0, Rhythm(step)
        offset: float | None = None  # s, of the first frame; lengths may count from it or from 0
        with self._open() as container:
            reading = Reading(self._av, container, Rhythm(step))
            for frame, (stamp, fault) in reading.frames():
                seconds = None if stamp is None or self.time_base is None else float(stamp * self.time_base)
                offset = seconds if offset is None else offset
                if seconds is not None and (start is None or seconds - start <= last):
                    back += start is not None and seconds - start < last
                    start = seconds - (last + step)  # the first one, or a recording joined to another
                now = last + step if seconds is None or start is None else seconds - start
                rhythm.add(now - last)
                widest, last = max(widest, now - last), now
                yield Frame(number, last, None if frame is None else pixels(frame, self._levels), fault)
                number += 1
        self.cut = self._loss(reading, last + max(0.0, offset or 0.0), widest)
        if not self.cut:
            skipped = rhythm.said_of(self.path) or reading.pace.said_of(self.path)
            late = self._late(reading.begin, offset)
            found = (joints(self.path) or _turned_back(self.path, back), skipped, late, self._more(number))
            self.notes += [note for note in found if note and note not in self.notes]

    def _late(self, begin: int | None, first: float | None) -> str:
        """That there is data from time stamp `begin` on, and the first frame is shown later, at `first` s."""
        if first is None or begin is None or self.time_base is None:
            return ""
        early = first - float(begin * self.time_base)
        if early < 0.5 / self.fps:
            return ""
        return f"the first {early:.2f} s of {self.path} are not shown: they are hidden, or damaged."

    def _more(self, frames: int) -> str:
        """That there are more frames than announced; empty otherwise."""
        if self.count is None or frames <= self.count:
            return ""
        return (
            f"{self.path} announces {self.count} frames and gave {frames}: its list of them is damaged, and "
            "some may come twice."
        )

    def _loss(self, reading: "Reading", last: float, widest: float) -> str:
        """What speaks for frames that are missing, besides those that cannot be decoded.

        Args:
            reading: that has come to its end.
            last: time of the last frame, s, as it is stored.
            widest: the longest time between two frames, s.
        """
        if self.count is None and self._length is not None and self._length - last > 1.5 * widest + _ROUNDED:
            return f"{self.path} announces {self._length:.2f} s of pictures; they end at {last:.2f} s."
        if reading.heard:
            return f"{self.path} is damaged, and frames may be missing: {reading.heard[0]}."
        if reading.hidden > 0:
            return (
                f"{self.path}: {reading.hidden} frames cannot be decoded, since others that they are made "
                "from are damaged or missing; they have no rows."
            )
        return torn_stream(self.path)


def pixels(frame: Any, levels: Levels | None = None) -> np.ndarray:
    """uint8 RGB ``[H, W, 3]`` of a frame of PyAV, upright.

    Args:
        frame: as it was decoded.
        levels: black and white of a deep one.
    """
    if levels is not None:
        image = to_eight_bits(_samples(frame), levels)
    else:
        image = frame.to_ndarray(format="rgb24")
    return np.ascontiguousarray(np.rot90(image, round(frame.rotation / 90) % 4))


@dataclass
class Reading:
    """One pass over the pictures of an open file, and what it has met.

    Args:
        av: PyAV.
        container: the open file.
        pace: takes the steps in time from packet to packet.
        heard: errors of the container.
        hidden: pictures that were never shown.
        begin: earliest time stamp of data.
        patience: faults of the container one after another, after which its end is reached.
        broken: the last of these faults.
    """

    av: Any
    container: Any
    pace: Rhythm
    heard: list[str] = field(default_factory=list)
    hidden: int = 0
    begin: int | None = None
    patience: int = _GIVE_UP
    broken: str = ""
    _stamp: int | None = None  # of the last packet

    def frames(self) -> Iterator[tuple[Any | None, tuple[int | None, str]]]:
        """Frames of PyAV in the order in which they are shown, with time stamp and fault.

        None is a frame that raised an error. A packet that raises is one frame; its time stamp tells its
        place among those that come out later.
        """
        stream = self.container.streams.video[0]
        # By slices, PyAV's default, FFmpeg does not tell what it repaired in H.264.
        stream.thread_type = "NONE"
        failed: dict[int, str] = {}
        counts = stream.codec_context is not None and stream.codec_context.name in _ONE_EACH
        for packet in self._packets(stream):
            self.hidden += counts and packet.size > 0
            try:
                frames = packet.decode()
            except self.av.FFmpegError as error:
                reason = f"it cannot be decoded ({error.strerror})"
                self.hidden -= counts and packet.size > 0
                if packet.pts is None:
                    yield None, (None, reason)
                else:
                    failed[packet.pts] = reason
                continue
            for frame in frames:
                counts = counts and not frame.interlaced_frame  # whose two fields may be packets of their own
                self.hidden = self.hidden - 1 if counts else 0
                if frame.pts is not None:
                    for stamp in sorted(stamp for stamp in failed if stamp < frame.pts):
                        yield None, (stamp, failed.pop(stamp))
                yield frame, (frame.pts, "damaged, repaired by the decoder" if frame.is_corrupt else "")
        if self.broken:  # what the decoder holds back has not been asked for
            with suppress(EOFError, self.av.FFmpegError):
                yield from ((frame, (frame.pts, "")) for frame in stream.decode(None))
        for stamp in sorted(failed):
            yield None, (stamp, failed[stamp])

    def _packets(self, stream: Any) -> Iterator[Any]:
        """Packets until the end; what the container has lost is passed over."""
        packets, faults = self.container.demux(stream), 0
        while faults < self.patience:
            try:
                with listening(self.av, self.container, self.heard):
                    packet = next(packets)
            except (StopIteration, EOFError):
                return
            except self.av.FFmpegError as error:
                packets, faults = self.container.demux(stream), faults + 1
                self.broken = error.strerror or str(error)
                continue
            faults, self.broken = 0, ""
            self._step_to(packet)
            yield packet

    def _step_to(self, packet: Any) -> None:
        """Take in the time at which a packet is to be decoded, even where a decoder mixes up the pictures."""
        if packet.pts is not None and packet.size and packet.pts >= 0 and not packet.is_discard:
            self.begin = packet.pts if self.begin is None else min(self.begin, packet.pts)
        if packet.dts is not None and packet.size:
            if self._stamp is not None:
                self.pace.add(float((packet.dts - self._stamp) * packet.time_base))
            self._stamp = packet.dts


def _is_deep(frame: Any) -> bool:
    return max(component.bits for component in frame.format.components) > _DEEP


def _samples(frame: Any) -> np.ndarray:
    """``[H, W, 3]`` uint16 RGB of a deep frame, as stored."""
    if len(frame.format.components) == 1:
        return np.repeat(frame.to_ndarray(format="gray16le")[..., None], 3, axis=2)
    return np.asarray(frame.to_ndarray(format="rgb48le"))


def _length(container: Any, stream: Any) -> float | None:
    """The announced length of the pictures, s; None where it is another track's, or a guess of FFmpeg's."""
    length = _seconds(stream.metadata.get("DURATION", ""))
    alone = len(container.streams.video) == len(container.streams)
    stated = container.duration if alone and container.format.name.startswith("matroska") else None
    return stated / 1e6 if length is None and stated else length


def _turned_back(path: Path, times: int) -> str:
    """That time stamps go back; empty if they do not."""
    if not times:
        return ""
    return (
        f"the times of {path} go back {times} times; they are counted on. Recordings were joined there, or "
        "it is damaged and frames are missing."
    )


def _seconds(text: str) -> float | None:
    """``00:01:02.5`` in seconds; None if it is no duration."""
    try:
        hours, minutes, seconds = text.split(":")
        return 3600 * int(hours) + 60 * int(minutes) + float(seconds)
    except ValueError:
        return None
