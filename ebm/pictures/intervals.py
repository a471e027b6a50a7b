"""Coverage and width of intervals, as fitted and calibrated, side by side."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

from ebm.exceptions import DomainError
from ebm.pictures.curves import target_name
from ebm.scores.slabs import Held
from ebm.scores.tables import Table, share

if TYPE_CHECKING:
    from ebm.fitting import FittedEBM

__all__ = ["interval_table", "possible_levels"]


def possible_levels(fitted: "FittedEBM", levels: Sequence[float]) -> list[float]:
    """Those of the levels that the calibration has enough rows for; all where there is none.

    Raises:
        DomainError: (a ValueError) if that is none of them; says how many rows it takes.
    """
    if fitted.calibration is None:
        return list(levels)
    found = []
    for level in levels:
        try:
            fitted.calibration.threshold(fitted.calibration.scores.rank, level)
        except DomainError:
            if level == min(levels):
                raise
        else:
            found.append(level)
    return found


def interval_table(fitted: "FittedEBM", x: Any, y: Any, levels: Sequence[float], within: Any = None) -> Table:
    """A row per level (and target): share of labels inside equal-tailed intervals, and their mean width.

    Args:
        fitted: the density.
        x: inputs ``(N, F)``, N >= 1.
        y: targets ``(N, D)``.
        levels: in (0, 1); with a calibration those that it has enough rows for.
        within: groups of the rows, where the calibration has some.
    """
    wanted, calibrated = possible_levels(fitted, levels), fitted.calibration is not None
    found = [
        _ends(fitted, x, wanted, within if one else None, one) for one in [False, True][: 1 + calibrated]
    ]
    labels = torch.as_tensor(y).double()
    circle = fitted.scaling.circle
    rows = []
    for target in range(fitted.target_dim):
        for place, level in enumerate(wanted):
            name = f" {target_name(fitted, target)}" if fitted.target_dim > 1 else ""
            cells: list[str] = []
            for ends in found:
                own, label = ends[:, target, place], labels[:, target]
                cells += _cells(own, label if circle is None else circle.beyond(own[:, 0], label))
            rows.append((f"{100 * level:g} %{name}", *cells))
    as_fitted = ("inside as fitted", "width", "inside calibrated", "width")
    head = ("interval", *(as_fitted if calibrated else ("inside", "width")))
    caption = (
        f"Equal-tailed intervals of {len(labels)} rows: share of labels inside ± standard error, mean width."
    )
    return Table(head, tuple(rows), caption)


def _ends(fitted: "FittedEBM", x: Any, levels: list[float], within: Any, calibrated: bool) -> Tensor:
    """Ends ``(N, D, L, 2)``."""
    ends = fitted.predict_interval(x, levels, within=within, calibrated=calibrated)
    return torch.as_tensor(ends).double().cpu().reshape(-1, fitted.target_dim, len(levels), 2)


def _cells(ends: Tensor, labels: Tensor) -> tuple[str, str]:
    inside = (ends[:, 0] <= labels) & (labels <= ends[:, 1])
    held = Held(int(inside.sum()), len(labels))
    return share(held.coverage, held.standard_error), f"{(ends[:, 1] - ends[:, 0]).mean().item():.4g}"
