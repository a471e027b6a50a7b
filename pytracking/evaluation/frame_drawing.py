"""What is drawn on the frames of a tracked video: boxes, traces, how sure the boxes are, states."""

from collections import deque
from collections.abc import Hashable
from itertools import pairwise

import cv2
import numpy as np
from numpy.typing import NDArray

from pytracking.evaluation.draw_option import DEFAULT_PARTS
from pytracking.evaluation.drawing import Colour, TargetColours, draw_box, draw_text, line_width
from pytracking.evaluation.video_tables import Rows

__all__ = ["ELLIPSE_LEVEL", "FrameDrawer", "draw_ellipses", "draw_way"]

TRACE = 60  # frames
ELLIPSE_LEVEL = 0.9

_SHADE = 0.35  # how opaque an ellipse is filled
_FRACTION = 4  # bits of a pixel's fraction in OpenCV's coordinates
# The places of a box as linear maps of x, y, w, h: its corners, then its centre.
_PLACES = tuple(np.array([[1, 0, u, 0], [0, 1, 0, v]]) for u in (0.0, 1.0) for v in (0.0, 1.0)) + (
    np.array([[1, 0, 0.5, 0], [0, 1, 0, 0.5]]),
)


class FrameDrawer:
    """Draws on one frame after the other; it remembers where the targets were.

    Args:
        parts: of `draw_option.PARTS`. Ids of targets are always drawn.
    """

    def __init__(self, parts: tuple[str, ...] = DEFAULT_PARTS) -> None:
        self._parts = frozenset(parts)
        self._colours = TargetColours()
        self._ways: dict[Hashable, deque[NDArray[np.float64]]] = {}

    def drawn(self, image: NDArray[np.uint8], number: int, rows: Rows) -> NDArray[np.uint8]:
        """A copy of a frame, uint8 RGB ``[H, W, 3]``, with what is known of its targets.

        Args:
            image: the frame.
            number: of it.
            rows: of its targets.
        """
        drawn = image.copy()
        width, size = line_width(drawn.shape), max(11, round(drawn.shape[1] / 45))
        self._remember(rows)
        for target, row in rows.items():
            colour = self._colours.of(target, row.state)
            if "density" in self._parts and row.covariance is not None:
                draw_ellipses(drawn, row.box, row.covariance, colour, width=width)
            if "trace" in self._parts:
                draw_way(drawn, self._ways[target], colour, width=width)
            if "box" in self._parts:
                draw_box(drawn, row.box, colour, width=width, dashed=row.state != "ok")
            if target is not None:
                _draw_id(drawn, str(target), row.box, colour, size)
        if "state" in self._parts:
            self._draw_state(drawn, number, rows, size)
        return drawn

    def _remember(self, rows: Rows) -> None:
        """The centres of targets that are seen; those of targets that were removed are forgotten."""
        self._ways = {target: self._ways.get(target, deque(maxlen=TRACE)) for target in rows}
        for target, row in rows.items():
            if row.state in ("ok", "uncertain"):
                self._ways[target].append(row.box[:2] + (row.box[2:] - 1) / 2)

    def _draw_state(self, image: NDArray[np.uint8], number: int, rows: Rows, size: int) -> None:
        """Number of the frame, and of one target alone its state and score, at the upper left."""
        text, colour = f" {number} ", (255, 255, 255)
        if None in rows:
            row = rows[None]
            colour = self._colours.of(None, row.state)
            score = "" if np.isnan(row.score) else f"  {row.score:.2f}"
            text = f" {number}  {row.state}{score} "
        draw_text(image, text, (size // 2,) * 2, colour, size, backed=True)


def _draw_id(
    image: NDArray[np.uint8], text: str, box: NDArray[np.float64], colour: Colour, size: int
) -> None:
    """The id of a target above its box, or inside it at the upper edge of the picture."""
    if not np.isfinite(box).all():
        return
    top = box[1] - 1.4 * size
    left, top = np.clip((box[0], top if top >= 0 else box[1]), -30000, 30000).round().astype(int).tolist()
    draw_text(image, text, (left, top), colour, size, backed=True)


def draw_way(
    image: NDArray[np.uint8], way: "deque[NDArray[np.float64]]", colour: Colour, *, width: int
) -> None:
    """The places where a target was, joined in place; the older, the thinner and the more grey.

    Args:
        image: uint8 RGB ``[H, W, 3]``.
        way: (x, y) each, px, the newest last.
        colour: RGB of the newest piece.
        width: px of the newest piece.
    """
    points = [_fixed(place) for place in way if np.isfinite(place).all()]
    pieces = [
        (start, end, age / max(len(points) - 1, 1))
        for age, (start, end) in enumerate(pairwise(points), start=1)
    ]
    for start, end, share in pieces:
        cv2.line(image, start, end, (0, 0, 0), round(share * width) + 1, cv2.LINE_AA, shift=_FRACTION)
    for start, end, share in pieces:
        mixed = [round(200 + share * (value - 200)) for value in colour]
        cv2.line(image, start, end, mixed, max(1, round(share * width)), cv2.LINE_AA, shift=_FRACTION)


def draw_ellipses(
    image: NDArray[np.uint8],
    box: NDArray[np.float64],
    covariance: NDArray[np.float64],
    colour: Colour,
    *,
    width: int,
) -> None:
    """Where the corners and the centre of a box may be, shaded in place; each ellipse holds 90 %.

    Args:
        image: uint8 RGB ``[H, W, 3]``.
        box: x, y, w, h ``[4]``, px.
        covariance: of these, px^2, ``[4, 4]``; nothing is drawn where it is no covariance.
        colour: RGB.
        width: px of the box's outline; those of the ellipses are half as wide.
    """
    if not (np.isfinite(box).all() and np.isfinite(covariance).all()):
        return
    radius = np.sqrt(-2 * np.log(1 - ELLIPSE_LEVEL))  # of a standard Gaussian of two dimensions
    outlines = []
    for place in _PLACES:
        lengths, axes = np.linalg.eigh(place @ covariance @ place.T)
        if lengths[0] < 0:
            return
        angles = np.linspace(0, 2 * np.pi, 49)
        circle = np.stack((np.cos(angles), np.sin(angles)))
        middle = (place @ box)[:, None] - 0.5  # a box begins at the edge of its first pixel
        outline = middle + axes @ (radius * np.sqrt(lengths)[:, None] * circle)
        outlines.append(np.array([_fixed(point) for point in outline.T]))
    shaded = image.copy()
    cv2.fillPoly(shaded, outlines[:-1], colour, cv2.LINE_AA, shift=_FRACTION)
    image[...] = cv2.addWeighted(shaded, _SHADE, image, 1 - _SHADE, 0)
    thin = max(1, width // 2)
    for line, thickness in (((0, 0, 0), thin + 2), (colour, thin)):
        cv2.polylines(image, outlines, True, line, thickness, cv2.LINE_AA, shift=_FRACTION)


def _fixed(place: NDArray[np.float64]) -> tuple[int, int]:
    """(x, y) as OpenCV takes it with a fraction of a pixel, and no further away than it can draw."""
    x, y = np.clip(place, -8000, 8000) * 2**_FRACTION
    return round(float(x)), round(float(y))
