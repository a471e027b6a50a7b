"""Fitted densities in the terms of other packages: torch.distributions, ONNX, skpro.

`ebm.interop.skpro` is imported by its own name: it needs skpro.
"""

from ebm.interop.onnx_files import export_onnx
from ebm.interop.torch_distribution import DensityDistribution, to_distribution

__all__ = ["DensityDistribution", "export_onnx", "to_distribution"]
