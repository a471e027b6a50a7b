"""Parts painted once as small images with an anti-aliased edge."""

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from ltr.dataset.generated.outlines import ANGLES
from ltr.dataset.generated.parts import Body, Part
from ltr.dataset.generated.surfaces import paint

__all__ = ["Sprite", "make_sprites"]

_BORDER = 1.5  # transparent px around a sprite
_LARGEST = 640.0  # px a side


@dataclass(frozen=True)
class Sprite:
    """A part, premultiplied RGBA ``(1, 4, h, w)``, over [-margin, margin] in part coordinates."""

    image: Tensor
    margin: tuple[float, float]


def _alpha(part: Part, height: int, width: int, margin: tuple[float, float], device: torch.device) -> Tensor:
    """Coverage of a sprite's pixels: the outline's distance in px, cut to [0, 1], ``(height, width)``."""
    outline = part.outline
    y = ((torch.arange(height, device=device) + 0.5) * (2.0 / height) - 1.0) * margin[1]
    x = ((torch.arange(width, device=device) + 0.5) * (2.0 / width) - 1.0) * margin[0]
    px = (x * outline.half[0] + outline.centre[0])[None]
    py = (y * outline.half[1] + outline.centre[1])[:, None]
    rho = torch.sqrt(px * px + py * py)
    place = torch.atan2(py, px) * (len(ANGLES) / (2.0 * np.pi))
    lower = place.floor()
    share = place - lower
    table = torch.from_numpy(outline.radius).float().to(device)
    first = lower.long() % len(ANGLES)
    radius = table[first] * (1.0 - share) + table[(first + 1) % len(ANGLES)] * share
    scale = (
        0.5
        * min(width / (2.0 * margin[0] * outline.half[0]), height / (2.0 * margin[1] * outline.half[1]))
        * 2.0
    )
    alpha = (0.5 + (radius - rho) * scale).clamp(0.0, 1.0)
    if outline.hole > 0.0:
        alpha = alpha * (0.5 + (rho - outline.hole * radius) * scale).clamp(0.0, 1.0)
    return alpha


def _shading(part: Part, height: int, width: int, device: torch.device) -> Tensor:
    """Brightness from a light at one side and a darker rim, about 1, ``(height, width)``."""
    y = torch.linspace(-1.0, 1.0, height, device=device)[:, None]
    x = torch.linspace(-1.0, 1.0, width, device=device)[None]
    turn = part.surface.turn
    side = float(np.cos(turn)) * x + float(np.sin(turn)) * y
    return 1.0 + part.surface.shade * (0.35 * side - 0.3 * (x * x + y * y).clamp_max(1.5) + 0.15)


def _sprite(part: Part, scale: tuple[float, float], device: torch.device, photos: tuple[str, ...]) -> Sprite:
    size = [float(np.clip(2.0 * half * abs(unit), 2.0, _LARGEST)) for half, unit in zip(part.half, scale)]
    width, height = (int(np.ceil(side)) + int(2 * _BORDER) for side in size)
    margin = (width / size[0], height / size[1])
    alpha = _alpha(part, height, width, margin, device)
    colour = paint(part.surface, height, width, device, photos) * _shading(part, height, width, device)
    return Sprite(torch.cat((colour.clamp(0.0, 1.0) * alpha, alpha[None]))[None], margin)


def make_sprites(
    body: Body, scale: tuple[float, float], device: torch.device, photos: tuple[str, ...] = ()
) -> tuple[Sprite, ...]:
    """Paint the parts of a body for about `scale` px per body unit along x and y."""
    return tuple(_sprite(part, scale, device, photos) for part in body.parts)
