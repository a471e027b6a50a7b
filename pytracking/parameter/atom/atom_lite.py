"""The light ATOM with a box branch trained to give overlaps, to compare; steps as of ATOM*."""

from dataclasses import replace

from pytracking.parameter.atom import atom_gmm_sampl, nce_plus_lite

__all__ = ["PARAMS"]

PARAMS = replace(
    nce_plus_lite.PARAMS,
    network_files=("atom_lite.pth.tar",),
    train_setting="bbreg/atom_lite",
    box_scores="overlap",
    box_refinement_step_length=atom_gmm_sampl.PARAMS.box_refinement_step_length,
)
