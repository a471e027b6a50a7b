"""DiMP-18 for VOT2018, where a target is never given up and a lost one starts anew."""

from dataclasses import replace

from pytracking.parameter.dimp import dimp18

__all__ = ["PARAMS"]

AUGMENTATION = replace(
    dimp18.PARAMS.augmentation,
    rotate=(5.0, -5.0, 10.0, -10.0, 20.0, -20.0, 30.0, -30.0, 45.0, -45.0, -60.0, 60.0),
    blur=((2.0, 0.2), (0.2, 2.0), (3.0, 1.0), (1.0, 3.0), (2.0, 2.0)),
    dropout=(7, 0.2),
)
PARAMS = replace(
    dimp18.PARAMS,
    image_sample_size=14 * 16,
    search_area_scale=4.0,
    geometry_from_network=False,
    sample_memory_size=250,
    learning_rate=0.0075,
    init_samples_minimum_weight=0.0,
    train_skipping=10,
    net_opt_iter=25,
    net_opt_update_iter=3,
    net_opt_hn_iter=3,
    window_output=True,
    perform_hn_without_windowing=True,
    augmentation=AUGMENTATION,
    target_not_found_threshold=0.0,
    distractor_threshold=100.0,
    hard_negative_threshold=0.45,
    displacement_scale=0.7,
)
