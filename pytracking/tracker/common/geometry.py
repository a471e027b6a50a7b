"""Target state and the coordinate systems, frame, crop and score map; a map stands beside its inverse.

Vectors are (y, x), sizes (h, w); boxes are x, y, w, h. Pixel i has its centre at coordinate i.
"""

from dataclasses import dataclass, replace
from typing import Self

import numpy as np
from numpy.typing import NDArray

__all__ = ["CropView", "ScoreGrid", "TargetState", "clamp_position"]

Array = NDArray[np.float64]


def clamp_position(position: Array, size: Array, frame: tuple[int, int], inside_ratio: float = 0.2) -> Array:
    """Keep at least `inside_ratio` of the target inside the frame on each axis.

    Args:
        position: target centre (y, x), px.
        size: target (h, w), px.
        frame: image (H, W), px.
        inside_ratio: part of the target's side, 0.5 keeps the centre inside.
    """
    margin = (0.5 - inside_ratio) * size
    return np.clip(position, -margin, np.asarray(frame) + margin)


@dataclass(frozen=True, kw_only=True, eq=False)
class TargetState:
    """Where the target is thought to be.

    Attributes:
        position: centre (y, x), image px.
        size: (h, w), image px.
        scale: image px per crop px of the next search.
        base_size: (h, w) of the target in crop px at the first frame; ``size = scale * base_size`` there.
    """

    position: Array
    size: Array
    scale: float
    base_size: Array

    @classmethod
    def from_box(cls, box: Array, crop_size: tuple[int, int], search_area_scale: float) -> Self:
        """State of the first frame, its scale such that the crop covers ``search_area_scale`` target sides.

        Args:
            box: x, y, w, h, image px.
            crop_size: (h, w), crop px.
            search_area_scale: search side / sqrt(target area).
        """
        size = np.array([box[3], box[2]], dtype=np.float64)
        scale = search_area_scale * float(np.sqrt(size.prod() / (crop_size[0] * crop_size[1])))
        position = np.array([box[1], box[0]], dtype=np.float64) + (size - 1) / 2
        return cls(position=position, size=size, scale=scale, base_size=size / scale)

    @property
    def box(self) -> Array:
        """x, y, w, h ``[4]``, image px; exact inverse of `from_box`."""
        corner = self.position - (self.size - 1) / 2
        return np.array([corner[1], corner[0], self.size[1], self.size[0]])

    def moved(self, position: Array) -> Self:
        """The same target somewhere else."""
        return replace(self, position=position)

    def resized(self, size: Array, *, update_scale: bool = True) -> Self:
        """The same target with another size; the search scale follows its area if asked to."""
        scale = float(np.sqrt(size.prod() / self.base_size.prod())) if update_scale else self.scale
        return replace(self, size=size, scale=scale)

    def searched_at(self, factor: float, frame: tuple[int, int]) -> Self:
        """The same target where its size follows the search scale, between 10 px and the frame ``(H, W)``.

        Args:
            factor: what the search scale is multiplied by.
            frame: image (H, W), px.
        """
        lowest = float((10 / self.base_size).max())
        highest = float((frame / self.base_size).min())
        return self.resized(self.base_size * min(max(self.scale * factor, lowest), highest))


@dataclass(frozen=True, kw_only=True, eq=False)
class CropView:
    """Map between a frame and one crop of it.

    Attributes:
        center: (y, x) of the crop's centre, image px.
        scale: image px per crop px.
        crop_size: (h, w), crop px.
    """

    center: Array
    scale: float
    crop_size: tuple[int, int]

    def box_of(self, state: TargetState) -> Array:
        """The target's x, y, w, h ``[4]``, crop px."""
        middle = (state.position - self.center) / self.scale + (np.asarray(self.crop_size) - 1) / 2
        size = state.size / self.scale
        corner = middle - (size - 1) / 2
        return np.array([corner[1], corner[0], size[1], size[0]])

    def locate(self, box: Array, *, half_pixel_drift: bool = False) -> tuple[Array, Array]:
        """Position (y, x) and size (h, w), image px, of a box x, y, w, h in crop px; inverse of `box_of`.

        Args:
            box: ``[4]``, crop px.
            half_pixel_drift: take the box centre as ``corner + size / 2``, as the published trackers do: the
                target comes back half a crop pixel further to the bottom right.
        """
        size = np.array([box[3], box[2]])
        middle = np.array([box[1], box[0]]) + (size if half_pixel_drift else size - 1) / 2
        position = (middle - (np.asarray(self.crop_size) - 1) / 2) * self.scale + self.center
        return position, size * self.scale

    def image_boxes(self, boxes: Array) -> Array:
        """Crop boxes x, y, w, h ``[N, 4]`` in image px."""
        half = (np.asarray(self.crop_size) - 1) / 2
        corner = boxes[:, 1::-1] + (boxes[:, 3:1:-1] - 1) / 2 - half
        size = boxes[:, 3:1:-1] * self.scale
        top_left = corner * self.scale + self.center - (size - 1) / 2
        return np.concatenate((top_left[:, ::-1], size[:, ::-1]), axis=1)


@dataclass(frozen=True, kw_only=True)
class ScoreGrid:
    """How a score map lies over its crop.

    Attributes:
        center: (row, column) over the crop's centre, cells; a half where it lies between two.
        cells: (h, w) cells across the crop.
    """

    center: tuple[float, float]
    cells: tuple[int, int]

    @classmethod
    def of_filter(cls, features: tuple[int, int], kernel: tuple[int, int]) -> Self:
        """The map of a filter of `kernel` (h, w) over `features` (h, w): one cell more for an even side."""
        middle = [(n - k % 2) / 2 for n, k in zip(features, kernel)]
        return cls(center=(middle[0], middle[1]), cells=features)

    def cell(self, crop_size: tuple[int, int]) -> Array:
        """(h, w) of a cell, crop px."""
        return np.asarray(crop_size) / np.asarray(self.cells)
