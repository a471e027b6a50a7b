"""Drawing scenes: batches of frames as tensors on any device, with the exact truth about the target."""

import math

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from ltr.dataset.generated.actors import Actor
from ltr.dataset.generated.canvas import Canvas, Coverage, draw_body
from ltr.dataset.generated.ground import Ground, shake_of
from ltr.dataset.generated.motion import rotation
from ltr.dataset.generated.posing import Pose, PosedBody
from ltr.dataset.generated.scene import Scene
from ltr.dataset.generated.sensor import block_artefacts, expose
from ltr.dataset.generated.sprites import Sprite, make_sprites
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
        self.ground = Ground(scene, self.device, photos)

    def _painted(self, actor: Actor) -> tuple[Sprite, ...]:
        key = id(actor.body)
        if key not in self._sprites:
            scale = np.abs(actor.track.scale)
            typical = np.sqrt(scale.min(axis=0) * scale.max(axis=0))
            self._sprites[key] = make_sprites(actor.body, (typical[0], typical[1]), self.device, self.photos)
        return self._sprites[key]

    def _moments(self, frames: NDArray[np.int64], count: int) -> Array:
        """`count` moments while the shutter is open in each frame, ``(F * count,)``."""
        spread = (np.arange(count) - count // 2) / count * self.scene.sensor.shutter
        return (frames[:, None] + spread[None]).reshape(-1)

    def pose(self, actor: Actor, times: Array) -> Pose:
        """An actor in the image at fractional frame numbers ``(N,)``."""
        track = actor.track.at(times)
        shake, shift = shake_of(self.scene.camera.at(times), self.scene.size)
        matrix = shake @ (rotation(track.angle) * track.scale[:, None, :])
        return Pose(matrix, np.einsum("nij,nj->ni", shake, track.position) + shift, track.phase, track.wave)

    def _actor_moments(self, actor: Actor) -> int:
        """Moments to be averaged in a frame so that an actor's motion blur shows no steps."""
        path = actor.track.position + self.scene.camera.shake[:, :2]
        way = np.hypot(*np.diff(path, axis=0).T).max(initial=0.0) * self.scene.sensor.shutter
        return min(_MOST_MOMENTS, 1 + 2 * math.ceil(way / 4.0))

    def draw(self, frames: NDArray[np.int64]) -> tuple[Tensor, dict[int, ClipTruth]]:
        """Draw frames.

        Args:
            frames: frame numbers, ``(F,)``.

        Returns:
            uint8 RGB ``(F, 3, H, W)``, and the truth of each tracked actor by its index.
        """
        frames = np.asarray(frames, dtype=np.int64)
        blur = self.ground.moments()
        ground = self.ground.seen(self.scene.camera.at(self._moments(frames, blur)), blur)
        canvas = Canvas(ground[:, :3], len(self.tracked))
        drawn: list[tuple[int, PosedBody, Coverage]] = []
        for index, actor in enumerate(self.scene.actors):
            blur = self._actor_moments(actor)
            channel = self.tracked.index(index) if index in self.tracked else None
            posed = PosedBody(actor.body, self.pose(actor, self._moments(frames, blur)))
            found = draw_body(canvas, posed, self._painted(actor), blur=blur, channel=channel)
            if found is not None:
                drawn.append((index, posed.only(np.arange(len(frames)) * blur + blur // 2), found))
        light = ground[:, 3, :, :, None] if self.ground.lit else None
        truths = {
            index: _truth(posed, coverage, canvas.seen[self.tracked.index(index)])
            for index, posed, coverage in drawn
        }
        return expose(self.scene, canvas.rgb, light, frames), truths


def _truth(posed: PosedBody, coverage: Coverage, seen: Tensor) -> ClipTruth:
    """The truth about one object from its outlines in mid-exposure and its rows ``(R,)`` of the canvas."""
    points = np.concatenate(posed.outlines(), axis=1)
    low, high = points.min(axis=1), points.max(axis=1)
    inside = coverage.places < len(seen) - 1  # the last row takes what falls outside
    visible = seen[coverage.places] * inside
    area = coverage.mask.sum(dim=(1, 2), dtype=torch.float64).clamp_min(1e-6)
    return ClipTruth(
        amodal=np.concatenate((low, high - low), axis=1),
        visible=_pixel_boxes(visible > 0.5, coverage.corner),
        inside_ratio=((coverage.mask * inside).sum(dim=(1, 2), dtype=torch.float64) / area).cpu().numpy(),
        visible_ratio=(visible.sum(dim=(1, 2), dtype=torch.float64) / area).cpu().numpy(),
    )


def _pixel_boxes(mask: Tensor, corner: NDArray[np.int64]) -> Array:
    """Tight boxes of masks ``(F, h, w)`` at `corner` ``(F, 2)``, xywh px, 0 0 0 0 where empty, ``(F, 4)``."""
    boxes = np.zeros((len(mask), 4))
    for axis, dim in ((0, 1), (1, 2)):  # columns give x, rows give y
        hit = mask.any(dim=dim).cpu().numpy()
        found = hit.any(axis=1)
        first = hit.argmax(axis=1)
        last = hit.shape[1] - hit[:, ::-1].argmax(axis=1)
        boxes[:, axis] = np.where(found, first + corner[:, axis], 0)
        boxes[:, 2 + axis] = np.where(found, last - first, 0)
    return boxes
