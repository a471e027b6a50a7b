"""Features of the box branch, computed only where boxes lie.

A target covers a small part of its search crop, and pooling reads no other cells. The two 3x3 convolutions in
front of it see two cells further: on a square of cells with such a rim they give what they give on the whole
map, at a fraction of the work. Where an ascent leaves the square, a larger one is computed.
"""

from collections.abc import Sequence
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn

from ltr.models.bbreg.atom_iou_net import AtomIoUNet

__all__ = ["BoxMap", "Region", "WindowedMap", "windowed_maps"]

RIM = 2  # cells by which two 3x3 convolutions look further
STEP = 4  # sides are multiples of it, so that kernels for few sizes are made
ROOM = 0.2  # part of the boxes' square that is added on every side for the ascent
ENOUGH = 0.8  # squares beyond this part of the map's side become the whole map


class Region(NamedTuple):
    """Computed cells ``[T, k, k, C]`` and, of each target, where they lie, and which of them hold.

    `low` and `high` are (x, y) each: cells from low to below high are those of the whole map.
    """

    cells: Tensor
    left: Sequence[int]
    top: Sequence[int]
    low: Sequence[tuple[int, int]]
    high: Sequence[tuple[int, int]]

    def holds(self, left: Sequence[int], top: Sequence[int], size: int) -> bool:
        """Whether squares of cells lie inside."""
        return all(
            low[0] <= x and low[1] <= y and x + size <= high[0] and y + size <= high[1]
            for x, y, low, high in zip(left, top, self.low, self.high)
        )


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

    def region(self, left: Sequence[int], top: Sequence[int], size: int) -> Region:
        """Cells that contain a square of each target, `size` cells wide; the same ones as long as they do."""
        if self._region is None or not self._region.holds(left, top, size):
            self._region = self._compute(left, top, size)
            self._computed += 1
        return self._region

    def _compute(self, left: Sequence[int], top: Sequence[int], size: int) -> Region:
        side = self._features.shape[-1]
        room = max(1, round(ROOM * size)) + RIM
        length = -(-(size + 2 * room) // STEP) * STEP
        if length > ENOUGH * side or self._computed > 1:  # an ascent that goes on leaving its squares
            length = side
        xs, ys = (
            [min(max(v + size // 2 - length // 2, 0), side - length) for v in axis] for axis in (left, top)
        )
        squares = [f[None, :, y : y + length, x : x + length] for f, x, y in zip(self._features, xs, ys)]
        with torch.no_grad():
            cells = self._layers(squares[0] if len(squares) == 1 else torch.cat(squares))
        return Region(
            cells=cells.permute(0, 2, 3, 1).contiguous(),
            left=xs,
            top=ys,
            low=[(_inner(x), _inner(y)) for x, y in zip(xs, ys)],
            high=[
                (side - _inner(side - x - length), side - _inner(side - y - length)) for x, y in zip(xs, ys)
            ],
        )


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
