"""Boxes and text on frames, with smooth letters and no display."""

from collections.abc import Hashable
from functools import lru_cache
from itertools import pairwise

import cv2
import numpy as np
from PIL import Image, ImageDraw, ImageFont

__all__ = [
    "PALETTE",
    "TRUTH_COLOUR",
    "Colour",
    "TargetColours",
    "draw_box",
    "draw_text",
    "line_width",
    "text_size",
]

Colour = tuple[int, int, int]

TRUTH_COLOUR: Colour = (255, 255, 255)
# RGB, bright enough on dark and on light surroundings; Okabe and Ito's, lightened.
PALETTE: tuple[Colour, ...] = (
    (255, 110, 30),
    (60, 170, 255),
    (40, 210, 140),
    (240, 130, 200),
    (255, 200, 40),
    (170, 130, 255),
    (140, 240, 255),
)


_BY_STATE = {"ok": (40, 210, 140), "uncertain": (255, 200, 40), "lost": (255, 80, 60)}
_GREY: Colour = (170, 170, 170)


class TargetColours:
    """Colours of targets: of one without id by its state, of others their own, also when some of them go."""

    def __init__(self) -> None:
        self._places: dict[Hashable, int] = {}

    def of(self, target: Hashable, state: str) -> Colour:
        """The colour of a target; None is the one without id."""
        if target is None:
            return _BY_STATE.get(state, _GREY)
        return PALETTE[self._places.setdefault(target, len(self._places)) % len(PALETTE)]


def line_width(shape: tuple[int, ...]) -> int:
    """Pixels of a box's outline for a frame of this shape."""
    return max(2, round(min(shape[:2]) / 240))


def draw_box(
    image: np.ndarray, box: np.ndarray, colour: Colour, *, width: int = 2, dashed: bool = False
) -> None:
    """Outline a box in place, with a thin dark edge that keeps it visible on any surroundings.

    Args:
        image: uint8 RGB ``[H, W, 3]``.
        box: xywh, px, ``[4]``; nothing is drawn where it is not finite.
        colour: RGB.
        width: px of the line.
        dashed: for boxes that are not to be relied on.
    """
    if not np.isfinite(box).all():
        return
    low = np.clip(np.round(box[:2]), -30000, 30000).astype(int)
    high = np.clip(np.round(box[:2] + np.maximum(box[2:], 1) - 1), -30000, 30000).astype(int)
    corners = [(low[0], low[1]), (high[0], low[1]), (high[0], high[1]), (low[0], high[1])]
    for line_colour, thickness in (((0, 0, 0), width + 2), (colour, width)):
        for start, end in pairwise([*corners, corners[0]]):
            for a, b in _dashes(start, end, 5 * width) if dashed else [(start, end)]:
                cv2.line(image, a, b, line_colour, thickness, cv2.LINE_AA)


def _dashes(
    start: tuple[int, int], end: tuple[int, int], length: int
) -> list[tuple[tuple[int, int], tuple[int, int]]]:
    """Every other piece of a line, clipped to a length that can be drawn."""
    a, b = np.array(start, dtype=float), np.array(end, dtype=float)
    pieces = int(np.clip(np.linalg.norm(b - a) // length, 1, 400)) | 1  # odd: both corners are inked
    points = [tuple(np.round(a + (b - a) * k / pieces).astype(int).tolist()) for k in range(pieces + 1)]
    return [(points[k], points[k + 1]) for k in range(0, pieces, 2)]


@lru_cache(maxsize=4)
def _font(size: int) -> ImageFont.ImageFont | ImageFont.FreeTypeFont:
    return ImageFont.load_default(size)


@lru_cache(maxsize=512)
def _text_mask(text: str, size: int) -> np.ndarray:
    """Coverage in 0..1, ``[h, w]``, of one line of text with a height that depends on `size` alone."""
    left, _, right, _ = _font(size).getbbox(text)
    canvas = Image.new("L", (max(1, int(np.ceil(right - left)) + 2), round(size * 1.4)))
    ImageDraw.Draw(canvas).text((1 - left, size * 0.12), text, fill=255, font=_font(size))
    return np.asarray(canvas, dtype=np.float32) / 255.0


def text_size(text: str, size: int) -> tuple[int, int]:
    """Width and height that `draw_text` covers, px."""
    height, width = _text_mask(text, size).shape
    return width, height


def draw_text(
    image: np.ndarray, text: str, at: tuple[int, int], colour: Colour, size: int, *, backed: bool = False
) -> None:
    """Write a line of text in place; what falls outside the image is cut off.

    Args:
        image: uint8 RGB ``[H, W, 3]``.
        text: one line.
        at: left and top, px.
        colour: RGB.
        size: px of a capital letter and its surroundings.
        backed: darken the surroundings first.
    """
    mask = _text_mask(text, size)
    left, top = at
    part = image[max(top, 0) : max(top + mask.shape[0], 0), max(left, 0) : max(left + mask.shape[1], 0)]
    shown = mask[max(-top, 0) :, max(-left, 0) :][: part.shape[0], : part.shape[1], None]
    under = part * (0.35 if backed else 1.0)
    part[...] = np.round(under * (1 - shown) + np.array(colour, dtype=np.float32) * shown).astype(np.uint8)
