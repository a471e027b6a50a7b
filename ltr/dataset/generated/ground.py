"""The still world: painted once, as far as the camera ever sees it, and sampled through the camera."""

import math

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor

from ltr.dataset.generated.backdrop import WORLD
from ltr.dataset.generated.canvas import Canvas, draw_body, sampling_grid
from ltr.dataset.generated.motion import Camera, rotation
from ltr.dataset.generated.posing import Pose, PosedBody
from ltr.dataset.generated.scene import Scene
from ltr.dataset.generated.sensor import light_map
from ltr.dataset.generated.sprites import make_sprites
from ltr.dataset.generated.surfaces import paint

__all__ = ["Ground", "shake_of"]

Array = NDArray[np.float64]


def shake_of(camera: Camera, size: tuple[int, int]) -> tuple[Array, Array]:
    """The camera's shake as matrix ``(N, 2, 2)`` and offset ``(N, 2)`` that act on image points."""
    matrix = rotation(camera.shake[:, 2])
    middle = 0.5 * np.array(size)
    return matrix, middle - matrix @ middle + camera.shake[:, :2]


def _to_world(camera: Camera, size: tuple[int, int]) -> Array:
    """World px of image points: ``(N, 2, 3)``, to be applied to (x, y, 1)."""
    shake, shift = shake_of(camera, size)
    inverse = np.linalg.inv(shake @ camera.matrix())
    still = shake @ (0.5 * np.array(size)) + shift
    offset = camera.centre - np.einsum("nij,nj->ni", inverse, still)
    return np.concatenate((inverse, offset[..., None]), axis=2)


class Ground:
    """What stands still in a scene.

    Args:
        scene: its backdrop is painted, as far as its camera sees it.
        device: where to paint.
        photos: files of the user's photographs.
    """

    def __init__(self, scene: Scene, device: torch.device, photos: tuple[str, ...]) -> None:
        self.scene, self.device = scene, device
        low, high = self._bounds()
        self.origin = low
        self.width, self.height = (int(side) for side in high - low)
        backdrop = scene.backdrop
        canvas = Canvas(paint(backdrop.ground, self.height, self.width, device, photos)[None])
        for still in backdrop.stills:
            matrix = rotation(np.array([still.angle])) * np.array(still.scale)
            pose = Pose(matrix, np.array([still.centre]) - low, np.zeros(1), np.zeros((1, 2)))
            posed = PosedBody(still.body, pose)
            if self._is_near(posed):
                draw_body(canvas, posed, make_sprites(still.body, still.scale, device, photos))
        light = light_map(backdrop, (float(low[0]), float(low[1])), self.height, self.width, device)
        self.lit = light is not None
        world = canvas.rgb[0].permute(2, 0, 1)
        self.world = (world if light is None else torch.cat((world, light))).contiguous()[None]

    def _bounds(self) -> tuple[Array, Array]:
        """Corners of what is to be painted: all that is seen but for the mirrored rest, world px."""
        width, height = self.scene.size
        corners = np.array([[0, 0, 1], [width, 0, 1], [0, height, 1], [width, height, 1]], dtype=np.float64)
        seen = (corners @ _to_world(self.scene.camera, self.scene.size).transpose(0, 2, 1)).reshape(-1, 2)
        edge = 0.5 * WORLD * np.array(self.scene.size)
        low = np.maximum(np.floor(seen.min(axis=0)) - 3.0, -np.ceil(edge))
        high = np.minimum(np.ceil(seen.max(axis=0)) + 3.0, np.ceil(edge))
        return low, np.maximum(high, low + 16.0)

    def _is_near(self, posed: PosedBody) -> bool:
        points = np.concatenate(posed.outlines(corners_only=True), axis=1)[0]
        size = np.array([self.width, self.height])
        return bool((points.max(axis=0) > 0.0).all() and (points.min(axis=0) < size).all())

    def moments(self) -> int:
        """Moments to be averaged in a frame so that the camera's motion blur shows no steps."""
        shutter, camera = self.scene.sensor.shutter, self.scene.camera
        if shutter <= 0.0:
            return 1
        steps = np.abs(np.diff(camera.centre + camera.shake[:, :2], axis=0)).max(initial=0.0)
        turns = np.abs(np.diff(camera.angle + camera.shake[:, 2])).max(initial=0.0)
        way = (steps + 0.5 * turns * max(self.scene.size)) * shutter
        return min(5, 1 + 2 * math.ceil((way / 1.5 - 1.0) / 2.0)) if way > 1.5 else 1

    def seen(self, camera: Camera, blur: int) -> Tensor:
        """The world through a camera at F * blur moments: ``(F, 3 or 4, H, W)``, the fourth being light."""
        width, height = self.scene.size
        matrix = _to_world(camera, self.scene.size)
        matrix[..., 2] += (
            0.5 * matrix[..., 0] + 0.5 * matrix[..., 1] - self.origin
        )  # pixel centres; canvas px
        half = 0.5 * np.array([self.width, self.height])
        matrix = matrix / half[:, None]
        matrix[..., 2] -= 1.0
        grid = sampling_grid(matrix, 0, 0, width, height, self.device).view(1, -1, width, 2)
        image = F.grid_sample(self.world, grid, padding_mode="reflection", align_corners=False)[0]
        image = image.view(len(image), -1, blur, height, width)
        return (image.mean(dim=2) if blur > 1 else image[:, :, 0]).transpose(0, 1)
