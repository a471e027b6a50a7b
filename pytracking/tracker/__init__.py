"""Online trackers, found by name."""

from pytracking.tracker.registry import TRACKERS, make_tracker

__all__ = ["TRACKERS", "make_tracker"]
