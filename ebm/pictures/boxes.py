"""Boxes over their picture, and where their sides may be."""

from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from matplotlib.axes import Axes

__all__ = ["EDGE", "draw_box", "draw_intervals", "show_picture"]

EDGE = 0.5  # pixel i reaches from i - 1/2 to i + 1/2, and a box begins at the edge of its first one
_BAR = 0.12  # share of a side that its interval's bar takes: boxes lie over one another, bars seldom


def show_picture(axes: "Axes", frame: NDArray[np.uint8]) -> None:
    """A picture uint8 RGB ``[H, W, 3]``, the whole of it, without ticks."""
    height, width = frame.shape[:2]
    axes.imshow(frame, interpolation="nearest")
    axes.set_facecolor("0.3")  # beyond the picture; white lines are seen on it
    axes.set_xticks([])
    axes.set_yticks([])
    axes.set_xlim(-EDGE, width - EDGE)
    axes.set_ylim(height - EDGE, -EDGE)


def draw_box(axes: "Axes", box: Any, colour: str, line: float, style: str = "solid") -> None:
    """A box x, y, w, h, px, with a dark rim, seen on any ground; `style` is of its line."""
    from matplotlib.patches import Rectangle

    corner = (float(box[0]) - EDGE, float(box[1]) - EDGE)
    dark: Any = {"linewidth": line + 1.2, "edgecolor": "0.15", "fill": False, "zorder": 4}
    axes.add_patch(Rectangle(corner, float(box[2]), float(box[3]), **dark))
    drawn: Any = {"linewidth": line, "edgecolor": colour, "fill": False, "linestyle": style, "zorder": 5}
    axes.add_patch(Rectangle(corner, float(box[2]), float(box[3]), **drawn))


def draw_intervals(axes: "Axes", box: Any, ends: NDArray[np.float64], colour: str) -> None:
    """Bars across the middles of a box's sides, each from end to end of the interval that the side is in.

    Args:
        axes: with the picture.
        box: x, y, w, h, px.
        ends: of left, top, right and bottom, px, ``[4, 2]``.
        colour: of the bars.
    """
    from matplotlib.patches import Rectangle

    x, y, w, h = (float(value) for value in box)
    for side, (low, high) in enumerate(np.asarray(ends, dtype=np.float64).tolist()):
        if side % 2 == 0:
            corner, size = (low, y + 0.5 * (1 - _BAR) * h), (high - low, _BAR * h)
        else:
            corner, size = (x + 0.5 * (1 - _BAR) * w, low), (_BAR * w, high - low)
        corner = (corner[0] - EDGE, corner[1] - EDGE)
        axes.add_patch(Rectangle(corner, *size, facecolor=colour, edgecolor="white", alpha=0.6, zorder=3))
