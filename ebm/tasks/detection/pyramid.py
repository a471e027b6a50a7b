"""Feature maps of several strides, and boxes pooled from the level that suits their size."""

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property

import torch
from torch import Tensor

from ebm.checks import require_count, require_last_dim
from ebm.exceptions import DomainError, ShapeError
from ebm.numbers import require_number
from ebm.ops.prroi_pool import prroi_pool2d

__all__ = ["LevelRule", "Pyramid"]

# Keeps a box of exactly the canonical size on its level in spite of rounding.
ROUNDING = 1e-6


@dataclass(frozen=True)
class LevelRule:
    """Which level a box is pooled from: the larger the box, the coarser the level.

    Level k has a stride of 2^k px. A box of area a is on level
    ``floor(canonical_level + log2(sqrt(a) / canonical_size + 1e-6))``, as far as there is one.

    Attributes:
        strides: px per cell of the levels, powers of two, each twice the one before.
        canonical_size: root of the area of the smallest boxes on the canonical level, px.
        canonical_level: its number.

    Raises:
        DomainError: (a ValueError) for other strides, or a size that is not positive.

    Source: Lin et al., CVPR 2017 (feature pyramids), eq. 1.
    """

    strides: tuple[int, ...]
    canonical_size: float = 224.0
    canonical_level: int = 4

    def __post_init__(self) -> None:
        """Refuse strides that are no pyramid's."""
        for stride in self.strides:
            require_count("stride", stride)
        doubled = all(b == 2 * a for a, b in zip(self.strides, self.strides[1:]))
        if not self.strides or self.strides[0] & (self.strides[0] - 1) or not doubled:
            raise DomainError(f"strides must be powers of two that double, got {self.strides}.")
        if not require_number("canonical_size", self.canonical_size) > 0:
            raise DomainError(f"canonical_size must be positive, got {self.canonical_size!r}.")

    def assign(self, boxes: Tensor) -> Tensor:
        """Places in `strides`, ``(R,)`` int64, of boxes xyxy ``(R, 4)``, px of the image that was fed.

        A box without area is on the finest level, and one that is not a number. Nothing is differentiated.
        """
        require_last_dim("boxes", boxes, 4, "(R, 4)", rank=2)
        extent = (boxes.detach()[:, 2:] - boxes.detach()[:, :2]).clamp(min=0)
        ratio = extent.prod(-1).sqrt() / self.canonical_size
        level = torch.floor(self.canonical_level + torch.log2(ratio + ROUNDING))
        lowest = int(math.log2(self.strides[0]))
        return level.nan_to_num(lowest).clamp(lowest, lowest + len(self.strides) - 1).long() - lowest

    def areas(self) -> Tensor:
        """Least and largest area of boxes on every level, px^2, ``(levels, 2)`` float32."""
        steps = torch.arange(len(self.strides) + 1) + math.log2(self.strides[0]) - self.canonical_level
        edges = (self.canonical_size * torch.exp2(steps)).square()
        edges[0], edges[-1] = 0, torch.inf
        return torch.stack((edges[:-1], edges[1:]), 1)


@dataclass(frozen=True, eq=False)
class Pyramid:
    """Feature maps of a batch of images.

    Attributes:
        maps: by name ``(N, C, H, W)``, all that the detector's parts read.
        names: those that boxes are pooled from, fine to coarse.
        rule: which of these.
    """

    maps: Mapping[str, Tensor]
    names: tuple[str, ...]
    rule: LevelRule
    _last: Mapping[str, Tensor] = field(init=False, repr=False)

    def __post_init__(self) -> None:
        """Keep the maps in the memory order that pooling reads.

        Raises:
            ShapeError: if names and strides differ in number.
        """
        if len(self.names) != len(self.rule.strides):
            raise ShapeError(f"got {len(self.names)} levels and {len(self.rule.strides)} strides.")
        kept = {
            name: self.maps[name].float().contiguous(memory_format=torch.channels_last) for name in self.names
        }
        object.__setattr__(self, "_last", kept)

    @property
    def device(self) -> torch.device:
        """Of the maps."""
        return self.maps[self.names[0]].device

    def pool(self, image: Tensor, boxes: Tensor, bins: int) -> Tensor:
        """Precise pooling of every box from its own level.

        Args:
            image: which image each box is in, ``(R,)`` int64.
            boxes: xyxy, px of the images that were fed, ``(R, 4)``; R may be 0.
            bins: cells per side of the result.

        Returns:
            ``(R, C, bins, bins)``, differentiable in the boxes; their level is not.
        """
        level = self.rule.assign(boxes)
        pooled, order = [], []
        for place, (name, stride) in enumerate(zip(self.names, self.rule.strides)):
            rows = (level == place).nonzero()[:, 0]
            if len(rows) or (place == 0 and not len(boxes)):
                rois = torch.cat((image[rows, None].to(boxes.dtype), boxes[rows]), -1)
                pooled.append(prroi_pool2d(self._last[name], rois, bins, 1 / stride, validate=False))
                order.append(rows)
        return pooled[0] if len(pooled) == 1 else torch.cat(pooled)[torch.cat(order).argsort()]

    def crop(self, level: Tensor, image: Tensor, first: Tensor, size: tuple[int, int]) -> Tensor:
        """Pieces of the maps, all of one size, zeros outside of the maps.

        Args:
            level: place in `names` of the map that each piece is of, ``(R,)`` int64.
            image: which image, ``(R,)`` int64.
            first: column and row of its first cell, ``(R, 2)`` int64; may lie outside.
            size: rows and columns.

        Returns:
            ``(R, rows, columns, C)``.
        """
        cells, places, heights, widths = self._flat
        down, right = (torch.arange(side, device=first.device) for side in size)
        x, y = first[:, :1] + right, first[:, 1:] + down
        height, width = heights[level][:, None], widths[level][:, None]
        inside = ((y >= 0) & (y < height))[:, :, None] & ((x >= 0) & (x < width))[:, None]
        line = places[level][:, None] + (image[:, None] * height + y) * width
        index = torch.where(inside, line[:, :, None] + x[:, None], len(cells) - 1)
        return cells.index_select(0, index.flatten()).view(*index.shape, -1)

    @cached_property
    def _flat(self) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        """All cells and one of zeros ``(cells, C)``; of every level the first cell, height and width."""
        maps = [self._last[name].permute(0, 2, 3, 1) for name in self.names]
        parts = [own.reshape(-1, own.shape[-1]) for own in maps]
        counts = torch.tensor([0, *(len(own) for own in parts)], device=self.device)
        heights, widths = (
            torch.tensor([own.shape[axis] for own in maps], device=self.device) for axis in (1, 2)
        )
        return torch.cat((*parts, torch.zeros_like(parts[0][:1]))), counts.cumsum(0), heights, widths
