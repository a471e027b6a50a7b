"""What moves: the target, look-alikes, occluders and what the target is attached to."""

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from ltr.dataset.generated.backdrop import Backdrop
from ltr.dataset.generated.bodies import make_body
from ltr.dataset.generated.config import SceneConfig
from ltr.dataset.generated.motion import Camera, Track, bump, drift, log_uniform, walk
from ltr.dataset.generated.parts import Body
from ltr.dataset.generated.surfaces import sample_surface

__all__ = ["Actor", "Director"]

Array = NDArray[np.float64]
_UPRIGHT = {"person", "vehicle", "animal", "face", "tree", "pole", "building"}


@dataclass(frozen=True, kw_only=True)
class Actor:
    """A body and its course; role is target, distractor, occluder or carrier."""

    body: Body
    track: Track
    role: str


class Director:
    """Holds what the actors of one scene share."""

    def __init__(
        self,
        rng: np.random.Generator,
        config: SceneConfig,
        size: tuple[int, int],
        target_size: float,
        camera: Camera,
        backdrop: Backdrop,
        textures: int,
    ) -> None:
        self.rng, self.config, self.size, self.target_size = (
            rng,
            config,
            np.array(size, dtype=np.float64),
            target_size,
        )
        self.camera, self.backdrop, self.textures = camera, backdrop, textures
        self.length = len(camera.log_zoom)
        self.intended: dict[str, bool] = {}

    def chance(self, name: str, probability: float) -> bool:
        """Decide on an attribute and remember the decision."""
        self.intended[name] = bool(self.rng.uniform() < probability)
        return self.intended[name]

    def pick_kind(self) -> str:
        kinds, weights = zip(*self.config.bodies)
        return str(self.rng.choice(kinds, p=np.array(weights) / np.sum(weights)))

    # bodies ---------------------------------------------------------------------------------------

    def target_body(self) -> Body:
        """A body that a person can tell from the ground, unless low contrast is wanted."""
        low = self.chance("low_contrast", self.config.p_low_contrast)
        ground = self.backdrop.ground.mean
        for _ in range(6):
            body = make_body(self.pick_kind(), self.rng, textures=self.textures)
            if low:
                share = self.rng.uniform(*self.config.low_contrast)
                parts = tuple(
                    replace(part, surface=part.surface.towards(ground, share)) for part in body.parts
                )
                body = replace(body, parts=parts)
            if _contrast(body, ground) > (0.1 if low else 0.22):
                break
        return self.enliven(body)

    def enliven(self, body: Body) -> Body:
        """Give a body limbs that swing and waves that bend it."""
        rng, config = self.rng, self.config
        swing = rng.uniform(*config.swing) if rng.uniform() < 0.85 else 0.0
        bend = (0.0, 0.0)
        if rng.uniform() < config.p_deformation:
            drawn = rng.uniform(*config.deformation) * np.array(body.extent) * rng.uniform(0.3, 1.0, size=2)
            bend = (float(drawn[0]), float(drawn[1]))
        wave = rng.uniform(1.2, 3.5, size=2)
        return replace(body, swing=float(swing), bend=bend, wave=(float(wave[0]), float(wave[1])))

    def look_alike(self, body: Body) -> Body:
        """The same object again, or one of its kind in resembling colours."""
        if self.rng.uniform() < self.config.p_identical:
            return body
        other = make_body(body.kind, self.rng, textures=self.textures)
        parts = []
        for index, part in enumerate(other.parts):
            model = body.parts[min(index, len(body.parts) - 1)].surface
            parts.append(replace(part, surface=sample_surface(self.rng, near=model, kinds=(model.pattern,))))
        return self.enliven(replace(other, parts=tuple(parts)))

    # courses --------------------------------------------------------------------------------------

    def course(self, body: Body, position: Array, size: float, *, calm: bool = False) -> Track:
        """Size, turn and limbs over time, on a given path.

        `size` is sqrt(width * height) in px in the first frame; `calm` leaves out growth and turns.
        """
        rng, config, length = self.rng, self.config, self.length
        log_scale, log_aspect = np.zeros(length), np.zeros(length)
        upright = body.kind in _UPRIGHT and rng.uniform() < 0.8
        angle = np.full(length, rng.normal() * 0.06 if upright else rng.uniform(-np.pi, np.pi))
        if not calm:
            if rng.uniform() < config.p_scale:
                log_scale = drift(rng, length, np.log(rng.uniform(*config.scale_ratio)))
            if rng.uniform() < config.p_aspect:
                log_aspect = drift(rng, length, np.log(rng.uniform(*config.aspect_ratio)))
            if rng.uniform() < config.p_rotation:
                angle = angle + drift(rng, length, rng.uniform(*config.rotation) * (0.5 if upright else 1.0))
        log_scale = log_scale + self.camera.log_zoom - self.camera.log_zoom[0]
        log_scale = np.clip(log_scale, np.log(8.0 / size), np.log(0.62 * self.size.min() / size))
        angle = angle + self.camera.angle - self.camera.angle[0]
        unit = size / (2.0 * np.sqrt(body.extent[0] * body.extent[1])) * np.exp(log_scale)
        flip = float(rng.choice([-1.0, 1.0]))
        scale = np.stack((flip * unit * np.exp(0.5 * log_aspect), unit * np.exp(-0.5 * log_aspect)), axis=1)
        time = np.arange(length)[:, None]
        phase = rng.uniform(0.0, 2.0 * np.pi) + rng.uniform(0.12, 0.6) * rng.choice([-1.0, 1.0]) * time[:, 0]
        wave = rng.uniform(0.0, 2.0 * np.pi, size=2) + rng.uniform(-0.45, 0.45, size=2) * time
        return Track(position, scale, angle, phase, wave)

    def target_path(self) -> Array:
        """Where the target goes, px, ``(T, 2)``."""
        rng, config, size = self.rng, self.config, self.target_size
        fast = self.chance("fast_motion", config.p_fast)
        speed = log_uniform(rng, config.fast_speed if fast else config.speed) * size
        sudden = self.chance("sudden_motion", config.p_sudden)
        partly = self.chance("partly_out", config.p_partly_out)
        margin = (0.0 if partly else 0.55) * size
        low, high = np.full(2, margin), self.size - margin
        inner = np.minimum(np.maximum(margin, 0.8 * size), 0.45 * self.size)
        start = rng.uniform(inner, self.size - inner)
        path = walk(
            rng,
            self.length,
            start,
            (low, high),
            speed,
            sudden_rate=config.sudden_rate if sudden else 0.0,
            max_step=config.max_step * size,
        )
        if self.chance("out_of_view", config.p_out_of_view):
            path = self._leave(path)
        return path

    def _leave(self, path: Array) -> Array:
        """Send a path out of the frame over the nearest border, and back if the video is long enough."""
        rng, size = self.rng, self.target_size
        start = int(rng.uniform(0.2, 0.55) * self.length)
        gaps = np.concatenate((path[start], self.size - path[start]))
        side = int(gaps.argmin())
        way = gaps[side] + rng.uniform(0.9, 1.4) * size
        ramp = float(np.clip(way / (0.2 * size), 5.0, max(5.0, 0.3 * self.length)))
        level = bump(self.length, start, ramp, rng.uniform(2.0, 8.0))
        moved = path.copy()
        moved[:, side % 2] += level * way * (-1.0 if side < 2 else 1.0)
        return moved

    def world_path(self, body_size: float) -> Array:
        """The path of something that walks through the world on its own, px in the image, ``(T, 2)``."""
        rng = self.rng
        reach = 0.55 * self.size
        speed = log_uniform(rng, self.config.speed) * body_size * float(rng.uniform() < 0.8)
        ground = (
            walk(rng, self.length, rng.uniform(-reach, reach), (-reach, reach), speed)
            + self.camera.centre[:1]
        )
        offset = ground - self.camera.centre
        return np.einsum("tij,tj->ti", self.camera.matrix(), offset) + 0.5 * self.size

    # other actors ---------------------------------------------------------------------------------

    def distractors(self, target: Actor) -> list[tuple[Actor, bool]]:
        """Look-alikes and whether each stands in front of the target."""
        rng, config = self.rng, self.config
        if not self.chance("distractors", config.p_distractors):
            return []
        found = []
        for _ in range(int(rng.integers(config.distractors[0], config.distractors[1] + 1))):
            body = self.look_alike(target.body)
            size = self.target_size * np.exp(rng.normal() * 0.15)
            if rng.uniform() < config.p_companion:
                turn, far = rng.uniform(0.0, 2.0 * np.pi), rng.uniform(1.2, 2.2) * size
                start = far * np.array([np.cos(turn), np.sin(turn)])
                reach = np.full(2, 2.8 * size)
                beside = walk(rng, self.length, start, (-reach, reach), log_uniform(rng, config.speed) * size)
                path = target.track.position + beside
            else:
                path = self.world_path(size)
            actor = Actor(body=body, track=self.course(body, path, size), role="distractor")
            clear = np.abs(path[0] - target.track.position[0]).max() > 1.3 * size
            found.append((actor, bool(clear and rng.uniform() < 0.5)))
        return found

    def carrier(self, target: Actor) -> Actor:
        """Something larger that the target is a part of."""
        rng = self.rng
        kind = str(rng.choice(["simple", "composite", "animal", "vehicle", "person"]))
        body = make_body(kind, rng, textures=self.textures)
        ratio = rng.uniform(1.5, 2.6)
        grown = np.abs(target.track.scale[:, 0]) / abs(target.track.scale[0, 0])
        turn = rng.uniform(0.0, 2.0 * np.pi)
        away = 0.42 * ratio * self.target_size * np.array([np.cos(turn), np.sin(turn)])
        spin = target.track.angle - target.track.angle[0]
        shift = np.stack(
            (
                np.cos(spin) * away[0] - np.sin(spin) * away[1],
                np.sin(spin) * away[0] + np.cos(spin) * away[1],
            ),
            1,
        )
        course = self.course(
            body, target.track.position + shift * grown[:, None], ratio * self.target_size, calm=True
        )
        scale = course.scale[:1] * grown[:, None]
        return Actor(
            body=self.enliven(body),
            track=replace(course, scale=scale, angle=course.angle[:1] + spin),
            role="carrier",
        )

    def occluder(self, target: Actor) -> Actor | None:
        """Something that passes before the target after the first frames; None if there is no time for it."""
        rng, config = self.rng, self.config
        wide = 2.0 * np.abs(target.track.scale[:, 0]).mean() * target.body.extent[0]
        kind = str(rng.choice(["pole", "pole", "building", "tree", "region", "person", "vehicle", "simple"]))
        body = make_body(kind, rng, textures=self.textures)
        half = 0.5 * rng.uniform(*config.occluder_size) * wide
        tall = max(half, (0.75 if kind == "pole" else rng.uniform(0.2, 0.4)) * self.size[1])
        if kind not in ("pole", "building"):
            tall = half * rng.uniform(0.8, 1.6) * body.extent[1] / body.extent[0]
        scale = np.tile([half / body.extent[0], tall / body.extent[1]], (self.length, 1))
        time = np.arange(self.length)
        for _ in range(8):
            meet = int(rng.uniform(0.25, 0.85) * self.length)
            speed = (2.0 * half + wide) / log_uniform(rng, config.occlusion_frames)
            tilt = rng.normal() * 0.15
            velocity = speed * rng.choice([-1.0, 1.0]) * np.array([np.cos(tilt), np.sin(tilt)])
            path = target.track.position[meet] + (time - meet)[:, None] * velocity
            gap = np.abs(path[0] - target.track.position[0]) - np.array(
                [half + 0.6 * wide, tall + self.target_size]
            )
            if gap.max() > 0.0:
                zeros = np.zeros(self.length)
                track = Track(path, scale, zeros + rng.normal() * 0.05, zeros, np.zeros((self.length, 2)))
                return Actor(body=body, track=track, role="occluder")
        return None


def _contrast(body: Body, colour: tuple[float, float, float]) -> float:
    """Mean distance of the parts' colours from another colour, weighted by the parts' share of the body."""
    areas = np.array([part.half[0] * part.half[1] for part in body.parts])
    gaps = np.array([np.abs(np.subtract(part.surface.mean, colour)).mean() for part in body.parts])
    return float((areas * gaps).sum() / areas.sum())
