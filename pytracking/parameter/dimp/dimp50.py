"""DiMP-50. Source: Bhat et al., "Learning Discriminative Model Prediction for Tracking", arXiv:1904.07220."""

from dataclasses import replace

from pytracking.parameter.dimp import dimp18

__all__ = ["PARAMS"]

PARAMS = replace(dimp18.PARAMS, network_files=("dimp50.pth",), train_setting="dimp/dimp50")
