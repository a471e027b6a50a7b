"""Bodies in the image at given moments: matrices of their parts and points of their outlines."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ltr.dataset.generated.parts import Body, part_poses

__all__ = ["Pose", "PosedBody"]

Array = NDArray[np.float64]


@dataclass(frozen=True)
class Pose:
    """A body in the image at N moments: pixel = matrix @ bent body point + offset.

    Attributes:
        matrix: ``(N, 2, 2)``, px per body unit.
        offset: px, ``(N, 2)``.
        phase: of the limbs, rad, ``(N,)``.
        wave: of the bending waves, rad, ``(N, 2)``.
    """

    matrix: Array
    offset: Array
    phase: Array
    wave: Array


class PosedBody:
    """A body at N moments, the poses of its parts worked out once."""

    def __init__(self, body: Body, pose: Pose) -> None:
        self.body, self.pose = body, pose
        self.parts = [part_poses(part, body.swing, pose.phase) for part in body.parts]

    def only(self, moments: NDArray[np.int64]) -> "PosedBody":
        """The body at some of its moments."""
        pose = self.pose
        chosen = (pose.matrix[moments], pose.offset[moments], pose.phase[moments], pose.wave[moments])
        return PosedBody(self.body, Pose(*chosen))

    def outlines(self, *, corners_only: bool = False) -> list[Array]:
        """The outline of each part in the image, px, ``(N, P, 2)`` each.

        `corners_only` keeps an eighth of the points and every corner, enough for a window with px to spare.
        """
        outlines = []
        for part, (matrix, offset) in zip(self.body.parts, self.parts):
            own = part.outline.corners if corners_only else part.outline.points
            points = own @ matrix.transpose(0, 2, 1) + offset[:, None]
            if self.body.bend != (0.0, 0.0):
                points = self._bend(points)
            outlines.append(points @ self.pose.matrix.transpose(0, 2, 1) + self.pose.offset[:, None])
        return outlines

    def _bend(self, points: Array) -> Array:
        """Two waves bend body points ``(N, P, 2)``; each shears, so areas stay and the way back is closed."""
        bend, number, wave = self.body.bend, self.body.wave, self.pose.wave
        y = points[..., 1] + bend[1] * np.sin(number[1] * points[..., 0] + wave[:, 1:2])
        x = points[..., 0] + bend[0] * np.sin(number[0] * y + wave[:, 0:1])
        return np.stack((x, y), axis=-1)
