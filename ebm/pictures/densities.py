"""The densities of a few rows, one above the other, with their sets and labels."""

from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from numpy.typing import NDArray

from ebm.density import GridDensity
from ebm.density.circular import CircularDensity
from ebm.exceptions import DomainError, ShapeError
from ebm.pictures.curves import Curves, labels_of, require_target, rows_of, target_name
from ebm.pictures.style import INK, OKABE_ITO, new_figure, plain_axes, styled

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from ebm.fitting import FittedEBM

__all__ = ["density_curves", "draw_densities"]

Array = NDArray[np.float64]
MOST = 8  # rows drawn unless asked otherwise
_POINTS = 256  # of a curve
_BINS = 60  # of one target's density among several
_DIAMOND: Any = {
    "marker": "D",
    "markersize": 5.5,
    "color": OKABE_ITO["vermilion"],
    "markeredgecolor": "white",
    "markeredgewidth": 0.8,
    "linestyle": "none",
    "clip_on": False,
}
_SEEN = 0.003  # of the tallest, is a line's width
_TALLEST = 0.85  # of the distance between two rows


def density_curves(
    fitted: "FittedEBM",
    x: Any,
    y: Any = None,
    *,
    rows: Sequence[int] | None = None,
    level: float = 0.9,
    target: int = 0,
    within: Any = None,
) -> Curves:
    """The densities of some rows as numbers.

    Args:
        fitted: the density.
        x: inputs ``(N, F)``.
        y: targets ``(N,)`` or ``(N, D)``, to be marked.
        rows: which of the rows; None is up to eight, evenly spaced.
        level: of the sets, in (0, 1): highest-density sets of a single target, the equal-tailed interval of
            one among several; calibrated where the density is.
        target: which one, of several.
        within: groups of the rows, where the calibration has some.

    Returns:
        Columns ``row``, ``value`` (of the target), ``density``, ``inside`` (1 within the set) and ``label``
        (NaN without `y`), a line per point.

    Raises:
        ShapeError: if there is no row to draw, or `y` has another length.
        DomainError: (a ValueError) if there is no such row or target, or the level is outside its domain.
    """
    target = require_target(fitted, target)
    chosen = _chosen(len(x), rows)
    some = rows_of(x, chosen)
    given = labels_of(y, len(x), target)
    labels = np.full(len(chosen), np.nan) if given is None else given[chosen]
    circle = fitted.scaling.circle
    if circle is not None:
        labels = circle.wrapped(torch.from_numpy(labels)).numpy()
    own = None if within is None else rows_of(within, chosen)
    lines: list[Array] = []
    curves = _curves(fitted, some, level, target, own)
    for row, label, (value, density, inside) in zip(chosen, labels, curves, strict=True):
        one = np.ones_like(value)
        lines.append(np.stack((row * one, value, density, inside, label * one)))
    whole = fitted.scaling.support is not None and fitted.scaling.support.whole
    kind = "highest-density set" if fitted.target_dim == 1 else "interval"
    calibrated = "calibrated " if fitted.calibration is not None else ""
    return Curves(
        dict(zip(("row", "value", "density", "inside", "label"), np.concatenate(lines, 1), strict=True)),
        {
            "target": target_name(fitted, target),
            "set": f"{calibrated}{100 * level:g} % {kind}",
            "height": "probability" if whole else "density",
        },
    )


@styled
def draw_densities(curves: Curves, axes: "Axes | None" = None) -> "Axes":
    """Draw the numbers of `density_curves`.

    Raises:
        MissingPackageError: if matplotlib is not installed.
    """
    rows = list(dict.fromkeys(curves["row"].tolist()))
    if axes is None:
        axes = new_figure(6.0, 1.3 + 0.5 * len(rows)).subplots()
    plain_axes(axes)
    axes.grid(axis="y", visible=False)
    whole = curves.labels["height"] == "probability"
    for place, row in enumerate(rows):
        here = curves["row"] == row
        one = {name: values[here] for name, values in curves.columns.items()}
        _draw_one(axes, one, float(len(rows) - 1 - place), curves.labels if place == 0 else {}, whole)
    axes.set_xlim(*_limits(curves, rows))
    axes.set_yticks(range(len(rows)), [f"row {row:.0f}" for row in reversed(rows)])
    axes.set_ylim(-0.15, len(rows) - 1 + 1.02)
    axes.tick_params(axis="y", length=0)
    axes.set_xlabel(curves.labels["target"])
    what = "Probabilities" if whole else "Densities"
    axes.set_title(f"{what}, each to its own height", loc="left")
    below = -0.48 / (0.5 * len(rows) + 0.3)  # under the name of the axis, whatever the height
    axes.legend(loc="upper center", bbox_to_anchor=(0.5, below), ncols=3, frameon=False, fontsize=8)
    return axes


def _draw_one(
    axes: "Axes", one: dict[str, Array], base: float, named: Mapping[str, str], whole: bool
) -> None:
    """One density on its line, its set and its label; their names for the legend, or none."""
    value, label = one["value"], one["label"][:1]
    height = _TALLEST * one["density"] / one["density"].max()
    blue = OKABE_ITO["blue"]
    axes.axhline(base, color="0.75", linewidth=0.5, zorder=1)
    if whole:
        width = 0.8 * np.diff(value).min(initial=1.0)
        for held, alpha in ((True, 0.6), (False, 0.2)):
            some = (one["inside"] > 0) == held
            words = named.get("set") if held else named.get("height")
            axes.bar(
                value[some], height[some], width, base, color=blue, alpha=alpha, linewidth=0, label=words
            )
    else:
        axes.fill_between(value, base, base + height, color=blue, alpha=0.12, linewidth=0)
        fill: dict[str, Any] = {"color": blue, "alpha": 0.45, "linewidth": 0, "label": named.get("set")}
        axes.fill_between(value, base, base + height, where=(one["inside"] > 0).tolist(), **fill)
        axes.plot(value, base + height, color=INK, linewidth=0.9, label=named.get("height"))
    if np.isfinite(label[0]):
        axes.plot(label, [base], label="label" if named else None, zorder=4, **_DIAMOND)


def _limits(curves: Curves, rows: Sequence[float]) -> tuple[float, float]:
    """Where there is anything to see: densities that stand out from the line, and labels."""
    tallest = {row: curves["density"][curves["row"] == row].max() for row in rows}
    seen = curves["density"] > _SEEN * np.array([tallest[row] for row in curves["row"].tolist()])
    shown = np.concatenate((curves["value"][seen], curves["label"][np.isfinite(curves["label"])]))
    margin = 0.03 * (shown.max() - shown.min())
    return shown.min() - margin, shown.max() + margin


def _chosen(count: int, rows: Sequence[int] | None) -> list[int]:
    if rows is None:
        wanted = [int(i) for i in np.linspace(0, count - 1, min(count, MOST)).round()] if count else []
    else:
        wanted = [int(row) for row in rows]
    if not wanted:
        raise ShapeError("there is no row to draw.")
    for row in wanted:
        if not 0 <= row < count:
            raise DomainError(f"x has rows 0 to {count - 1}, so there is no row {row}.")
    return wanted


def _curves(
    fitted: "FittedEBM", x: Any, level: float, target: int, within: Any
) -> Iterator[tuple[Array, Array, Array]]:
    """Of every row: values of the target, densities there, and whether the set holds them."""
    density = fitted.density(x)
    if fitted.target_dim == 1 and isinstance(density, GridDensity):
        sets = fitted.predict_set(x, level, within=within)
    else:
        ends = fitted.predict_interval(x, [level], within=within)
        sets = list(ends.reshape(len(ends), -1, 2)[:, [target]])
    for item, runs in enumerate(sets):
        ends = torch.as_tensor(runs).double().cpu()
        if fitted.target_dim == 1 and isinstance(density, GridDensity):
            value, height = _exact(density, item, ends)
        else:
            value, height = _binned(density, item, target)
        circle = fitted.scaling.circle
        low, high = ends[:, :1], ends[:, 1:]
        inside = ((low <= value) & (value <= high)).any(0)
        if circle is not None:
            inside = circle.within(value, ends[:, None]).any(0)
        yield value.numpy(), height.numpy(), inside.double().numpy()


def _exact(density: GridDensity, item: int, ends: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """A single target's density at some 256 points of its grid, and at the ends of its set."""
    points = density.axes[0].points.expand(density.batch_size, -1)[item]
    if isinstance(density, CircularDensity):
        points, ends = density.all_around(points), density.circle.wrapped(ends)
    inner = ends.flatten().to(points)
    inner = inner[(inner > points[0]) & (inner < points[-1])]
    step = max(1, len(points) // _POINTS)  # all of those of whole numbers, which are few
    value = torch.cat((points[::step], points[-1:], inner)).unique()
    places = value.expand(density.batch_size, -1)[..., None]
    return value.double().cpu(), density.log_prob(places)[item].double().exp().cpu()


def _binned(density: Any, item: int, target: int) -> tuple[torch.Tensor, torch.Tensor]:
    """The density of one target among several, from its distribution function."""
    low, high = density.quantile([0.001, 0.999], target)[item].double().cpu()
    edges = torch.linspace(low.item(), high.item(), _BINS + 1, dtype=torch.float64)
    below = density.cdf(edges.to(density.log_partition()).expand(density.batch_size, -1), target)[item]
    return 0.5 * (edges[1:] + edges[:-1]), below.double().cpu().diff() / edges.diff()
