"""PrDiMP-18: a density over places and one over boxes. Source: arXiv:2003.12565."""

from dataclasses import replace

from pytracking.parameter.dimp import dimp18

__all__ = ["PARAMS"]

PARAMS = replace(
    dimp18.PARAMS,
    network_files=("prdimp18.pth.tar",),
    train_setting="dimp/prdimp18",
    box_scores="density",
    score_preprocess="softmax",
    target_not_found_threshold=0.04,  # probability of a cell
    box_refinement_space="relative",
    box_refinement_iter=10,
    box_refinement_step_length=2.5e-3,
)
