"""Overlay videos: ground truth and several trackers drawn on the frames, with a legend below."""

from collections.abc import Iterable, Iterator, Mapping
from collections.abc import Sequence as List
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np

from ebm.exceptions import InputError
from ltr.data.image_loader import read_image
from pytracking.evaluation.drawing import (
    PALETTE,
    TRUTH_COLOUR,
    Colour,
    draw_box,
    draw_text,
    line_width,
    text_size,
)
from pytracking.evaluation.video_io import VideoWriter

__all__ = ["GROUND_TRUTH", "overlay_frames", "write_overlay_video"]

GROUND_TRUTH = "ground truth"
_BACKGROUND: Colour = (24, 24, 24)
_NAME: Colour = (235, 235, 235)
_WIDEST = "0.00"  # of an overlap


@dataclass(frozen=True)
class _Entry:
    """What the legend says of one track; `overlap` is None where it never has any."""

    name: str
    colour: Colour
    overlap: float | None = None

    @property
    def value(self) -> str:
        """The overlap as text of one width."""
        return "" if self.overlap is None else f"{self.overlap:.2f}" if np.isfinite(self.overlap) else "–"


def write_overlay_video(
    frames: Iterable[Path | np.ndarray],
    tracks: Mapping[str, np.ndarray],
    path: Path,
    fps: float = 30.0,
    *,
    title: str = "",
    min_width: int = 640,
) -> Path:
    """Write an mp4 with the boxes of several trackers.

    Args:
        frames: image files, or uint8 RGB ``[H, W, 3]``; T of them.
        tracks: name -> xywh boxes, px of the frames, ``[T, 4]``; NaN rows are not drawn. The name
            `GROUND_TRUTH` is drawn first, in white.
        path: the mp4 file, written whole or not at all.
        fps: frames per second.
        title: written below, e.g. the sequence's name.
        min_width: narrower frames are enlarged to this many pixels.

    Raises:
        InputError: if a track is shorter than the video, a frame cannot be read, or nothing can be written.
    """
    with VideoWriter(path, fps, whole=True) as writer:
        for image in overlay_frames(frames, tracks, title=title, min_width=min_width):
            writer.add(image)
    if not writer.frames:
        raise InputError(f"There are no frames to write to {path}.")
    return path


def overlay_frames(
    frames: Iterable[Path | np.ndarray],
    tracks: Mapping[str, np.ndarray],
    *,
    overlap: Mapping[str, np.ndarray] | None = None,
    title: str = "",
    min_width: int = 640,
    step: int = 1,
) -> Iterator[np.ndarray]:
    """The frames of `write_overlay_video`, uint8 RGB, e.g. to join several sequences in one file.

    Args:
        frames: as there.
        tracks: as there.
        overlap: name -> IoU, ``[T]``, written behind the name in the legend; NaN where it is not defined.
        title: as there.
        min_width: as there.
        step: of every so many frames one is taken, the first included.
    """
    names = sorted(tracks, key=lambda name: name != GROUND_TRUTH)
    colours = dict(zip([name for name in names if name != GROUND_TRUTH], _cycle(len(names)), strict=False))
    colours[GROUND_TRUTH] = TRUTH_COLOUR
    for index, frame in enumerate(frames):
        if index % step:
            continue
        image = read_image(frame, sequence=title, frame=index) if isinstance(frame, Path) else frame
        image, scale = _enlarged(image, min_width)
        for name in names:
            if index >= len(tracks[name]):
                raise InputError(f"{name} has {len(tracks[name])} boxes, frame {index} is beyond them.")
            draw_box(image, tracks[name][index] * scale, colours[name], width=line_width(image.shape))
        known = overlap or {}
        entries = [_Entry(n, colours[n], float(known[n][index]) if n in known else None) for n in names]
        caption = f"{title}  {index}" if title else f"{index}"
        yield np.concatenate([image, _legend(image.shape[1], entries, caption)])


def _enlarged(image: np.ndarray, min_width: int) -> tuple[np.ndarray, float]:
    """A copy to draw on, at least so wide, and by what it was enlarged."""
    scale = max(1.0, min_width / image.shape[1])
    if scale == 1.0:
        return image.copy(), scale
    size = (round(image.shape[1] * scale), round(image.shape[0] * scale))
    return cv2.resize(image, size, interpolation=cv2.INTER_CUBIC), scale


def _cycle(count: int) -> list[Colour]:
    return [PALETTE[index % len(PALETTE)] for index in range(count)]


def _legend(width: int, entries: List[_Entry], caption: str) -> np.ndarray:
    """A strip with a swatch, name and overlap for each entry, in as many rows as they take, and a caption.

    The caption has the right end of the last row to itself, and both it and overlaps a fixed width, so that
    the strip never changes its height from frame to frame.
    """
    size = max(13, round(width / 45))
    row_height, gap, swatch = round(size * 1.9), size, round(size * 1.2)
    reserved = text_size(caption.rstrip("0123456789") + "00000", size)[0] + 2 * gap
    places, left, row = [], gap, 0
    for entry in entries:
        needed = swatch + gap // 2 + _entry_width(entry, size)
        if left > gap and left + needed > width - gap:
            left, row = gap, row + 1
        places.append((left, row))
        left += needed + gap
    if left + reserved > width:
        row += 1
    strip = np.full(((row + 1) * row_height, width, 3), _BACKGROUND, dtype=np.uint8)
    for (x, y), entry in zip(places, entries, strict=True):
        middle = y * row_height + row_height // 2
        cv2.rectangle(strip, (x, middle - size // 4), (x + swatch, middle + size // 4), entry.colour, -1)
        top, x = middle - round(size * 0.7), x + swatch + gap // 2
        draw_text(strip, entry.name, (x, top), _NAME, size)
        if entry.value:
            x += _entry_width(entry, size) - text_size(_WIDEST, size)[0]
            draw_text(strip, entry.value, (x, top), entry.colour, size)
    top = row * row_height + row_height // 2 - round(size * 0.7)
    draw_text(strip, caption, (width - gap - text_size(caption, size)[0], top), (170, 170, 170), size)
    return strip


def _entry_width(entry: _Entry, size: int) -> int:
    """Pixels of a name and the room for its overlap."""
    name = text_size(entry.name, size)[0]
    return name + size // 2 + text_size(_WIDEST, size)[0] if entry.value else name
