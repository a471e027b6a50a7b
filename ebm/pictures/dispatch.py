"""Pictures by name: what `FittedEBM.plot` draws."""

from typing import TYPE_CHECKING, Any

from ebm.exceptions import InputError
from ebm.lookup import lookup
from ebm.pictures.densities import plot_density
from ebm.pictures.fans import plot_fan
from ebm.pictures.honesty import plot_calibration, plot_reliability
from ebm.pictures.pit import plot_pit
from ebm.pictures.training import plot_history

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from ebm.fitting import FittedEBM

__all__ = ["PICTURES", "plot"]

_OF_ROWS = {"density": plot_density, "fan": plot_fan}
_OF_LABELS = {"reliability": plot_reliability, "pit": plot_pit, "calibration": plot_calibration}
PICTURES = (*_OF_ROWS, *_OF_LABELS, "history")


def plot(
    fitted: "FittedEBM", x: Any = None, y: Any = None, *, kind: str = "density", **options: Any
) -> "Axes":
    """Draw one of the `PICTURES`.

    Args:
        fitted: the density.
        x: inputs ``(N, F)``; of a history none.
        y: targets; "reliability", "pit" and "calibration" need them.
        kind: which picture.
        **options: of that picture's function.

    Raises:
        UnknownNameError: (a ValueError) for another kind.
        InputError: if inputs or targets are missing.
        MissingPackageError: if matplotlib is not installed.
    """
    lookup("kind of picture", kind, dict.fromkeys(PICTURES))
    if kind == "history":
        return plot_history(fitted, **options)
    if x is None:
        raise InputError(f"a picture of kind {kind!r} needs inputs: plot(x, y, kind={kind!r}).")
    if kind in _OF_ROWS:
        return _OF_ROWS[kind](fitted, x, y, **options)
    if y is None:
        raise InputError(f"a picture of kind {kind!r} needs the targets of x: plot(x, y, kind={kind!r}).")
    return _OF_LABELS[kind](fitted, x, y, **options)
