"""What stands still: ground, regions, buildings, lines, clutter and cast shadows."""

from dataclasses import dataclass

import numpy as np

from ltr.dataset.generated.bodies import make_body
from ltr.dataset.generated.config import SceneConfig
from ltr.dataset.generated.parts import Body
from ltr.dataset.generated.surfaces import Surface, sample_surface

__all__ = ["WORLD", "Backdrop", "Shadow", "Still", "sample_backdrop"]

WORLD = 1.6  # sides of the painted world, of the frame's; beyond it the world is mirrored


@dataclass(frozen=True, kw_only=True)
class Still:
    """A body painted into the background: middle and px per body unit in world px, turn in rad."""

    body: Body
    centre: tuple[float, float]
    scale: tuple[float, float]
    angle: float


@dataclass(frozen=True, kw_only=True)
class Shadow:
    """A darker half plane, or an ellipse with a ragged edge where `half` is positive; lengths in world px."""

    centre: tuple[float, float]
    angle: float
    level: float
    soft: float
    half: tuple[float, float] = (0.0, 0.0)


@dataclass(frozen=True, kw_only=True)
class Backdrop:
    """The still world.

    Attributes:
        ground: what covers it all.
        stills: painted over the ground in this order.
        shadows: cast upon everything, moving objects included.
        cluttered: whether still objects that resemble targets were scattered.
        seed: of the shadows' ragged edges.
    """

    ground: Surface
    stills: tuple[Still, ...]
    shadows: tuple[Shadow, ...]
    cluttered: bool
    seed: int


def _place(rng: np.random.Generator, body: Body, size: tuple[int, int], half: float, angle: float) -> Still:
    reach = 0.5 * WORLD * np.array(size)
    at = rng.uniform(-reach, reach)
    scale = half / max(body.extent)
    flip = float(rng.choice([-1.0, 1.0]))
    return Still(body=body, centre=(float(at[0]), float(at[1])), scale=(flip * scale, scale), angle=angle)


def _street(rng: np.random.Generator, size: tuple[int, int], textures: int) -> list[Still]:
    """A horizon with a row of buildings and trees above it, lines and a crossing below."""
    width, height = size
    horizon = rng.uniform(-0.35, 0.05) * height
    stills: list[Still] = []
    at = -0.5 * WORLD * width
    while at < 0.5 * WORLD * width:
        body = make_body("building" if rng.uniform() < 0.7 else "tree", rng, textures=textures)
        half = rng.uniform(0.15, 0.4) * height
        wide = half * rng.uniform(0.7, 2.0)
        stills.append(Still(body=body, centre=(at + wide, horizon - half), scale=(wide, half), angle=0.0))
        at += 1.6 * wide
    slant = rng.uniform(-0.3, 0.3)
    for _ in range(int(rng.integers(0, 4))):
        stills.append(_place(rng, make_body("line", rng), size, WORLD * width, slant + rng.normal() * 0.1))
        low = stills[-1]
        stills[-1] = Still(
            body=low.body,
            centre=(0.0, horizon + rng.uniform(0.1, 0.9) * height),
            scale=low.scale,
            angle=low.angle,
        )
    if rng.uniform() < 0.6:
        stripes = make_body("crossing", rng)
        wide = rng.uniform(0.3, 0.7) * width
        middle = (rng.uniform(-0.3, 0.3) * width, horizon + rng.uniform(0.25, 0.6) * height)
        stills.append(
            Still(body=stripes, centre=middle, scale=(wide, wide * rng.uniform(0.5, 1.0)), angle=slant)
        )
    return stills


def _scatter(rng: np.random.Generator, size: tuple[int, int], count: int, textures: int) -> list[Still]:
    """Regions, lines, trees and poles anywhere."""
    short = min(size)
    stills = []
    for kind in rng.choice(["region", "region", "line", "tree", "pole", "building", "crossing"], size=count):
        upright = kind in ("tree", "pole", "building")
        angle = rng.normal() * 0.05 if upright else rng.uniform(0.0, np.pi)
        half = (short if kind == "line" else rng.uniform(0.1, 0.6) * short) * (1.0 if kind != "pole" else 1.3)
        stills.append(_place(rng, make_body(str(kind), rng, textures=textures), size, half, float(angle)))
    return stills


def _clutter(
    rng: np.random.Generator, config: SceneConfig, size: tuple[int, int], target_size: float, textures: int
) -> list[Still]:
    """Still objects of the target's kinds and sizes."""
    kinds, weights = zip(*config.bodies)
    chance = np.array(weights) / np.sum(weights)
    stills = []
    for _ in range(int(rng.integers(config.clutter[0], config.clutter[1] + 1))):
        body = make_body(str(rng.choice(kinds, p=chance)), rng, textures=textures)
        half = 0.5 * target_size * np.exp(rng.uniform(-0.7, 0.6))
        stills.append(_place(rng, body, size, half, float(rng.normal() * 0.3)))
    return stills


def _shadows(rng: np.random.Generator, config: SceneConfig, size: tuple[int, int]) -> tuple[Shadow, ...]:
    if rng.uniform() >= config.p_shadow:
        return ()
    reach = 0.5 * np.array(size)
    shadows = []
    for _ in range(int(rng.integers(1, 4))):
        at = rng.uniform(-reach, reach)
        half = rng.uniform(0.1, 0.5, size=2) * min(size) if rng.uniform() < 0.5 else np.zeros(2)
        shadows.append(
            Shadow(
                centre=(float(at[0]), float(at[1])),
                angle=float(rng.uniform(0.0, 2.0 * np.pi)),
                level=float(rng.uniform(*config.shadow)),
                soft=float(rng.uniform(2.0, 14.0)),
                half=(float(half[0]), float(half[1])),
            )
        )
    return tuple(shadows)


def sample_backdrop(
    rng: np.random.Generator,
    config: SceneConfig,
    size: tuple[int, int],
    target_size: float,
    *,
    textures: int = 0,
) -> Backdrop:
    """Draw the still world.

    Args:
        rng: source of everything.
        config: ranges and probabilities.
        size: frame (width, height), px.
        target_size: the target's size, px; still clutter is about as large.
        textures: number of photographs that may be used.
    """
    ground = sample_surface(rng, textures=textures, p_photo=0.8)
    stills: list[Still] = []
    if ground.photo < 0 or rng.uniform() < 0.3:
        if rng.uniform() < 0.4:
            stills += _street(rng, size, textures)
        stills += _scatter(rng, size, int(rng.integers(config.decor[0], config.decor[1] + 1)), textures)
    objects = _clutter(rng, config, size, target_size, textures)
    return Backdrop(
        ground=ground,
        stills=tuple(stills + objects),
        shadows=_shadows(rng, config, size),
        cluttered=len(objects) >= 8,
        seed=int(rng.integers(1 << 31)),
    )
