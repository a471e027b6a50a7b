"""DiMP with the small network, whose checkpoint states its crop geometry."""

from dataclasses import replace

from pytracking.parameter.dimp import dimp18

__all__ = ["PARAMS"]

PARAMS = replace(
    dimp18.PARAMS,
    network_files=("dimp_small.pth.tar",),
    train_setting="dimp/dimp_small",
    image_sample_size=128,
    target_not_found_threshold=0.15,  # as of the other small networks
)
