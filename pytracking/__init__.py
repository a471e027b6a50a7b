"""Online trackers, benchmark runners, evaluation protocols and reports."""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pytracking.api import load
    from pytracking.batch import track_batch

__all__ = ["load", "track_batch"]


def __getattr__(name: str) -> Any:
    """Public functions on first use, so that importing the package costs nothing."""
    if name == "load":
        from pytracking.api import load

        return load
    if name == "track_batch":
        from pytracking.batch import track_batch

        return track_batch
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
