"""Online trackers, benchmark runners, evaluation protocols and reports."""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pytracking.api import load
    from pytracking.batch import track_batch
    from pytracking.interop import to_supervision

__all__ = ["load", "to_supervision", "track_batch"]


def __getattr__(name: str) -> Any:
    """Public functions on first use, so that importing the package costs nothing."""
    if name == "load":
        from pytracking.api import load

        return load
    if name == "track_batch":
        from pytracking.batch import track_batch

        return track_batch
    if name == "to_supervision":
        from pytracking.interop import to_supervision

        return to_supervision
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
