"""A small energy on noise, and boxes to score."""

import torch
from torch import Tensor

from ebm.tasks.detection.branch import ConfidenceBranch
from ebm.tasks.detection.energy import PyramidEnergy
from ebm.tasks.detection.pyramid import LevelRule, Pyramid

__all__ = ["boxes", "energy"]

RULE = LevelRule((4, 8, 16, 32), 112.0)
NAMES = ("0", "1", "2", "3")


def energy(columns: int = 3) -> PyramidEnergy:
    noise = torch.Generator().manual_seed(0)
    maps = {
        name: torch.randn(2, 6, 128 // stride, 160 // stride, generator=noise)
        for name, stride in zip(NAMES, RULE.strides)
    }
    with torch.random.fork_rng():
        torch.manual_seed(0)
        branch = ConfidenceBranch(6, columns, hidden=16)
        torch.nn.init.normal_(branch.fc_conf.weight)
    return PyramidEnergy(branch.requires_grad_(False), Pyramid(maps, NAMES, RULE))


def boxes(count: int, seed: int = 0) -> tuple[Tensor, Tensor, Tensor]:
    """Rects xywh, some of them over the border, images and columns."""
    noise = torch.Generator().manual_seed(seed)
    corner = 160 * torch.rand(count, 2, generator=noise) - 30
    sides = 3 + 150 * torch.rand(count, 2, generator=noise).square()
    image, column = (torch.randint(size, (count,), generator=noise) for size in (2, 3))
    return torch.cat((corner, sides), 1), image, column
