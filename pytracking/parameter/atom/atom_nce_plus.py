"""ATOM-NCE+: the second paper's best loss, tracked as ATOM-EBM. Source: arXiv:2005.01698."""

from dataclasses import replace

from pytracking.parameter.atom import atom_prob_ml

__all__ = ["PARAMS"]

PARAMS = replace(
    atom_prob_ml.PARAMS, network_files=("atom_nce_plus.pth.tar",), train_setting="bbreg/atom_nce_plus"
)
