"""Predictions of a fitted density as a table: a row per row, means, medians, ends of intervals."""

import csv
import io
from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from ebm.fitting import FittedEBM
from ebm.fitting.answers import Method
from ebm.pictures.curves import target_name

__all__ = ["predictions_csv"]

_METHODS: tuple[Method, ...] = ("mean", "median")
_ENDS = {"p5": (1, 0), "p25": (0, 0), "p75": (0, 1), "p95": (1, 1)}  # level and end, of 50 and 90 %


def predictions_csv(fitted: FittedEBM, x: Any, rows: Sequence[int], actual: Any = None) -> str:
    """Predictions as CSV.

    Args:
        fitted: the density.
        x: inputs ``(N, F)``.
        rows: the number of every row in its file, from 1.
        actual: targets ``(N, D)``, to stand beside them.

    Returns:
        Columns ``row``, ``actual`` where there is one, ``mean``, ``median``, ``p5``, ``p25``, ``p75`` and
        ``p95`` (ends of the 50 and 90 % intervals, calibrated where the density is), with several targets of
        each behind its name, and ``out_of_range``: 1 where an input is outside what the fit saw, which no
        calibration covers.

    Raises:
        ShapeError: if the rows are not those of the fit.
    """
    dim = fitted.target_dim
    mean, median = (_per_target(fitted, fitted.predict(x, method=how)) for how in _METHODS)
    ends = _per_target(fitted, fitted.predict_interval(x, [0.5, 0.9]))  # (N, D, 2, 2)
    columns: dict[str, NDArray[Any]] = {"row": np.asarray(rows)}
    for d in range(dim):
        prefix = f"{target_name(fitted, d)} " if dim > 1 else ""
        if actual is not None:
            columns[f"{prefix}actual"] = np.asarray(actual)[:, d]
        columns |= {f"{prefix}mean": mean[:, d], f"{prefix}median": median[:, d]}
        columns |= {f"{prefix}{name}": ends[(slice(None), d, *place)] for name, place in _ENDS.items()}
    columns["out_of_range"] = np.asarray(fitted.out_of_range(x)).astype(np.int64)
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(columns)
    whole = ("row", "out_of_range")
    for line in zip(*columns.values(), strict=True):
        writer.writerow(str(v) if name in whole else f"{v:.9g}" for name, v in zip(columns, line))
    return out.getvalue()


def _per_target(fitted: FittedEBM, values: Any) -> NDArray[np.float64]:
    """``(N, D, ...)``, of one target as of several."""
    found = torch.as_tensor(values).double().cpu().numpy()
    return found[:, None] if fitted.scaling.flat else found
