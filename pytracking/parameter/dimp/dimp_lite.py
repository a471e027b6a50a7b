"""The light DiMP with a box branch trained to give overlaps, to compare; steps as of `dimp_small`."""

from dataclasses import replace

from pytracking.parameter.dimp import dimp_small, nce_plus_lite

__all__ = ["PARAMS"]

PARAMS = replace(
    dimp_small.PARAMS,
    network_files=("dimp_lite.pth.tar",),
    train_setting="dimp/dimp_lite",
    image_sample_size=nce_plus_lite.PARAMS.image_sample_size,
    search_area_scale=nce_plus_lite.PARAMS.search_area_scale,
)
