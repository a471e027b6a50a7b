"""Fitted densities in the terms of other packages: torch.distributions, ONNX, skpro."""

from ebm.interop.torch_distribution import DensityDistribution, to_distribution

__all__ = ["DensityDistribution", "to_distribution"]
