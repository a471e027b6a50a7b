"""PrDiMP-50: a larger search area than it was trained with, moved inside the frame."""

from dataclasses import replace

from pytracking.parameter.dimp import prdimp18

__all__ = ["PARAMS"]

PARAMS = replace(
    prdimp18.PARAMS,
    network_files=("prdimp50.pth.tar",),
    train_setting="dimp/prdimp50",
    image_sample_size=22 * 16,
    search_area_scale=6.0,
    border_mode="inside_major",
    patch_max_scale_change=1.5,
    geometry_from_network=False,
)
