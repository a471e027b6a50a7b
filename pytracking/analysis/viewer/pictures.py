"""Small pictures of frames for a page of limited size, and addresses of the files for one without."""

import base64
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ebm.exceptions import EBMError
from pytracking.evaluation import data

__all__ = ["Pictures", "file_pattern", "frame_size", "take_pictures"]

_SIDE = 320  # px, the longer side of a small picture
_QUALITY = 55
_TYPICAL = 9_000  # bytes of a small picture, in base64; to plan by


@dataclass(frozen=True)
class Pictures:
    """Small pictures of one sequence.

    Args:
        frames: which ones, from 0, ascending.
        images: JPEG in base64.
        size: width and height of the video, px.
    """

    frames: tuple[int, ...] = ()
    images: tuple[str, ...] = ()
    size: tuple[int, int] = (0, 0)


def take_pictures(
    sequences: Sequence[data.Sequence], budget: int, on_sequence: Callable[[], None] = lambda: None
) -> dict[str, Pictures]:
    """Evenly spaced small pictures of every sequence whose images can be read, within `budget` bytes."""
    found: dict[str, Pictures] = {}
    left = budget
    for index, sequence in enumerate(sequences):
        share = left // (len(sequences) - index)
        pictures = _of(sequence, share)
        if pictures is not None:
            found[sequence.name] = pictures
            left -= sum(map(len, pictures.images))
        on_sequence()
    return found


def _of(sequence: data.Sequence, budget: int) -> Pictures | None:
    """As many pictures as fit, by the size of the first; None if the images are not there."""
    if not sequence.frames[0].is_file():
        return None
    first = _small(sequence.frames[0])
    if first is None:
        return None
    count = min(len(sequence), max(0, budget // max(len(first[0]), _TYPICAL // 4)))
    wanted = sorted({round(i * (len(sequence) - 1) / max(count - 1, 1)) for i in range(count)})
    frames, images, size = [], [], 0
    for frame in wanted:
        made = first if frame == 0 else _small(sequence.frames[frame])
        if made is not None and size + len(made[0]) <= budget:
            frames.append(frame)
            images.append(made[0])
            size += len(made[0])
    return Pictures(tuple(frames), tuple(images), first[1])


def _small(path: Path) -> tuple[str, tuple[int, int]] | None:
    """JPEG in base64 and the size of the original; None if it cannot be read."""
    import cv2

    from ltr.data.image_loader import read_image

    try:
        image: Any = read_image(path)
    except EBMError:
        return None
    height, width = image.shape[:2]
    scale = min(1.0, _SIDE / max(height, width))
    target = (max(1, round(width * scale)), max(1, round(height * scale)))
    small = cv2.cvtColor(cv2.resize(image, target, interpolation=cv2.INTER_AREA), cv2.COLOR_RGB2BGR)
    _, content = cv2.imencode(".jpg", small, [cv2.IMWRITE_JPEG_QUALITY, _QUALITY])
    return base64.b64encode(content.tobytes()).decode("ascii"), (width, height)


def frame_size(sequence: data.Sequence) -> tuple[int, int] | None:
    """Width and height of a sequence's first image, px; None if it cannot be read."""
    made = _small(sequence.frames[0]) if sequence.frames[0].is_file() else None
    return None if made is None else made[1]


def file_pattern(sequence: data.Sequence) -> dict[str, Any] | None:
    """Addresses of the image files as folder, first number, digits and ending; None if they do not count."""
    first, last = sequence.frames[0], sequence.frames[-1]
    match = re.fullmatch(r"(.*?)(\d+)(\.\w+)", first.name)
    if match is None or not first.is_file():
        return None
    head, digits, ending = match.groups()
    width = len(digits) if digits.startswith("0") else 1
    expected = f"{head}{int(digits) + len(sequence) - 1:0{width}d}{ending}"
    if expected != last.name or first.parent != last.parent:
        return None
    folder = first.parent.resolve().as_uri()
    return {"before": f"{folder}/{head}", "first": int(digits), "digits": width, "after": ending}
