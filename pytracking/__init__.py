"""Online trackers, benchmark runners, evaluation protocols and reports."""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pytracking.api import load

__all__ = ["load"]


def __getattr__(name: str) -> Any:
    """`load` on first use, so that importing the package costs nothing."""
    if name == "load":
        from pytracking.api import load

        return load
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
