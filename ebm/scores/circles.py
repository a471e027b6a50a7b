"""Which densities are of angles, and which scores these do not have."""

from collections.abc import Iterable

from ebm.calibration import Distribution
from ebm.density.circular import Circle
from ebm.exceptions import DomainError

__all__ = ["circle_of", "require_line", "uncircular"]


def circle_of(density: Distribution) -> Circle | None:
    """The circle that the targets of a density lie on; None where there is none."""
    found = getattr(density, "circle", None)
    return found if isinstance(found, Circle) else None


def require_line(densities: Iterable[Distribution], score: str) -> None:
    """Refuse densities of angles for a score that these do not have.

    Raises:
        DomainError: (a ValueError) if there is one.
    """
    if any(circle_of(density) is not None for density in densities):
        raise uncircular(score)


def uncircular(score: str) -> DomainError:
    """The error for a score that angles do not have; `score` with its article."""
    return DomainError(
        f"{score} depends on where a circle is cut open, so angles have none: ask for the log score, the "
        "CRPS, which is that of the circle, coverage and width."
    )
