"""What a density says of some rows, as a table for people."""

from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import Tensor

from ebm.checks import require_count
from ebm.exceptions import ShapeError
from ebm.pictures.curves import rows_of, target_name
from ebm.scores.tables import Table

if TYPE_CHECKING:
    from ebm.fitting import FittedEBM
    from ebm.fitting.seen import Beyond

__all__ = ["summary"]


def summary(fitted: "FittedEBM", x: Any, *, level: float = 0.9, within: Any = None, most: int = 20) -> Table:
    """A row per row (and target): mean, median, interval, and which inputs lie beyond what the fit saw.

    Args:
        fitted: the density.
        x: inputs ``(N, F)``.
        level: of the interval, in (0, 1); calibrated where the density is.
        within: groups of the rows, where the calibration has some.
        most: rows shown, the first ones.

    Raises:
        ShapeError: if the rows are not those of the fit.
        DomainError: if an entry is NaN or infinite, or the calibration has too few rows for the level.
    """
    given = len(x) if hasattr(x, "__len__") else x.shape[0]
    shown = np.arange(min(given, require_count("most", most)))
    some, own = rows_of(x, shown), None if within is None else rows_of(within, shown)
    mean, median = (_columns(fitted, fitted.predict(some, method=how)) for how in ("mean", "median"))
    ends = _columns(fitted, fitted.predict_interval(some, level, within=own))
    try:
        beyond: Beyond | None = fitted.beyond(x)
    except ShapeError:  # inputs that have no range
        beyond = None
    rows = tuple(
        (
            f"{row}{f' {target_name(fitted, d)}' if fitted.target_dim > 1 else ''}",
            *(f"{value:.4g}" for value in (mean[row, d], median[row, d])),
            f"{ends[row, d, 0]:.4g} to {ends[row, d, 1]:.4g}",
            (beyond.where(row) or "-") if beyond is not None else "?",
        )
        for row in shown.tolist()
        for d in range(fitted.target_dim)
    )
    how = "as fitted" if fitted.calibration is None else f"calibrated on {fitted.calibration}"
    first = f"The first {len(shown)} of {given} rows. " if len(shown) < given else ""
    words = " ".join([f"{first}Intervals {how}.", *([] if beyond is None else beyond.words())])
    return Table(("row", "mean", "median", f"{100 * level:g} %", "out of range"), rows, words)


def _columns(fitted: "FittedEBM", values: Any) -> Tensor:
    """``(N, D, ...)``, of one target as of several."""
    found = torch.as_tensor(values).double().cpu()
    return found[:, None] if fitted.scaling.flat else found
