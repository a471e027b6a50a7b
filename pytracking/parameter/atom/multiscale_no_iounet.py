"""ATOM's classifier alone: the size follows the best of five search scales. Source: arXiv:1811.07628."""

from dataclasses import replace

from pytracking.parameter.atom import default

__all__ = ["PARAMS"]

PARAMS = replace(
    default.PARAMS, use_iou_net=False, scale_factors=tuple(1.02**power for power in (-2, -1, 0, 1, 2))
)
