"""The papers' picture: the density of a box's corner over the picture, the opposite corner fixed."""

from collections.abc import Mapping
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from ebm.density import GridDensity
from ebm.density.corners import CORNERS, Corner
from ebm.pictures.boxes import EDGE, draw_box, show_picture
from ebm.pictures.curves import Curves
from ebm.pictures.style import INK, OKABE_ITO, new_figure, styled

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

__all__ = ["LEVELS", "corner_curves", "draw_corner_density"]

LEVELS: Mapping[float, Any] = MappingProxyType({0.5: "solid", 0.95: "dotted"})  # of regions, and their lines
_FOUND, _TRUTH = OKABE_ITO["blue"], "white"
_ZOOM = 0.5  # margin around box and regions, as a share of the longer side


def corner_curves(grid: GridDensity, corner: Corner) -> Curves:
    """The numbers of the picture.

    Args:
        grid: of `ebm.density.corners.corner_density`.
        corner: whose places it is over.

    Returns:
        Columns ``x`` and ``y`` (of the corner, px), ``density`` (per px^2) and, for each of `LEVELS`,
        whether the place lies in the smallest region that holds as much; a line a place, y running fastest.
    """
    x, y = (axis.points[0].numpy() for axis in grid.axes)
    places = np.stack(np.meshgrid(x, y, indexing="ij"), -1).reshape(-1, 2)
    widths = np.outer(*(axis.widths[0].numpy() for axis in grid.axes)).reshape(-1)
    columns = {
        "x": places[:, 0],
        "y": places[:, 1],
        "density": grid.log_masses[0].exp().numpy().reshape(-1) / widths,
    }
    for level in LEVELS:
        inside = grid.credible_set(level).mask[0].numpy().reshape(-1)
        columns[f"inside_{level:g}"] = inside.astype(np.float64)
    return Curves(columns, {"corner": corner})


@styled
def draw_corner_density(
    frame: NDArray[np.uint8],
    box: NDArray[np.float64],
    curves: Curves,
    *,
    truth: NDArray[np.float64] | None = None,
    title: str = "",
) -> "Figure":
    """Draw the numbers of `corner_curves` over their picture: the whole of it, and the place enlarged.

    Args:
        frame: uint8 RGB ``[H, W, 3]``.
        box: the one found, x, y, w, h ``[4]``, px.
        curves: its corner's.
        truth: the annotated box x, y, w, h ``[4]``, px, if there is one.
        title: above the picture.

    Raises:
        MissingPackageError: if matplotlib is not installed.
    """
    height, width = frame.shape[:2]
    annotated = truth is not None and bool(np.isfinite(truth).all())
    figure = new_figure(7.4, 0.6 + 3.6 * min(max(height / width, 0.5), 1.2))
    whole, near = figure.subplots(1, 2)
    for axes, line in ((whole, 0.8), (near, 1.4)):
        show_picture(axes, frame)
        _draw_heat(axes, curves, outlined=axes is near)
        draw_box(axes, box, _FOUND, line)
        if annotated:
            draw_box(axes, truth, _TRUTH, line, "dashed")
    _zoom(near, curves, box, height / width)
    x, y = _fixed_corner(box, curves.labels["corner"])
    dot: Any = {"marker": "o", "markersize": 5, "markeredgecolor": "white", "linestyle": "none", "zorder": 6}
    near.plot([x], [y], color=_FOUND, **dot)
    whole.set_title(title, loc="left", color=INK)
    near.set_title(f"{curves.labels['corner']} corner, the opposite one fixed", loc="left", color=INK)
    handles = _handles(annotated)
    figure.legend(handles=handles, loc="outside lower center", ncols=4, frameon=False, fontsize=8)
    return figure


def _handles(annotated: bool) -> list[Any]:
    """What the legend shows; white lines are grey there."""
    from matplotlib.lines import Line2D

    boxes: list[Any] = [Line2D([], [], color=_FOUND, linewidth=1.8, label="box found")]
    if annotated:
        boxes.append(Line2D([], [], color="0.4", linewidth=1.8, linestyle="dashed", label="annotated"))
    regions: list[Any] = [
        Line2D([], [], color="0.4", linewidth=1.0, linestyle=style, label=f"holds {100 * level:g} %")
        for level, style in LEVELS.items()
    ]
    return boxes + regions


def _draw_heat(axes: "Axes", curves: Curves, *, outlined: bool) -> None:
    """The density, the more opaque the higher, and the outlines of its regions."""
    from matplotlib.colors import LinearSegmentedColormap
    from matplotlib.image import NonUniformImage
    from matplotlib.patches import Rectangle

    x, y = np.unique(curves["x"]), np.unique(curves["y"])
    height = curves["density"].reshape(len(x), len(y)).T
    shades = [(1.0, 0.8, 0.0, 0.0), (1.0, 0.7, 0.0, 0.85), (0.9, 0.2, 0.0, 0.95), (0.5, 0.0, 0.1, 1.0)]
    colours = LinearSegmentedColormap.from_list("heat", shades)
    extent = (x[0] - EDGE, x[-1] - EDGE, y[0] - EDGE, y[-1] - EDGE)
    heat = NonUniformImage(axes, interpolation="bilinear", cmap=colours, extent=extent, zorder=2)
    heat.set_clim(0, 1)
    heat.set_data(x - EDGE, y - EDGE, height / height.max())
    heat.set_in_layout(False)  # it reaches far beyond what is shown of it
    low, high = (x[0] - EDGE, y[0] - EDGE), (x[-1] - x[0], y[-1] - y[0])
    heat.set_clip_path(Rectangle(low, *high, transform=axes.transData))  # else its border goes on for ever
    axes.add_image(heat)
    if not outlined:
        return
    for level, style in LEVELS.items():
        inside = curves[f"inside_{level:g}"].reshape(len(x), len(y)).T
        options: Any = {"colors": "white", "linewidths": 1.0, "linestyles": style, "zorder": 3}
        axes.contour(x - EDGE, y - EDGE, inside, levels=[0.5], **options)


def _fixed_corner(box: NDArray[np.float64], corner: str) -> tuple[float, float]:
    """(x, y) in the picture of the corner opposite `corner`."""
    right, bottom = CORNERS[corner]
    x, y = float(box[0] + (1 - right) * box[2]), float(box[1] + (1 - bottom) * box[3])
    return x - EDGE, y - EDGE


def _zoom(axes: "Axes", curves: Curves, box: NDArray[np.float64], shape: float) -> None:
    """The surroundings of the box and of the largest region, as high and wide as the frame is."""
    inside = curves[f"inside_{max(LEVELS):g}"] > 0
    places = np.stack((curves["x"][inside], curves["y"][inside]))
    low = np.minimum(places.min(axis=1), box[:2])
    high = np.maximum(places.max(axis=1), box[:2] + box[2:])
    half = (0.5 + _ZOOM / 2) * float(((high - low) / (1, shape)).max())
    middle = (low + high) / 2
    axes.set_xlim(middle[0] - half, middle[0] + half)
    axes.set_ylim(middle[1] + half * shape, middle[1] - half * shape)
