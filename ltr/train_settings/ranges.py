"""Refuse numbers that a setting cannot have, by the key that ``--set`` knows."""

import math

from ebm.exceptions import DomainError

__all__ = ["require_range"]


def require_range(
    key: str,
    value: float | None,
    *,
    least: float = -math.inf,
    most: float = math.inf,
    above: float | None = None,
) -> None:
    """Refuse a number out of its range; None stands for "not used" and passes.

    Args:
        key: dotted key of the field.
        value: the number.
        least: smallest value allowed.
        most: largest value allowed.
        above: value that it must exceed, in place of `least`.

    Raises:
        DomainError: if it is out of range or no number.
    """
    low = least if above is None else above
    if value is None or ((value > low if above is not None else value >= low) and value <= most):
        return
    if above is None and math.isfinite(least) and math.isfinite(most):
        allowed = f"in [{least:g}, {most:g}]"
    else:
        bounds = [f"above {above:g}" if above is not None else f"at least {least:g}"]
        allowed = " and ".join(bounds + ([f"at most {most:g}"] if math.isfinite(most) else []))
    raise DomainError(f"{key} must be {allowed}, got {value:g}.")
