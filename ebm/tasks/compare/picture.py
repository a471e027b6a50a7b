"""The diagram of critical differences: methods on a line of mean ranks, bars over those that do not differ.

Source: Demsar, JMLR 2006, figure 1.
"""

from pathlib import Path
from typing import Any

from ebm.extras import explain_missing
from ebm.tasks.compare.ranks import Ranking

__all__ = ["draw_critical_differences", "save_critical_differences"]

_ROW = 0.32  # inches between two names


def draw_critical_differences(ranking: Ranking, title: str = "") -> Any:
    """A matplotlib figure, made without pyplot.

    Args:
        ranking: of at least two methods.
        title: of the figure.

    Raises:
        MissingPackageError: if matplotlib is not installed.
    """
    try:
        from matplotlib.figure import Figure
    except ImportError as error:
        raise explain_missing("plots", "matplotlib") from error
    count, runs = len(ranking.methods), ranking.alike()
    rows = (count + 1) // 2
    # Rows from the top: title, critical difference, numbers, line, bars, names.
    depth = 0.5 * len(runs) + 0.8
    height = 2.6 + depth + rows
    figure = Figure(figsize=(7.5, _ROW * height), layout="constrained")
    axes = figure.add_subplot()
    axes.set(xlim=(1 - 0.45 * count, count + 0.45 * count), ylim=(depth + rows, -2.6))
    axes.axis("off")
    axes.set_title(title, fontsize=10)
    _draw_scale(axes, ranking)
    for row, (first, last) in enumerate(runs):
        ends = [ranking.ranks[first] - 0.05, ranking.ranks[last] + 0.05]
        axes.plot(ends, [0.5 + 0.5 * row] * 2, color="black", linewidth=3.5, solid_capstyle="butt")
    _draw_names(axes, ranking, depth)
    return figure


def _draw_scale(axes: Any, ranking: Ranking) -> None:
    count = len(ranking.methods)
    axes.plot([1, count], [0, 0], color="black", linewidth=1)
    for rank in range(1, count + 1):
        axes.plot([rank, rank], [0, -0.25], color="black", linewidth=1)
        axes.text(rank, -0.4, str(rank), ha="center", va="bottom", fontsize=9)
    width = min(ranking.critical_difference, count - 1)
    axes.plot([1, 1 + width], [-1.7, -1.7], color="tab:red", linewidth=1.5, marker="|", markersize=7)
    label = f"critical difference {ranking.critical_difference:.2f}, {ranking.tables} tables"
    axes.text(1 + width + 0.1, -1.7, label, ha="left", va="center", fontsize=8, color="tab:red")


def _draw_names(axes: Any, ranking: Ranking, depth: float) -> None:
    """The better half on the left, the others on the right, lines that do not cross."""
    count = len(ranking.methods)
    half = (count + 1) // 2
    for i, (method, rank) in enumerate(zip(ranking.methods, ranking.ranks)):
        left = i < half
        row = depth + (i if left else count - 1 - i)
        edge = 0.8 if left else count + 0.2
        axes.plot([rank, rank, edge], [0, row, row], color="0.35", linewidth=0.9)
        axes.text(
            edge + (-0.08 if left else 0.08),
            row,
            f"{method}  {rank:.2f}" if left else f"{rank:.2f}  {method}",
            ha="right" if left else "left",
            va="center",
            fontsize=9,
        )


def save_critical_differences(ranking: Ranking, title: str, path: Path) -> None:
    """Write the figure in the format of the path's suffix.

    Raises:
        MissingPackageError: if matplotlib is not installed.
    """
    import io

    from ebm.files import write_atomic

    content = io.BytesIO()
    draw_critical_differences(ranking, title).savefig(content, format=path.suffix[1:], dpi=150)
    write_atomic(path, content.getvalue())
