"""Layers: parts painted once as sprites, warped into place in batches and blended into a stack of frames."""

from dataclasses import dataclass

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor

from ltr.dataset.generated.outlines import ANGLES
from ltr.dataset.generated.parts import Body, Part, part_poses
from ltr.dataset.generated.surfaces import paint

__all__ = ["Canvas", "Coverage", "Pose", "Sprite", "draw_body", "make_sprites", "outline_points"]

Array = NDArray[np.float64]
_BORDER = 1.5  # transparent px around a sprite


@dataclass(frozen=True)
class Pose:
    """A body in the image at N moments: pixel = matrix @ bent body point + offset.

    Attributes:
        matrix: ``(N, 2, 2)``, px per body unit.
        offset: px, ``(N, 2)``.
        phase: of the limbs, rad, ``(N,)``.
        wave: of the bending waves, rad, ``(N, 2)``.
    """

    matrix: Array
    offset: Array
    phase: Array
    wave: Array

    def every(self, step: int, start: int) -> "Pose":
        """Each `step`-th moment from `start` on."""
        pick = slice(start, None, step)
        return Pose(self.matrix[pick], self.offset[pick], self.phase[pick], self.wave[pick])


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
    size = [float(np.clip(2.0 * half * abs(unit), 2.0, 640.0)) for half, unit in zip(part.half, scale)]
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


def _bend(body: Body, points: Array, wave: Array) -> Array:
    """Bend body points ``(N, P, 2)`` by two waves; each shears, so areas stay and the way back is closed."""
    y = points[..., 1] + body.bend[1] * np.sin(body.wave[1] * points[..., 0] + wave[:, 1:2])
    x = points[..., 0] + body.bend[0] * np.sin(body.wave[0] * y + wave[:, 0:1])
    return np.stack((x, y), axis=-1)


def outline_points(body: Body, pose: Pose, step: int = 1) -> Array:
    """The outlines of all parts in the image, px, ``(N, P, 2)``; `step` thins the points out."""
    rows = []
    for part in body.parts:
        matrix, offset = part_poses(part, body.swing, pose.phase)
        rows.append(np.einsum("nij,pj->npi", matrix, part.outline.points[::step]) + offset[:, None])
    points = np.concatenate(rows, axis=1)
    if body.bend != (0.0, 0.0):
        points = _bend(body, points, pose.wave)
    return np.einsum("nij,npj->npi", pose.matrix, points) + pose.offset[:, None]


class Canvas:
    """F frames of C channels as rows of pixels, with one spare row that takes what falls outside.

    Channels 0 to 2 are RGB; the channels of `tracked` objects hold how much of each is seen at a pixel.
    """

    def __init__(self, image: Tensor, tracked: int) -> None:
        """Start from ``(F, 3, H, W)``."""
        self.frames, _, self.height, self.width = image.shape
        self.tracked = tracked
        rows = self.frames * self.height * self.width
        self.rows = image.new_zeros((rows + 1, 3 + tracked))
        self.rows[:rows, :3] = image.permute(0, 2, 3, 1).reshape(rows, 3)

    @property
    def rgb(self) -> Tensor:
        """``(F, H, W, 3)``."""
        return self.rows[:-1, :3].view(self.frames, self.height, self.width, 3)

    @property
    def seen(self) -> Tensor:
        """``(F, H, W, tracked)``, each in [0, 1]."""
        return self.rows[:-1, 3:].view(self.frames, self.height, self.width, self.tracked)

    def places(self, frames: Tensor, corner: Tensor, height: int, width: int) -> Tensor:
        """Row numbers of windows at upper left `corner` ``(n, 2)``: ``(n, height, width)``."""
        device = self.rows.device
        y = corner[:, 1, None] + torch.arange(height, device=device)
        x = corner[:, 0, None] + torch.arange(width, device=device)
        inside = ((y >= 0) & (y < self.height))[:, :, None] & ((x >= 0) & (x < self.width))[:, None]
        row = (frames[:, None] * self.height + y)[:, :, None] * self.width + x[:, None]
        return torch.where(inside, row, torch.full_like(row, len(self.rows) - 1))

    def blend(self, places: Tensor, patch: Tensor, middle: Tensor, channel: int | None) -> None:
        """Lay premultiplied RGBA ``(n, 4, h, w)`` over the rows; `middle` is the coverage in mid-exposure."""
        index = places.reshape(-1)
        below = self.rows.index_select(0, index)
        colour = patch.permute(0, 2, 3, 1).reshape(-1, 4)
        below[:, :3].mul_(1.0 - colour[:, 3:]).add_(colour[:, :3])
        if self.tracked:
            cover = middle.reshape(-1, 1)
            below[:, 3:].mul_(1.0 - cover)
            if channel is not None:
                below[:, 3 + channel] = cover[:, 0]
        self.rows.index_copy_(0, index, below)


@dataclass(frozen=True)
class Coverage:
    """Of one tracked object, px^2, ``(F,)`` each: its whole area and what of it lies inside the frame."""

    area: Tensor
    inside: Tensor


def _windows(
    points: Array, blur: int, size: tuple[int, int] | None
) -> tuple[NDArray[np.int64], int, int, NDArray[np.int64]]:
    """Upper left corners ``(n, 2)``, height, width and frame numbers of the windows that hold an object.

    Where `size` is given, windows are cut to the frame and frames without the object are left out.
    """
    low = points.min(axis=1).reshape(-1, blur, 2).min(axis=1)
    high = points.max(axis=1).reshape(-1, blur, 2).max(axis=1)
    frames = np.arange(len(low))
    if size is not None:
        keep = (high > -1.0).all(axis=1) & (low < np.array(size) + 1.0).all(axis=1)
        frames, low, high = (
            frames[keep],
            np.maximum(low[keep], -1.0),
            np.minimum(high[keep], np.array(size) + 1.0),
        )
    corner = np.floor(low).astype(np.int64) - 1
    extent = (
        (np.ceil(high).astype(np.int64) + 1 - corner).max(axis=0)
        if len(frames)
        else np.zeros(2, dtype=np.int64)
    )
    return corner, int(extent[1]), int(extent[0]), frames


def _patch(
    body: Body, sprites: tuple[Sprite, ...], pose: Pose, corner: Tensor, height: int, width: int
) -> Tensor:
    """The body in windows: premultiplied RGBA, ``(4, N, height, width)``; `corner` is ``(N, 2)``, px."""
    device = corner.device
    inverse = np.linalg.inv(pose.matrix)
    shift = -np.einsum("nij,nj->ni", inverse, pose.offset)
    to = torch.from_numpy(inverse).float().to(device)[..., None, None]
    by = (
        torch.from_numpy(shift + np.einsum("nij,nj->ni", inverse, corner.cpu().numpy() + 0.5))
        .float()
        .to(device)[..., None, None]
    )
    y = torch.arange(height, device=device, dtype=torch.float32)[:, None]
    x = torch.arange(width, device=device, dtype=torch.float32)[None]
    u = to[:, 0, 0] * x + (to[:, 0, 1] * y + by[:, 0])
    v = to[:, 1, 0] * x + (to[:, 1, 1] * y + by[:, 1])
    if body.bend != (0.0, 0.0):
        wave = torch.from_numpy(pose.wave).float().to(device)
        u = u - body.bend[0] * torch.sin(body.wave[0] * v + wave[:, 0, None, None])
        v = v - body.bend[1] * torch.sin(body.wave[1] * u + wave[:, 1, None, None])
    total: Tensor | None = None
    for part, sprite in zip(body.parts, sprites):
        layer = _sample_part(part, body.swing, sprite, pose.phase, u, v)
        total = layer if total is None else torch.addcmul(layer, total, 1.0 - layer[3:])
    assert total is not None, "a body has at least one part"
    return total


def _sample_part(part: Part, swing: float, sprite: Sprite, phase: Array, u: Tensor, v: Tensor) -> Tensor:
    """One part at body coordinates u, v ``(N, h, w)``: premultiplied RGBA ``(4, N, h, w)``."""
    matrix, offset = part_poses(part, swing, phase)
    inverse = np.linalg.inv(matrix) / np.array(sprite.margin)[:, None]
    shift = -np.einsum("nij,nj->ni", inverse, offset)
    to = torch.from_numpy(inverse).float().to(u.device)[..., None, None]
    by = torch.from_numpy(shift).float().to(u.device)[..., None, None]
    count, height, width = u.shape
    grid = u.new_empty((count, height, width, 2))
    for axis in range(2):
        torch.addcmul(by[:, axis] + to[:, axis, 0] * u, to[:, axis, 1], v, out=grid[..., axis])
    image = F.grid_sample(sprite.image, grid.view(1, count * height, width, 2), align_corners=False)
    return image.view(4, count, height, width)


def draw_body(
    canvas: Canvas,
    body: Body,
    sprites: tuple[Sprite, ...],
    pose: Pose,
    *,
    blur: int = 1,
    channel: int | None = None,
) -> Coverage | None:
    """Draw a body into every frame of a canvas.

    Args:
        canvas: F frames; changed in place.
        body: what to draw.
        sprites: its painted parts.
        pose: its F * blur moments, the moments of a frame together.
        blur: moments averaged in a frame (odd).
        channel: tracked channel of the canvas that takes the body's coverage; None for none.

    Returns:
        Areas for a tracked body, else None.
    """
    size = (canvas.width, canvas.height) if channel is None else None
    corner, height, width, frames = _windows(
        outline_points(body, pose, step=8 if channel is None else 2), blur, size
    )
    if not len(frames):
        return None
    device = canvas.rows.device
    moments = (frames[:, None] * blur + np.arange(blur)).reshape(-1)
    chosen = Pose(pose.matrix[moments], pose.offset[moments], pose.phase[moments], pose.wave[moments])
    at = torch.from_numpy(corner).to(device)
    layers = _patch(body, sprites, chosen, at.repeat_interleave(blur, dim=0), height, width)
    layers = layers.view(4, len(frames), blur, height, width)
    middle = layers[3, :, blur // 2]
    patch = (layers.mean(dim=2) if blur > 1 else layers[:, :, 0]).transpose(0, 1)
    places = canvas.places(torch.from_numpy(frames).to(device), at, height, width)
    canvas.blend(places, patch, middle, channel)
    if channel is None:
        return None
    inside = places < len(canvas.rows) - 1
    return Coverage(middle.sum(dim=(1, 2)), (middle * inside).sum(dim=(1, 2)))
