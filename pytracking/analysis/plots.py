"""Success and precision plots as PNG and PDF, and their curves as JSON and CSV."""

import csv
import io
import textwrap
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ebm.extras import explain_missing
from ebm.lookup import lookup
from pytracking.analysis.extract import Evaluation
from pytracking.analysis.tikz import tex_of
from pytracking.evaluation.results import write_atomic, write_json

if TYPE_CHECKING:
    from matplotlib.figure import Figure

__all__ = [
    "PLOTS",
    "PlotKind",
    "draw_plot",
    "figure_class",
    "looks",
    "save_curves",
    "save_figure",
    "save_plots",
]

# Okabe and Ito's colours, told apart by colour-blind readers too; a line style is added after each round.
_COLOURS = ("#D55E00", "#0072B2", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#000000")
_MOST_INSIDE = 8
_TITLE_WIDTH = 52  # letters that fit above the plot
_STYLES: tuple[Any, ...] = ("-", "--", "-.", ":", (0, (5, 1, 1, 1, 1, 1)))


@dataclass(frozen=True, kw_only=True)
class PlotKind:
    """One kind of plot: which curve, which score ranks it, how the axes read."""

    curve: str
    score: str
    limits: tuple[float, float]
    title: str
    x_label: str
    y_label: str
    file: str


PLOTS: Mapping[str, PlotKind] = {
    "success": PlotKind(
        curve="success",
        score="auc",
        limits=(0.0, 1.0),
        title="Success plot",
        x_label="Overlap threshold",
        y_label="Overlap precision [%]",
        file="success_plot",
    ),
    "precision": PlotKind(
        curve="precision",
        score="precision",
        limits=(0.0, 50.0),
        title="Precision plot",
        x_label="Location error threshold [px]",
        y_label="Distance precision [%]",
        file="precision_plot",
    ),
    "norm_precision": PlotKind(
        curve="normalised",
        score="norm_precision",
        limits=(0.0, 0.5),
        title="Normalised precision plot",
        x_label="Location error threshold [target sizes]",
        y_label="Distance precision [%]",
        file="norm_precision_plot",
    ),
}


def draw_plot(evaluation: Evaluation, kind: str = "success") -> "Figure":
    """A figure with one curve a tracker, best first in the legend as ``name [xx.x]``.

    A tracker has the same colour in every kind of plot: that of its rank by AUC.

    Raises:
        UnknownNameError: if there is no such kind.
        MissingPackageError: if matplotlib is not installed.
    """
    plot = lookup("plot", kind, PLOTS)
    make = figure_class()
    import matplotlib as mpl

    # A label is a name, also one with dollar signs.
    fonts: Any = {"font.family": "sans-serif", "font.size": 10, "pdf.fonttype": 42, "text.parse_math": False}
    with mpl.rc_context(fonts):
        figure: Figure = make(figsize=(5.2, 4.2), dpi=200, layout="constrained")
        axes = figure.add_subplot()
        look = looks(evaluation)
        for tracker in evaluation.ranked(plot.score):
            name = f"{tracker.label} [{tracker.score(plot.score).mean:.1f}]"
            colour, style = look[tracker.label]
            axes.plot(
                evaluation.thresholds[plot.curve],
                tracker.curve(plot.curve),
                color=colour,
                linestyle=style,
                linewidth=1.8,
                label=name,
            )
        title = textwrap.fill(f"{plot.title}: {evaluation.title}", _TITLE_WIDTH)
        axes.set_title(title, fontweight="bold", fontsize=11)
        _dress(axes, plot)
        _place_legend(figure, axes, len(evaluation.trackers))
    return figure


def _dress(axes: Any, plot: PlotKind) -> None:
    """Names, limits and grid of the axes."""
    axes.set_xlabel(plot.x_label)
    axes.set_ylabel(plot.y_label)
    axes.set_xlim(*plot.limits)
    axes.set_ylim(0, 100)
    axes.grid(color="0.85", linewidth=0.6)
    axes.set_axisbelow(True)
    for side in ("top", "right"):
        axes.spines[side].set_visible(False)


def figure_class() -> Any:
    """Matplotlib's class of figures.

    Raises:
        MissingPackageError: if matplotlib is not installed.
    """
    try:
        from matplotlib.figure import Figure  # the class alone: no display, no global state
    except ModuleNotFoundError as error:
        raise explain_missing("plots", "matplotlib") from error
    return Figure


def looks(evaluation: Evaluation) -> dict[str, tuple[str, Any]]:
    """Label -> colour and line style, the same in every plot of an evaluation."""
    return {
        tracker.label: (_COLOURS[rank % len(_COLOURS)], _STYLES[rank // len(_COLOURS) % len(_STYLES)])
        for rank, tracker in enumerate(evaluation.ranked())
    }


def _place_legend(figure: "Figure", axes: Any, trackers: int) -> None:
    """Inside where it hides least of the curves; beside the axes when there are many."""
    # Named one by one: what matplotlib collects by itself leaves out names that start with an underscore.
    named = {"handles": list(axes.lines), "labels": [line.get_label() for line in axes.lines]}
    if trackers <= _MOST_INSIDE:
        axes.legend(**named, loc="best", framealpha=0.9, fontsize=9)
    else:
        figure.set_size_inches(7.6, max(4.2, 0.2 * trackers))
        figure.legend(**named, loc="outside right center", frameon=False, fontsize=8)


def save_plots(
    evaluation: Evaluation, folder: Path, kinds: tuple[str, ...] = ("success", "precision", "norm_precision")
) -> list[Path]:
    """Write every kind of plot as PNG, PDF and, where matplot2tikz is installed, TeX for pgfplots.

    Returns: the files, each written whole or not at all.
    """
    written = []
    for kind in kinds:
        figure, path = draw_plot(evaluation, kind), folder / PLOTS[kind].file
        written += save_figure(figure, path)
        tex = tex_of(figure)
        if tex is not None:
            write_atomic(path.with_suffix(".tex"), tex)
            written.append(path.with_suffix(".tex"))
    return written


def save_figure(figure: "Figure", path: Path) -> list[Path]:
    """Write a figure as PNG and PDF; equal figures give equal files."""
    written = []
    for suffix in ("png", "pdf"):
        stream = io.BytesIO()
        metadata = {"CreationDate": None} if suffix == "pdf" else None
        figure.savefig(stream, format=suffix, metadata=metadata)
        written.append(path.with_suffix(f".{suffix}"))
        write_atomic(written[-1], stream.getvalue())
    return written


def save_curves(evaluation: Evaluation, folder: Path) -> list[Path]:
    """Write ``evaluation.json`` (everything) and a CSV of each kind of curve, for other tools to plot."""
    path = folder / "evaluation.json"
    write_json(path, evaluation.to_json())
    written = [path]
    for plot in PLOTS.values():
        table = folder / f"{plot.file.removesuffix('_plot')}_curves.csv"
        write_atomic(table, _curve_csv(plot, evaluation))
        written.append(table)
    return written


def _curve_csv(plot: PlotKind, evaluation: Evaluation) -> str:
    trackers = evaluation.ranked(plot.score)
    stream = io.StringIO()
    writer = csv.writer(stream, lineterminator="\n")
    writer.writerow(["threshold", *(tracker.label for tracker in trackers)])
    curves = [tracker.curve(plot.curve) for tracker in trackers]
    for index, threshold in enumerate(evaluation.thresholds[plot.curve]):
        writer.writerow([f"{threshold:g}", *(f"{curve[index]:.4f}" for curve in curves)])
    return stream.getvalue()
