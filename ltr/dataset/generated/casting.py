"""Choosing the cast of a scene and who stands before whom."""

from dataclasses import dataclass

import numpy as np

from ltr.dataset.generated.actors import Actor, Director
from ltr.dataset.generated.backdrop import Backdrop
from ltr.dataset.generated.config import SceneConfig
from ltr.dataset.generated.motion import Camera

__all__ = ["Cast", "sample_cast"]


@dataclass(frozen=True, kw_only=True)
class Cast:
    """All actors from back to front, the target's place among them and what was asked of chance."""

    actors: tuple[Actor, ...]
    target: int
    intended: dict[str, bool]


def sample_cast(
    rng: np.random.Generator,
    config: SceneConfig,
    size: tuple[int, int],
    target_size: float,
    camera: Camera,
    backdrop: Backdrop,
    *,
    textures: int = 0,
) -> Cast:
    """Draw all that moves.

    Args:
        rng: source of everything.
        config: ranges and probabilities.
        size: frame (width, height), px.
        target_size: sqrt(width * height) of the target in the first frame, px.
        camera: its zoom and roll act on the actors too.
        backdrop: its ground colour decides what can be told apart.
        textures: number of photographs that may be used.
    """
    director = Director(rng, config, size, target_size, camera, backdrop, textures)
    body = director.target_body()
    target = Actor(body=body, track=director.course(body, director.target_path(), target_size), role="target")
    behind: list[Actor] = []
    front: list[Actor] = []
    for actor, ahead in director.distractors(target):
        (front if ahead else behind).append(actor)
    if director.chance("attached", config.p_attached):
        behind.append(director.carrier(target))
    if director.chance("occluder", config.p_occluder):
        for _ in range(int(rng.integers(1, 3))):
            passer = director.occluder(target)
            front += [passer] if passer is not None else []
    return Cast(actors=(*behind, target, *front), target=len(behind), intended=director.intended)
