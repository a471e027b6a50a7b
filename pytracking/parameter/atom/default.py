"""ATOM. Source: Danelljan et al., "ATOM: Accurate Tracking by Overlap Maximization", arXiv:1811.07628."""

from pytracking.parameter.atom_params import ATOMParams

__all__ = ["PARAMS"]

PARAMS = ATOMParams(network_files=("atom_default.pth",), train_setting="bbreg/atom")
