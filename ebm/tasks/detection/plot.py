"""What the methods of a study gain over the detector, as a picture."""

from pathlib import Path
from typing import Any

from ebm.tasks.detection.report import Drawn, Means
from ebm.tasks.detection.resampling import interval
from ebm.tasks.detection.running import DETECTOR
from ebm.tasks.detection.scoring import COLUMNS

__all__ = ["save_plot"]

# A method that loses more than this many times what the best one gains, or 1, is an arrow at the border.
CUT = 1.25


def save_plot(means: Means, file: Path, drawn: Drawn | None = None) -> None:
    """Gains in AP and AP75 of every method over the detector, or both scores where it is not there.

    Thick bars are a standard error over the seeds to both sides, thin ones what holds 95 % of the gains on
    pictures drawn again.

    Args:
        means: over the seeds.
        file: to write.
        drawn: scores on pictures drawn again.

    Raises:
        MissingPackageError: if matplotlib is not installed.
    """
    from ebm.pictures.style import house_style, new_figure, plain_axes, save_figure

    names = [name for name in means if name != DETECTOR]
    with house_style():
        figure = new_figure(7.0, 0.8 + 0.28 * len(names))
        for place, column in enumerate(("AP", "AP75")):
            axes = figure.add_subplot(1, 2, place + 1)
            _draw(axes, names, column, means, drawn)
            axes.set_yticks(range(len(names)), names if place == 0 else [""] * len(names))
            axes.set_ylim(len(names) - 0.5, -0.5)
            axes.set_xlabel(f"{column}, {'gain in points' if DETECTOR in means else 'percent'}")
            plain_axes(axes)
        save_figure(figure, file.parent, file.stem)


def _draw(axes: Any, names: list[str], column: str, means: Means, drawn: Drawn | None) -> None:
    base = means[DETECTOR][column][0] if DETECTOR in means else 0.0
    values = {name: means[name][column][0] - base for name in names}
    cut = -CUT * max(1.0, *values.values()) if DETECTOR in means else float("-inf")
    pictures = drawn if drawn is not None and DETECTOR in drawn and DETECTOR in means else None
    for row, name in enumerate(names):
        if values[name] < cut:
            axes.plot(cut, row, "<", color="C0")
            axes.annotate(
                f" {values[name]:+.1f}", (cut, row), (6, 0), textcoords="offset points", va="center"
            )
            continue
        if pictures is not None:
            number = list(COLUMNS).index(column)
            ends = interval(pictures[name][:, number] - pictures[DETECTOR][:, number])
            axes.plot(ends, (row, row), color="C0", linewidth=0.8)
        error = means[name][column][1]
        if error > 0:  # of one seed it is NaN
            sides = (values[name] - error, values[name] + error)
            axes.plot(sides, (row, row), color="C0", linewidth=3.5, solid_capstyle="butt")
        axes.plot(values[name], row, "o", color="C0")
    if DETECTOR in means:
        axes.axvline(0, linestyle="--", color="0.5")
