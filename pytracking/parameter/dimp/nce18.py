"""DiMP-NCE with ResNet-18."""

from dataclasses import replace

from pytracking.parameter.dimp import nce

__all__ = ["PARAMS"]

PARAMS = replace(nce.PARAMS, network_files=("dimp18_nce.pth.tar",), train_setting="dimp/dimp18_nce")
