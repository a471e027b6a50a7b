"""DiMP-NCE+ with ResNet-18."""

from dataclasses import replace

from pytracking.parameter.dimp import nce_plus

__all__ = ["PARAMS"]

PARAMS = replace(
    nce_plus.PARAMS,
    network_files=("dimp18_nce_plus.pth.tar",),
    train_setting="dimp/dimp18_nce_plus",
)
