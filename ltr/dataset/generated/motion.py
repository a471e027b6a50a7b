"""Paths over time: smooth walks with sudden changes, slow drifts, camera poses and linear interpolation."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ltr.dataset.generated.config import Range, SceneConfig

__all__ = ["Camera", "Track", "bump", "drift", "log_uniform", "sample_camera", "walk"]

Array = NDArray[np.float64]


def log_uniform(rng: np.random.Generator, bounds: Range) -> float:
    """One number, its logarithm uniform between those of `bounds` (positive)."""
    return float(np.exp(rng.uniform(np.log(bounds[0]), np.log(bounds[1]))))


def drift(rng: np.random.Generator, length: int, amplitude: float) -> Array:
    """A slow wave that starts at 0 and reaches +-`amplitude` somewhere, ``(length,)``."""
    time = np.arange(length, dtype=np.float64)
    periods = np.exp(rng.uniform(np.log(25.0), np.log(120.0), size=3))
    phases = rng.uniform(0.0, 2.0 * np.pi, size=3)
    wave = np.sin(2.0 * np.pi * time / periods[:, None] + phases[:, None]).sum(axis=0)
    wave -= wave[0]
    return wave * (amplitude / max(float(np.abs(wave).max()), 1e-6))


def bump(length: int, start: float, ramp: float, hold: float) -> Array:
    """0, a smooth rise over `ramp` frames, 1 for `hold` frames and the same way back, ``(length,)``."""
    time = np.arange(length, dtype=np.float64) - start
    rise = np.clip(time / ramp, 0.0, 1.0)
    fall = np.clip((2.0 * ramp + hold - time) / ramp, 0.0, 1.0)
    level = np.minimum(rise, fall)
    return level * level * (3.0 - 2.0 * level)


def walk(
    rng: np.random.Generator,
    length: int,
    start: Array,
    bounds: tuple[Array, Array],
    speed: float,
    *,
    sudden_rate: float = 0.0,
    max_step: float = np.inf,
) -> Array:
    """A point that wanders smoothly inside a box.

    Args:
        rng: source of the path.
        length: frames.
        start: first position, px, ``(2,)``.
        bounds: lower and upper corner, px; the point is steered back, not stopped.
        speed: typical way per frame, px.
        sudden_rate: sudden changes of velocity per frame.
        max_step: largest way per frame, px.

    Returns:
        Positions in px, ``(length, 2)``.
    """
    low, high = bounds
    memory = rng.uniform(0.86, 0.96)
    direction = rng.uniform(0.0, 2.0 * np.pi)
    heading = speed * np.array([np.cos(direction), np.sin(direction)]) * rng.uniform(0.4, 1.1)
    velocity = heading.copy()
    kicks = rng.normal(size=(length, 2)) * speed * np.sqrt(1.0 - memory**2) * 0.7
    turns = rng.uniform(size=length) < sudden_rate
    path = np.empty((length, 2))
    position = start.astype(np.float64)
    for step in range(length):
        path[step] = position
        if turns[step]:
            angle, boost = rng.uniform(0.0, 2.0 * np.pi), rng.uniform(0.8, 3.0)
            velocity = speed * boost * np.array([np.cos(angle), np.sin(angle)])
            heading = velocity / boost
        heading = np.where(
            position < low, np.abs(heading), np.where(position > high, -np.abs(heading), heading)
        )
        velocity = heading + memory * (velocity - heading) + kicks[step]
        velocity += 0.08 * (np.clip(position, low, high) - position)
        norm = float(np.hypot(*velocity))
        if norm > max_step:
            velocity *= max_step / norm
        position = position + velocity
    return path


@dataclass(frozen=True)
class Track:
    """The course of one object in the image of an unshaken camera; rows are frames.

    Attributes:
        position: px, ``(T, 2)``.
        scale: px per unit of the body along x and y, ``(T, 2)``.
        angle: rad, ``(T,)``.
        phase: phase of the swinging limbs, rad, ``(T,)``.
        wave: phases of the two bending waves, rad, ``(T, 2)``.
    """

    position: Array
    scale: Array
    angle: Array
    phase: Array
    wave: Array

    def at(self, times: Array) -> "Track":
        """The course at fractional frame numbers (linear in between, held at the ends), rows are `times`."""
        return Track(
            *(
                _interpolate(values, times)
                for values in (self.position, self.scale, self.angle, self.phase, self.wave)
            )
        )


def _interpolate(values: Array, times: Array) -> Array:
    time = np.clip(times, 0.0, len(values) - 1.0)
    lower = np.minimum(time.astype(np.int64), max(len(values) - 2, 0))
    upper = np.minimum(lower + 1, len(values) - 1)
    share = (time - lower).reshape(-1, *([1] * (values.ndim - 1)))
    return values[lower] * (1.0 - share) + values[upper] * share


@dataclass(frozen=True)
class Camera:
    """The camera: world point X is seen at zoom R(angle) (X - centre) + middle of the frame, shaken.

    Attributes:
        centre: world px, ``(T, 2)``.
        log_zoom: natural logarithm, ``(T,)``.
        angle: rad, ``(T,)``.
        shake: shift of the image in px and turn in rad, ``(T, 3)``.
    """

    centre: Array
    log_zoom: Array
    angle: Array
    shake: Array

    def at(self, times: Array) -> "Camera":
        """The camera at fractional frame numbers."""
        return Camera(
            *(_interpolate(values, times) for values in (self.centre, self.log_zoom, self.angle, self.shake))
        )

    def matrix(self) -> Array:
        """zoom R(angle), ``(T, 2, 2)``."""
        return np.exp(self.log_zoom)[:, None, None] * rotation(self.angle)


def rotation(angle: Array) -> Array:
    """Rotation matrices, ``(T,) -> (T, 2, 2)``."""
    cosine, sine = np.cos(angle), np.sin(angle)
    return np.stack((np.stack((cosine, -sine), -1), np.stack((sine, cosine), -1)), -2)


def sample_camera(
    rng: np.random.Generator, config: SceneConfig, length: int, size: tuple[int, int]
) -> Camera:
    """A camera over a world whose origin is its middle; `size` is the frame's (width, height), px."""
    unit = min(size) / 240.0
    reach = 0.5 * np.array(size, dtype=np.float64)
    centre = np.zeros((length, 2)) + rng.uniform(-0.2, 0.2, size=2) * reach
    if rng.uniform() < config.p_pan:
        speed = log_uniform(rng, config.pan) * unit
        centre = walk(rng, length, centre[0], (-reach, reach), speed)
    log_zoom, angle = np.zeros(length), np.zeros(length)
    if rng.uniform() < config.p_zoom:
        log_zoom = drift(rng, length, np.log(rng.uniform(*config.zoom)))
    if rng.uniform() < config.p_roll:
        angle = drift(rng, length, rng.uniform(*config.roll))
    shake = np.zeros((length, 3))
    if rng.uniform() < config.p_shake:
        raw = rng.normal(size=(length + 2, 3))
        smooth = (raw[:-2] + raw[1:-1] + raw[2:]) / np.sqrt(3.0) if rng.uniform() < 0.7 else raw[1:-1]
        shake = smooth * log_uniform(rng, config.shake) * unit * np.array([1.0, 1.0, 0.002])
    return Camera(centre, log_zoom, angle, shake)
