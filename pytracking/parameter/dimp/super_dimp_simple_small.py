"""SuperDiMP-simple with the small network."""

from dataclasses import replace

from pytracking.parameter.dimp import nce_plus_small

__all__ = ["PARAMS"]

PARAMS = replace(
    nce_plus_small.PARAMS,
    network_files=("super_dimp_simple_small.pth.tar",),
    train_setting="dimp/super_dimp_simple_small",
)
