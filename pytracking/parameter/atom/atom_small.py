"""ATOM* with the small network, whose checkpoint states its crop geometry."""

from dataclasses import replace

from pytracking.parameter.atom import atom_gmm_sampl

__all__ = ["PARAMS"]

PARAMS = replace(
    atom_gmm_sampl.PARAMS,
    network_files=("atom_small.pth.tar",),
    train_setting="bbreg/atom_small",
    image_sample_size=128,
    search_area_scale=4.0,
)
