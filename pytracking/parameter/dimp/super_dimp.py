"""SuperDiMP, which is DiMP-KLD-IS: DiMP's classifier, a density over boxes, a larger search area."""

from dataclasses import replace

from pytracking.parameter.dimp import dimp50

__all__ = ["PARAMS"]

PARAMS = replace(
    dimp50.PARAMS,
    network_files=("super_dimp.pth.tar",),
    train_setting="dimp/super_dimp",
    box_scores="density",
    image_sample_size=22 * 16,
    search_area_scale=6.0,
    border_mode="inside_major",
    patch_max_scale_change=1.5,
    box_refinement_space="relative",
    box_refinement_iter=10,
    box_refinement_step_length=2.5e-3,
)
