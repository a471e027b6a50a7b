"""Benchmarks as sequences, running trackers over them, and the files that result."""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pytracking.evaluation.experiment import Tracker, get_dataset, trackerlist

__all__ = ["Tracker", "get_dataset", "trackerlist"]


def __getattr__(name: str) -> Any:
    """What files of experiments import, on first use."""
    if name in __all__:
        from pytracking.evaluation import experiment

        return getattr(experiment, name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
