"""Targets of which only bounds are known: to the left, to the right, or within an interval."""

from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from ebm.exceptions import DomainError, InputError, ShapeError
from ebm.fitting.bounds import Bounds, parse_bounds
from ebm.fitting.tables import as_tensor, require_same_order

__all__ = ["Censored", "any_censored", "bounded", "require_censorable"]


class Censored:
    """Targets of which some are known and of others only where they lie; in the place of `y` of `ebm.fit`.

    A row whose bounds are equal is a known target. The likelihood of a row with different ones is the mass
    between them.

        y = ebm.Censored(lower, upper)             # inf and -inf: open
        y = ebm.Censored.right(days, died)         # as in survival analysis
        y = ebm.Censored.left(concentration, detected)

    Args:
        lower: the target is at least this, ``(N,)``; -inf where nothing is known. None: for all rows.
        upper: the target is at most this, ``(N,)``; inf where nothing is known. None: for all rows.

    Attributes:
        lower: ``(N,)`` float64.
        upper: ``(N,)`` float64.
        index: of the columns of pandas that it was made of; None of others.

    Raises:
        ShapeError: if the bounds are not ``(N,)`` both: one target alone can be censored.
        DomainError: (a ValueError) if bounds are NaN or cross, or say nothing of a row.
        InputError: if both are None, something is no number, or columns are in another order.
    """

    is_censored = True  # `ebm.fitting.tables` asks without knowing the class

    def __init__(self, lower: Any = None, upper: Any = None) -> None:
        if lower is None and upper is None:
            raise InputError("Censored needs bounds: lower, upper or both, one per row.")
        require_same_order(lower, upper, "upper")
        given = upper if lower is None else lower
        self.index = getattr(given, "index", None)
        count = len(_column("lower" if lower is not None else "upper", given))
        self.lower = np.full(count, -np.inf) if lower is None else _column("lower", lower)
        self.upper = np.full(count, np.inf) if upper is None else _column("upper", upper)
        if self.lower.shape != self.upper.shape:
            raise ShapeError(f"there are {len(self.lower)} lower bounds and {len(self.upper)} upper ones.")
        _require_bounds(self.lower, self.upper)

    @classmethod
    def right(cls, y: Any, observed: Any) -> "Censored":
        """Known where `observed`, elsewhere above `y`.

        Args:
            y: ``(N,)``; time or duration in survival analysis.
            observed: ``(N,)`` truth values, or 0 and 1; the event there.

        Raises: as the class.
        """
        known = _flags(y, observed)
        values = _column("y", y)
        return cls._of(values, np.where(known, values, np.inf), y)

    @classmethod
    def left(cls, y: Any, observed: Any) -> "Censored":
        """Known where `observed`, elsewhere below `y`, a limit of detection say; arguments as `right`."""
        known = _flags(y, observed)
        values = _column("y", y)
        return cls._of(np.where(known, values, -np.inf), values, y)

    @classmethod
    def _of(cls, lower: NDArray[np.float64], upper: NDArray[np.float64], like: Any) -> "Censored":
        made = cls(lower, upper)
        made.index = getattr(like, "index", None)
        return made

    @property
    def observed(self) -> NDArray[np.bool_]:
        """Which targets are known, ``(N,)``."""
        return np.asarray(self.lower == self.upper)

    @property
    def shape(self) -> tuple[int]:
        """``(N,)``."""
        return (len(self.lower),)

    def __len__(self) -> int:
        return len(self.lower)

    def __getitem__(self, rows: Any) -> "Censored":
        """Some rows, by a slice, their numbers or a mask."""
        some = Censored(np.atleast_1d(self.lower[rows]), np.atleast_1d(self.upper[rows]))
        if self.index is not None:
            some.index = self.index[np.atleast_1d(np.arange(len(self))[rows])]
        return some

    def __repr__(self) -> str:
        right = int((np.isinf(self.upper) & np.isfinite(self.lower)).sum())
        left = int((np.isinf(self.lower) & np.isfinite(self.upper)).sum())
        known = int(self.observed.sum())
        within = len(self) - known - right - left
        return f"Censored({known} known, {right} right, {left} left, {within} interval)"


def bounded(y: Censored, support: Any) -> tuple[Tensor, Tensor]:
    """Censored targets as a place and bounds per row, inside the support.

    Args:
        y: N targets.
        support: see `ebm.fitting.bounds.parse_bounds`.

    Returns:
        Places ``(N, 1)``: the target where it is known, else its finite bound, or the middle of both. Bounds
        ``(N, 2)``; both float64 on the CPU.

    Raises:
        DomainError: if bounds leave the support or say no more than it does, or no bound is finite on one
            side.
    """
    parsed = parse_bounds(support, 1)
    one = Bounds() if parsed is None else parsed[0]
    if one.whole or one.wraps:
        raise DomainError(
            f"censored targets and the support {support!r} do not go together: "
            + (
                "give counts as bounds half a unit to either side, with the support (-0.5, None)."
                if one.whole
                else "bounds of an angle do not say which way round; give bounds of a number on the line."
            )
        )
    low = torch.from_numpy(y.lower.copy()).clamp(min=one.low)
    high = torch.from_numpy(y.upper.copy()).clamp(max=one.high)
    known = torch.from_numpy(y.observed)
    empty = (low > high) | (~known & (low >= high))
    if bool(empty.any()):
        row = int(empty.nonzero()[0])
        raise DomainError(
            f"row {row} lies between {y.lower[row]:g} and {y.upper[row]:g}, outside the support {one}: "
            "correct or leave out such rows, or give another support."
        )
    nothing = (low <= one.low) & (high >= one.high)
    if bool(nothing.any()):
        raise DomainError(
            f"the bounds of row {int(nothing.nonzero()[0])} say no more than the support {one}; leave such "
            "rows out."
        )
    for name, bound, end in (("above", high, one.high), ("below", low, one.low)):
        if bool((bound == end).all()):
            raise DomainError(
                f"no target is bounded from {name}, so that a density could lie anywhere there: give rows "
                "whose target is known, or bounded on that side."
            )
    open_low, open_high = low <= one.low, high >= one.high
    middle = torch.where(open_high, low, torch.where(open_low, high, low + 0.5 * (high - low)))
    return torch.where(known, low, middle)[:, None], torch.stack((low, high), 1)


def any_censored(y: Any, validation_data: Any) -> bool:
    """Whether targets, or those held out, are censored."""
    pair = validation_data if isinstance(validation_data, tuple | list) else ()
    return isinstance(y, Censored) or any(isinstance(part, Censored) for part in pair[1:])


def require_censorable(loss: str | None, model: str, calibrate: bool, base: Any) -> None:
    """Refuse what censored targets cannot be fitted with.

    Raises:
        InputError: that names it, and what to do.
    """
    wrong = None
    if model.endswith("+energy"):
        wrong = f"model={model!r} corrects by noise-contrastive estimation, for which a target must be known"
    elif model == "quantile":
        wrong = "model='quantile' is fitted to targets that are known"
    elif model == "energy" and loss not in (None, "ml-grid"):
        wrong = f"loss={loss!r} compares a known target with noise"
    elif base is not None:
        wrong = "a base predicts targets, which must be known"
    elif calibrate:
        wrong = "calibrate=True counts how many targets lie inside of sets, which censored ones do not say"
    if wrong is not None:
        raise InputError(
            f"{wrong}. Censored targets are fitted by their likelihood on a grid, loss='ml-grid': leave this "
            "argument out."
        )


def _column(name: str, values: Any) -> NDArray[np.float64]:
    """One number per row, infinite ones allowed."""
    rows = as_tensor(name, values)
    if rows.ndim == 2 and rows.shape[1] == 1:
        rows = rows[:, 0]
    if rows.ndim != 1:
        raise ShapeError(
            f"censored targets take one {name} per row (N,), got {tuple(rows.shape)}: one target alone can "
            "be censored. Fit several one by one."
        )
    return np.asarray(rows.numpy())


def _flags(y: Any, observed: Any) -> NDArray[np.bool_]:
    require_same_order(y, observed, "observed")
    flags = _column("observed", observed)
    if len(flags) != len(_column("y", y)) or not np.isin(flags, (0, 1)).all():
        raise DomainError(
            f"observed must say true or false (1 or 0) for each of the {len(_column('y', y))} rows of y."
        )
    values = _column("y", y)
    if not np.isfinite(values).all():
        row = int(np.argmin(np.isfinite(values)))
        raise DomainError(
            f"y must be finite, known or not, but row {row} has {values[row]}: fill in such rows, or leave "
            "them out."
        )
    return flags == 1


def _require_bounds(lower: NDArray[np.float64], upper: NDArray[np.float64]) -> None:
    """Check that bounds are some.

    Raises:
        DomainError: that names the first row of which they are none.
    """
    cases = (
        (np.isnan(lower) | np.isnan(upper), "are NaN; say -inf or inf where there is no bound"),
        (lower > upper, "cross; exchange them"),
        ((lower == -np.inf) & (upper == np.inf), "say nothing; leave such rows out"),
        (
            (lower == np.inf) | (upper == -np.inf),
            "leave no room; lower bounds are open at -inf, upper at inf",
        ),
    )
    for wrong, words in cases:
        if wrong.any():
            row = int(wrong.argmax())
            raise DomainError(
                f"the bounds of {int(wrong.sum())} of {len(lower)} rows, the first is row {row} with "
                f"({lower[row]:g}, {upper[row]:g}), {words}."
            )
