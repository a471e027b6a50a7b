"""Parts with an outline, a surface and a joint, and the bodies they make up."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ltr.dataset.generated.motion import rotation
from ltr.dataset.generated.outlines import Outline, make_outline
from ltr.dataset.generated.surfaces import Surface, sample_surface

__all__ = ["Body", "BodyBuilder", "Part", "part_poses"]

Array = NDArray[np.float64]


@dataclass(frozen=True, kw_only=True)
class Part:
    """One stiff piece. Lengths are in body units: the body's larger half size is about 1.

    Attributes:
        outline: its shape in the square [-1, 1] x [-1, 1].
        surface: what is painted on it.
        centre: where it is at rest, ``(2,)``.
        half: half width and half height, ``(2,)``.
        angle: turn at rest, rad.
        swing: amplitude of its swinging, rad, as a share of the body's.
        lag: phase behind the body's, rad.
        joint: the point it turns about, in part coordinates [-1, 1].
        spin: turns of this many rad per rad of the body's phase (wheels).
    """

    outline: Outline
    surface: Surface
    centre: tuple[float, float]
    half: tuple[float, float]
    angle: float = 0.0
    swing: float = 0.0
    lag: float = 0.0
    joint: tuple[float, float] = (0.0, 0.0)
    spin: float = 0.0


@dataclass(frozen=True, kw_only=True)
class Body:
    """Parts from back to front, and how the whole bends.

    Attributes:
        kind: a key of `BODIES`.
        parts: back to front.
        extent: half width and half height at rest, body units, ``(2,)``; the box's middle is the origin.
        swing: amplitude of the limbs, rad.
        bend: amplitudes of the two bending waves, body units, ``(2,)``.
        wave: their wave numbers, rad per body unit, ``(2,)``.
    """

    kind: str
    parts: tuple[Part, ...]
    extent: tuple[float, float]
    swing: float = 0.0
    bend: tuple[float, float] = (0.0, 0.0)
    wave: tuple[float, float] = (2.0, 2.0)


def part_poses(part: Part, swing: float, phase: Array) -> tuple[Array, Array]:
    """Where a part is at each phase of its body.

    Args:
        part: the part.
        swing: the body's amplitude, rad.
        phase: the body's phases, rad, ``(N,)``.

    Returns:
        ``(N, 2, 2)`` and ``(N, 2)``: body = matrix @ part + offset, part coordinates in [-1, 1].
    """
    turn = part.angle + part.swing * swing * np.sin(phase + part.lag) + part.spin * phase
    half = np.array(part.half)
    matrix = rotation(turn) * half
    pivot = np.array(part.joint)
    hinge = np.array(part.centre) + rotation(np.array([part.angle]))[0] @ (half * pivot)
    return matrix, hinge - matrix @ pivot


class BodyBuilder:
    """Collects the parts of one body, back to front, out of one source of randomness."""

    def __init__(self, rng: np.random.Generator, textures: int) -> None:
        self.rng = rng
        self.textures = textures
        self.parts: list[Part] = []

    def surface(self, near: Surface | None = None) -> Surface:
        """A random surface, or one whose colours resemble another's."""
        return sample_surface(self.rng, near=near, textures=self.textures)

    def add(
        self,
        kind: str,
        surface: Surface,
        centre: tuple[float, float],
        half: tuple[float, float],
        *,
        angle: float = 0.0,
        swing: float = 0.0,
        lag: float = 0.0,
        joint: tuple[float, float] = (0.0, 0.0),
        spin: float = 0.0,
    ) -> None:
        """Put a part in front of the others; `kind` is the family of its outline, the rest as in `Part`."""
        part = Part(
            outline=make_outline(kind, self.rng),
            surface=surface,
            centre=centre,
            half=half,
            angle=angle,
            swing=swing,
            lag=lag,
            joint=joint,
            spin=spin,
        )
        self.parts.append(part)
