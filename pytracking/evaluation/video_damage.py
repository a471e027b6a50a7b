"""What a video container tells of data that it has lost, besides the frames that cannot be decoded."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

__all__ = ["MOST_FPS", "Rhythm", "joints", "listening", "odd_rate", "torn_stream", "without_frame_table"]

MOST_FPS = 1000.0
_AT_ONCE = 20_000  # packets
_EMPTY = 0x1FFF  # number of the stream of packets that fill gaps
_TS, _SYNC, _EBML = 188, 0x47, b"\x1aE\xdf\xa3"  # bytes of a packet of MPEG-TS and its first; Matroska, WebM


_OFF = 0.08  # share of a step by which times may be off; they are rounded to milliseconds
_FEW, _RARE = 3, 0.05  # frames, and share of them, that an even video may skip; more, and it is not even


@dataclass
class Rhythm:
    """Steps in time of a video, in which few frames are skipped if it is even otherwise.

    Attributes:
        step: s between two frames.
    """

    step: float
    frames: int = 0
    skipped: int = 0
    uneven: int = 0

    def add(self, seconds: float) -> None:
        """The time from one frame to the next."""
        steps = round(seconds / self.step)
        self.frames += 1
        self.skipped += max(0, steps - 1)
        self.uneven += steps < 1 or abs(seconds / self.step - steps) > _OFF

    def said_of(self, path: Path) -> str:
        """That an even video skips some frames; empty otherwise."""
        if not self.skipped or self.uneven or self.skipped > max(_FEW, _RARE * self.frames):
            return ""
        return (
            f"the times of {path} skip {self.skipped} frames of an even rate: a camera or an encoder left "
            "them out, or they were lost to damage."
        )


def odd_rate(path: Path, fps: float) -> str:
    """That a file states a rate that is not believed; empty for those up to `MOST_FPS`, and for none."""
    if not fps > MOST_FPS:
        return ""
    return (
        f"{path} states {fps:g} frames a second; more than {MOST_FPS:g} are not believed. Its header may be "
        "damaged, and frames be missing."
    )


def _is_transport_stream(start: bytes) -> bool:
    """Some of the first packets may be damaged, and bytes in front of the others be missing."""
    return max(start[phase::_TS].count(_SYNC) for phase in range(_TS)) >= 3


def _start(path: Path) -> bytes:
    with path.open("rb") as file:
        return file.read(8 * _TS)


def torn_stream(path: Path) -> str:
    """That an MPEG-TS file does not end where a packet does; empty for one that does, and other kinds."""
    over = path.stat().st_size % _TS
    if not over or not _is_transport_stream(_start(path)):
        return ""
    return (
        f"{path} has {over} bytes more than whole packets: it is cut off or damaged; frames may be missing."
    )


def joints(path: Path) -> str:
    """Where packets of an MPEG-TS file are not counted on from those before; empty if there is no such place.

    Every stream of such a file counts its packets from 0 to 15 and again. Source: ISO/IEC 13818-1, 2.4.3.3.
    """
    start = _start(path)
    if not _is_transport_stream(start) or start[0] != _SYNC or path.stat().st_size % _TS:
        return ""
    last, odd = np.full(1 << 13, -1), 0
    with path.open("rb") as file:
        while block := file.read(_AT_ONCE * _TS):
            packets = np.frombuffer(block, dtype=np.uint8)[: len(block) // _TS * _TS].reshape(-1, _TS)
            odd += _not_following(packets, last)
    return (
        f"{odd} packets of {path} do not follow the ones before: recordings were joined there, or frames are "
        "missing."
        if odd
        else ""
    )


def _not_following(packets: np.ndarray, last: np.ndarray) -> int:
    """How many do not follow, or have lost their first byte; `last`: the counters so far, -1: none."""
    sound = packets[:, 0] == _SYNC
    head = packets[sound, :6].astype(np.int64)
    stream = (head[:, 1] & 0x1F) << 8 | head[:, 2]
    restarts = (head[:, 3] & 0x20 > 0) & (head[:, 4] > 0) & (head[:, 5] & 0x80 > 0)
    counted = (head[:, 3] & 0x10 > 0) & (stream != _EMPTY)
    odd = int((~sound).sum())
    for number in np.unique(stream[counted]):
        chosen = counted & (stream == number)
        counters = head[chosen, 3] & 0x0F
        before = np.concatenate([last[[number]], counters[:-1]])
        follows = (before < 0) | (counters == (before + 1) % 16) | (counters == before) | restarts[chosen]
        odd += int((~follows).sum())
        last[number] = counters[-1]
    return odd


def without_frame_table(path: Path) -> bool:
    """Whether a file is of a kind that does not list its frames: MPEG-TS, Matroska, WebM."""
    start = _start(path)
    return start.startswith(_EBML) or _is_transport_stream(start)


@contextmanager
def listening(av: Any, container: Any, heard: list[str]) -> Iterator[None]:
    """Appends what FFmpeg calls an error of the container, which it passes over and nobody else hears of.

    Args:
        av: PyAV.
        container: what is read inside; errors of its codecs are told by their frames.
        heard: takes the messages.
    """
    logs, level = av.logging, av.logging.get_level()
    logs.set_level(logs.ERROR)
    try:
        with logs.Capture(local=True) as found:
            yield
    finally:
        logs.set_level(level)
    heard += [text.strip() for _, name, text in found if name == container.format.name]
