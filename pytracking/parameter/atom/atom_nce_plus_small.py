"""ATOM-NCE+ with the small network, whose checkpoint states its crop geometry."""

from dataclasses import replace

from pytracking.parameter.atom import atom_nce_plus

__all__ = ["PARAMS"]

PARAMS = replace(
    atom_nce_plus.PARAMS,
    network_files=("atom_nce_plus_small.pth.tar",),
    train_setting="bbreg/atom_nce_plus_small",
    image_sample_size=128,
    search_area_scale=4.0,
)
