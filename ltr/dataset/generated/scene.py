"""A scene: who moves where before what, drawn from a seed as plain numbers; nothing is painted yet."""

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from ltr.dataset.generated.actors import Actor
from ltr.dataset.generated.backdrop import Backdrop, sample_backdrop
from ltr.dataset.generated.casting import Cast, sample_cast
from ltr.dataset.generated.config import TRAIN_SCENE, SceneConfig
from ltr.dataset.generated.motion import Camera, drift, log_uniform, sample_camera

__all__ = ["Scene", "Sensor", "sample_scene"]

Array = NDArray[np.float64]


@dataclass(frozen=True, kw_only=True)
class Sensor:
    """Light and recording.

    Attributes:
        gain: brightness factor of each frame, ``(T,)``.
        gamma: exponent of each frame, ``(T,)``.
        tint: slope of brightness over the frame along x and y, relative to the middle, ``(2,)``.
        grey: whether the video has no colour.
        soft: weight of the neighbouring pixels on either side, in [0, 0.25].
        noise: standard deviation of the noise, of full scale.
        quality: JPEG quality of the files.
        shutter: share of the frame time that the shutter is open; 0 for no motion blur.
        seed: of the noise.
    """

    gain: Array
    gamma: Array
    tint: tuple[float, float]
    grey: bool
    soft: float
    noise: float
    quality: int
    shutter: float
    seed: int


@dataclass(frozen=True, kw_only=True)
class Scene:
    """All that is needed to draw a video; the same seed and configuration give the same scene.

    Attributes:
        seed: what it was drawn from.
        size: frame (width, height), px.
        length: frames, T.
        camera: where it looks.
        backdrop: what stands still.
        actors: what moves, from back to front.
        target: index of the target in `actors`.
        sensor: light and recording.
        intended: which attributes were asked for; what is seen in the end is measured, see `ClipTruth`.
    """

    seed: int
    size: tuple[int, int]
    length: int
    camera: Camera
    backdrop: Backdrop
    actors: tuple[Actor, ...]
    target: int
    sensor: Sensor
    intended: dict[str, bool]


def _sample_sensor(
    rng: np.random.Generator, config: SceneConfig, length: int, ground: tuple[float, float, float]
) -> Sensor:
    gain, gamma, tint = np.ones(length), np.ones(length), (0.0, 0.0)
    # Cameras set their exposure: neither a dark nor a bright ground stays so altogether.
    luma = max(sum(ground) / 3.0, 0.02)
    level = rng.uniform(0.8, 1.15) * float(np.clip(luma, 0.27, 0.7)) / luma
    if rng.uniform() < config.p_illumination:
        gain = np.exp(drift(rng, length, np.log(rng.uniform(*config.gain))))
        gamma = np.exp(drift(rng, length, 0.7 * np.log(rng.uniform(*config.gamma))))
        tint = (float(rng.normal() * 0.3), float(rng.normal() * 0.3))
    blur = rng.uniform() < config.p_blur
    soft = rng.uniform(0.05, 0.25) if rng.uniform() < config.p_soft else 0.0
    return Sensor(
        gain=gain * level,
        gamma=gamma,
        tint=tint,
        grey=bool(rng.uniform() < config.p_grey),
        soft=float(soft),
        noise=float(rng.uniform(*config.noise)),
        quality=int(rng.integers(config.jpeg_quality[0], config.jpeg_quality[1] + 1)),
        shutter=float(rng.uniform(*config.shutter)) if blur else 0.0,
        seed=int(rng.integers(1 << 31)),
    )


def sample_scene(seed: int, config: SceneConfig = TRAIN_SCENE, *, textures: int = 0) -> Scene:
    """Draw a scene.

    Args:
        seed: any non-negative integer; the scene is a pure function of the arguments.
        config: ranges and probabilities.
        textures: number of photographs that surfaces may use.

    Returns:
        The scene; its camera holds T frames.
    """
    streams = [np.random.default_rng(child) for child in np.random.SeedSequence(seed).spawn(4)]
    size = config.frame_sizes[int(streams[0].integers(len(config.frame_sizes)))]
    length = int(streams[0].integers(config.length[0], config.length[1] + 1))
    used = textures if streams[0].uniform() < config.p_texture else 0
    camera = sample_camera(streams[0], config, length, size)
    small = bool(streams[0].uniform() < config.p_small)
    share = log_uniform(streams[0], config.small_size if small else config.target_size)
    target_size = share * min(size)
    backdrop = sample_backdrop(streams[1], config, size, target_size, textures=used)
    cast: Cast = sample_cast(streams[2], config, size, target_size, camera, backdrop, textures=used)
    sensor = _sample_sensor(streams[3], config, length, backdrop.ground.mean)
    if length == 1:
        sensor = replace(sensor, shutter=0.0)
    return Scene(
        seed=seed,
        size=size,
        length=length,
        camera=camera,
        backdrop=backdrop,
        actors=cast.actors,
        target=cast.target,
        sensor=sensor,
        intended={**cast.intended, "small": small, "motion_blur": sensor.shutter > 0.0},
    )
