"""AUC by attribute as bars and as a radar, PNG and PDF."""

from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from pytracking.analysis.attributes import attribute_scores
from pytracking.analysis.extract import Evaluation
from pytracking.analysis.plots import figure_class, looks, save_figure

if TYPE_CHECKING:
    from matplotlib.figure import Figure

__all__ = ["draw_bars", "draw_radar", "save_attribute_plots"]

_FONTS: Any = {
    "font.family": "sans-serif",
    "font.size": 9,
    "pdf.fonttype": 42,
    "text.parse_math": False,
}
_RING = 5.0  # percent between the rings of a radar
_HALO: Any = {"facecolor": "white", "edgecolor": "none", "alpha": 0.8, "pad": 0.6}


def draw_bars(evaluation: Evaluation) -> "Figure":
    """A group of bars for each attribute, one a tracker, best first; below each how many sequences have it.

    Raises:
        MissingPackageError: if matplotlib is not installed.
    """
    make = figure_class()
    import matplotlib as mpl

    scores = attribute_scores(evaluation)
    labels = [tracker.label for tracker in evaluation.ranked()]
    colours = looks(evaluation)
    with mpl.rc_context(_FONTS):
        figure: Figure = make(figsize=(max(5.2, 0.75 * len(scores)), 3.6), dpi=200, layout="constrained")
        axes = figure.add_subplot()
        width = 0.82 / len(labels)
        for index, label in enumerate(labels):
            places = np.arange(len(scores)) + (index - (len(labels) - 1) / 2) * width
            heights = [of[label] for _, of in scores.values()]
            axes.bar(places, heights, 0.92 * width, color=colours[label][0], label=label)
        axes.set_xticks(range(len(scores)), [f"{short}\n({count})" for short, (count, _) in scores.items()])
        axes.set_ylabel("AUC [%]")
        axes.set_title(f"AUC by attribute: {evaluation.title}", fontweight="bold", fontsize=10)
        axes.grid(axis="y", color="0.85", linewidth=0.6)
        axes.set_axisbelow(True)
        figure.legend(loc="outside lower center", ncols=min(6, len(labels)), frameon=False)
    return figure


def draw_radar(evaluation: Evaluation) -> "Figure":
    """A closed line for each tracker, AUC by attribute outwards.

    Raises:
        MissingPackageError: if matplotlib is not installed.
    """
    make = figure_class()
    import matplotlib as mpl

    scores = attribute_scores(evaluation)
    labels = [tracker.label for tracker in evaluation.ranked()]
    values = np.array([[of[label] for label in labels] for _, of in scores.values()])
    colours, angles = looks(evaluation), np.linspace(0, 2 * np.pi, len(scores), endpoint=False)
    with mpl.rc_context(_FONTS):
        figure: Figure = make(figsize=(5.2, 5.4), dpi=200, layout="constrained")
        axes: Any = figure.add_subplot(projection="polar")
        for index, label in enumerate(labels):
            colour, style = colours[label]
            closed = np.append(values[:, index], values[0, index])
            axes.plot(
                np.append(angles, angles[0]),
                closed,
                color=colour,
                linestyle=style,
                marker="o",
                markersize=3,
                label=label,
            )
        axes.set_xticks(angles, list(scores))
        rings = _rings(values)
        axes.set_ylim(rings[0], rings[-1])
        axes.set_yticks(rings[1:-1], [f"{ring:g}" for ring in rings[1:-1]], bbox=_HALO, zorder=10)
        axes.set_rlabel_position(180 / len(scores))  # between two attributes
        axes.set_theta_zero_location("N")
        axes.grid(color="0.8", linewidth=0.6)
        figure.suptitle(f"AUC by attribute [%]: {evaluation.title}", fontweight="bold", fontsize=10)
        span = f"{rings[0]:g} at the centre, {rings[-1]:g} at the border"
        axes.set_title(span, fontsize=8, color="0.35")
        figure.legend(loc="outside lower center", ncols=min(3, len(labels)), frameon=False)
    return figure


def _rings(values: np.ndarray) -> np.ndarray:
    """Circles of a radar, percent: from below the lowest score to above the highest, in even steps."""
    low = np.floor(values.min() / _RING - 0.5) * _RING
    low = low if low > 2 * _RING else 0.0
    high = min(100.0, np.ceil(values.max() / _RING + 0.2) * _RING)
    step = _RING * np.ceil((high - low) / (8 * _RING))
    return np.append(np.arange(low, high, step), high)


def save_attribute_plots(evaluation: Evaluation, folder: Path) -> list[Path]:
    """Write bars and radar as PNG and PDF; nothing where the data set has fewer than three attributes."""
    if len(attribute_scores(evaluation)) < 3:
        return []
    bars = save_figure(draw_bars(evaluation), folder / "attribute_bars")
    return [*bars, *save_figure(draw_radar(evaluation), folder / "attribute_radar")]
