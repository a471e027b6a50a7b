"""ATOM-EBM: maximum likelihood by sampling. Source: Gustafsson et al., ECCV 2020, arXiv:1909.12297."""

from dataclasses import replace

from pytracking.parameter.atom import atom_gmm_sampl

__all__ = ["PARAMS"]

PARAMS = replace(
    atom_gmm_sampl.PARAMS,
    network_files=("atom_prob_ml",),
    train_setting="bbreg/atom_prob_ml",
    box_scores="density",
    box_refinement_step_length=(2e-4, 10e-4),
)
