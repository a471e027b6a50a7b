"""Densities whose scores have a closed form, shared by the tests of scores."""

import torch
from torch import Tensor

from ebm.density import GridDensity, ImportanceDensity

__all__ = ["gaussian", "labels_and_means", "round_gaussian", "sampled_gaussian"]


def labels_and_means(count: int, dim: int = 1, seed: int = 0) -> tuple[Tensor, Tensor]:
    """Labels N(mean, I) and their means N(0, 4 I), both ``(count, dim)`` float64."""
    draw = torch.Generator().manual_seed(seed)
    mean = 2 * torch.randn(count, dim, dtype=torch.float64, generator=draw)
    return mean + torch.randn(count, dim, dtype=torch.float64, generator=draw), mean


def gaussian(mean: Tensor, std: float = 1.0) -> GridDensity:
    """N(mean, std^2) on a grid, of ``(B, 1)``."""
    grid = mean + std * torch.linspace(-7, 7, 701, dtype=torch.float64)
    return GridDensity(lambda y: -0.5 * ((y[..., 0] - mean) / std).square(), grid, batch_size=len(mean))


def round_gaussian(mean: Tensor) -> GridDensity:
    """N(mean, I) on a grid of two dimensions, of ``(B, 2)``."""
    axes = [mean[:, d : d + 1] + torch.linspace(-6, 6, 65, dtype=torch.float64) for d in range(2)]
    return GridDensity(lambda y: -0.5 * (y - mean[:, None]).square().sum(-1), axes, batch_size=len(mean))


def sampled_gaussian(mean: Tensor, count: int = 4096) -> ImportanceDensity:
    """N(mean, I) on samples of N(mean, 1.44 I), of ``(B, D)``."""
    draw = torch.Generator().manual_seed(0)
    away = 1.2 * torch.randn(1, count, mean.shape[1], dtype=torch.float64, generator=draw)
    log_q = torch.distributions.Normal(0, 1.2, validate_args=False).log_prob(away).sum(-1)
    score = lambda y: -0.5 * (y - mean[:, None]).square().sum(-1)  # noqa: E731
    return ImportanceDensity.from_samples(score, mean[:, None] + away, log_q.expand(len(mean), -1))
