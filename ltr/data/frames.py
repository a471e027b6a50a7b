"""The frames of a training sample before anything is cut from them."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from ltr.data.canvas import crop_encoded
from ltr.data.crops import Region, extract_region
from ltr.data.image_loader import EncodedImage

__all__ = ["Frame", "RawSample"]


@dataclass(frozen=True, eq=False)
class Frame:
    """A frame and its target; an encoded image is decoded when its crop is known."""

    image: npt.NDArray[np.uint8] | EncodedImage  # [H, W, 3] RGB
    box: npt.NDArray[np.float32]  # [4] xywh, px

    @property
    def size(self) -> tuple[int, int]:
        """Width and height of the image, px."""
        image = self.image
        return image.size if isinstance(image, EncodedImage) else (image.shape[1], image.shape[0])

    @property
    def can_reduce(self) -> bool:
        """Whether `pixels` can give a smaller image for less work."""
        return isinstance(self.image, EncodedImage) and self.image.can_reduce

    def crop(
        self,
        region: Region,
        output_sz: tuple[int, int],
        reduce: int = 1,
        out: npt.NDArray[np.uint8] | None = None,
    ) -> npt.NDArray[np.uint8]:
        """A region of the image, `reduce` times smaller where `can_reduce`; see `extract_region`."""
        if isinstance(self.image, EncodedImage):
            return crop_encoded(self.image, region, output_sz, reduce, out)
        return extract_region(self.image, region, output_sz, out)


@dataclass(frozen=True, eq=False)
class RawSample:
    """Frames of one sequence: those that build the target model, those on which it is tested."""

    dataset: str
    sequence: str
    train: Sequence[Frame]
    test: Sequence[Frame]
