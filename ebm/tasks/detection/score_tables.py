"""Scores of detections as tables: of several files side by side, in all and per category."""

import math
from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from ebm.scores.tables import Table
from ebm.tasks.detection.resampling import interval
from ebm.tasks.detection.scoring import COLUMNS, Scores

__all__ = ["category_table", "score_table"]

_PER_CATEGORY = ("AP", "AP50", "AP75")
_DIFFERENCE = "difference"


def score_table(
    named: Mapping[str, Scores],
    digits: int = 2,
    drawn: Mapping[str, NDArray[np.float64]] | None = None,
) -> Table:
    """A row for each of several scores on one set, in percent; of two also what the second has gained.

    Args:
        named: scores by the name of their row.
        digits: behind the point.
        drawn: of the same names, `resampled_scores`; adds the ends between which 95 % of them lie, of two
            results those of the gain.
    """
    rows = [
        (name, *(_percent(one[column], digits) for column in COLUMNS), str(one.detections))
        for name, one in named.items()
    ]
    if len(named) == 2:
        before, after = named.values()
        gains = (_gain(before[column], after[column], digits) for column in COLUMNS)
        rows.append((_DIFFERENCE, *gains, f"{after.detections - before.detections:+d}"))
    if drawn is not None:
        rows += _ends(drawn, digits)
    one = next(iter(named.values()))
    caption = f"Average precision in percent on {one.images} pictures with {one.objects} objects."
    if drawn is not None:
        draws = len(next(iter(drawn.values())))
        caption += (
            f" 2.5 % and 97.5 %: between these rows lie 95 % of {draws} sets of as many pictures, drawn from "
            "them with replacement."
        )
    return Table(("", *COLUMNS, "detections"), tuple(rows), caption)


def _ends(drawn: Mapping[str, NDArray[np.float64]], digits: int) -> list[tuple[str, ...]]:
    """Two rows: the ends of the interval of the gain, or of the only result."""
    values = list(drawn.values())
    if len(values) == 2:
        of, ends = _DIFFERENCE, interval(values[1] - values[0])
        told = [[_gain(0.0, value, digits) for value in end.tolist()] for end in ends]
    else:
        of, ends = next(iter(drawn)), interval(values[0])
        told = [[_percent(value, digits) for value in end.tolist()] for end in ends]
    return [(f"{of}, {share} %", *row, "") for share, row in zip(("2.5", "97.5"), told)]


def category_table(named: Mapping[str, Scores], digits: int = 2) -> Table:
    """A row for each category that has objects, in percent; arguments as `score_table`."""
    columns, two = _PER_CATEGORY, len(named) == 2
    first = next(iter(named.values()))
    suffixes = [*(f" {name}" if len(named) > 1 else "" for name in named), *([" " + _DIFFERENCE] * two)]
    head = ("category", "objects", *(f"{column}{suffix}" for column in columns for suffix in suffixes))
    rows = []
    for label, category in enumerate(first.categories):
        if not category.objects:
            continue
        row = [category.name, str(category.objects)]
        for column in columns:
            values = [one.categories[label].values[column] for one in named.values()]
            row += [_percent(value, digits) for value in values]
            row += [_gain(values[0], values[1], digits)] if two else []
        rows.append(tuple(row))
    return Table(head, tuple(rows), "Average precision in percent, per category.")


def _percent(value: float, digits: int) -> str:
    return f"{100 * value:.{digits}f}" if math.isfinite(value) else "-"


def _gain(before: float, after: float, digits: int) -> str:
    gain = round(100 * (after - before), 9) + 0.0  # what differs by rounding alone is +0, never -0
    return f"{gain:+.{digits}f}" if math.isfinite(gain) else "-"
