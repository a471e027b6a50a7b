"""Fan charts: the median and intervals of several levels, over the rows or over one feature."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Literal, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray

from ebm.density.circular import Circle
from ebm.exceptions import DomainError, InputError, ShapeError
from ebm.fitting.tables import NamedArray
from ebm.lookup import unknown_name
from ebm.numbers import listed
from ebm.pictures.curves import Curves, labels_of, require_target, rows_of, target_name
from ebm.pictures.style import INK, OKABE_ITO, new_figure, plain_axes, styled

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from ebm.fitting import FittedEBM

__all__ = ["draw_fan", "fan_curves"]

Array = NDArray[np.float64]
Order = Literal["given", "median"]
LEVELS = (0.5, 0.8, 0.95)
_STEPS = 120  # of a feature
_FEW = 300  # points drawn large


def fan_curves(
    fitted: "FittedEBM",
    x: Any,
    y: Any = None,
    *,
    feature: int | str | None = None,
    order: Order = "given",
    levels: Sequence[float] = LEVELS,
    target: int = 0,
    within: Any = None,
) -> Curves:
    """The median and equal-tailed intervals, calibrated where the density is.

    Args:
        fitted: the density.
        x: inputs ``(N, F)``.
        y: targets ``(N,)`` or ``(N, D)``, drawn as points.
        feature: a column's number or name. Where it is the only one, the rows are sorted by it; otherwise it
            goes from its least to its greatest value in `x`, all others at their medians, and `y` and
            `within` have no place. None takes the rows as they are.
        order: of rows: "given", as for a series, or by their "median".
        levels: of the intervals, in (0, 1).
        target: which one, of several.
        within: groups of the rows, where the calibration has some.

    Returns:
        Columns ``at`` (the row, its rank, or the feature), ``median``, ``low_L`` and ``high_L`` of every
        level in percent (infinite where no interval is wide enough), and ``label`` where `y` was given.

    Raises:
        ShapeError: if there is no row, or `y` has another length.
        DomainError: (a ValueError) if there is no such target, or a level is outside its domain.
        InputError: if there is no such column, or labels or `within` do not go with it.
        UnknownNameError: (a ValueError) for another order.
    """
    target = require_target(fitted, target)
    if order not in ("given", "median"):
        raise unknown_name("order of rows", str(order), ("given", "median"))
    if not len(x):
        raise ShapeError("there is no row to draw.")
    drawn = _Drawn(np.arange(len(x), dtype=np.float64), "row", x, labels_of(y, len(x), target), within)
    if feature is not None:
        drawn = _over(fitted, drawn, feature)
    bands = _bands(fitted, drawn.x, levels, target, drawn.within)
    columns, labels = _turned(fitted.scaling.circle, bands, drawn.labels)
    at, label = drawn.at, drawn.label
    if feature is None and order == "median":
        by = np.argsort(columns["median"], kind="stable")
        columns = {name: values[by] for name, values in columns.items()}
        labels, label = _taken(labels, by), "rows, by their median"
    shown = {} if labels is None else {"label": labels}
    calibrated = ", calibrated" if fitted.calibration is not None else ""
    others = ", other columns at their medians" if feature is not None and len(at) == _STEPS else ""
    return Curves(
        {"at": at, **columns, **shown},
        {
            "at": label,
            "target": target_name(fitted, target),
            "title": f"Median and intervals{calibrated}{others}",
        },
    )


@styled
def draw_fan(curves: Curves, axes: "Axes | None" = None) -> "Axes":
    """Draw the numbers of `fan_curves`.

    Raises:
        MissingPackageError: if matplotlib is not installed.
    """
    if axes is None:
        axes = new_figure(7.0, 3.6).subplots()
    plain_axes(axes)
    levels = [name[4:] for name in curves.columns if name.startswith("low_")]
    at = curves["at"]
    for place, level in enumerate(levels):  # the widest first
        share = (place + 1) / len(levels)
        low, high = _bounded(curves[f"low_{level}"]), _bounded(curves[f"high_{level}"])
        axes.fill_between(
            at, low, high, color=_tint(0.12 + 0.45 * share), linewidth=0, label=f"{level} % interval"
        )
    axes.plot(at, curves["median"], color=INK, linewidth=1.1, label="median")
    if "label" in curves.columns:
        size, edge, alpha = (3.2, 0.3, 0.9) if len(at) <= _FEW else (1.8, 0.0, 0.6)
        points: Any = {"markeredgecolor": "white", "markeredgewidth": edge, "alpha": alpha, "label": "label"}
        axes.plot(at, curves["label"], "o", markersize=size, color=OKABE_ITO["vermilion"], **points)
    axes.margins(x=0.01)
    axes.set_xlabel(curves.labels["at"])
    axes.set_ylabel(curves.labels["target"])
    axes.set_title(curves.labels["title"], loc="left")
    axes.legend(loc="upper left", bbox_to_anchor=(1.0, 1.0), frameon=False, fontsize=8, borderaxespad=0.2)
    return axes


class _Drawn(NamedTuple):
    """Where rows stand, what that is called, the rows, their labels ``(N,)`` and groups."""

    at: Array
    label: str
    x: Any
    labels: Array | None
    within: Any


def _over(fitted: "FittedEBM", rows: _Drawn, feature: int | str) -> _Drawn:
    """The rows in the order of their only column, or rows that differ in one column alone."""
    column, label, values = _column(fitted, rows.x, feature)
    if values.shape[1] == 1:
        by = np.argsort(values[:, 0], kind="stable")
        own = (rows_of(rows.x, by), _taken(rows.labels, by), _taken(rows.within, by))
        return _Drawn(values[by, 0], label, *own)
    if rows.labels is not None or rows.within is not None:
        raise InputError(
            f"over {label!r} all other columns stay at their medians, where no row of x is: leave y and "
            "within out, or draw rows, with order='median'."
        )
    if fitted.scaling.x_table is not None and not fitted.scaling.x_table.numeric:
        raise InputError(
            f"over {label!r} all other columns stay at their medians, which categories, dates and gaps "
            "do not have; draw rows of your own, with order='given'."
        )
    at, x = _slice(values, column, fitted)
    return _Drawn(at, label, x, None, None)


def _column(fitted: "FittedEBM", x: Any, feature: int | str) -> tuple[int, str, Array]:
    """A column's number and name, and all columns as numbers ``(N, F)``."""
    rows = fitted.scaling.rows(x)
    if rows.ndim != 2:
        raise InputError("rows that are not flat have no features; draw them with feature=None.")
    count, known = rows.shape[1], fitted.encoded_names
    names = tuple(f"x{i}" for i in range(count)) if known is None else known
    if isinstance(feature, str) and feature in names:
        place = names.index(feature)
    elif not isinstance(feature, str | bool) and feature in range(count):
        place = int(feature)
    else:
        raise InputError(
            f"x has no column {feature!r}; it has {', '.join(names[:20])}, numbered from 0 to {count - 1}."
        )
    return place, names[place], rows.numpy()


def _slice(values: Array, column: int, fitted: "FittedEBM") -> tuple[Array, NamedArray]:
    """Rows that differ in one column alone, and its values."""
    at = np.linspace(values[:, column].min(), values[:, column].max(), _STEPS)
    table = np.tile(np.median(values, 0), (_STEPS, 1))
    table[:, column] = at
    return at, NamedArray(table, fitted.scaling.x_names)


def _bands(
    fitted: "FittedEBM", x: Any, levels: Sequence[float], target: int, within: Any
) -> dict[str, Array]:
    """Median and ends of every level, the widest first, ``(N,)`` each."""
    wanted = sorted((float(level) for level in listed(levels)), reverse=True)
    if not wanted:
        raise DomainError("levels must hold at least one number in (0, 1).")
    found = torch.as_tensor(fitted.predict_interval(x, wanted, within=within)).double().cpu()
    ends = found.reshape(len(found), -1, len(wanted), 2)[:, target].numpy()
    median = torch.as_tensor(fitted.predict(x, method="median")).double().cpu()
    columns: dict[str, Array] = {"median": median.reshape(len(median), -1)[:, target].numpy()}
    for place, level in enumerate(wanted):
        columns |= {f"low_{100 * level:g}": ends[:, place, 0], f"high_{100 * level:g}": ends[:, place, 1]}
    return columns


def _turned(
    circle: Circle | None, columns: dict[str, Array], labels: Array | None
) -> tuple[dict[str, Array], Array | None]:
    """Medians of angles by the turn nearest to their mean, intervals around them, and labels beside them."""
    if circle is None:
        return columns, labels
    turned = torch.from_numpy(columns["median"])
    middle = circle.mean(turned, torch.ones_like(turned))
    median = (middle + circle.shortest(turned - middle)).numpy()
    shown = columns | {"median": median}
    for name in [name for name in columns if name.startswith("low_")]:
        low, high = columns[name], columns[name.replace("low_", "high_")]
        shown[name] = median - np.remainder(median - low, circle.period)
        shown[name.replace("low_", "high_")] = shown[name] + (high - low)
    if labels is not None:
        labels = median + circle.shortest(torch.from_numpy(labels - median)).numpy()
    return shown, labels


def _taken(values: Any, by: NDArray[np.int64]) -> Any:
    return None if values is None else rows_of(values, by)


def _bounded(ends: Array) -> Array:
    """Infinite ends cannot be drawn."""
    return np.where(np.isfinite(ends), ends, np.nan)


def _tint(share: float) -> tuple[float, ...]:
    """The blue of the house on white: opaque, so that bands on top of each other stay what they are."""
    from matplotlib.colors import to_rgb

    return tuple(1 - share + share * part for part in to_rgb(OKABE_ITO["blue"]))
