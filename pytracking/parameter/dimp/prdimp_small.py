"""PrDiMP with the small network, whose checkpoint states its crop geometry."""

from dataclasses import replace

from pytracking.parameter.dimp import prdimp18

__all__ = ["PARAMS"]

PARAMS = replace(
    prdimp18.PARAMS,
    network_files=("prdimp_small.pth.tar",),
    train_setting="dimp/prdimp_small",
    image_sample_size=128,
    box_refinement_step_length=1.5e-3,  # as of the other small networks
    box_refinement_step_decay=0.9,
)
