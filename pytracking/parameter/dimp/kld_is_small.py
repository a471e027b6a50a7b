"""DiMP-KLD-IS with the small network."""

from dataclasses import replace

from pytracking.parameter.dimp import nce_plus_small

__all__ = ["PARAMS"]

PARAMS = replace(
    nce_plus_small.PARAMS,
    network_files=("dimp_kld_is_small.pth.tar",),
    train_setting="dimp/dimp_kld_is_small",
)
