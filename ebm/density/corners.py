"""The density of one corner of a box, the opposite one fixed: a slice of a density of boxes, in px."""

import math
from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Literal

import torch
from torch import Tensor

from ebm.density.grid import GridDensity
from ebm.lookup import lookup

__all__ = ["CORNERS", "Corner", "corner_density"]

Corner = Literal["top-left", "top-right", "bottom-left", "bottom-right"]
# Which side of the box, (x, y): 1 is right and bottom.
CORNERS: Mapping[str, tuple[int, int]] = MappingProxyType(
    {"top-left": (0, 0), "top-right": (1, 0), "bottom-left": (0, 1), "bottom-right": (1, 1)}
)
CORE = (0.002, 0.998)  # quantiles of a corner's place between which the grid is finer


def corner_density(
    energy: Callable[[Tensor], Tensor],
    box: Tensor,
    corner: Corner = "bottom-right",
    *,
    reach: float,
    points: int = 96,
) -> GridDensity:
    """Density of one corner's place, the opposite corner fixed where a box has it.

    Args:
        energy: log-density over relative coordinates, up to a constant, of boxes xywh, float64 px,
            ``(..., 4) -> (...)``; -inf for boxes beyond `reach`.
        box: xywh, px, float64 ``(4,)``.
        corner: which one.
        reach: how far relative coordinates of boxes, divided by the box's own size, are from the box's.
        points: grid points along x and along y: half of them evenly over all places that a box within reach
            can have, half where the mass is.

    Returns:
        Over (x, y), px, per px^2.

    Raises:
        UnknownNameError: for another corner.

    Source: Gustafsson et al., ECCV 2020, figures 1 and S2.
    """
    sides = lookup("corner", corner, CORNERS)
    fixed = torch.stack([box[k] + (1 - sides[k]) * box[2 + k] for k in (0, 1)])
    sign = torch.tensor([1.0 if side else -1.0 for side in sides], dtype=torch.float64)
    longest = box[2:] * min(math.exp(reach), 1 + 2 * reach)
    shortest = box[2:] * max(math.exp(-reach), 1 - 2 * reach)
    axes = []
    for k in (0, 1):
        low, high = sorted(float(fixed[k] + sign[k] * side) for side in (shortest[k], longest[k]))
        axes.append(torch.linspace(low, high, points - points // 2, dtype=torch.float64))

    def score(place: Tensor) -> Tensor:
        size = ((place - fixed) * sign).clamp(min=1e-6)
        boxes = torch.cat((torch.minimum(place, fixed), size), dim=-1)
        return energy(boxes) - size.log().sum(-1)  # per px^2 from per unit of the logarithms

    coarse = GridDensity(score, axes, batch_size=1, bounded=True)
    for k in (0, 1):
        low, high = coarse.quantile(CORE, k)[0].tolist()
        fine = torch.linspace(low, high, points // 2, dtype=torch.float64)
        axes[k] = torch.cat((axes[k], fine)).unique()
    return GridDensity(score, axes, batch_size=1, bounded=True)
