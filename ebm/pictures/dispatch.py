"""Pictures by name: what `FittedEBM.plot` draws."""

from collections.abc import Callable, Mapping
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, NamedTuple

from ebm.exceptions import InputError
from ebm.lookup import lookup
from ebm.pictures.curves import Curves
from ebm.pictures.densities import density_curves, draw_densities
from ebm.pictures.fans import draw_fan, fan_curves
from ebm.pictures.honesty import calibration_curves, draw_reliability, reliability_curves
from ebm.pictures.pit import draw_pit, pit_curves
from ebm.pictures.style import require_matplotlib
from ebm.pictures.training import draw_history, history_curves

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from ebm.fitting import FittedEBM

__all__ = ["PICTURES", "Picture", "plot"]


class Picture(NamedTuple):
    """How a picture is made.

    Attributes:
        curves: its numbers, of a density and, where they are needed, inputs and targets.
        draw: draws these, into axes or a figure of its own.
        needs: "nothing" beyond the density, "x", or "x and y".
    """

    curves: Callable[..., Curves]
    draw: Callable[[Curves, "Axes | None"], "Axes"]
    needs: str


PICTURES: Mapping[str, Picture] = MappingProxyType(
    {
        "density": Picture(density_curves, draw_densities, "x"),
        "fan": Picture(fan_curves, draw_fan, "x"),
        "reliability": Picture(reliability_curves, draw_reliability, "x and y"),
        "calibration": Picture(calibration_curves, draw_reliability, "x and y"),
        "pit": Picture(pit_curves, draw_pit, "x and y"),
        "history": Picture(history_curves, draw_history, "nothing"),
    }
)


def plot(
    fitted: "FittedEBM",
    x: Any = None,
    y: Any = None,
    *,
    kind: str = "density",
    axes: "Axes | None" = None,
    csv: str | Path | None = None,
    **options: Any,
) -> "Axes":
    """Draw one of the `PICTURES`.

    Args:
        fitted: the density.
        x: inputs ``(N, F)``; of a history none.
        y: targets; "reliability", "pit" and "calibration" need them.
        kind: which picture.
        axes: where to; None makes a figure, without a display.
        csv: a file for the numbers.
        **options: of the function that computes these, such as `fan_curves`.

    Returns: the axes; ``axes.figure.savefig("name.png")`` writes them.

    Raises:
        UnknownNameError: (a ValueError) for another kind.
        InputError: if inputs or targets are missing, or the file cannot be written.
        MissingPackageError: if matplotlib is not installed.
    """
    picture = lookup("kind of picture", kind, PICTURES)
    require_matplotlib()
    if picture.needs != "nothing" and x is None:
        raise InputError(f"a picture of kind {kind!r} needs inputs: plot(x, y, kind={kind!r}).")
    if picture.needs == "x and y" and y is None:
        raise InputError(f"a picture of kind {kind!r} needs the targets of x: plot(x, y, kind={kind!r}).")
    curves = picture.curves(fitted, *(() if picture.needs == "nothing" else (x, y)), **options)
    curves.save(csv)
    return picture.draw(curves, axes)
