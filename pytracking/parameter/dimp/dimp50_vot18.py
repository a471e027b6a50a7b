"""DiMP-50 for VOT2018."""

from dataclasses import replace

from pytracking.parameter.dimp import dimp18_vot18

__all__ = ["PARAMS"]

PARAMS = replace(dimp18_vot18.PARAMS, network_files=("dimp50.pth",), train_setting="dimp/dimp50")
