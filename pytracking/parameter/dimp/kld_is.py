"""DiMP-KLD-IS: SuperDiMP's online settings. Source: Gustafsson et al., BMVC 2020, arXiv:2005.01698."""

from dataclasses import replace

from pytracking.parameter.dimp import super_dimp

__all__ = ["PARAMS"]

PARAMS = replace(super_dimp.PARAMS, network_files=("dimp_kld_is.pth.tar",), train_setting="dimp/dimp_kld_is")
