"""Where targets can lie, as a user says it."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from torch import Tensor

from ebm.exceptions import DomainError, ShapeError
from ebm.lookup import unknown_name
from ebm.numbers import plain, require_number

__all__ = ["RESOLVED", "Angles", "Bounds", "parse_bounds", "require_alone", "require_inside"]

NAMES = ("circular", "count", "degrees", "integer", "positive", "radians")
# A target is told apart from a border that it is so many units in the last place away from.
RESOLVED = 2**22


@dataclass(frozen=True)
class Bounds:
    """Where one target can lie, as a user says it.

    Attributes:
        low: lower border, or -inf; targets lie above it.
        high: upper border, or inf.
        whole: targets are whole numbers; the borders are then half a unit beyond the last of them.
    """

    low: float = -math.inf
    high: float = math.inf
    whole: bool = False

    def __post_init__(self) -> None:
        if not self.low < self.high or self.low == math.inf or self.high == -math.inf:
            raise DomainError(f"a support must not be empty, got ({self.low:g}, {self.high:g}).")
        border = max((abs(end) for end in (self.low, self.high) if math.isfinite(end)), default=0.0)
        if self.high - self.low < 8 * RESOLVED * math.ulp(border):
            raise DomainError(
                f"numbers hardly resolve the support ({self.low!r}, {self.high!r}); subtract a constant."
            )

    @property
    def wraps(self) -> bool:
        """Both borders are one place on a circle."""
        return False

    def __str__(self) -> str:
        shift = 0.5 if self.whole else 0.0
        ends = (self.low + shift, self.high - shift)
        low, high = (f"{end:g}" if math.isfinite(end) else "None" for end in ends)
        return f"({low}, {high})" + " of whole numbers" * self.whole


@dataclass(frozen=True)
class Angles(Bounds):
    """Targets on a circle, as a user says it; the borders are one and the same place.

    Attributes:
        fixed: answers lie between these borders; otherwise where the period begins is seen from the labels.
        unit_said: the unit was named; "circular" alone means radians, which labels must look like.
    """

    fixed: bool = False
    unit_said: bool = True

    @property
    def wraps(self) -> bool:
        """See `Bounds.wraps`."""
        return True

    @property
    def period(self) -> float:
        """A full turn."""
        return self.high - self.low

    def __str__(self) -> str:
        return f"a circle of {self.period:g}"


def parse_bounds(support: Any, target_dim: int) -> tuple[Bounds, ...] | None:
    """What a user says about the targets, for each of them; None where all may be any number.

    Args:
        support: one for all, or a list of D: None; a pair (low, high), None where there is no border;
            "positive" is (0, None); "integer" and "count" (0, 1, 2 ...) are whole numbers, a range the
            whole numbers in it; "radians", "degrees", ("circular", period) and ("circular", low, high) are
            angles, "circular" those in radians.
        target_dim: D.

    Raises:
        DomainError: if a pair is no pair of increasing numbers, or one of several targets holds whole numbers
            or angles.
        ShapeError: if a list has another length.
        UnknownNameError: (a ValueError) for another name.
    """
    given = support if isinstance(support, list) else [support] * target_dim
    if len(given) != target_dim:
        raise ShapeError(
            f"support lists {len(given)} targets, y has {target_dim}; a pair of borders is a tuple."
        )
    bounds = tuple(_parsed(one) for one in given)
    require_alone(bounds)
    return None if all(one == Bounds() for one in bounds) else bounds


def require_inside(bounds: Sequence[Bounds], y: Tensor, flat: bool, numbers: Tensor | None = None) -> None:
    """Check that targets ``(N, D)`` lie where they are said to.

    Args:
        bounds: D.
        y: the targets.
        flat: they were given as ``(N,)``.
        numbers: of these rows among the user's ``(N,)``; None is 0, 1, 2 ...

    Raises:
        DomainError: that names the first that does not.
    """
    for d, one in enumerate(bounds):
        values, name = y[:, d], "y" if flat else f"y[:, {d}]"
        if isinstance(one, Angles):
            _require_radians(one, values, name)
        if one.wraps:
            continue
        wrong = (values <= one.low) | (values >= one.high)
        if one.whole:
            wrong |= values != values.round()
        if not bool(wrong.any()):
            continue
        row = int(wrong.nonzero()[0])
        value, count = values[row].item(), int(wrong.sum())
        row = row if numbers is None else int(numbers[row])
        remedy = "correct or leave out these rows, or give another support."
        if value in (one.low, one.high):
            remedy = (
                "a density has no mass on a single point. Where rounding put labels there, move them inside, "
                "by half the step that they were rounded to; else give a wider support."
            )
        raise DomainError(
            f"{name} must lie inside the support {one}, but {count} of {len(values)} rows do not, the first "
            f"is row {row} with {value:g}: {remedy}"
        )


def _parsed(support: Any) -> Bounds:
    if support is None:
        return Bounds()
    if isinstance(support, str):
        known = {
            "positive": Bounds(0.0),
            "integer": Bounds(whole=True),
            "count": Bounds(-0.5, whole=True),
            "circular": Angles(0.0, math.tau, unit_said=False),
            "radians": Angles(0.0, math.tau),
            "degrees": Angles(0.0, 360.0),
        }
        if support not in known:
            raise unknown_name("support", support, NAMES)
        return known[support]
    if isinstance(support, range):
        if support.step != 1 or len(support) < 2:
            raise DomainError(
                f"a range as support holds at least two successive whole numbers; got {support}."
            )
        return Bounds(support.start - 0.5, support.stop - 0.5, whole=True)
    ends = plain(support)
    if isinstance(ends, list | tuple) and len(ends) and isinstance(ends[0], str):
        return _angles(support, ends)
    if isinstance(support, str | dict | set) or not isinstance(ends, list | tuple) or len(ends) != 2:
        raise DomainError(
            "support must be a pair (low, high), None where there is no border, a range, or one of "
            f"{', '.join(NAMES)}; got {support!r}."
        )
    low, high = (None if end is None else float(require_number("an end of support", end)) for end in ends)
    return Bounds(-math.inf if low is None else low, math.inf if high is None else high)


def _angles(support: Any, given: Sequence[Any]) -> Angles:
    """What ("circular", period) and ("circular", low, high) mean."""
    if given[0] != "circular" or len(given) not in (2, 3):
        raise DomainError(
            'a circle as support is ("circular", period), ("circular", low, high), "degrees" or "radians"; '
            f"got {support!r}."
        )
    numbers = [float(require_number("a number of a circular support", one)) for one in given[1:]]
    low, high = (0.0, *numbers) if len(numbers) == 1 else numbers
    if not (math.isfinite(low) and math.isfinite(high) and low < high):
        raise DomainError(f"a circle takes a finite period > 0, or finite ends low < high; got {support!r}.")
    return Angles(low, high, fixed=len(numbers) == 2)


def _require_radians(angles: Angles, values: Tensor, name: str) -> None:
    """Refuse labels that can hardly be radians where nobody said that they are."""
    far = values.abs().max().item()
    if not angles.unit_said and far > math.tau:
        raise DomainError(
            f'support="circular" means angles in radians, but {name} goes to {far:g}, beyond a full turn of '
            '6.283: say "degrees", ("circular", 24.0) for hours of the day, or "radians" if they are.'
        )


def require_alone(bounds: Sequence[Bounds]) -> None:
    """Refuse whole numbers and angles among several targets.

    Raises:
        DomainError: if there are some.
    """
    if len(bounds) > 1 and any(one.whole for one in bounds):
        raise DomainError(
            "whole numbers are supported for one target alone: fit each on its own, or give them a support "
            "of real numbers, such as (-0.5, None)."
        )
    if len(bounds) > 1 and any(one.wraps for one in bounds):
        raise DomainError(
            "angles are supported for one target alone: fit each on its own, or give the sine and the cosine "
            "of an angle as two targets without a support."
        )
