"""DiMP-50 for VOT2019: a larger search area, fewer samples, fewer steps."""

from dataclasses import replace

from pytracking.parameter.dimp import dimp50_vot18

__all__ = ["PARAMS"]

PARAMS = replace(
    dimp50_vot18.PARAMS,
    image_sample_size=16 * 16,
    search_area_scale=4.5,
    sample_memory_size=100,
    net_opt_iter=15,
    net_opt_update_iter=2,
    net_opt_hn_iter=2,
    augmentation=replace(
        dimp50_vot18.PARAMS.augmentation,
        rotate=(-5.0, 10.0, -30.0, 60.0),
        blur=((2.0, 0.2), (1.0, 3.0)),
        relative_shift=((0.6, 0.6), (-0.6, -0.6)),
        dropout=(3, 0.2),
        expansion=1.4,
    ),
    box_refinement_iter=3,
)
