"""Errors and warnings that EBMTrack raises on purpose: what was asked, what there is and what to do."""

from typing import Any

__all__ = [
    "CoverageWarning",
    "DomainError",
    "EBMError",
    "EffectiveSampleSizeWarning",
    "FitInterrupted",
    "InputError",
    "MissingPackageError",
    "NumericalError",
    "OutlierWarning",
    "PredictionInterrupted",
    "ResolutionWarning",
    "ShapeError",
    "TruncationWarning",
    "UnknownNameError",
]


class EBMError(Exception):
    """Base of every deliberate error; commands print its message without a traceback."""


class ShapeError(EBMError, ValueError):
    """A tensor has the wrong rank or the wrong size along a dimension."""


class DomainError(EBMError, ValueError):
    """A value lies outside its domain: NaN, infinite, a box without area."""


class NumericalError(EBMError, ArithmeticError):
    """A computation left the finite numbers."""


class UnknownNameError(EBMError, ValueError):
    """A name is not in the table it was looked up in."""


class InputError(EBMError, ValueError):
    """A file, folder, checkpoint or option that the user gave cannot be used."""


class MissingPackageError(EBMError, ImportError):
    """A package that an extra brings is not installed."""


class FitInterrupted(KeyboardInterrupt):
    """Ctrl-C ended `ebm.fit`; nothing is lost.

    Attributes:
        fitted: the density with the best weights so far, an `ebm.FittedEBM`.
    """

    def __init__(self, message: str, fitted: Any) -> None:
        super().__init__(message)
        self.fitted = fitted

    def __reduce__(self) -> tuple[Any, ...]:
        return type(self), (str(self), self.fitted)


class PredictionInterrupted(KeyboardInterrupt):
    """Ctrl-C ended a long answer of a fitted density; the rows that were done are here.

    Attributes:
        result: the answer for the first rows of the input, of the type and shape that all would have had.
        done: how many rows these are.
    """

    def __init__(self, message: str, result: Any, done: int) -> None:
        super().__init__(message)
        self.result, self.done = result, done

    def __reduce__(self) -> tuple[Any, ...]:
        return type(self), (str(self), self.result, self.done)


class TruncationWarning(UserWarning):
    """A density reaches beyond the grid that it was evaluated on."""


class EffectiveSampleSizeWarning(UserWarning):
    """So few samples carry an importance-sampled density that its figures mean little."""


class CoverageWarning(UserWarning):
    """Sets of a fitted density hold clearly fewer held-out rows than they promise."""


class ResolutionWarning(UserWarning):
    """A density is narrower than the grid that it was evaluated on can show."""


class OutlierWarning(UserWarning):
    """Rows lie so far from all others that they are more likely errors than data."""
