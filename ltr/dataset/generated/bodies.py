"""Random bodies of every kind."""

from collections.abc import Callable
from dataclasses import replace

import numpy as np

from ebm.lookup import lookup
from ltr.dataset.generated.beings import BEINGS
from ltr.dataset.generated.parts import Body, BodyBuilder, part_poses
from ltr.dataset.generated.structures import STRUCTURES

__all__ = ["BODIES", "make_body"]

BODIES: dict[str, Callable[[BodyBuilder], None]] = {**BEINGS, **STRUCTURES}


def make_body(kind: str, rng: np.random.Generator, *, textures: int = 0) -> Body:
    """A random body of one kind, its box at rest centred on the origin.

    Args:
        kind: a key of `BODIES`.
        rng: source of shapes and colours.
        textures: number of photographs that surfaces may be cut from.

    Raises:
        UnknownNameError: no such kind.
    """
    build = lookup("body", kind, BODIES)
    maker = BodyBuilder(rng, textures)
    build(maker)
    corners = []
    for part in maker.parts:
        matrix, offset = part_poses(part, 0.0, np.zeros(1))
        corners.append(part.outline.points @ matrix[0].T + offset[0])
    points = np.concatenate(corners)
    middle = (points.min(axis=0) + points.max(axis=0)) / 2.0
    half = (points.max(axis=0) - points.min(axis=0)) / 2.0
    parts = tuple(
        replace(part, centre=(part.centre[0] - middle[0], part.centre[1] - middle[1])) for part in maker.parts
    )
    return Body(kind=kind, parts=parts, extent=(float(half[0]), float(half[1])))
