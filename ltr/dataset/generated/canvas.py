"""Layers: sprites warped into place by batched sampling and blended into a stack of frames."""

from dataclasses import dataclass

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor

from ltr.dataset.generated.posing import PosedBody
from ltr.dataset.generated.sprites import Sprite

__all__ = ["Canvas", "Coverage", "draw_body", "sampling_grid"]

Array = NDArray[np.float64]
Whole = NDArray[np.int64]


def sampling_grid(
    matrix: Array, left: int, top: int, width: int, height: int, device: torch.device
) -> Tensor:
    """Affine images of whole pixel coordinates: matrix @ (x, y, 1).

    Args:
        matrix: ``(N, 2, 3)``.
        left, top: the first pixel.
        width, height: pixels.
        device: where to compute.

    Returns:
        ``(N, height, width, 2)``.
    """
    base = torch.ones(height, width, 3, device=device)
    base[..., 0] = torch.arange(left, left + width, device=device)
    base[..., 1] = torch.arange(top, top + height, device=device)[:, None]
    turned = torch.from_numpy(np.ascontiguousarray(matrix.transpose(0, 2, 1))).float().to(device)
    return torch.matmul(base.view(1, -1, 3), turned).view(-1, height, width, 2)


@dataclass(frozen=True)
class Coverage:
    """Where a tracked object was drawn.

    Attributes:
        places: rows of the canvas under its windows, ``(F, h, w)``.
        corner: upper left pixels of the windows, ``(F, 2)``.
        mask: how much of each pixel it covers, whatever stands before it, ``(F, h, w)``.
    """

    places: Tensor
    corner: Whole
    mask: Tensor


class Canvas:
    """F frames as rows of pixels, with one spare row that takes what falls outside.

    Besides the colours it keeps how much of each tracked object is seen at a pixel.
    """

    def __init__(self, image: Tensor, tracked: int = 0) -> None:
        """Start from ``(F, 3, H, W)``."""
        self.frames, _, self.height, self.width = image.shape
        count = self.frames * self.height * self.width
        self.colours = image.new_zeros((count + 1, 3))
        self.colours[:count].view(self.frames, self.height, self.width, 3).copy_(image.permute(0, 2, 3, 1))
        self.seen = image.new_zeros((tracked, count + 1))
        self.used: set[int] = set()  # tracked channels drawn so far

    @property
    def rgb(self) -> Tensor:
        """``(F, H, W, 3)``."""
        return self.colours[:-1].view(self.frames, self.height, self.width, 3)

    def places(self, frames: Tensor, corner: Tensor, height: int, width: int) -> Tensor:
        """Row numbers of windows at upper left `corner` ``(n, 2)``: ``(n, height, width)``."""
        device = self.colours.device
        y = corner[:, 1, None] + torch.arange(height, device=device)
        x = corner[:, 0, None] + torch.arange(width, device=device)
        inside = ((y >= 0) & (y < self.height))[:, :, None] & ((x >= 0) & (x < self.width))[:, None]
        row = (frames[:, None] * self.height + y)[:, :, None] * self.width + x[:, None]
        return row.masked_fill_(~inside, len(self.colours) - 1)

    def blend(self, places: Tensor, patch: Tensor) -> None:
        """Lay premultiplied RGBA ``(4, n, h, w)`` over the rows."""
        index = places.reshape(-1)
        colour = patch.reshape(4, -1).T.contiguous()
        below = self.colours.index_select(0, index)
        below.mul_(1.0 - colour[:, 3:]).add_(colour[:, :3])
        self.colours.index_copy_(0, index, below)

    def hide(self, places: Tensor, cover: Tensor, channel: int | None) -> None:
        """Something with coverage ``(n, h, w)`` came before the tracked objects; `channel` is its own."""
        index, amount = places.reshape(-1), cover.reshape(-1)
        for other in self.used:
            row = self.seen[other]
            row.index_copy_(0, index, row.index_select(0, index) * (1.0 - amount))
        if channel is not None:
            self.seen[channel].index_copy_(0, index, amount)
            self.used.add(channel)


@dataclass(frozen=True)
class _Windows:
    """Windows of one size that hold a body, and the part of them that each part needs."""

    frames: Whole  # (n,) frame numbers
    corner: Whole  # (n, 2) upper left pixels
    width: int
    height: int
    inner: list[tuple[int, int, int, int]]  # left, top, right, bottom of each part within every window


def _windows(posed: PosedBody, blur: int, size: tuple[int, int] | None) -> _Windows | None:
    """Windows around a body; given a `size` they are cut to the frame and frames without it left out."""
    outlines = posed.outlines(corners_only=True)
    lows, highs = np.stack([p.min(axis=1) for p in outlines]), np.stack([p.max(axis=1) for p in outlines])
    lows = lows.reshape(len(outlines), -1, blur, 2).min(axis=2)
    highs = highs.reshape(len(outlines), -1, blur, 2).max(axis=2)
    frames = np.arange(lows.shape[1])
    if size is not None:
        keep = (highs.max(axis=0) > -1.0).all(axis=1) & (lows.min(axis=0) < np.array(size) + 1.0).all(axis=1)
        frames, lows, highs = frames[keep], lows[:, keep], highs[:, keep]
        lows, highs = (np.clip(values, -1.0, np.array(size) + 1.0) for values in (lows, highs))
    if not len(frames):
        return None
    corner = np.floor(lows.min(axis=0)).astype(np.int64) - 2
    extent = (np.ceil(highs.max(axis=0)).astype(np.int64) + 2 - corner).max(axis=0)
    first = np.maximum(np.floor((lows - corner).min(axis=1)).astype(np.int64) - 2, 0)
    last = np.minimum(np.ceil((highs - corner).max(axis=1)).astype(np.int64) + 2, extent)
    inner = [(int(a[0]), int(a[1]), int(b[0]), int(b[1])) for a, b in zip(first, last)]
    return _Windows(frames, corner, int(extent[0]), int(extent[1]), inner)


def _with_offset(matrix: NDArray[np.floating], offset: NDArray[np.floating]) -> Array:
    """``(N, 2, 2)`` and ``(N, 2)`` to ``(N, 2, 3)``."""
    return np.concatenate((matrix, offset[..., None]), axis=2, dtype=np.float64)


def _bent_grid(posed: PosedBody, to_body: Array, width: int, height: int, device: torch.device) -> Tensor:
    """Body coordinates (and 1) of a window's pixels, the bending undone, ``(N, height, width, 3)``."""
    body, wave = posed.body, torch.from_numpy(posed.pose.wave).float().to(device)[..., None, None]
    plain = sampling_grid(to_body, 0, 0, width, height, device)
    grid = torch.ones((*plain.shape[:3], 3), device=device)
    u = plain[..., 0] - body.bend[0] * torch.sin(body.wave[0] * plain[..., 1] + wave[:, 0])
    grid[..., 0] = u
    grid[..., 1] = plain[..., 1] - body.bend[1] * torch.sin(body.wave[1] * u + wave[:, 1])
    return grid


def _patch(
    posed: PosedBody, sprites: tuple[Sprite, ...], windows: _Windows, blur: int, device: torch.device
) -> Tensor:
    """The body in its windows: premultiplied RGBA, ``(4, N, height, width)``."""
    pose, corner = posed.pose, windows.corner.repeat(blur, axis=0) + 0.5
    inverse = np.linalg.inv(pose.matrix)
    to_body = _with_offset(inverse, np.einsum("nij,nj->ni", inverse, corner - pose.offset))
    bent = posed.body.bend != (0.0, 0.0)
    grid = _bent_grid(posed, to_body, windows.width, windows.height, device) if bent else None
    total = torch.zeros((4, len(corner), windows.height, windows.width), device=device)
    for sprite, (matrix, offset), (left, top, right, bottom) in zip(sprites, posed.parts, windows.inner):
        width, height = right - left, bottom - top
        if width <= 0 or height <= 0:
            continue
        back = np.linalg.inv(matrix) / np.array(sprite.margin)[:, None]
        shift = -np.einsum("nij,nj->ni", back, offset)
        if grid is None:
            both = _with_offset(back @ inverse, shift + np.einsum("nij,nj->ni", back, to_body[..., 2]))
            at = sampling_grid(both, left, top, width, height, device)
        else:
            turned = torch.from_numpy(_with_offset(back, shift).transpose(0, 2, 1).copy()).float().to(device)
            inner = grid[:, top:bottom, left:right].reshape(len(corner), -1, 3)
            at = torch.matmul(inner, turned).view(-1, height, width, 2)
        layer = F.grid_sample(sprite.image, at.view(1, -1, width, 2), align_corners=False)
        layer = layer.view(4, len(corner), height, width)
        total[:, :, top:bottom, left:right].mul_(1.0 - layer[3:]).add_(layer)
    return total


def draw_body(
    canvas: Canvas,
    posed: PosedBody,
    sprites: tuple[Sprite, ...],
    *,
    blur: int = 1,
    channel: int | None = None,
) -> Coverage | None:
    """Draw a body into every frame of a canvas.

    Args:
        canvas: F frames; changed in place.
        posed: the body at F * blur moments, the moments of a frame together.
        sprites: its painted parts.
        blur: moments averaged in a frame (odd).
        channel: tracked channel of the canvas that takes the body's coverage; None for none.

    Returns:
        Where it is, for a tracked body, else None.
    """
    windows = _windows(posed, blur, (canvas.width, canvas.height) if channel is None else None)
    if windows is None:
        return None
    device, count = canvas.colours.device, len(windows.frames)
    if channel is None:
        posed = posed.only((windows.frames[:, None] * blur + np.arange(blur)).reshape(-1))
    layers = _patch(posed, sprites, windows, blur, device).view(4, count, blur, windows.height, windows.width)
    frames, corner = torch.from_numpy(windows.frames).to(device), torch.from_numpy(windows.corner).to(device)
    places = canvas.places(frames, corner, windows.height, windows.width)
    canvas.blend(places, layers.mean(dim=2) if blur > 1 else layers[:, :, 0])
    middle = layers[3, :, blur // 2]
    if canvas.used or channel is not None:
        canvas.hide(places, middle, channel)
    return Coverage(places, windows.corner, middle) if channel is not None else None
