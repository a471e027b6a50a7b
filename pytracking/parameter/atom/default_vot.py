"""ATOM for the VOT challenge of 2018: a smaller search area, and never lost. Source: arXiv:1811.07628."""

from dataclasses import replace

from pytracking.parameter.atom import default

__all__ = ["PARAMS"]

PARAMS = replace(
    default.PARAMS,
    image_sample_size=14 * 16,
    search_area_scale=4.0,
    learning_rate=0.0075,
    init_samples_minimum_weight=0.0,
    window_output=True,
    target_not_found_threshold=-1.0,
    distractor_threshold=100.0,
    hard_negative_threshold=0.3,
    displacement_scale=0.7,
)
