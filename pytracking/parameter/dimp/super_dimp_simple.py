"""SuperDiMP-simple, whose filter is fitted to Gaussian labels."""

from dataclasses import replace

from pytracking.parameter.dimp import super_dimp

__all__ = ["PARAMS"]

PARAMS = replace(
    super_dimp.PARAMS,
    network_files=("super_dimp_simple.pth.tar",),
    train_setting="dimp/super_dimp_simple",
)
