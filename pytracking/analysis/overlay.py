"""Overlay videos: ground truth and several trackers drawn on the frames, with a legend below."""

from collections.abc import Iterable, Iterator, Mapping
from collections.abc import Sequence as List
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
        path: the mp4 file.
        fps: frames per second.
        title: written below, e.g. the sequence's name.
        min_width: narrower frames are enlarged to this many pixels.

    Raises:
        InputError: if a track is shorter than the video, a frame cannot be read, or nothing can be written.
    """
    with VideoWriter(path, fps) as writer:
        for image in overlay_frames(frames, tracks, title=title, min_width=min_width):
            writer.add(image)
    if not writer.frames:
        raise InputError(f"There are no frames to write to {path}.")
    return path


def overlay_frames(
    frames: Iterable[Path | np.ndarray],
    tracks: Mapping[str, np.ndarray],
    *,
    title: str = "",
    min_width: int = 640,
) -> Iterator[np.ndarray]:
    """The frames of `write_overlay_video`, uint8 RGB, e.g. to join several sequences in one file."""
    names = sorted(tracks, key=lambda name: name != GROUND_TRUTH)
    colours = dict(zip([name for name in names if name != GROUND_TRUTH], _cycle(len(names)), strict=False))
    colours[GROUND_TRUTH] = TRUTH_COLOUR
    for index, frame in enumerate(frames):
        image = read_image(frame, sequence=title, frame=index) if isinstance(frame, Path) else frame
        scale = max(1.0, min_width / image.shape[1])
        if scale > 1:
            size = (round(image.shape[1] * scale), round(image.shape[0] * scale))
            image = cv2.resize(image, size, interpolation=cv2.INTER_CUBIC)
        image = image.copy()
        for name in names:
            if index >= len(tracks[name]):
                raise InputError(f"{name} has {len(tracks[name])} boxes, frame {index} is beyond them.")
            draw_box(image, tracks[name][index] * scale, colours[name], width=line_width(image.shape))
        caption = f"{title}  {index}" if title else f"{index}"
        yield np.concatenate([image, _legend(image.shape[1], [(n, colours[n]) for n in names], caption)])


def _cycle(count: int) -> list[Colour]:
    return [PALETTE[index % len(PALETTE)] for index in range(count)]


def _legend(width: int, entries: List[tuple[str, Colour]], caption: str) -> np.ndarray:
    """A strip with a swatch and a name for each entry, in as many rows as they take, and a caption.

    The caption has the right end of the last row to itself, at a fixed width so that the strip never changes
    its height from frame to frame.
    """
    size = max(13, round(width / 45))
    row_height, gap, swatch = round(size * 1.9), size, round(size * 1.2)
    reserved = text_size(caption.rstrip("0123456789") + "00000", size)[0] + 2 * gap
    places, left, row = [], gap, 0
    for name, _ in entries:
        needed = swatch + gap // 2 + text_size(name, size)[0]
        if left > gap and left + needed > width - gap:
            left, row = gap, row + 1
        places.append((left, row))
        left += needed + gap
    if left + reserved > width:
        row += 1
    strip = np.full(((row + 1) * row_height, width, 3), _BACKGROUND, dtype=np.uint8)
    for (x, y), (name, colour) in zip(places, entries, strict=True):
        middle = y * row_height + row_height // 2
        cv2.rectangle(strip, (x, middle - size // 4), (x + swatch, middle + size // 4), colour, -1)
        draw_text(strip, name, (x + swatch + gap // 2, middle - round(size * 0.7)), (235, 235, 235), size)
    top = row * row_height + row_height // 2 - round(size * 0.7)
    draw_text(strip, caption, (width - gap - text_size(caption, size)[0], top), (170, 170, 170), size)
    return strip
