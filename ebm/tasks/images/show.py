"""Faces beside what a density says of them, and a gallery of the surest and the least sure."""

import math
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from ebm.fitting import FittedEBM
from ebm.images.fit import Featured
from ebm.images.reading import Source, read_picture
from ebm.pictures.densities import density_curves
from ebm.pictures.style import INK, OKABE_ITO, new_figure, plain_axes, save_figure, styled
from ebm.tasks.images.task import Task

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

__all__ = ["head_axes", "write_pictures"]

LEVEL = 0.9
FACES, GALLERY = 6, 8
SIDE = 160


def write_pictures(
    fitted: FittedEBM,
    some: Featured,
    task: Task,
    folder: Path,
    chosen: Sequence[int] | None = None,
    faces: bool = True,
) -> list[str]:
    """Write ``faces`` and ``gallery``, each as PNG and PDF; or ``densities`` alone.

    Args:
        fitted: the density.
        some: pictures with their features and truths.
        task: names and units.
        folder: where to.
        chosen: places of the faces; None takes some, evenly spaced.
        faces: show them; the terms of some data forbid it.

    Returns: names of the files.

    Raises:
        InputError: if a file cannot be written.
    """
    places = _spaced(len(some.labelled), FACES) if chosen is None else list(chosen)
    x, whole = some.x.numpy(), fitted.once()
    if not faces:
        drawn = draw_faces(whole, some, task, places, faces=False)
        return [path.name for path in save_figure(drawn, folder, "densities")]
    width = interval_widths(whole, x)
    order = np.argsort(width, kind="stable").tolist()
    count = min(GALLERY, len(order) // 2)
    figures = {
        "faces": draw_faces(whole, some, task, places),
        "gallery": draw_gallery(whole, some, task, order[:count], order[len(order) - count :]),
    }
    written = [path for name, figure in figures.items() for path in save_figure(figure, folder, name)]
    return [path.name for path in written]


def interval_widths(fitted: FittedEBM, x: NDArray[np.float64]) -> NDArray[np.float64]:
    """Width of the 90 % interval of every row, added up over the targets, ``(N,)``."""
    ends = np.asarray(fitted.predict_interval(x, level=LEVEL)).reshape(len(x), -1, 2)
    found: NDArray[np.float64] = (ends[..., 1] - ends[..., 0]).sum(1)
    return found


@styled
def draw_faces(
    fitted: FittedEBM, some: Featured, task: Task, places: Sequence[int], faces: bool = True
) -> "Figure":
    """A row per face: the picture if wanted, and the density of every target with its set and the truth."""
    x, y = some.x.numpy()[list(places)], some.labelled.y[list(places)]
    dim, first = len(task.targets), int(faces)
    # No narrower than the title.
    figure = new_figure(max(2 * first + 3.2 * dim, 5.2), 1.35 * len(places) + 0.5)
    ratios = [1.0] * first + [2.4] * dim
    panels = figure.subplots(len(places), first + dim, squeeze=False, width_ratios=ratios)
    targets = y[:, 0] if fitted.scaling.flat else y
    curves = [
        density_curves(fitted, x, targets, rows=range(len(x)), level=LEVEL, target=d) for d in range(dim)
    ]
    for d, name in enumerate(task.targets):
        column = panels[:, first + d]
        limits = _range([curve_of(curves[d], row) for row in range(len(places))])
        for row, axes in enumerate(column):
            _draw_density(axes, curves[d], row, y[row, d])
            axes.set_xlim(*limits)
        column[-1].set_xlabel(f"{name}, {task.unit}")
    if faces:
        mean = np.asarray(fitted.predict(x)).reshape(len(x), -1)
        for row, place in enumerate(places):
            _draw_picture(panels[row][0], some.labelled.paths[place])
            if dim == 3:
                _draw_head(panels[row][0], mean[row], OKABE_ITO["blue"])
                _draw_head(panels[row][0], y[row], OKABE_ITO["vermilion"])
    kind = "highest-density set" if dim == 1 else "interval"
    figure.suptitle(f"density, its {100 * LEVEL:g} % {kind} (filled), the truth (red)", fontsize=9)
    return figure


@styled
def draw_gallery(
    fitted: FittedEBM, some: Featured, task: Task, surest: Sequence[int], least: Sequence[int]
) -> "Figure":
    """The pictures with the narrowest and the widest intervals, two rows of each."""
    columns = max(1, math.ceil(max(len(surest), len(least)) / 2))
    figure = new_figure(1.35 * columns + 0.3, 7.0)
    panels = figure.subplots(4, columns, squeeze=False)
    for axes in panels.flat:
        axes.axis("off")
    for first, words, places in ((0, "surest", surest), (2, "least sure", least)):
        rows = some.x.numpy()[list(places)]
        ends = np.asarray(fitted.predict_interval(rows, level=LEVEL)).reshape(len(places), -1, 2)
        for k, place in enumerate(places):
            axes = panels[first + k // columns][k % columns]
            _draw_picture(axes, some.labelled.paths[place])
            axes.set_title(_caption(ends[k], some.labelled.y[place]), fontsize=7)
        panels[first][0].annotate(
            words, (-0.12, 0.5), xycoords="axes fraction", rotation=90, va="center", ha="right", fontsize=10
        )
    figure.suptitle(f"{100 * LEVEL:g} % intervals and the truth, {task.unit}", fontsize=9)
    return figure


def head_axes(yaw: float, pitch: float, roll: float) -> NDArray[np.float64]:
    """Where a head's right, down and front point in its picture, ``(3, 2)``, each up to length 1.

    Args:
        yaw: degrees, as BIWI, 300W-LP and AFLW2000 have it.
        pitch: degrees.
        roll: degrees.
    """
    y, p, r = np.radians([-yaw, pitch, roll])
    about_x = np.array([[1, 0, 0], [0, np.cos(p), -np.sin(p)], [0, np.sin(p), np.cos(p)]])
    about_y = np.array([[np.cos(y), 0, np.sin(y)], [0, 1, 0], [-np.sin(y), 0, np.cos(y)]])
    about_z = np.array([[np.cos(r), -np.sin(r), 0], [np.sin(r), np.cos(r), 0], [0, 0, 1]])
    turned: NDArray[np.float64] = about_x @ about_y @ about_z
    return turned[:2].T


def _draw_picture(axes: "Axes", source: Source) -> None:
    axes.imshow(read_picture(source, SIDE).pixels)
    axes.axis("off")


def _draw_head(axes: "Axes", angles: NDArray[np.float64], colour: str) -> None:
    middle, reach = SIDE / 2, 0.4 * SIDE
    for (right, down), width in zip(head_axes(*angles.tolist()), (1.0, 1.0, 2.2)):
        axes.plot([middle, middle + reach * right], [middle, middle + reach * down], color=colour, lw=width)
    axes.set_xlim(0, SIDE)
    axes.set_ylim(SIDE, 0)


def curve_of(curves: Any, row: int) -> dict[str, NDArray[np.float64]]:
    """One row's columns."""
    here = curves["row"] == row
    return {name: values[here] for name, values in curves.columns.items()}


def _draw_density(axes: "Axes", curves: Any, row: int, truth: float) -> None:
    one = curve_of(curves, row)
    blue = OKABE_ITO["blue"]
    axes.fill_between(one["value"], 0, one["density"], where=one["inside"] > 0, color=blue, alpha=0.35, lw=0)
    axes.plot(one["value"], one["density"], color=INK, lw=0.9)
    axes.axvline(truth, color=OKABE_ITO["vermilion"], lw=1.4)
    axes.set_ylim(0, None)
    axes.set_yticks([])
    plain_axes(axes)
    axes.spines["left"].set_visible(False)


def _range(rows: Sequence[dict[str, NDArray[np.float64]]]) -> tuple[float, float]:
    """Where any density can be seen, or a truth lies."""
    ends = []
    for one in rows:
        seen = one["value"][one["density"] > 0.003 * one["density"].max()]
        ends += [seen.min(), seen.max(), one["label"][0] - 1, one["label"][0] + 1]
    return float(min(ends)), float(max(ends))


def _caption(ends: NDArray[np.float64], truth: NDArray[np.float64]) -> str:
    return "\n".join(f"{low:.0f} to {high:.0f}, is {y:.0f}" for (low, high), y in zip(ends, truth))


def _spaced(count: int, wanted: int) -> list[int]:
    return sorted({round(k) for k in np.linspace(0, count - 1, min(wanted, count))})
