"""DiMP-NCE: SuperDiMP's online settings. Source: Gustafsson et al., BMVC 2020, arXiv:2005.01698."""

from dataclasses import replace

from pytracking.parameter.dimp import kld_is

__all__ = ["PARAMS"]

PARAMS = replace(kld_is.PARAMS, network_files=("dimp_nce.pth.tar",), train_setting="dimp/dimp_nce")
