"""SuperDiMP with ResNet-18."""

from dataclasses import replace

from pytracking.parameter.dimp import super_dimp

__all__ = ["PARAMS"]

PARAMS = replace(
    super_dimp.PARAMS,
    network_files=("super_dimp18.pth.tar",),
    train_setting="dimp/super_dimp18",
)
