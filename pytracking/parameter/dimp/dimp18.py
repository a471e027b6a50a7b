"""DiMP-18. Source: Bhat et al., "Learning Discriminative Model Prediction for Tracking", arXiv:1904.07220."""

from pytracking.parameter.dimp_params import DiMPParams

__all__ = ["PARAMS"]

PARAMS = DiMPParams(network_files=("dimp18.pth",), train_setting="dimp/dimp18")
