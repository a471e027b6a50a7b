"""Outlines of objects: star-shaped curves in polar form, scaled to the square [-1, 1] x [-1, 1]."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from ebm.lookup import lookup

__all__ = ["ANGLES", "OUTLINES", "Outline", "make_outline"]

_COUNT = 256
ANGLES: NDArray[np.float64] = np.linspace(0.0, 2.0 * np.pi, _COUNT, endpoint=False, dtype=np.float64)
_DIRECTIONS = np.stack((np.cos(ANGLES), np.sin(ANGLES)), axis=1)


@dataclass(frozen=True)
class Outline:
    """A closed curve, its bounding box being exactly [-1, 1] x [-1, 1].

    Attributes:
        radius: distance of the curve from its pole at the angles `ANGLES`, in curve units, ``(256,)``.
        centre: middle of the curve's bounding box, in curve units, ``(2,)``.
        half: half size of the bounding box, in curve units, ``(2,)``.
        hole: the inner edge of a ring as a share of the radius; 0 for none.
    """

    radius: NDArray[np.float64]
    centre: NDArray[np.float64]
    half: NDArray[np.float64]
    hole: float = 0.0

    @cached_property
    def points(self) -> NDArray[np.float64]:
        """The curve's points in the square [-1, 1] x [-1, 1], ``(256, 2)``."""
        return (self.radius[:, None] * _DIRECTIONS - self.centre) / self.half

    @cached_property
    def corners(self) -> NDArray[np.float64]:
        """Every eighth of the points and all at which the curve turns by more than 0.2 rad, ``(P, 2)``."""
        points = self.points
        ways = np.diff(points, axis=0, append=points[:1])
        turn = np.diff(np.arctan2(ways[:, 1], ways[:, 0]), prepend=np.arctan2(ways[-1, 1], ways[-1, 0]))
        sharp = np.abs((turn + np.pi) % (2.0 * np.pi) - np.pi) > 0.2
        return points[sharp | (np.arange(len(points)) % 8 == 0)]


def _superellipse(rng: np.random.Generator, low: float, high: float) -> NDArray[np.float64]:
    power = rng.uniform(low, high)
    return (np.abs(np.cos(ANGLES)) ** power + np.abs(np.sin(ANGLES)) ** power) ** (-1.0 / power)


def _ellipse(rng: np.random.Generator) -> NDArray[np.float64]:
    return _superellipse(rng, 1.8, 2.4)


def _rounded_box(rng: np.random.Generator) -> NDArray[np.float64]:
    return _superellipse(rng, 4.0, 9.0)


def _box(rng: np.random.Generator) -> NDArray[np.float64]:
    return _superellipse(rng, 25.0, 40.0)


def _diamond(rng: np.random.Generator) -> NDArray[np.float64]:
    return _superellipse(rng, 1.0, 1.4)


def _blob(rng: np.random.Generator) -> NDArray[np.float64]:
    orders = np.arange(2, 8)
    amplitude = rng.normal(size=orders.size) * 0.32 / orders
    phase = rng.uniform(0.0, 2.0 * np.pi, size=orders.size)
    wave = (amplitude[:, None] * np.cos(orders[:, None] * ANGLES + phase[:, None])).sum(axis=0)
    return np.exp(wave)


def _polygon(rng: np.random.Generator) -> NDArray[np.float64]:
    sides = int(rng.integers(3, 8))
    normals = (np.arange(sides) + rng.uniform(-0.25, 0.25, size=sides)) * (2.0 * np.pi / sides)
    distance = rng.uniform(0.75, 1.0, size=sides)
    cosine = np.cos(ANGLES[None] - normals[:, None] - rng.uniform(0.0, 2.0 * np.pi))
    reach = np.where(cosine > 0.05, distance[:, None] / np.maximum(cosine, 0.05), np.inf)
    return np.minimum(reach.min(axis=0), 3.0)


def _star(rng: np.random.Generator) -> NDArray[np.float64]:
    points = int(rng.integers(4, 9))
    wave = np.abs(((ANGLES * points / np.pi + rng.uniform(0.0, 2.0)) % 2.0) - 1.0)
    return 1.0 - rng.uniform(0.3, 0.55) * wave


def _trapezoid(rng: np.random.Generator) -> NDArray[np.float64]:
    slope = rng.uniform(0.15, 0.5)
    normals = np.array([-np.pi / 2, np.pi / 2, -slope, np.pi + slope])
    cosine = np.cos(ANGLES[None] - normals[:, None])
    reach = np.where(cosine > 0.05, 0.8 / np.maximum(cosine, 0.05), np.inf)
    return reach.min(axis=0)


OUTLINES: dict[str, Callable[[np.random.Generator], NDArray[np.float64]]] = {
    "blob": _blob,
    "box": _box,
    "diamond": _diamond,
    "ellipse": _ellipse,
    "polygon": _polygon,
    "ring": _ellipse,
    "rounded_box": _rounded_box,
    "star": _star,
    "trapezoid": _trapezoid,
}


def make_outline(kind: str, rng: np.random.Generator) -> Outline:
    """A random outline of one family.

    Args:
        kind: a key of `OUTLINES`.
        rng: source of the outline's shape.

    Raises:
        UnknownNameError: no such family.
    """
    radius = lookup("outline", kind, OUTLINES)(rng)
    curve = radius[:, None] * _DIRECTIONS
    low, high = curve.min(axis=0), curve.max(axis=0)
    hole = float(rng.uniform(0.4, 0.65)) if kind == "ring" else 0.0
    return Outline(radius, (low + high) / 2.0, (high - low) / 2.0, hole)
