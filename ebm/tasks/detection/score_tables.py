"""Scores of detections as tables: of several files side by side, in all and per category."""

import math
from collections.abc import Mapping

from ebm.scores.tables import Table
from ebm.tasks.detection.scoring import COLUMNS, Scores

__all__ = ["category_table", "score_table"]

_PER_CATEGORY = ("AP", "AP50", "AP75")
_DIFFERENCE = "difference"


def score_table(named: Mapping[str, Scores], digits: int = 2) -> Table:
    """A row for each of several scores on one set, in percent; of two also what the second has gained.

    Args:
        named: scores by the name of their row.
        digits: behind the point.
    """
    rows = [
        (name, *(_percent(one[column], digits) for column in COLUMNS), str(one.detections))
        for name, one in named.items()
    ]
    if len(named) == 2:
        before, after = named.values()
        gains = (_gain(before[column], after[column], digits) for column in COLUMNS)
        rows.append((_DIFFERENCE, *gains, f"{after.detections - before.detections:+d}"))
    one = next(iter(named.values()))
    caption = f"Average precision in percent on {one.images} pictures with {one.objects} objects."
    return Table(("", *COLUMNS, "detections"), tuple(rows), caption)


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
    gain = 100 * (after - before)
    return f"{gain:+.{digits}f}" if math.isfinite(gain) else "-"
