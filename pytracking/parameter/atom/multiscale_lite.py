"""The light ATOM's classifier alone: the best of three search scales, the first box's aspect."""

from dataclasses import replace

from pytracking.parameter.atom import nce_plus_lite

__all__ = ["PARAMS"]

PARAMS = replace(nce_plus_lite.PARAMS, use_iou_net=False, scale_factors=(1 / 1.03, 1.0, 1.03))
