"""Normalisation of each sample's feature map."""

import torch
from torch import Tensor, nn

__all__ = ["InstanceL2Norm"]


class InstanceL2Norm(nn.Module):
    """Scales each sample to a fixed energy.

    Args:
        size_average: fix the mean square (True) or the sum of squares (False).
        eps: added to the sum of squares.
        scale: root of the energy after the scaling.
    """

    def __init__(self, size_average: bool = True, eps: float = 1e-5, scale: float = 1.0) -> None:
        super().__init__()
        self.size_average = size_average
        self.eps = eps
        self.scale = scale

    def forward(self, x: Tensor) -> Tensor:
        """Normalised maps, shape and dtype of `x`, ``(N, C, H, W)``; the norm itself is float32 or better."""
        precise = x.to(torch.promote_types(x.dtype, torch.float32))
        energy = precise.square().sum(dim=(1, 2, 3), keepdim=True) + self.eps
        count = x[0].numel() if self.size_average and len(x) else 1
        return (precise * (self.scale * (count / energy).sqrt())).to(x.dtype)
