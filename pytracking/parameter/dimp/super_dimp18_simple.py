"""SuperDiMP-simple with ResNet-18."""

from dataclasses import replace

from pytracking.parameter.dimp import super_dimp_simple

__all__ = ["PARAMS"]

PARAMS = replace(
    super_dimp_simple.PARAMS,
    network_files=("super_dimp18_simple.pth.tar",),
    train_setting="dimp/super_dimp18_simple",
)
