"""Errors and warnings that EBMTrack raises on purpose: what was asked, what there is and what to do."""

__all__ = [
    "CoverageWarning",
    "DomainError",
    "EBMError",
    "EffectiveSampleSizeWarning",
    "InputError",
    "MissingPackageError",
    "NumericalError",
    "OutlierWarning",
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
