"""DiMP-KLD-IS with ResNet-18."""

from dataclasses import replace

from pytracking.parameter.dimp import kld_is

__all__ = ["PARAMS"]

PARAMS = replace(kld_is.PARAMS, network_files=("dimp18_kld_is.pth.tar",), train_setting="dimp/dimp18_kld_is")
