"""Drawing scenes: batches of frames as tensors on any device, with the exact truth about the target."""

import math

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor

from ltr.dataset.generated.actors import Actor
from ltr.dataset.generated.backdrop import WORLD
from ltr.dataset.generated.canvas import (
    Canvas,
    Coverage,
    Pose,
    Sprite,
    draw_body,
    make_sprites,
    outline_points,
)
from ltr.dataset.generated.motion import Camera, rotation
from ltr.dataset.generated.scene import Scene
from ltr.dataset.generated.sensor import block_artefacts, expose, light_map
from ltr.dataset.generated.surfaces import paint
from ltr.dataset.generated.truth import ClipTruth

__all__ = ["Renderer", "render"]

Array = NDArray[np.float64]
_MOST_MOMENTS = 9  # averaged in a blurred frame


def render(
    scene: Scene,
    frames: slice | None = None,
    device: torch.device | str = "cpu",
    *,
    photos: tuple[str, ...] = (),
    artefacts: bool = False,
) -> tuple[Tensor, ClipTruth]:
    """Draw frames of a scene.

    Args:
        scene: what to draw.
        frames: which frames; all by default.
        device: where to draw.
        photos: the user's photographs, as many as the scene was sampled for.
        artefacts: imitate the blocks of the scene's JPEG quality (files get them when they are written).

    Returns:
        uint8 RGB ``(T, 3, H, W)`` on `device`, and the target's truth.
    """
    numbers = np.arange(scene.length)[frames if frames is not None else slice(None)]
    image, truths = Renderer(scene, device, photos=photos).draw(numbers)
    if artefacts:
        image = block_artefacts(image, scene.sensor.quality)
    return image, truths[scene.target]


def _odd(moments: float) -> int:
    return int(np.clip(2 * math.ceil((moments - 1.0) / 2.0) + 1, 1, _MOST_MOMENTS))


class Renderer:
    """Paints a scene's sprites and world once and draws any of its frames.

    Args:
        scene: what to draw.
        device: where to draw.
        photos: files of the user's photographs.
        track_all: know the truth about all actors, not only about the target.
    """

    def __init__(
        self,
        scene: Scene,
        device: torch.device | str = "cpu",
        *,
        photos: tuple[str, ...] = (),
        track_all: bool = False,
    ) -> None:
        self.scene, self.device, self.photos = scene, torch.device(device), photos
        self.tracked = list(range(len(scene.actors))) if track_all else [scene.target]
        self._sprites: dict[int, tuple[Sprite, ...]] = {}
        self.world, self.lit = self._paint_world()

    def _paint_world(self) -> tuple[Tensor, bool]:
        """Ground, still bodies and (fourth channel) light: ``(1, 3 or 4, H, W)`` and its presence."""
        width, height = (math.ceil(WORLD * side) for side in self.scene.size)
        backdrop = self.scene.backdrop
        ground = paint(backdrop.ground, height, width, self.device, self.photos)
        canvas = Canvas(ground[None], 0)
        zero = np.zeros(1)
        for still in backdrop.stills:
            matrix = rotation(np.array([still.angle])) * np.array(still.scale)
            offset = np.array([still.centre]) + 0.5 * np.array([[width, height]])
            pose = Pose(matrix, offset, zero, np.zeros((1, 2)))
            sprites = make_sprites(still.body, still.scale, self.device, self.photos)
            draw_body(canvas, still.body, sprites, pose)
        world = canvas.rgb[0].permute(2, 0, 1)
        light = light_map(backdrop, height, width, self.device)
        return (world if light is None else torch.cat((world, light))).contiguous()[None], light is not None

    def _painted(self, actor: Actor) -> tuple[Sprite, ...]:
        key = id(actor.body)
        if key not in self._sprites:
            scale = np.abs(actor.track.scale)
            typical = np.sqrt(scale.min(axis=0) * scale.max(axis=0))
            self._sprites[key] = make_sprites(actor.body, (typical[0], typical[1]), self.device, self.photos)
        return self._sprites[key]

    def _moments(self, frames: NDArray[np.int64], count: int) -> Array:
        """`count` moments while the shutter is open in each frame, ``(F * count,)``."""
        spread = (np.arange(count) - count // 2) / max(count, 1) * self.scene.sensor.shutter
        return (frames[:, None] + spread[None]).reshape(-1)

    def _shaken(self, camera: Camera) -> tuple[Array, Array]:
        """The shake as matrix ``(N, 2, 2)`` and offset ``(N, 2)`` that act on image points."""
        matrix = rotation(camera.shake[:, 2])
        middle = 0.5 * np.array(self.scene.size)
        return matrix, middle - matrix @ middle + camera.shake[:, :2]

    def pose(self, actor: Actor, times: Array) -> Pose:
        """An actor in the image at fractional frame numbers ``(N,)``."""
        track = actor.track.at(times)
        shake, shift = self._shaken(self.scene.camera.at(times))
        matrix = shake @ (rotation(track.angle) * track.scale[:, None, :])
        return Pose(matrix, np.einsum("nij,nj->ni", shake, track.position) + shift, track.phase, track.wave)

    def _ground(self, frames: NDArray[np.int64]) -> Tensor:
        """The still world as the camera sees it, ``(F, 3 or 4, H, W)``."""
        blur = self._camera_moments(frames)
        camera = self.scene.camera.at(self._moments(frames, blur))
        shake, shift = self._shaken(camera)
        width, height = self.scene.size
        middle = 0.5 * np.array([width, height])
        inverse = np.linalg.inv(shake @ camera.matrix())
        still = np.einsum("nij,j->ni", shake, middle) + shift
        offset = camera.centre - np.einsum("nij,nj->ni", inverse, still)
        half = 0.5 * np.array([self.world.shape[3], self.world.shape[2]])
        to = torch.from_numpy(inverse / half[:, None]).float().to(self.device)[..., None, None]
        by = torch.from_numpy(offset / half).float().to(self.device)[..., None, None]
        x = (torch.arange(width, device=self.device) + 0.5)[None]
        y = (torch.arange(height, device=self.device) + 0.5)[:, None]
        grid = torch.stack(
            [to[:, axis, 0] * x + (to[:, axis, 1] * y + by[:, axis]) for axis in range(2)], dim=-1
        )
        grid = grid.view(1, -1, width, 2)
        seen = F.grid_sample(self.world, grid, padding_mode="reflection", align_corners=False)[0]
        return seen.view(-1, len(frames), blur, height, width).mean(dim=2).transpose(0, 1)

    def _camera_moments(self, frames: NDArray[np.int64]) -> int:
        if self.scene.sensor.shutter <= 0.0:
            return 1
        camera = self.scene.camera
        steps = np.abs(np.diff(camera.centre + camera.shake[:, :2], axis=0)).max(initial=0.0)
        turns = (
            np.abs(np.diff(camera.angle + camera.shake[:, 2])).max(initial=0.0) * max(self.scene.size) / 2.0
        )
        return _odd(min((steps + turns) * self.scene.sensor.shutter / 1.5, 5.0))

    def _actor_moments(self, actor: Actor) -> int:
        if self.scene.sensor.shutter <= 0.0:
            return 1
        path = actor.track.position + self.scene.camera.shake[:, :2]
        steps = np.hypot(*np.diff(path, axis=0).T).max(initial=0.0)
        return _odd(steps * self.scene.sensor.shutter / 2.0)

    def draw(self, frames: NDArray[np.int64]) -> tuple[Tensor, dict[int, ClipTruth]]:
        """Draw frames.

        Args:
            frames: frame numbers, ``(F,)``.

        Returns:
            uint8 RGB ``(F, 3, H, W)``, and the truth of each tracked actor by its index.
        """
        frames = np.asarray(frames, dtype=np.int64)
        ground = self._ground(frames)
        canvas = Canvas(ground[:, :3], len(self.tracked))
        coverage: dict[int, Coverage] = {}
        for index, actor in enumerate(self.scene.actors):
            blur = self._actor_moments(actor)
            channel = self.tracked.index(index) if index in self.tracked else None
            pose = self.pose(actor, self._moments(frames, blur))
            found = draw_body(canvas, actor.body, self._painted(actor), pose, blur=blur, channel=channel)
            if found is not None:
                coverage[index] = found
        light = ground[:, 3, :, :, None] if self.lit else None
        truths = {index: self._truth(index, canvas, coverage[index], frames) for index in self.tracked}
        return expose(self.scene, canvas.rgb, light, frames), truths

    def _truth(self, index: int, canvas: Canvas, coverage: Coverage, frames: NDArray[np.int64]) -> ClipTruth:
        actor = self.scene.actors[index]
        points = outline_points(actor.body, self.pose(actor, frames.astype(np.float64)))
        low, high = points.min(axis=1), points.max(axis=1)
        seen = canvas.seen[..., self.tracked.index(index)]
        area = coverage.area.double().clamp_min(1e-6)
        visible = seen.sum(dim=(1, 2)).double() / area
        return ClipTruth(
            amodal=np.concatenate((low, high - low), axis=1),
            visible=_pixel_boxes(seen > 0.5),
            inside_ratio=(coverage.inside.double() / area).cpu().numpy().clip(0.0, 1.0),
            visible_ratio=visible.cpu().numpy().clip(0.0, 1.0),
        )


def _pixel_boxes(mask: Tensor) -> Array:
    """Tight boxes of masks ``(F, H, W)``, xywh px, 0 0 0 0 for an empty mask, ``(F, 4)``."""
    boxes = np.zeros((len(mask), 4))
    for axis, dim in ((0, 1), (1, 2)):  # columns give x, rows give y
        hit = mask.any(dim=dim).cpu().numpy()
        found = hit.any(axis=1)
        first = hit.argmax(axis=1)
        last = hit.shape[1] - hit[:, ::-1].argmax(axis=1)
        boxes[:, axis] = np.where(found, first, 0)
        boxes[:, 2 + axis] = np.where(found, last - first, 0)
    return boxes
