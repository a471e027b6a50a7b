"""DiMP-NCE+ with the small network, whose checkpoint states its crop geometry."""

from dataclasses import replace

from pytracking.parameter.dimp import nce_plus

__all__ = ["PARAMS"]

PARAMS = replace(
    nce_plus.PARAMS,
    network_files=("dimp_nce_plus_small.pth.tar",),
    train_setting="dimp/dimp_nce_plus_small",
    image_sample_size=128,
    search_area_scale=5.0,
)
