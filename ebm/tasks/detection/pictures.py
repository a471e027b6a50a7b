"""Pictures of what a branch does to boxes: where they were and are, and f on the way."""

from typing import TYPE_CHECKING, Any

import numpy as np

from ebm.pictures.boxes import draw_box, draw_intervals, show_picture
from ebm.pictures.style import INK, OKABE_ITO, new_figure, plain_axes, styled
from ebm.tasks.detection.showing import Shown

if TYPE_CHECKING:
    from matplotlib.figure import Figure

__all__ = ["MOST", "draw_ascent", "draw_boxes"]

_COLOURS = tuple(OKABE_ITO[name] for name in ("blue", "vermilion", "green", "purple", "orange"))
MOST = len(_COLOURS)  # boxes that can be told apart


@styled
def draw_boxes(shown: Shown) -> "Figure":
    """Boxes before and after refinement over their picture, bars where their sides are with 95 %.

    Raises:
        MissingPackageError: if matplotlib is not installed.
    """
    height, width = shown.frame.shape[:2]
    figure = new_figure(6.0, 0.9 + 6.0 * min(height / width, 1.3))
    axes = figure.subplots()
    show_picture(axes, shown.frame)
    for box in shown.truth:
        draw_box(axes, box, "white", 1.0, "dashed")
    for place in reversed(range(len(shown.names))):
        colour = _COLOURS[place % MOST]
        if shown.ends is not None:
            draw_intervals(axes, shown.path[-1, place], shown.ends[place], colour)
        draw_box(axes, shown.path[0, place], colour, 1.2, "dotted")
        draw_box(axes, shown.path[-1, place], colour, 1.6)
        _name(axes, shown, place, colour)
    axes.set_title(f"Picture {shown.image_id}, its {len(shown.names)} surest boxes", loc="left", color=INK)
    handles = _handles(shown)
    figure.legend(handles=handles, loc="outside lower center", ncols=len(handles), frameon=False, fontsize=8)
    return figure


def _name(axes: Any, shown: Shown, place: int, colour: str) -> None:
    """The box's number and class within its upper left corner, where that is in the picture."""
    height, width = shown.frame.shape[:2]
    x, y = (min(max(float(at), 0.0), end - 1.0) for at, end in zip(shown.path[-1, place], (width, height)))
    axes.annotate(
        shown.label(place),
        (x, y),
        xytext=(2, -2),
        textcoords="offset points",
        va="top",
        fontsize=7,
        color="white",
        zorder=7,
        bbox={"facecolor": colour, "edgecolor": "none", "pad": 1.2},
    )


def _handles(shown: Shown) -> list[Any]:
    from matplotlib.lines import Line2D
    from matplotlib.patches import Patch

    lines: list[tuple[Any, str]] = [("dotted", "before"), ("solid", "after refinement")]
    lines += [("dashed", "annotated (white)")] if len(shown.truth) else []
    handles: list[Any] = [Line2D([], [], color="0.4", linestyle=style, label=text) for style, text in lines]
    if shown.ends is not None:
        handles.append(Patch(facecolor="0.4", alpha=0.6, label="95 % interval of a side"))
    return handles


@styled
def draw_ascent(shown: Shown) -> "Figure":
    """f of every box by the step, and, where boxes are annotated, the overlap with theirs.

    Raises:
        MissingPackageError: if matplotlib is not installed.
    """
    known = bool(np.isfinite(shown.overlap).any())
    figure = new_figure(7.4 if known else 4.6, 3.0)
    panels = figure.subplots(1, 1 + known, squeeze=False)[0]
    curves = [("f, less that at the start", shown.energy - shown.energy[0])]
    curves += [("IoU with the annotated box", shown.overlap)] if known else []
    for axes, (title, values) in zip(panels, curves):
        plain_axes(axes)
        for place in range(len(shown.names)):
            line: Any = {"color": _COLOURS[place % MOST], "linewidth": 1.2, "marker": "o", "markersize": 3}
            axes.plot(values[:, place], label=shown.label(place), **line)
        axes.set_title(title, loc="left", color=INK)
        axes.set_xlabel("step")
        axes.xaxis.get_major_locator().set_params(integer=True)
    handles, _ = panels[0].get_legend_handles_labels()
    figure.legend(
        handles=handles, loc="outside lower center", ncols=MOST if known else 3, frameon=False, fontsize=8
    )
    return figure
