"""PrDiMP-50 for VOT2018: scores as the network gives them, an update in every frame."""

from dataclasses import replace

from pytracking.parameter.dimp import dimp18_vot18, prdimp50

__all__ = ["PARAMS"]

PARAMS = replace(
    prdimp50.PARAMS,
    image_sample_size=14 * 16,
    search_area_scale=4.0,
    border_mode="replicate",
    patch_max_scale_change=None,
    sample_memory_size=250,
    init_samples_minimum_weight=0.0,
    train_skipping=1,
    net_opt_iter=25,
    net_opt_update_iter=1,
    net_opt_hn_iter=1,
    window_output=True,
    perform_hn_without_windowing=True,
    augmentation=dimp18_vot18.PARAMS.augmentation,
    score_preprocess="none",
    target_not_found_threshold=0.0,
    distractor_threshold=99999.0,
    hard_negative_threshold=999999.0,
    displacement_scale=0.7,
)
