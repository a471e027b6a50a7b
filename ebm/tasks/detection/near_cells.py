"""Boxes pooled from the cells around them, and the gradient of what was pooled."""

from collections.abc import Iterator, Sequence
from itertools import accumulate

import torch
from torch import Tensor

from ebm.tasks.detection.pyramid import Pyramid

__all__ = ["NearCells"]

MARGIN = 1  # cells that a box may move before others are gathered
ROUNDING = 1e-4  # of an area, that near to the border of a level, the level is looked up


class NearCells:
    """Pooling of boxes from pieces of the maps, gathered once, and its gradient in closed form.

    Boxes that leave their piece, or its level, have another gathered. What is computed of coordinates is
    computed for all boxes at once, and the products with cells group by group.

    Args:
        pyramid: the maps.
        image: of each piece, ``(P,)`` int64.
        bins: cells per side of what is pooled.
        groups: of pieces that are gathered as one tensor: how many, and how many boxes each of them has, all
            on one level. Boxes come piece by piece.
    """

    def __init__(self, pyramid: Pyramid, image: Tensor, bins: int, groups: Sequence[tuple[int, int]]) -> None:
        self._pyramid, self._image, self._bins, self._groups = pyramid, image, bins, groups
        self._scales = 1 / torch.tensor(pyramid.rule.strides, dtype=torch.float32)
        self._parts = torch.linspace(0, 1, bins + 1)
        sizes = [pyramid.maps[name].shape[:1:-1] for name in pyramid.names]
        self._most = torch.tensor(sizes, dtype=torch.float32) - 1  # last column and row of every level
        self._level = torch.full_like(image, -1)
        self._first = self._last = torch.zeros(len(image), 2)  # columns and rows of the first and last cell
        self._scale = torch.ones(len(image), 1)
        self._maps = [torch.zeros(0, 0, 0, 0)] * len(groups)  # (pieces, rows, columns, C) of every group
        self._half = [torch.zeros(0)] * len(groups)
        self._ends = [0, *accumulate(pieces for pieces, _ in groups)]
        self._box_ends = [0, *accumulate(pieces * share for pieces, share in groups)]
        self._bounds: tuple[Tensor, ...] | None = None  # that corners and areas may have, for `hold`
        self._owner: Tensor | None = None  # the piece of every box, where it is not one each
        if any(share > 1 for _, share in groups):
            shares = torch.tensor([share for pieces, share in groups for _ in range(pieces)])
            self._owner = torch.arange(len(image)).repeat_interleave(shares)

    def pool(self, corners: Tensor) -> Tensor:
        """Boxes xyxy ``(R, 4)``, px, that have an area and are in their pieces, to ``(R, bins, bins, C)``."""
        scale = self._each(self._scale)
        low = corners[:, :2] * scale - self._each(self._first)
        extent = (corners[:, 2:] - corners[:, :2]) * scale
        edges = torch.addcmul(low[..., None], extent[..., None], self._parts)
        # Up to a constant, t - t|t|/2 is the integral of the hat 1 - |t|, see `ebm.ops.roi_windows`.
        longest = max(max(maps.shape[1:3]) for maps in self._maps)
        t = (edges[..., None] - torch.arange(longest, dtype=edges.dtype)).clamp_(-1, 1)
        self._hats, self._step = 1 - t.abs(), extent / self._bins
        self._weights = (t * (0.5 + 0.5 * self._hats)).diff(dim=-2) / self._step[..., None, None]
        return self._contracted(self._weights, keep=True)

    def slopes(self, pooled: Tensor) -> tuple[Tensor, Tensor]:
        """Of a gradient in what was pooled last, ``(R, bins, bins, C)``, that in low and high corners, px."""
        bins, slope = self._bins, torch.zeros_like(self._weights)  # in the weights
        for place, rows in self._boxes():
            pieces, height, width, channels = self._maps[place].shape
            own = pooled[rows].reshape(-1, bins, channels)
            columns = torch.bmm(own, self._half[place].transpose(1, 2)).view(-1, bins, bins, width)
            torch.sum(columns, 1, out=slope[rows, 0, :, :width])
            half = torch.bmm(self._columns(self._weights[rows], width).transpose(1, 2), own)
            flat = self._maps[place].view(pieces, height, width * channels).transpose(1, 2)
            found = torch.bmm(half.view(pieces, -1, width * channels), flat)
            slope[rows, 1, :, :height] = found.view(-1, bins, height)
        # A weight is an integral from edge to edge, divided by the step between them.
        own = (slope * self._weights).sum(-1)
        start = own - (slope * self._hats[..., :-1, :]).sum(-1)
        end = (slope * self._hats[..., 1:, :]).sum(-1) - own
        high = (start @ self._parts[:-1] + end @ self._parts[1:]) / self._step
        whole = (start.sum(-1) + end.sum(-1)) / self._step
        scale = self._each(self._scale)
        return (whole - high) * scale, high * scale

    def rect_slopes(self, pooled: Tensor) -> Tensor:
        """Of a gradient in what was pooled last, that in boxes xywh, px, ``(R, 4)``."""
        low, high = self.slopes(pooled)
        return torch.cat((low + high, high), -1)

    def turned(self, low: Tensor, high: Tensor) -> Tensor:
        """How what was pooled last changes where corners move by `low` and `high`, px, ``(R, 2)`` each."""
        scale = self._each(self._scale)
        low, high = low * scale, high * scale
        edges = torch.addcmul(low[..., None], (high - low)[..., None], self._parts)
        moved = (self._hats * edges[..., None]).diff(dim=-2)
        moved -= self._weights * ((high - low) / self._bins)[..., None, None]
        moved /= self._step[..., None, None]
        pooled = self._contracted(torch.stack((self._weights[:, 0], moved[:, 1]), 1))
        for place, rows in self._boxes():
            columns = self._columns(moved[rows], self._maps[place].shape[2])
            pooled[rows] += torch.bmm(columns, self._half[place]).view(pooled[rows].shape)
        return pooled

    def _contracted(self, weights: Tensor, *, keep: bool = False) -> Tensor:
        """Cells times weights of columns and rows ``(R, 2, bins, L)``, rows first; their product is kept."""
        bins, channels = self._bins, self._maps[0].shape[-1]
        pooled = torch.empty(len(weights), bins, bins, channels)
        for place, rows in self._boxes():
            pieces, height, width, _ = self._maps[place].shape
            down = weights[rows, 1, :, :height].reshape(pieces, -1, height)
            half = torch.bmm(down, self._maps[place].view(pieces, height, width * channels))
            half = half.view(-1, width, channels)
            if keep:
                self._half[place] = half
            torch.bmm(self._columns(weights[rows], width), half, out=pooled[rows].view(-1, bins, channels))
        return pooled

    def _columns(self, weights: Tensor, width: int) -> Tensor:
        return weights[:, 0, :, :width].repeat_interleave(self._bins, 0)

    def _boxes(self) -> Iterator[tuple[int, slice]]:
        """The place of every group, and its boxes."""
        for place, (start, end) in enumerate(zip(self._box_ends, self._box_ends[1:])):
            yield place, slice(start, end)

    def _each(self, values: Tensor) -> Tensor:
        """Of every box what its piece has."""
        return values if self._owner is None else values[self._owner]

    def _extremes(self, values: Tensor, how: str) -> Tensor:
        """Of every piece the least or the largest of what its boxes have, ``(P, 2)``."""
        if self._owner is None:
            return values
        owner = self._owner[:, None].expand(-1, 2)
        return values.new_empty(len(self._image), 2).scatter_reduce(0, owner, values, how, include_self=False)

    def hold(self, corners: Tensor) -> bool:
        """Whether all boxes are surely in the pieces of their level; if so, they have an area."""
        if self._bounds is None:
            if self._level.amin() < 0:
                return False
            self._bounds = self._limits()
        first, last, least, largest = self._bounds
        low, high = corners.split(2, -1)
        extent = high - low
        area = extent[:, :1] * extent[:, 1:]
        room = torch.cat((low - first, last - high, extent, area - least, largest - area), 1)
        return bool(room.amin() > 0)

    def _limits(self) -> tuple[Tensor, ...]:
        """Corners ``(R, 2)`` and areas ``(R, 1)`` between which a box stays in its piece."""
        # Beyond the border of a map there are no cells to miss.
        first = torch.where(self._first <= 0, -torch.inf, self._first / self._scale)
        last = torch.where(self._last >= self._most[self._level], torch.inf, self._last / self._scale)
        areas = self._pyramid.rule.areas()[self._level]
        least, largest = areas[:, :1] * (1 + ROUNDING), areas[:, 1:] * (1 - ROUNDING)
        return tuple(self._each(own) for own in (first, last, least, largest))

    def gather(self, corners: Tensor) -> None:
        """Gather pieces anew that a box ``(R, 4)`` has left; those of a group if its tensor has no room."""
        level = self._pyramid.rule.assign(corners)
        if self._owner is not None:
            level = torch.empty_like(self._level).scatter_(0, self._owner, level)
        scale, most = self._scales[level][:, None], self._most[level]
        # Outside of the map there is nothing to gather, however large a box.
        low = self._extremes(corners[:, :2], "amin") * scale
        high = self._extremes(corners[:, 2:], "amax") * scale
        low, high = (torch.minimum(own.clamp(min=0), most) for own in (low.floor(), high.ceil()))
        gone = (level != self._level) | ~((low >= self._first) & (high <= self._last)).all(-1)
        if not bool(gone.any()):
            return
        first, last = low - MARGIN, high + MARGIN
        self._level, self._scale, self._bounds = level, scale, None
        for place, (start, end) in enumerate(zip(self._ends, self._ends[1:])):
            rows = start + gone[start:end].nonzero()[:, 0]
            if len(rows):
                self._gather_group(place, torch.arange(start, end), rows, first, last)

    def _gather_group(self, place: int, whole: Tensor, rows: Tensor, first: Tensor, last: Tensor) -> None:
        """Gather the pieces `rows` of a group, or its `whole`."""
        sides = last - first + 1
        width, height = map(int, sides[rows].amax(0).tolist())
        size = self._maps[place].shape
        if height > size[1] or width > size[2]:
            rows = whole
            width, height = map(int, sides[rows].amax(0).tolist())
        else:
            height, width = size[1:3]
        cells = self._pyramid.crop(self._level[rows], self._image[rows], first[rows].long(), (height, width))
        if len(rows) == len(whole):
            self._maps[place] = cells
        else:
            self._maps[place][rows - whole[0]] = cells
        self._first = self._first.index_copy(0, rows, first[rows])
        self._last = self._last.index_copy(0, rows, first[rows] + torch.tensor([width - 1.0, height - 1.0]))
