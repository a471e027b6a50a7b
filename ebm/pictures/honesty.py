"""Are densities honest? Nominal against observed coverage, before and after calibration."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import Tensor

from ebm.calibration import reliability_of_ranks
from ebm.exceptions import DomainError, InputError, ShapeError
from ebm.lookup import unknown_name
from ebm.pictures.curves import Curves
from ebm.pictures.style import OKABE_ITO, new_figure, plain_axes, styled

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from ebm.fitting import FittedEBM

__all__ = [
    "calibration_curves",
    "draw_reliability",
    "reliability_curves",
]

KINDS = ("highest-density", "equal-tailed")
WITHIN = 2.0  # standard errors on either side, of the bands


def reliability_curves(
    fitted: "FittedEBM",
    x: Any,
    y: Any,
    *,
    levels: Sequence[float] | None = None,
    sets: str = "highest-density",
    calibrated: bool | None = None,
    within: Any = None,
) -> Curves:
    """Share of the labels inside sets, level by level.

    Args:
        fitted: the density.
        x: inputs ``(N, F)`` that neither the fit nor its calibration saw.
        y: targets ``(N,)`` or ``(N, D)``.
        levels: in (0, 1); None is 0.05, 0.1 ... 0.95.
        sets: "highest-density" sets, or "equal-tailed" intervals of a single target.
        calibrated: of the sets whose coverage is guaranteed; None: if the density is calibrated.
        within: groups of the rows, where the calibration has some.

    Returns:
        Columns ``level``, ``observed`` (NaN where a calibration has too few rows for the level) and
        ``standard_error``: of what honest densities would show on so many rows, and with a calibration on so
        many more.

    Raises:
        InputError: if a calibration is asked for that is not there, or `within` does not fit it.
        ShapeError: if there is no row, or for intervals of several targets.
        UnknownNameError: (a ValueError) for other sets.
    """
    rank = _ranks(fitted, x, y, sets)
    calibrated = fitted.calibration is not None if calibrated is None else calibrated
    found = reliability_of_ranks(rank, levels)
    observed, error = found.observed, found.standard_error
    if calibrated:
        observed, error = _calibrated(fitted, rank, found.levels, sets, within)
    return Curves(
        {"level": found.levels.numpy(), "observed": observed.numpy(), "standard_error": error.numpy()},
        {
            "sets": _sets_in_words(sets),
            "curve": "calibrated" if calibrated else "as fitted",
            "rows": str(len(rank)),
        },
    )


def calibration_curves(
    fitted: "FittedEBM",
    x: Any,
    y: Any,
    *,
    levels: Sequence[float] | None = None,
    sets: str = "highest-density",
    within: Any = None,
) -> Curves:
    """Coverage before and after calibration; arguments and errors as `reliability_curves`.

    Returns:
        Columns ``level``, ``observed_before``, ``observed_after``, ``standard_error_before`` and
        ``standard_error_after``.
    """
    rank = _ranks(fitted, x, y, sets)
    found = reliability_of_ranks(rank, levels)
    after, error = _calibrated(fitted, rank, found.levels, sets, within)
    return Curves(
        {
            "level": found.levels.numpy(),
            "observed_before": found.observed.numpy(),
            "observed_after": after.numpy(),
            "standard_error_before": found.standard_error.numpy(),
            "standard_error_after": error.numpy(),
        },
        {"sets": _sets_in_words(sets), "rows": str(len(rank))},
    )


@styled
def draw_reliability(curves: Curves, axes: "Axes | None" = None) -> "Axes":
    """Draw the numbers of `reliability_curves` or `calibration_curves`.

    Raises:
        MissingPackageError: if matplotlib is not installed.
    """
    if axes is None:
        axes = new_figure(4.2, 4.4).subplots()
    plain_axes(axes)
    level = curves["level"]
    both = "observed_after" in curves.columns
    error = curves["standard_error_after" if both else "standard_error"]
    low, high = (np.clip(level + side * WITHIN * error, 0, 1) for side in (-1, 1))
    axes.fill_between(level, low, high, color="0.85", linewidth=0, label="honest, within 2 standard errors")
    axes.plot([0, 1], [0, 1], color="0.45", linewidth=0.8, linestyle=(0, (5, 3)))
    if both:
        _line(axes, level, curves["observed_before"], "as fitted", "vermilion", "s")
        _line(axes, level, curves["observed_after"], "calibrated", "blue", "o")
    else:
        _line(axes, level, curves["observed"], curves.labels["curve"], "blue", "o")
    axes.set(xlim=(0, 1), ylim=(0, 1), aspect="equal")
    axes.set_xlabel("probability that the set promises")
    axes.set_ylabel(f"share of {curves.labels['rows']} labels inside")
    axes.set_title(curves.labels["sets"], loc="left")
    axes.legend(loc="upper left", frameon=False, fontsize=8)
    return axes


def _line(axes: "Axes", level: Any, observed: Any, name: str, colour: str, marker: str) -> None:
    axes.plot(
        level, observed, color=OKABE_ITO[colour], marker=marker, markersize=4, linewidth=1.2, label=name
    )


def _ranks(fitted: "FittedEBM", x: Any, y: Any, sets: str) -> Tensor:
    """The least level from which a set of the density as fitted holds each label, ``(N,)``."""
    if sets not in KINDS:
        raise unknown_name("kind of set", str(sets), KINDS)
    if sets == "highest-density":
        rank = fitted._with_targets(x, y, lambda density, t: density.highest_density_rank(t))
    elif fitted.target_dim > 1:
        raise ShapeError("equal-tailed intervals are of one target; ask for sets='highest-density'.")
    else:
        rank = (2 * torch.as_tensor(fitted.cdf(x, y)).reshape(-1) - 1).abs()
    if not len(rank):
        raise ShapeError("coverage needs rows; got none.")
    return rank.double().cpu()


def _calibrated(
    fitted: "FittedEBM", rank: Tensor, levels: Tensor, sets: str, within: Any
) -> tuple[Tensor, Tensor]:
    """Observed coverage of calibrated sets and its standard error, ``(L,)`` each; NaN for too few rows."""
    calibration = fitted.calibration
    if calibration is None:
        raise InputError("there is no calibration; call calibrate(x, y) with rows that the fit did not see.")
    codes = calibration.codes(within, len(rank))
    scores = calibration.scores
    column = scores.rank if sets == "highest-density" else scores.tail[:, 0]
    observed = []
    for level in levels.tolist():
        try:
            observed.append((rank <= calibration.threshold(column, level)[codes]).double().mean())
        except DomainError:  # it says how many rows it takes; here the other levels are still to be seen
            observed.append(torch.tensor(torch.nan, dtype=torch.float64))
    # The coverage that a calibration on n rows happens to reach varies as a beta distribution.
    variance = levels * (1 - levels)
    return torch.stack(observed), (variance / len(rank) + variance / (calibration.count + 2)).sqrt()


def _sets_in_words(sets: str) -> str:
    return "Highest-density sets" if sets == "highest-density" else "Equal-tailed intervals"
