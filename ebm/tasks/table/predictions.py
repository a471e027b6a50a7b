"""Predictions of a fitted density as a table: a row per row, means, medians, ends of intervals."""

import csv
import io
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from ebm.fitting import FittedEBM
from ebm.fitting.collecting import collected
from ebm.fitting.seen import Beyond
from ebm.pictures.curves import target_name
from ebm.pictures.intervals import possible_levels

__all__ = ["predictions_csv"]


def predictions_csv(
    fitted: FittedEBM, x: Any, rows: Sequence[int], actual: Any = None, levels: Sequence[float] = (0.5, 0.9)
) -> str:
    """Predictions as CSV.

    Args:
        fitted: the density.
        x: inputs ``(N, F)``.
        rows: the number of every row in its file, from 1.
        actual: targets ``(N, D)``, to stand beside them.
        levels: of the intervals, those that a calibration has enough rows for.

    Returns:
        Columns ``row``, ``actual`` where there is one, ``mean``, ``median``, and the ends of the intervals,
        calibrated where the density is (``p5``, ``p25``, ``p75`` and ``p95`` of 50 and 90 %), with several
        targets of each behind its name. Then ``out_of_range``, 1 where an input is outside what the fit saw,
        which no calibration covers; ``out_of_range_in``, in which columns; and ``clipped``, 1 where it is so
        far outside that a limit takes its place.

    Raises:
        ShapeError: if the rows are not those of the fit.
        PredictionInterrupted: (a KeyboardInterrupt) after Ctrl-C, with the table of the rows that are done.
    """
    rows = list(rows)
    numbers = fitted.scaling.rows(x)
    possible = possible_levels(fitted, sorted(levels))

    def parts() -> Iterator[Tensor]:
        """Means, medians and ends of every block, beside each other, ``(B, D, 2 + 2 L)``."""
        for density, ends in fitted.intervals_of_blocks(numbers, possible):
            median = torch.stack([density.quantile(0.5, d) for d in range(fitted.target_dim)], 1)
            yield torch.cat((torch.stack((density.mean(), median), 2), ends.flatten(2)), 2)

    def finish(done: list[Tensor]) -> str:
        values = torch.cat(done).double().cpu().numpy()
        return _text(fitted, values, rows, fitted.beyond(x), actual, possible)

    return str(collected(parts(), finish, len, len(rows)))


def _text(
    fitted: FittedEBM,
    values: NDArray[Any],
    rows: Sequence[int],
    beyond: Beyond,
    actual: Any,
    levels: Sequence[float],
) -> str:
    """The table of `predictions_csv` of the first rows, from values ``(N, D, 2 + 2 L)`` at L levels."""
    ends = {f"p{50 * (1 - level):.6g}": 2 + 2 * place for place, level in reversed([*enumerate(levels)])}
    ends |= {f"p{50 * (1 + level):.6g}": 3 + 2 * place for place, level in enumerate(levels)}
    columns: dict[str, NDArray[Any]] = {"row": np.asarray(rows[: len(values)])}
    for d in range(fitted.target_dim):
        prefix = f"{target_name(fitted, d)} " if fitted.target_dim > 1 else ""
        if actual is not None:
            columns[f"{prefix}actual"] = np.asarray(actual)[: len(values), d]
        places = {"mean": 0, "median": 1} | ends
        columns |= {f"{prefix}{name}": values[:, d, place] for name, place in places.items()}
    columns["out_of_range"] = beyond.outside.any(1).long().numpy()[: len(values)]
    columns["out_of_range_in"] = np.array([beyond.where(row) for row in range(len(values))], object)
    columns["clipped"] = beyond.clipped.any(1).long().numpy()[: len(values)]
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(columns)
    whole = ("row", "out_of_range", "out_of_range_in", "clipped")
    for line in zip(*columns.values(), strict=True):
        writer.writerow(str(v) if name in whole else f"{v:.9g}" for name, v in zip(columns, line))
    return out.getvalue()
