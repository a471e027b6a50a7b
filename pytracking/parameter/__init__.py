"""Parameter sets of the trackers: one frozen value per file, found by tracker and file name."""

from pytracking.parameter.lookup import find_parameters, parameter_names

__all__ = ["find_parameters", "parameter_names"]
