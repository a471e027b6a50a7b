"""DiMP-NCE+ on a light backbone, whose checkpoint states its crop geometry."""

from dataclasses import replace

from pytracking.parameter.dimp import nce_plus_small

__all__ = ["PARAMS"]

PARAMS = replace(
    nce_plus_small.PARAMS,
    network_files=("dimp_nce_plus_lite.pth.tar",),
    train_setting="dimp/dimp_nce_plus_lite",
    image_sample_size=256,
    search_area_scale=4.5,
)
