"""The light ATOM with a box branch trained by KLD-IS, to compare."""

from dataclasses import replace

from pytracking.parameter.atom import nce_plus_lite

__all__ = ["PARAMS"]

PARAMS = replace(
    nce_plus_lite.PARAMS, network_files=("atom_kld_is_lite.pth.tar",), train_setting="bbreg/atom_kld_is_lite"
)
