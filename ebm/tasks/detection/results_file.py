"""Detections of a picture, and files of them in the form of COCO's results."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ebm.exceptions import ShapeError

__all__ = ["Detections"]


@dataclass(frozen=True, eq=False)
class Detections:
    """What a detector found in one picture.

    Attributes:
        boxes: ``[N, 4]`` float32, xyxy, px of the upright picture.
        scores: ``[N]`` float32; larger is surer.
        labels: ``[N]`` int64, places in `DetectionSet.categories`, from 0.
    """

    boxes: NDArray[np.float32]
    scores: NDArray[np.float32]
    labels: NDArray[np.int64]

    def __post_init__(self) -> None:
        """Refuse arrays that do not belong together.

        Raises:
            ShapeError: if a shape is wrong.
        """
        count = len(self.boxes)
        if self.boxes.shape != (count, 4) or {self.scores.shape, self.labels.shape} != {(count,)}:
            raise ShapeError(
                f"expected boxes [N, 4], scores [N] and labels [N], got {list(self.boxes.shape)}, "
                f"{list(self.scores.shape)} and {list(self.labels.shape)}."
            )

    def __len__(self) -> int:
        """N."""
        return len(self.boxes)

    def chosen(self, keep: NDArray[np.bool_] | NDArray[np.int64]) -> "Detections":
        """Some of them, in this order."""
        return Detections(self.boxes[keep], self.scores[keep], self.labels[keep])
