"""The study as a figure: what refinement does to every baseline, and how honest the energies are."""

import statistics
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from ebm.pictures.style import INK, OKABE_ITO, new_figure, plain_axes, save_figure, styled
from ebm.tasks.cells import Record
from ebm.tasks.images.methods import BASELINES
from ebm.tasks.images.study import LEVELS
from ebm.tasks.images.task import Task

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

__all__ = ["draw_study", "write_study"]

_COLOURS = tuple(OKABE_ITO[name] for name in ("blue", "vermilion", "green", "purple", "orange"))
_MARKS = "osD^v"


def write_study(seeds: Sequence[Record], task: Task, energies: Sequence[str], folder: Path) -> list[str]:
    """Write ``table`` as PNG and PDF; returns the names of the files.

    Raises:
        InputError: if a file cannot be written.
        MissingPackageError: if matplotlib is not installed.
    """
    return [path.name for path in save_figure(draw_study(seeds, task, energies), folder, "table")]


@styled
def draw_study(seeds: Sequence[Record], task: Task, energies: Sequence[str]) -> "Figure":
    """Left the mean absolute errors before and after refinement, a dot per seed; right the coverage."""
    figure = new_figure(8.2, 3.2)
    errors, coverage = figure.subplots(1, 2, width_ratios=[1.9, 1])
    _draw_errors(errors, seeds, task, energies)
    _draw_coverage(coverage, seeds, energies)
    return figure


def _draw_errors(axes: "Axes", seeds: Sequence[Record], task: Task, energies: Sequence[str]) -> None:
    lines = [("before", INK, "x", [[one["baselines"][name]["MAE"] for one in seeds] for name in BASELINES])]
    for loss, colour, mark in zip(energies, _COLOURS, _MARKS):
        after = [[one["refined"][loss][name]["MAE"] for one in seeds] for name in BASELINES]
        lines.append((f"refined by {loss}", colour, mark, after))
    step = 0.6 / max(1, len(lines) - 1)
    for k, (label, colour, mark, rows) in enumerate(lines):
        for place, values in enumerate(rows):
            at = place - 0.3 + step * k
            axes.plot(values, [at] * len(values), mark, color=colour, ms=3, alpha=0.45, mew=0.8)
            axes.plot(
                statistics.fmean(values), at, mark, color=colour, ms=6, label=label if not place else ""
            )
    axes.set_yticks(range(len(BASELINES)), list(BASELINES))
    axes.invert_yaxis()
    axes.set_xlabel(f"mean absolute error, {task.unit} (small: a seed, large: the mean)")
    axes.legend(frameon=False, fontsize=8)
    plain_axes(axes)


def _draw_coverage(axes: "Axes", seeds: Sequence[Record], energies: Sequence[str]) -> None:
    asked = [100 * level for level in LEVELS]
    axes.plot([40, 100], [40, 100], color="0.6", lw=0.8)
    for loss, colour, mark in zip(energies, _COLOURS, _MARKS):
        found = [
            100 * statistics.fmean(one["energies"][loss]["coverage"][str(level)] for one in seeds)
            for level in LEVELS
        ]
        axes.plot(asked, found, mark, ls="-", color=colour, ms=5, lw=1, label=loss)
    axes.set_xlabel("level of the highest-density set, %")
    axes.set_ylabel("test labels inside, %")
    axes.set_aspect("equal")
    axes.legend(frameon=False, fontsize=8)
    plain_axes(axes)
