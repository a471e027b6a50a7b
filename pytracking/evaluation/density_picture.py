"""The papers' picture: the density of a box's corner over the frame, the opposite corner fixed."""

from collections.abc import Mapping
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from ebm.density import GridDensity
from ebm.pictures.curves import Curves
from ebm.pictures.style import INK, OKABE_ITO, new_figure, styled
from pytracking.tracker.common.box_density import CORNERS, BoxDensity, Corner

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

__all__ = ["LEVELS", "corner_curves", "draw_corner_density"]

LEVELS: Mapping[float, Any] = MappingProxyType({0.5: "solid", 0.95: "dotted"})  # of regions, and their lines
_FOUND, _TRUTH = OKABE_ITO["blue"], "white"
_ZOOM = 0.5  # margin around box and regions, as a share of the longer side
_EDGE = 0.5  # pixel i reaches from i - 1/2 to i + 1/2, and a box begins at the edge of its first one


def corner_curves(density: BoxDensity, corner: Corner = "bottom-right", points: int = 96) -> Curves:
    """The numbers of the picture.

    Args:
        density: of the frame's box.
        corner: whose places are shown.
        points: along x and along y.

    Returns:
        Columns ``x`` and ``y`` (of the corner, frame px), ``density`` (per px^2) and, for each of `LEVELS`,
        whether the place lies in the smallest region that holds as much; a line a place, y running fastest.

    Raises:
        UnknownNameError: for another corner.
    """
    grid: GridDensity = density.corner_density(corner, points)
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
    density: BoxDensity,
    curves: Curves,
    *,
    truth: NDArray[np.float64] | None = None,
    title: str = "",
) -> "Figure":
    """Draw the numbers of `corner_curves` over their frame: the whole of it, and the place enlarged.

    Args:
        frame: uint8 RGB ``[H, W, 3]``.
        density: of the frame's box.
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
        axes.imshow(frame, interpolation="nearest")
        axes.set_facecolor("0.3")  # beyond the frame; white lines are seen on it
        _draw_heat(axes, curves, outlined=axes is near)
        _draw_box(axes, density.box, _FOUND, line)
        if annotated:
            _draw_box(axes, truth, _TRUTH, line, dashed=True)
        axes.set_xticks([])
        axes.set_yticks([])
    whole.set_xlim(-_EDGE, width - _EDGE)
    whole.set_ylim(height - _EDGE, -_EDGE)
    _zoom(near, curves, density.box, height / width)
    x, y = _fixed_corner(density.box, curves.labels["corner"])
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

    x, y = np.unique(curves["x"]), np.unique(curves["y"])
    height = curves["density"].reshape(len(x), len(y)).T
    shades = [(1.0, 0.8, 0.0, 0.0), (1.0, 0.7, 0.0, 0.85), (0.9, 0.2, 0.0, 0.95), (0.5, 0.0, 0.1, 1.0)]
    colours = LinearSegmentedColormap.from_list("heat", shades)
    extent = (x[0] - _EDGE, x[-1] - _EDGE, y[0] - _EDGE, y[-1] - _EDGE)
    heat = NonUniformImage(axes, interpolation="bilinear", cmap=colours, extent=extent, zorder=2)
    heat.set_clim(0, 1)
    heat.set_data(x - _EDGE, y - _EDGE, height / height.max())
    heat.set_in_layout(False)  # it reaches far beyond what is shown of it
    axes.add_image(heat)
    if not outlined:
        return
    for level, style in LEVELS.items():
        inside = curves[f"inside_{level:g}"].reshape(len(x), len(y)).T
        options: Any = {"colors": "white", "linewidths": 1.0, "linestyles": style, "zorder": 3}
        axes.contour(x - _EDGE, y - _EDGE, inside, levels=[0.5], **options)


def _draw_box(axes: "Axes", box: Any, colour: str, line: float, *, dashed: bool = False) -> None:
    """A box with a dark rim, seen on any ground."""
    from matplotlib.patches import Rectangle

    corner = (float(box[0]) - _EDGE, float(box[1]) - _EDGE)
    dark: Any = {"linewidth": line + 1.2, "edgecolor": "0.15", "fill": False, "zorder": 4}
    axes.add_patch(Rectangle(corner, float(box[2]), float(box[3]), **dark))
    style = "dashed" if dashed else "solid"
    drawn: Any = {"linewidth": line, "edgecolor": colour, "fill": False, "linestyle": style, "zorder": 5}
    axes.add_patch(Rectangle(corner, float(box[2]), float(box[3]), **drawn))


def _fixed_corner(box: NDArray[np.float64], corner: str) -> tuple[float, float]:
    """(x, y) in the picture of the corner opposite `corner`."""
    right, bottom = CORNERS[corner]
    x, y = float(box[0] + (1 - right) * box[2]), float(box[1] + (1 - bottom) * box[3])
    return x - _EDGE, y - _EDGE


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
