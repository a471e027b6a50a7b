"""Figures of the study: every run is a dot, so that a reader sees what is spread and what is effect."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from box_study.plan import LOSSES, SMALL, SWEEP
from box_study.real import SCORES as REAL_SCORES
from box_study.real import RealRow
from box_study.report import SCORES, TITLES, default_of, short_value
from box_study.rows import Row
from ebm.tasks.toy1d.figures import new_figure, plain_axes, styled

__all__ = ["comparison_figure", "real_figure", "sweep_figure"]

EXACT, OWN = "#0072B2", "#000000"
GREYS = ("#D55E00", "#E69F00", "#CC79A7")  # one noise a colour, should there be several


@styled
def comparison_figure(rows: Sequence[Row], path: Path) -> Path:
    """Scores by loss, exact and noisy labels side by side; a dot is a seed, a bar the mean."""
    names = [name for name in LOSSES if any(row.loss == name for row in rows)]
    noises = sorted({row.noise for row in rows})
    figure = new_figure(7.2, 3.0)
    axes = figure.subplots(1, len(SCORES))
    for axis, (title, value) in zip(axes, SCORES.values()):
        for k, noise in enumerate(noises):
            colour = EXACT if noise == 0 else GREYS[(k - 1) % len(GREYS)]
            shift = (k - (len(noises) - 1) / 2) * 0.8 / len(noises)
            label = f"labels with noise {noise:g}" if noise else "exact labels"
            for place, name in enumerate(names):
                values = [value(r) for r in rows if (r.loss, r.noise) == (name, noise)]
                _dots(axis, place + shift, values, colour, label if place == 0 else "")
        axis.set_xticks(range(len(names)), [TITLES[name].replace(" (", "\n(") for name in names])
        axis.set_title(title)
        plain_axes(axis)
    axes[0].legend(frameon=False, loc="best")
    return _saved(figure, path)


@styled
def sweep_figure(rows: Sequence[Row], path: Path) -> Path:
    """Scores by the value of each field, one column a field; the recipe's own value is black."""
    figure = new_figure(9.0, 4.0)
    grid = figure.subplots(len(SCORES), len(SWEEP), sharey="row", squeeze=False)
    noises = sorted({row.noise for row in rows})
    for column, (field, values) in enumerate(SWEEP.items()):
        for line, (title, value) in enumerate(SCORES.values()):
            axis = grid[line][column]
            for k, noise in enumerate(noises):
                shift = (k - (len(noises) - 1) / 2) * 0.3
                for place, text in enumerate(values):
                    change = f"{field}={text}" if text else ""
                    chosen = [value(r) for r in rows if (r.change, r.noise) == (change, noise)]
                    colour = EXACT if noise == 0 else GREYS[(k - 1) % len(GREYS)]
                    _dots(axis, place + shift, chosen, colour if text else OWN, "")
            axis.set_xlim(-0.6, len(values) - 0.4)
            names = [short_value(text or default_of(field, SMALL), "\n") for text in values]
            axis.set_xticks(range(len(values)), names)
            plain_axes(axis)
            if column == 0:
                axis.set_ylabel(title)
            if line == 0:
                axis.set_title("box branch's lr" if field.startswith("optimiser") else field)
    return _saved(figure, path)


@styled
def real_figure(rows: Sequence[RealRow], path: Path) -> Path:
    """Scores on real labels by loss; a dot is a seed, a bar the mean."""
    names = [name for name in LOSSES if any(row.loss == name for row in rows)]
    figure = new_figure(8.0, 2.8)
    for axis, (title, value) in zip(figure.subplots(1, len(REAL_SCORES)), REAL_SCORES.values()):
        for place, name in enumerate(names):
            _dots(axis, place, [value(row) for row in rows if row.loss == name], EXACT, "")
        axis.set_xticks(range(len(names)), [TITLES[name].replace(" (", "\n(") for name in names])
        axis.set_title(title)
        plain_axes(axis)
    return _saved(figure, path)


def _dots(axis: Any, place: float, values: Sequence[float], colour: str, label: str) -> None:
    """The runs of one setting as dots, their mean as a bar."""
    if not values:
        return
    axis.plot([place] * len(values), values, "o", color=colour, markersize=3.5, alpha=0.6, mew=0, label=label)
    mean = sum(values) / len(values)
    axis.plot([place - 0.14, place + 0.14], [mean, mean], "-", color=colour, linewidth=1.6)


def _saved(figure: Any, path: Path) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path)
    return path
