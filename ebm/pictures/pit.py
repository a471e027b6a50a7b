"""Are densities honest? The histogram of the probability integral transform."""

import math
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import Tensor

from ebm.checks import require_count
from ebm.exceptions import ShapeError
from ebm.fitting.tables import as_tensor
from ebm.pictures.curves import Curves, require_target, target_name
from ebm.pictures.honesty import WITHIN
from ebm.pictures.style import INK, OKABE_ITO, new_figure, plain_axes, styled

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from ebm.fitting import FittedEBM

__all__ = ["draw_pit", "pit_curves"]


def pit_curves(fitted: "FittedEBM", x: Any, y: Any, *, bins: int | None = None, target: int = 0) -> Curves:
    """Histogram of the probability integral transform of the density as fitted.

    That of a whole number is drawn at random, the same way every time, between the probabilities of less and
    of at most as much: it is uniform then where densities are honest.

    Args:
        fitted: the density.
        x: inputs ``(N, F)`` that the fit did not see.
        y: targets ``(N,)`` or ``(N, D)``.
        bins: of equal width; None is 5 to 20, with 20 rows or more in each where there are as many.
        target: which one, of several.

    Returns:
        Columns ``low`` and ``high`` (ends of the bin), ``density`` (1 where densities are honest) and
        ``standard_error`` of it if they are.

    Source: Czado, Gneiting and Held, Biometrics 2009, section 2 (whole numbers).

    Raises:
        ShapeError: if there is no row, or `y` has another length.
        DomainError: (a ValueError) if there is no such target, or no bin.
    """
    target = require_target(fitted, target)
    below = _transformed(fitted, x, y)
    count = len(below)
    if not count:
        raise ShapeError("a histogram needs rows; got none.")
    number = min(20, max(5, count // 20)) if bins is None else require_count("bins", bins)
    values = below.reshape(count, -1)[:, target].numpy()
    found, edges = np.histogram(values, number, (0.0, 1.0))
    share = 1 / number
    error = math.sqrt(share * (1 - share) / count) / share
    return Curves(
        {
            "low": edges[:-1],
            "high": edges[1:],
            "density": found / count * number,
            "standard_error": np.full(number, error),
        },
        {"target": target_name(fitted, target), "rows": str(count)},
    )


def _transformed(fitted: "FittedEBM", x: Any, y: Any) -> Tensor:
    """``(N,)`` or ``(N, D)``."""
    below = torch.as_tensor(fitted.cdf(x, y)).double().cpu()
    if fitted.scaling.support is None or not fitted.scaling.support.whole:
        return below
    less = torch.as_tensor(fitted.cdf(x, as_tensor("y", y).numpy() - 1)).double().cpu()
    drawn = torch.rand(below.shape, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    return less + drawn * (below - less)


@styled
def draw_pit(curves: Curves, axes: "Axes | None" = None) -> "Axes":
    """Draw the numbers of `pit_curves`.

    Raises:
        MissingPackageError: if matplotlib is not installed.
    """
    if axes is None:
        axes = new_figure(4.6, 3.4).subplots()
    plain_axes(axes)
    low, high, density = curves["low"], curves["high"], curves["density"]
    error = curves["standard_error"][0]
    axes.bar(
        low,
        density,
        high - low,
        align="edge",
        color=OKABE_ITO["blue"],
        alpha=0.55,
        edgecolor="white",
        linewidth=0.8,
        label="labels",
    )
    axes.axhspan(
        max(0.0, 1 - WITHIN * error),
        1 + WITHIN * error,
        color="0.5",
        alpha=0.22,
        linewidth=0,
        label="honest, within 2 standard errors",
    )
    axes.axhline(1, color=INK, linewidth=0.8, linestyle=(0, (5, 3)))
    axes.set(xlim=(0, 1), ylim=(0, max(1 + WITHIN * error, density.max()) * 1.22))
    axes.set_xlabel(f"F({curves.labels['target']} | x) of the label")
    axes.set_ylabel("density; 1 is honest")
    axes.set_title(f"Probability integral transform, {curves.labels['rows']} rows", loc="left")
    axes.legend(loc="upper center", ncols=2, frameon=False, fontsize=8)
    return axes
