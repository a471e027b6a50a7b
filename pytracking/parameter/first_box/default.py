"""The tracker that repeats its first box has nothing to set."""

from pytracking.parameter.base import Params

__all__ = ["PARAMS"]

PARAMS = Params()
