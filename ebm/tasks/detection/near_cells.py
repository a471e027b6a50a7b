"""Boxes pooled from the cells around them, and the gradient of what was pooled."""

import torch
from torch import Tensor

from ebm.tasks.detection.pyramid import Pyramid

__all__ = ["NearCells"]

MARGIN = 2  # cells that a box may move before others are gathered


class NearCells:
    """Pooling of a few boxes from the cells around them, gathered once, and its gradient in closed form.

    Boxes that leave their cells, or their level, have others gathered.

    Args:
        pyramid: the maps.
        image: of each piece of the maps, ``(P,)`` int64.
        bins: cells per side of what is pooled.
        share: successive boxes that are pooled from one piece, and on one level; R is P times it.
    """

    def __init__(self, pyramid: Pyramid, image: Tensor, bins: int, share: int = 1) -> None:
        self._pyramid, self._image, self._bins, self._share = pyramid, image, bins, share
        self._scales = 1 / torch.tensor(pyramid.rule.strides, dtype=torch.float32)
        self._parts = torch.linspace(0, 1, bins + 1)
        sizes = [pyramid.maps[name].shape[:1:-1] for name in pyramid.names]
        self._most = torch.tensor(sizes, dtype=torch.float32) - 1  # last column and row of every level
        self._level = torch.full_like(image, -1)
        self._first = self._last = torch.zeros(len(image), 2)  # columns and rows of the first and last cell
        self._scale = torch.ones(len(image), 1)
        self._maps = torch.zeros(len(image), 0, 0, 0)  # (P, H, W, C)

    def pool(self, corners: Tensor) -> Tensor:
        """Boxes xyxy ``(R, 4)``, px, with an area, to ``(R, bins, bins, C)``."""
        self._gather(corners)
        pieces, height, width, channels = self._maps.shape
        scale = self._each(self._scale)
        low = corners[:, :2] * scale - self._each(self._first)
        extent = (corners[:, 2:] - corners[:, :2]) * scale
        edges = torch.addcmul(low[..., None], extent[..., None], self._parts)
        # Up to a constant, t - t|t|/2 is the integral of the hat 1 - |t|, see `ebm.ops.roi_windows`.
        t = (edges[..., None] - torch.arange(max(height, width), dtype=edges.dtype)).clamp_(-1, 1)
        self._hats, self._step = 1 - t.abs(), extent / self._bins
        self._weights = (t * (0.5 + 0.5 * self._hats)).diff(dim=-2) / self._step[..., None, None]
        rows = self._weights[:, 1, :, :height].reshape(pieces, -1, height)
        half = torch.bmm(rows, self._maps.view(pieces, height, width * channels))
        self._half = half.view(-1, width, channels)
        pooled = torch.bmm(self._columns(width), self._half)
        return pooled.view(-1, self._bins, self._bins, channels)

    def slopes(self, pooled: Tensor) -> tuple[Tensor, Tensor]:
        """Of a gradient in what was pooled last, ``(R, bins, bins, C)``, that in low and high corners, px."""
        pieces, height, width, channels = self._maps.shape
        count, bins = len(pooled), self._bins
        pooled = pooled.reshape(count * bins, bins, channels)
        slope = torch.zeros(count, 2, bins, max(height, width))  # in the weights
        columns = torch.bmm(pooled, self._half.transpose(1, 2)).view(count, bins, bins, width)
        torch.sum(columns, 1, out=slope[:, 0, :, :width])
        half = torch.bmm(self._columns(width).transpose(1, 2), pooled).view(pieces, -1, width * channels)
        flat = self._maps.view(pieces, height, width * channels).transpose(1, 2)
        slope[:, 1, :, :height] = torch.bmm(half, flat).view(count, bins, height)
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
        pieces, height, width, channels = self._maps.shape
        scale = self._each(self._scale)
        low, high = low * scale, high * scale
        edges = torch.addcmul(low[..., None], (high - low)[..., None], self._parts)
        moved = (self._hats * edges[..., None]).diff(dim=-2)
        moved -= self._weights * ((high - low) / self._bins)[..., None, None]
        moved /= self._step[..., None, None]
        rows = moved[:, 1, :, :height].reshape(pieces, -1, height)
        half = torch.bmm(rows, self._maps.view(pieces, height, width * channels)).view(-1, width, channels)
        pooled = torch.bmm(self._columns(width), half)
        pooled += torch.bmm(moved[:, 0, :, :width].repeat_interleave(self._bins, 0), self._half)
        return pooled.view(-1, self._bins, self._bins, channels)

    def _each(self, values: Tensor) -> Tensor:
        """Of every box what its piece has."""
        return values if self._share == 1 else values.repeat_interleave(self._share, 0)

    def _columns(self, width: int) -> Tensor:
        return self._weights[:, 0, :, :width].repeat_interleave(self._bins, 0)

    def _gather(self, corners: Tensor) -> None:
        """Gather the cells of boxes that have left theirs; those of all if there is no room."""
        level = self._pyramid.rule.assign(corners)[:: self._share]
        scale, most = self._scales[level][:, None], self._most[level]
        # Outside of the map there is nothing to gather, however large a box.
        low, high = (own.view(-1, self._share, 2) for own in corners.split(2, -1))
        low, high = low.amin(1) * scale, high.amax(1) * scale
        low, high = (torch.minimum(own.clamp(min=0), most) for own in (low.floor(), high.ceil()))
        gone = (level != self._level) | ~((low >= self._first) & (high <= self._last)).all(-1)
        if not bool(gone.any()):
            return
        first = low - MARGIN
        needed = high + MARGIN - first + 1
        width, height = map(int, needed[gone].amax(0).tolist())
        if height > self._maps.shape[1] or width > self._maps.shape[2]:
            width, height = map(int, needed.amax(0).tolist())
            self._level, self._first, self._scale = level, first, scale
            self._maps = self._pyramid.crop(level, self._image, first.long(), (height, width))
        else:
            rows, (_, height, width, _) = gone.nonzero()[:, 0], self._maps.shape
            self._level, self._first = level, torch.where(gone[:, None], first, self._first)
            self._scale = scale
            self._maps[rows] = self._pyramid.crop(
                level[rows], self._image[rows], first[rows].long(), (height, width)
            )
        self._last = self._first + torch.tensor([width - 1.0, height - 1.0])
