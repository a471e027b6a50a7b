"""Figure 2: divergence over the number of noise samples M."""

import math
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ebm.exceptions import DomainError, InputError
from ebm.tasks.toy1d.evaluation import true_density
from ebm.tasks.toy1d.figures import COLOURS, new_figure, plain_axes, save_figure, styled
from ebm.tasks.toy1d.rows import Row, RowKey
from ebm.tasks.toy1d.tables import aligned

if TYPE_CHECKING:
    from matplotlib.figure import Figure

__all__ = ["draw_sweep", "parse_samples", "save_sweep", "sweep_table"]

_MARKERS = ("o", "s", "^", "D", "v", "P")


def parse_samples(text: str) -> tuple[int, ...]:
    """Values of M from ``"1,16,256"``, ascending.

    Raises:
        InputError: if they cannot be read.
        DomainError: if one is below 1.
    """
    try:
        values = sorted({int(word) for word in text.split(",")})
    except ValueError as error:
        raise InputError(f"--samples takes numbers with commas, e.g. 1,16,256; got {text!r}.") from error
    if values[0] < 1:
        raise DomainError(f"--samples must be >= 1, got {values[0]}.")
    return tuple(values)


def sweep_table(rows: Sequence[Row]) -> str:
    """Best runs' mean, averaged over the data sets: methods down, M across; failures in brackets."""
    counts = sorted({row.key.samples for row in rows if row.key.samples is not None})
    labels = list(dict.fromkeys(row.key.label for row in rows))
    cells = {(row.key.label, row.key.samples): _cell(row) for row in rows}
    lines = [["M", *map(str, counts)]]
    lines += [[label, *(cells.get((label, count), "-") for count in counts)] for label in labels]
    known = [result.summary() for row in rows for result in row.results.values()]
    runs = ", ".join(sorted({f"{s.best_of} of {s.runs}" for s in known})) or "none"
    return (
        f"{aligned(lines)}\n\nMean of the best runs ({runs}), averaged over the data sets; in brackets, how\n"
        "many runs of all data sets are infinite or NaN in the authors' float32 arithmetic."
    )


def _cell(row: Row) -> str:
    best, failures = row.best(), sum(result.released_failures() for result in row.results.values())
    if best is None:
        return "-"
    return (f"{best:.3f}" if math.isfinite(best) else str(best)) + (f" ({failures})" if failures else "")


def save_sweep(rows: Sequence[Row], folder: Path) -> list[Path]:
    """Draw and write ``sweep.png`` and ``sweep.pdf``.

    Raises:
        InputError: if matplotlib is not installed or a file cannot be written.
    """
    return save_figure(draw_sweep(rows), folder, "sweep")


@styled
def draw_sweep(rows: Sequence[Row]) -> "Figure":
    """Divergence over M: a panel for each data set and one for the average.

    Solid: mean of the best runs; dashed: mean of all. A hollow marker says that the best runs are not all
    finite in the authors' arithmetic; a cross at the top, that they are not in ours either.

    Args:
        rows: see `ebm.tasks.toy1d.rows.make_rows`; those without M are left out.

    Raises:
        InputError: if matplotlib is not installed.
    """
    rows = [row for row in rows if row.key.samples is not None]
    data_sets = sorted({data_set for row in rows for data_set in row.results})
    panels: list[int | None] = [*data_sets, *([None] if len(data_sets) > 1 else [])]
    figure = new_figure(1.2 + 2.35 * len(panels), 2.9)
    grid = figure.subplots(1, len(panels), sharex=True, sharey=True, squeeze=False)[0]
    labels = list(dict.fromkeys(row.key.label for row in rows))
    for axes, data_set in zip(grid, panels):
        _draw_panel(axes, rows, labels, data_set)
        _draw_uniform(axes, [data_set] if data_set else data_sets)
        axes.set_title("average" if data_set is None else f"data set {data_set}")
        axes.set_xlabel("noise samples M")
    grid[0].set_ylabel("KL divergence [nats]")
    _legend(figure, labels, rows)
    return figure


def _draw_panel(axes: Any, rows: Sequence[Row], labels: Sequence[str], data_set: int | None) -> None:
    axes.set_xscale("log", base=2)
    axes.set_yscale("log")
    plain_axes(axes)
    for place, label in enumerate(labels):
        mine = sorted((row for row in rows if row.key.label == label), key=lambda row: row.key.samples or 0)
        found = [_point(row, data_set) for row in mine]
        colour = _colour(mine[0].key, place)
        counts = [row.key.samples or 0 for row in mine]
        best, mean = ([point[i] if point else math.nan for point in found] for i in (1, 2))
        axes.plot(counts, _finite(mean), "--", color=colour, linewidth=0.8, alpha=0.6)
        axes.plot(counts, _finite(best), "-", color=colour, linewidth=1.4)
        for count, value, _, sound in filter(None, found):
            if math.isfinite(value):
                face = colour if sound else "white"
                marker = _MARKERS[place % len(_MARKERS)]
                axes.plot(count, value, marker, color=colour, markerfacecolor=face, markersize=4)
            else:
                axes.plot(count, 0.97, "x", color=colour, markersize=5, transform=axes.get_xaxis_transform())
    _plain_ticks(axes)


def _plain_ticks(axes: Any) -> None:
    """Numbers as people write them, 0.1 and 0.3, not powers of ten; no label between."""
    from matplotlib.ticker import FuncFormatter, LogLocator, NullFormatter

    formatter = FuncFormatter(lambda value, _: f"{value:g}")
    axes.xaxis.set_major_locator(LogLocator(base=4, numticks=12))
    axes.yaxis.set_major_locator(LogLocator(base=10, subs=(1, 3), numticks=12))
    for axis in (axes.xaxis, axes.yaxis):
        axis.set_major_formatter(formatter)
        axis.set_minor_formatter(NullFormatter())


def _point(row: Row, data_set: int | None) -> tuple[int, float, float, bool] | None:
    """M, best, mean, and whether the best runs are finite in the authors' arithmetic too."""
    wanted = row.wanted if data_set is None else (data_set,)
    if row.key.samples is None or any(d not in row.results for d in wanted):
        return None
    results = [row.results[d] for d in wanted]
    summaries = [result.summary() for result in results]
    sound = all(result.released_failures() <= s.runs - s.best_of for result, s in zip(results, summaries))
    best = sum(s.best for s in summaries) / len(summaries)
    return row.key.samples, best, sum(s.mean for s in summaries) / len(summaries), sound


def _finite(values: Sequence[float]) -> list[float]:
    """Gaps in a line where there is no result or no finite one; infinity would bend it upwards."""
    return [value if math.isfinite(value) else math.nan for value in values]


def _colour(key: RowKey, place: int) -> str:
    spare = ("#56B4E9", "#999999", "#F0E442")
    own = None if key.variant else COLOURS.get(key.name)
    return own or spare[place % len(spare)]


def _draw_uniform(axes: Any, data_sets: Sequence[int]) -> None:
    level = sum(true_density(data_set, 512).kl_of_uniform() for data_set in data_sets) / len(data_sets)
    axes.axhline(level, color="0.4", linewidth=0.8, linestyle=":")


def _legend(figure: "Figure", labels: Sequence[str], rows: Sequence[Row]) -> None:
    from matplotlib.lines import Line2D

    keys = {row.key.label: row.key for row in rows}
    handles = []
    for place, label in enumerate(labels):
        look: dict[str, Any] = {
            "color": _colour(keys[label], place),
            "marker": _MARKERS[place % len(_MARKERS)],
        }
        handles.append(Line2D([], [], markersize=4, label=label, **look))
    summaries = [result.summary() for row in rows for result in row.results.values()]
    runs = ", ".join(sorted({f"{s.best_of} of {s.runs}" for s in summaries}))
    grey = "0.3"
    thin: dict[str, Any] = {"linewidth": 0.8}
    hollow: dict[str, Any] = {"marker": "o", "markerfacecolor": "white", "linestyle": "", "markersize": 4}
    handles += [
        Line2D([], [], color=grey, label=f"mean of the best {runs}"),
        Line2D([], [], color=grey, linestyle="--", label="mean of all finite runs", **thin),
        Line2D([], [], color=grey, linestyle=":", label="uniform density", **thin),
    ]
    if any(point and not point[3] for row in rows for d in row.results if (point := _point(row, d))):
        text = "best runs not finite in\nthe authors' arithmetic"
        handles.append(Line2D([], [], color=grey, label=text, **hollow))
    figure.legend(handles=handles, loc="outside right center", frameon=False, fontsize=8)
