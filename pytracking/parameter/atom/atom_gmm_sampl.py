"""ATOM*: overlaps of boxes drawn from a mixture. Source: Gustafsson et al., ECCV 2020, arXiv:1909.12297."""

from dataclasses import replace

from pytracking.parameter.atom import default

__all__ = ["PARAMS"]

PARAMS = replace(
    default.PARAMS,
    network_files=("atom_gmm_sampl",),
    train_setting="bbreg/atom_gmm_sampl",
    box_refinement_space="relative",
    box_refinement_iter=10,
    box_refinement_step_length=(1e-2, 5e-2),
)
