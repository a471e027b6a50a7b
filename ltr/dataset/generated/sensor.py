"""From light to 8-bit frames: cast shadows, brightness, softness, noise and block artefacts."""

import math

import numpy as np
import torch
from torch import Tensor

from ltr.dataset.generated.backdrop import Backdrop
from ltr.dataset.generated.scene import Scene
from ltr.dataset.generated.surfaces import noise

__all__ = ["block_artefacts", "expose", "light_map"]

_LUMA = (0.299, 0.587, 0.114)


def light_map(
    backdrop: Backdrop, origin: tuple[float, float], height: int, width: int, device: torch.device
) -> Tensor | None:
    """Brightness that shadows leave from world px `origin` on, ``(1, height, width)``; None for none."""
    if not backdrop.shadows:
        return None
    rng = np.random.default_rng(backdrop.seed)
    light = torch.ones(height, width, device=device)
    y = (torch.arange(height, device=device) + 0.5 + origin[1])[:, None]
    x = (torch.arange(width, device=device) + 0.5 + origin[0])[None]
    for shadow in backdrop.shadows:
        cosine, sine = math.cos(shadow.angle), math.sin(shadow.angle)
        u = cosine * (x - shadow.centre[0]) + sine * (y - shadow.centre[1])
        v = cosine * (y - shadow.centre[1]) - sine * (x - shadow.centre[0])
        if shadow.half[0] > 0.0:
            ragged = 0.35 * noise(rng, height, width, 1.8, device)
            depth = (1.0 - torch.sqrt((u / shadow.half[0]) ** 2 + (v / shadow.half[1]) ** 2) + ragged) * min(
                shadow.half
            )
        else:
            depth = u
        own = 1.0 - (1.0 - shadow.level) * (0.5 + depth / shadow.soft).clamp(0.0, 1.0)
        light = torch.minimum(light, own)
    return light[None]


def _soften(image: Tensor, weight: float) -> Tensor:
    """Three-tap blur along both axes of ``(F, H, W, 3)``; the border keeps its value."""
    centre = 1.0 - 2.0 * weight
    for axis in (1, 2):
        inner = image.shape[axis] - 2
        result = image.clone()
        middle = result.narrow(axis, 1, inner)
        middle.mul_(centre).add_(image.narrow(axis, 0, inner), alpha=weight).add_(
            image.narrow(axis, 2, inner), alpha=weight
        )
        image = result
    return image


def _illuminate(scene: Scene, image: Tensor, frames: np.ndarray) -> Tensor:
    sensor, (width, height) = scene.sensor, scene.size
    device = image.device
    gain = torch.from_numpy(sensor.gain[frames]).float().to(device)[:, None, None, None]
    if sensor.tint != (0.0, 0.0):
        x = torch.linspace(-1.0, 1.0, width, device=device)[None, :, None]
        y = torch.linspace(-1.0, 1.0, height, device=device)[:, None, None]
        gain = gain * (1.0 + sensor.tint[0] * x + sensor.tint[1] * y).clamp(0.4, 1.6)
    image = image * gain
    if (sensor.gamma[frames] != 1.0).any():
        gamma = torch.from_numpy(sensor.gamma[frames]).float().to(device)[:, None, None, None]
        image = image.clamp_min(1e-4).pow(gamma)
    return image


def _add_noise(scene: Scene, image: Tensor, frames: np.ndarray) -> Tensor:
    """Add crops of one noise tile, another crop in each frame."""
    sensor, (width, height) = scene.sensor, scene.size
    rng = np.random.default_rng(sensor.seed)
    slack = 48
    shape = (height + slack, width + slack, 1 if sensor.grey else 3)
    tile = torch.from_numpy(rng.standard_normal(shape, dtype=np.float32)).to(image.device)
    if sensor.soft > 0.1:  # a soft picture has soft noise
        tile = _soften(tile[None], 0.15)[0]
    corners = rng.integers(0, slack, size=(scene.length, 2))
    for row, frame in enumerate(frames):
        top, left = int(corners[frame, 0]), int(corners[frame, 1])
        image[row].add_(tile[top : top + height, left : left + width], alpha=sensor.noise)
    return image


def expose(scene: Scene, image: Tensor, light: Tensor | None, frames: np.ndarray) -> Tensor:
    """Record frames.

    Args:
        scene: its sensor decides.
        image: linear RGB, ``(F, H, W, 3)``.
        light: brightness left by shadows, ``(F, H, W, 1)``, or None.
        frames: frame numbers of the F frames.

    Returns:
        uint8 ``(F, 3, H, W)``; in memory the channels of a pixel lie together.
    """
    if light is not None:
        image = image * light
    image = _illuminate(scene, image, frames)
    if scene.sensor.soft > 0.0:
        image = _soften(image, scene.sensor.soft)
    if scene.sensor.grey:
        image = (image * image.new_tensor(_LUMA)).sum(dim=-1, keepdim=True).expand_as(image).contiguous()
    if scene.sensor.noise > 0.0:
        image = _add_noise(scene, image, frames)
    return image.mul_(255.0).round_().clamp_(0.0, 255.0).to(torch.uint8).permute(0, 3, 1, 2)


def block_artefacts(frames: Tensor, quality: int) -> Tensor:
    """What JPEG's quantised 8 x 8 cosine blocks do to brightness, for frames that never become a file.

    Args:
        frames: uint8 ``(F, 3, H, W)``; a last part of less than 8 px a side is left as it is.
        quality: 1 to 100, as for JPEG files.

    Returns:
        uint8 ``(F, 3, H, W)``.
    """
    height, width = frames.shape[2] // 8 * 8, frames.shape[3] // 8 * 8
    place = torch.arange(8, device=frames.device, dtype=torch.float32)
    basis = torch.cos((2.0 * place[None] + 1.0) * place[:, None] * math.pi / 16.0) * 0.5
    basis[0] *= math.sqrt(0.5)
    step = 16.0 + 5.5 * (place[:, None] + place[None])  # near the standard's table for brightness
    scale = 50.0 / quality if quality < 50 else 2.0 - quality / 50.0
    step = (step * scale).clamp_min(1.0)
    image = frames[:, :, :height, :width].float() - 128.0
    luma = (image * image.new_tensor(_LUMA).view(1, 3, 1, 1)).sum(dim=1)
    blocks = luma.unfold(1, 8, 8).unfold(2, 8, 8)
    coded = (basis @ blocks @ basis.T / step).round() * step
    change = (basis.T @ coded @ basis) - blocks
    flat = change.permute(0, 1, 3, 2, 4).reshape(len(frames), 1, height, width)
    result = frames.clone()
    result[:, :, :height, :width] = (image + flat + 128.0).round().clamp(0.0, 255.0).to(torch.uint8)
    return result
