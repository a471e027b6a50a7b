"""Search crops: which part of a frame the network sees, and how to get back."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from pytracking.features.preprocessing import Image, Patch, Pixels, sample_patch
from pytracking.parameter.base import CropParams
from pytracking.tracker.common.geometry import CropView, ScoreGrid, TargetState

__all__ = ["Cropper", "Crops"]


@dataclass(frozen=True, kw_only=True, eq=False)
class Crops:
    """The crops of one frame, one per search scale.

    Attributes:
        images: RGB in 0..255 ``[h, w, 3]`` each.
        views: how each of them lies in the frame.
        frame: image (H, W), px.
    """

    images: list[Pixels]
    views: list[CropView]
    frame: tuple[int, int]


class Cropper:
    """Cuts search areas around the target."""

    def __init__(self, params: CropParams) -> None:
        self.params = params
        self.offset = np.zeros(2)

    def set_grid(self, grid: ScoreGrid) -> None:
        """Shift crops by half a cell where that puts the target's usual place on a score cell's centre."""
        self.offset = np.mod(grid.center, 1) * grid.cell(self.params.crop_size)

    def around(self, state: TargetState, image: Image) -> Crops:
        """Search crops of `image`, uint8 ``[H, W, 3]``, one for each of the parameter set's scale factors."""
        center = state.position + self.offset * state.scale
        patches = [self._cut(image, center, state.scale * f) for f in self.params.scale_factors]
        return Crops(
            images=[patch.image for patch in patches],
            views=[self.view(patch) for patch in patches],
            frame=(image.shape[0], image.shape[1]),
        )

    def view(self, patch: Patch) -> CropView:
        """Geometry of a patch of crop size."""
        return CropView(
            center=np.array(patch.center),
            scale=patch.scale,
            crop_size=(patch.image.shape[0], patch.image.shape[1]),
        )

    def _cut(self, image: Image, center: NDArray[np.float64], scale: float) -> Patch:
        height, width = self.params.crop_size
        return sample_patch(
            image,
            (float(center[0]), float(center[1])),
            (scale * height, scale * width),
            (height, width),
            mode=self.params.border_mode,
            max_scale_change=self.params.patch_max_scale_change,
            nominal_corners=self.params.reproduces("decimation_offset"),
        )
