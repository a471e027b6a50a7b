"""Pixels to train a backbone on: all of them in memory, changed a little every time."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from ebm.exceptions import InputError
from ebm.images.reading import Source, read_picture

__all__ = ["Augmentation", "read_pixels"]


@dataclass(frozen=True, kw_only=True)
class Augmentation:
    """What is drawn for every picture of every step.

    Attributes:
        flip: chance of a mirrored picture.
        scales: least and greatest factor of its size; then a part is cut out, or 0 put below and right.

    Source: Gustafsson et al., ECCV 2020, supplement E; spec section 4.4.
    """

    flip: float = 0.5
    scales: tuple[float, float] = (0.7, 1.4)

    def __call__(self, images: Tensor, generator: torch.Generator) -> tuple[Tensor, Tensor]:
        """Images ``(B, C, S, S)`` changed, and which of them were mirrored ``(B,)`` bool."""
        drawn = torch.rand(len(images), 4, generator=generator, device=generator.device).to(images.device)
        mirrored = drawn[:, 0] < self.flip
        images = torch.where(mirrored[:, None, None, None], images.flip(3), images)
        low, high = self.scales
        scales = low + (high - low) * drawn[:, 1]
        side = images.shape[-1]
        # A cut of side s at (x, y) of a picture scaled by f is a window of side s / f of the picture itself.
        windows = side / scales
        room = (side - windows).clamp(min=0)
        left, top = room * drawn[:, 2], room * drawn[:, 3]
        theta = images.new_zeros(len(images), 2, 3)
        theta[:, 0, 0] = theta[:, 1, 1] = windows / side
        theta[:, 0, 2] = (2 * left + windows) / side - 1
        theta[:, 1, 2] = (2 * top + windows) / side - 1
        grid = F.affine_grid(theta, list(images.shape), align_corners=False)
        return F.grid_sample(images, grid, align_corners=False, padding_mode="zeros"), mirrored


def read_pixels(
    paths: Sequence[Source], size: int, tell: Callable[[str], None]
) -> tuple[Tensor, dict[int, str]]:
    """All pictures ``(N, S, S, 3)`` uint8, and what is wrong with those that cannot be read, which are 0."""
    tell(f"{len(paths)} pictures of {size} px take {len(paths) * 3 * size**2 / 2**20:.0f} MB of memory")
    pixels = np.zeros((len(paths), size, size, 3), dtype=np.uint8)
    faults: dict[int, str] = {}
    for place, path in enumerate(paths):
        try:
            pixels[place] = read_picture(path, size).pixels
        except InputError as error:
            faults[place] = str(error)
    return torch.from_numpy(pixels), faults
