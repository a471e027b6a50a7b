"""The light DiMP with a box branch trained by KLD-IS, to compare."""

from dataclasses import replace

from pytracking.parameter.dimp import nce_plus_lite

__all__ = ["PARAMS"]

PARAMS = replace(
    nce_plus_lite.PARAMS, network_files=("dimp_kld_is_lite.pth.tar",), train_setting="dimp/dimp_kld_is_lite"
)
