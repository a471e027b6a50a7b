"""Features of the box branch, computed only where boxes lie.

A target covers a small part of its search crop, and pooling reads no other cells. The two 3x3 convolutions in
front of it see two cells further: on a rectangle of cells with such a rim they give what they give on the
whole map, at a fraction of the work. Where an ascent leaves it, a larger one is computed.
"""

from collections.abc import Sequence
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn

from ltr.models.bbreg.atom_iou_net import AtomIoUNet

__all__ = ["BoxMap", "Region", "WindowedMap", "windowed_maps"]

RIM = 2  # cells by which two 3x3 convolutions look further
STEP = 2  # sides are multiples of it, so that kernels for few sizes are made
ROOM = 0.1  # part of the boxes' rectangle that is added on every side for the ascent
ENOUGH = 0.85  # sides beyond this part of the map's become the map's
Size = tuple[int, int]  # wide, high, in cells


class Region(NamedTuple):
    """Computed cells ``[T, h, w, C]`` and, of each target, where they lie, and which of them hold.

    `low` and `high` are (x, y) each: cells from low to below high are those of the whole map.
    """

    cells: Tensor
    left: Sequence[int]
    top: Sequence[int]
    low: Sequence[tuple[int, int]]
    high: Sequence[tuple[int, int]]

    def holds(self, left: Sequence[int], top: Sequence[int], size: Size) -> bool:
        """Whether rectangles of cells lie inside."""
        return all(
            low[0] <= x and low[1] <= y and x + size[0] <= high[0] and y + size[1] <= high[1]
            for x, y, low, high in zip(left, top, self.low, self.high)
        )

    def cut(self, cells: Tensor, left: Sequence[int], top: Sequence[int], side: int) -> Tensor:
        """Squares ``[T, side, side, C]`` of the map, of `cells` that lie as this region's, else zero."""
        made = cells.new_zeros(len(cells), side, side, cells.shape[3])
        high, wide = cells.shape[1:3]
        for square, own, x, y, x0, y0 in zip(made, cells, left, top, self.left, self.top):
            rows, columns = _shared(y, side, y0, high), _shared(x, side, x0, wide)
            square[rows[0], columns[0]] = own[rows[1], columns[1]]
        return made


def _shared(first: int, length: int, start: int, count: int) -> tuple[slice, slice]:
    """What two spans of cells have in common, in the one's count and in the other's."""
    low, high = max(first, start), min(first + length, start + count)
    return slice(low - first, high - first), slice(low - start, high - start)


class WindowedMap:
    """One level of the box branch's features for T crops.

    Args:
        layers: from backbone features to them: two 3x3 convolutions of stride 1, zero padded.
        features: backbone features ``[T, C, L, L]``.
        region: what is computed already.
    """

    def __init__(self, layers: nn.Module, features: Tensor, region: Region | None = None) -> None:
        self._layers, self._features, self._region = layers, features, region
        self._computed = 0

    @property
    def shape(self) -> tuple[int, int, int, int]:
        """That of the backbone features."""
        count, channels, high, wide = self._features.shape
        return count, channels, high, wide

    @property
    def device(self) -> torch.device:
        """Where the features are."""
        return self._features.device

    def __getitem__(self, rows: slice) -> "WindowedMap":
        """Those of some of the crops."""
        region = self._region
        part = region and Region(
            cells=region.cells[rows],
            left=region.left[rows],
            top=region.top[rows],
            low=region.low[rows],
            high=region.high[rows],
        )
        return WindowedMap(self._layers, self._features[rows], part)

    def region(self, left: Sequence[int], top: Sequence[int], size: Size) -> Region:
        """Cells that contain a rectangle of each target; the same ones as long as they do."""
        if self._region is None or not self._region.holds(left, top, size):
            self._region = self._compute(left, top, size)
            self._computed += 1
        return self._region

    def _compute(self, left: Sequence[int], top: Sequence[int], size: Size) -> Region:
        side = self._features.shape[-1]
        (wide, xs), (high, ys) = (self._span(first, n) for first, n in zip((left, top), size))
        parts = [f[None, :, y : y + high, x : x + wide] for f, x, y in zip(self._features, xs, ys)]
        with torch.no_grad():
            cells = self._layers(parts[0] if len(parts) == 1 else torch.cat(parts))
        return Region(
            cells=cells.permute(0, 2, 3, 1).contiguous(),
            left=xs,
            top=ys,
            low=[(_inner(x), _inner(y)) for x, y in zip(xs, ys)],
            high=[(side - _inner(side - x - wide), side - _inner(side - y - high)) for x, y in zip(xs, ys)],
        )

    def _span(self, first: Sequence[int], count: int) -> tuple[int, list[int]]:
        """Length, and where it begins, along one axis, around `count` cells of every target."""
        side = self._features.shape[-1]
        room = max(1, round(ROOM * count)) + RIM
        length = -(-(count + 2 * room) // STEP) * STEP
        if length > ENOUGH * side or self._computed > 1:  # an ascent that goes on leaving what is computed
            length = side
        return length, [min(max(v - (length - count) // 2, 0), side - length) for v in first]


def _inner(distance: int) -> int:
    """From where cells hold in a square that begins so far from the map's border."""
    return distance + RIM if distance > 0 else 0


BoxMap = Tensor | WindowedMap


def windowed_maps(regressor: Any, features: Sequence[Tensor]) -> list[WindowedMap] | None:
    """The two levels of an `AtomIoUNet` for backbone features ``[T, C, L, L]`` each.

    Returns:
        None for a box branch that computes them otherwise, and for maps that are not square.
    """
    own = isinstance(regressor, AtomIoUNet) and type(regressor).get_iou_feat is AtomIoUNet.get_iou_feat
    if not own or any(f.dim() != 4 or f.shape[2] != f.shape[3] for f in features):
        return None
    pairs = ((regressor.conv3_1t, regressor.conv3_2t), (regressor.conv4_1t, regressor.conv4_2t))
    return [WindowedMap(nn.Sequential(*pair), f) for pair, f in zip(pairs, features)]
