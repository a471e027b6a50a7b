"""Scores whose densities are known, and a grid that is wide enough for them."""

import math

import torch
from torch import Tensor

GRID = torch.linspace(-12, 12, 4801, dtype=torch.float64)
MEANS = torch.tensor([[-1.0], [0.0], [2.5]]).double()
STDS = torch.tensor([[0.5], [1.0], [1.5]]).double()


def gaussian(y: Tensor) -> Tensor:
    """A score that is a Gaussian's log-density without its constant, plus another constant."""
    return -0.5 * ((y[..., 0] - MEANS) / STDS).square() + 7


def two_modes(y: Tensor) -> Tensor:
    """Log-density of 0.3 N(-3, 0.5^2) + 0.7 N(3, 0.5^2)."""
    z = (y - torch.tensor([-3.0, 3.0]).double()) / 0.5
    return (torch.tensor([0.3, 0.7]).double().log() - 0.5 * z.square()).logsumexp(-1) - math.log(
        0.5 * math.sqrt(2 * math.pi)
    )
