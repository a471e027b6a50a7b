"""Precise RoI pooling without a compiler, on CPU and GPU: EBMTrack's in the place of the submodule's."""

from ebm.ops.prroi_pool import PrRoIPool2D

__all__ = ["PrRoIPool2D"]
