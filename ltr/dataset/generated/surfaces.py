"""Surfaces: patterns with a palette, painted at any size, or cut from the user's photographs."""

import colorsys
from dataclasses import dataclass, replace
from functools import lru_cache

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from ltr.dataset.generated.photos import photo_crop

__all__ = ["PATTERNS", "Surface", "paint", "sample_surface"]

PATTERNS = (
    "plain",
    "cloud",
    "stripes",
    "checker",
    "brick",
    "grid",
    "spots",
    "camouflage",
    "gradient",
    "rays",
)
_FREQUENCY = np.array([0.18, 0.16, 0.14, 0.07, 0.06, 0.07, 0.12, 0.1, 0.06, 0.04])
_TILE = 512  # px
_HUES = ((0.5, 0.5), (0.09, 0.06), (0.28, 0.08), (0.58, 0.08))  # middle and spread: any, earth, leaves, sky
_HUE_SHARE = (0.45, 0.25, 0.15, 0.15)


@dataclass(frozen=True, kw_only=True)
class Surface:
    """A pattern to be painted; equal surfaces look equal.

    Attributes:
        pattern: one of `PATTERNS`.
        palette: colours in [0, 1], RGB, from the pattern's 0 to its 1.
        seed: of the pattern's own randomness.
        cycles: how many times the pattern repeats over the surface's longer side.
        turn: direction of the pattern, rad.
        soft: 0 for hard edges inside the pattern, 1 for smooth transitions.
        grain: amplitude of fine structure, of full scale.
        shade: darkening from one side to the other and towards the rim, in [0, 1].
        photo: index of a photograph to be used instead of the pattern; -1 for none.
    """

    pattern: str
    palette: tuple[tuple[float, float, float], ...]
    seed: int
    cycles: float = 4.0
    turn: float = 0.0
    soft: float = 0.5
    grain: float = 0.03
    shade: float = 0.3
    photo: int = -1

    def plain(self) -> "Surface":
        """The same colours almost without a pattern."""
        return replace(self, pattern="plain", photo=-1)

    def darker(self) -> "Surface":
        """The same, at a third of the brightness."""
        return replace(self, palette=tuple((r / 3, g / 3, b / 3) for r, g, b in self.palette), photo=-1)

    def towards(self, colour: tuple[float, float, float], share: float) -> "Surface":
        """The same with `share` of another colour mixed in."""
        return replace(
            self,
            palette=tuple(
                tuple((1.0 - share) * own + share * other for own, other in zip(mine, colour))  # type: ignore[misc]
                for mine in self.palette
            ),
        )

    @property
    def mean(self) -> tuple[float, float, float]:
        """The palette's mean colour."""
        return tuple(float(value) for value in np.mean(self.palette, axis=0))  # type: ignore[return-value]


def _colour(rng: np.random.Generator) -> NDArray[np.float64]:
    # Most of what cameras see is nearly grey; a fourth of all surfaces may be vivid.
    saturation = 0.4 * rng.beta(1.2, 1.8) if rng.uniform() < 0.75 else rng.beta(1.4, 1.4)
    # Earth, leaves and sky are more frequent than purple.
    middle, spread = _HUES[int(rng.choice(len(_HUES), p=_HUE_SHARE))]
    hue = (middle + spread * rng.uniform(-1.0, 1.0)) % 1.0
    return np.array(colorsys.hsv_to_rgb(hue, saturation, rng.uniform(0.12, 0.95)))


def sample_surface(
    rng: np.random.Generator,
    *,
    near: Surface | None = None,
    kinds: tuple[str, ...] = (),
    textures: int = 0,
    p_photo: float = 0.5,
) -> Surface:
    """A random surface.

    Args:
        rng: source of pattern and colours.
        near: a surface whose colours the new one resembles.
        kinds: patterns to choose from; all by default.
        textures: number of photographs that may be used.
        p_photo: probability of a photograph where there are any.
    """
    pattern = str(rng.choice(kinds)) if kinds else str(rng.choice(PATTERNS, p=_FREQUENCY / _FREQUENCY.sum()))
    base = np.array(near.mean) if near is not None else _colour(rng)
    spread = rng.uniform(0.05, 0.15) if near is not None else rng.uniform(0.08, 0.5)
    colours = [base]
    for _ in range(int(rng.integers(1, 4))):
        other = (
            base * np.exp(rng.normal() * spread)
            + rng.normal(size=3) * spread * 0.4
            + rng.normal() * spread * 0.5
        )
        colours.append(other if near is not None or rng.uniform() < 0.7 else _colour(rng))
    palette = tuple(tuple(float(v) for v in np.clip(colour, 0.02, 0.98)) for colour in colours)
    return Surface(
        pattern=pattern,
        palette=palette,  # type: ignore[arg-type]
        seed=int(rng.integers(1 << 31)),
        cycles=float(np.exp(rng.uniform(np.log(1.5), np.log(9.0)))),
        turn=float(rng.uniform(0.0, np.pi)),
        soft=float(rng.uniform()),
        grain=float(rng.uniform(0.005, 0.03)),
        shade=float(rng.uniform(0.1, 0.6)),
        photo=int(rng.integers(textures)) if textures and rng.uniform() < p_photo else -1,
    )


def noise(
    rng: np.random.Generator,
    height: int,
    width: int,
    slope: float,
    device: torch.device,
    stretch: float = 1.0,
) -> Tensor:
    """Random field with amplitude spectrum 1 / f^slope, zero mean and unit spread, ``(height, width)``."""
    white = torch.from_numpy(rng.standard_normal((height, width), dtype=np.float32)).to(device)
    fy = torch.fft.fftfreq(height, 1.0 / max(height, width), device=device)[:, None]
    fx = torch.fft.rfftfreq(width, 1.0 / max(height, width), device=device)[None]
    weight = (fy.square() + (fx * stretch).square()).clamp_min(0.25).pow(-slope / 2.0)
    weight[0, 0] = 0.0
    field = torch.fft.irfft2(torch.fft.rfft2(white) * weight, s=(height, width))
    return field / field.square().mean().sqrt().clamp_min(1e-6)


@lru_cache(maxsize=8)
def _grain_tile(slope: float, device: torch.device) -> Tensor:
    """One periodic field of fine structure, of which every surface shows another stretch."""
    return noise(np.random.default_rng(int(10 * slope)), _TILE, _TILE, slope, device).repeat(2, 2)


def _grain(rng: np.random.Generator, height: int, width: int, device: torch.device) -> Tensor:
    """Fine structure with unit spread, ``(height, width)``: a random crop of a tile, mirrored at random."""
    if max(height, width) > _TILE:
        return noise(rng, height, width, 1.0, device)
    tile = _grain_tile(float(rng.choice([0.6, 1.0, 1.4])), device)
    top, left = (int(at) for at in rng.integers(0, _TILE, size=2))
    crop = tile[top : top + height, left : left + width]
    return crop.flip([axis for axis in (0, 1) if rng.uniform() < 0.5])


def _edge(value: Tensor, soft: float) -> Tensor:
    """A wave in [-1, 1] turned into [0, 1], from hard to smooth."""
    sharpness = 0.5 + 6.0 * (1.0 - soft) ** 2
    return (0.5 + sharpness * value).clamp(0.0, 1.0)


def _field(
    surface: Surface, rng: np.random.Generator, height: int, width: int, device: torch.device
) -> Tensor:
    """The pattern as a number in [0, 1], ``(height, width)``."""
    pattern, longer = surface.pattern, max(height, width)
    if pattern in ("cloud", "plain"):
        return (
            0.5
            + (0.3 if pattern == "cloud" else 0.08) * noise(rng, height, width, rng.uniform(1.5, 2.5), device)
        ).clamp(0.0, 1.0)
    if pattern == "spots":
        return _edge(noise(rng, height, width, 2.5, device) * 0.5 + rng.uniform(-0.2, 0.2), surface.soft)
    if pattern == "camouflage":
        steps = int(rng.integers(3, 6))
        return ((0.5 + 0.25 * noise(rng, height, width, 2.2, device)).clamp(0.0, 0.999) * steps).floor() / (
            steps - 1
        )
    y = (torch.arange(height, device=device) / longer)[:, None]
    x = (torch.arange(width, device=device) / longer)[None]
    cosine, sine = float(np.cos(surface.turn)), float(np.sin(surface.turn))
    u, v = cosine * x + sine * y, cosine * y - sine * x
    if pattern == "gradient":
        return ((u - u.min()) / (u.max() - u.min() + 1e-6)).clamp(0.0, 1.0)
    if pattern == "rays":
        angle = torch.atan2(y - 0.5 * height / longer, x - 0.5 * width / longer)
        return _edge((angle * round(surface.cycles)).sin(), surface.soft)
    return _lattice(surface, u, v)


def _lattice(surface: Surface, u: Tensor, v: Tensor) -> Tensor:
    """Stripes, checkers, bricks and grids in rotated coordinates."""
    if surface.pattern == "stripes":
        wave = (2.0 * np.pi * surface.cycles * u + 0.8 * (6.0 * v).sin()).sin()
        return _edge(wave, surface.soft)
    if surface.pattern == "checker":
        return _edge(
            (2.0 * np.pi * surface.cycles * u).sin() * (2.0 * np.pi * surface.cycles * v).sin(), surface.soft
        )
    row = surface.cycles * 2.0 * v
    shift = 0.5 * (row.floor() % 2.0) if surface.pattern == "brick" else 0.0
    column = surface.cycles * u + shift
    mortar = 0.12
    inside = ((row % 1.0) > mortar) & ((column % 1.0) > mortar / 2.0)
    tone = (column.floor() * 12.9898 + row.floor() * 78.233).sin() * 43758.5453 % 1.0
    return torch.where(inside, 0.55 + 0.45 * tone, torch.zeros_like(tone))


def paint(
    surface: Surface, height: int, width: int, device: torch.device, photos: tuple[str, ...] = ()
) -> Tensor:
    """The surface as an image.

    Args:
        surface: what to paint.
        height: px.
        width: px.
        device: where to compute.
        photos: files of the user's photographs.

    Returns:
        RGB in [0, 1], ``(3, height, width)``.
    """
    rng = np.random.default_rng(surface.seed)
    if surface.photo >= 0 and photos:
        crop = photo_crop(photos[surface.photo % len(photos)], rng, height, width)
        return torch.from_numpy(crop).to(device).permute(2, 0, 1).float() / 255.0
    field = _field(surface, rng, height, width, device)
    palette = torch.tensor(surface.palette, device=device)
    place = field * (len(palette) - 1)
    lower = place.long().clamp_(0, len(palette) - 2)
    share = (place - lower)[..., None]
    image = (palette[lower] * (1.0 - share) + palette[lower + 1] * share).permute(2, 0, 1)
    texture = surface.grain * _grain(rng, height, width, device)
    return torch.addcmul(0.3 * texture, image, 1.0 + 2.0 * texture).clamp_(0.0, 1.0)
