"""Videos whose boxes were drawn by an annotator who is not exact, to study what label noise does."""

import zlib
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from ebm.exceptions import DomainError
from ltr.data.usable import broken_annotations
from ltr.data.video import Annotation, Slice, VideoDataset

__all__ = ["LabelNoise", "NoisyLabels", "moved_boxes"]


@dataclass(frozen=True, kw_only=True)
class LabelNoise:
    """Gaussian error of the annotated boxes, relative to each box as the energies' own coordinates are.

    Attributes:
        centre: standard deviation of the centre / the box's width and height.
        size: standard deviation of log width and log height.

    Raises:
        DomainError: if a deviation is negative or not finite.

    Source: the model of annotation noise in Gustafsson et al., BMVC 2020, arXiv:2005.01698, eq. 15.
    """

    centre: float = 0.0
    size: float = 0.0

    def __post_init__(self) -> None:
        if not (0 <= self.centre < np.inf and 0 <= self.size < np.inf):
            raise DomainError(
                f"label_noise must be finite and not negative, got centre {self.centre}, size {self.size}."
            )

    def __bool__(self) -> bool:
        return self.centre > 0 or self.size > 0


def moved_boxes(
    boxes: npt.NDArray[np.float32], noise: LabelNoise, rng: np.random.Generator
) -> npt.NDArray[np.float32]:
    """Boxes as somebody would annotate them who errs by `noise`.

    Args:
        boxes: ``[T, 4]`` xywh, px.
        noise: how far off.
        rng: source of randomness; four numbers are drawn for every box.

    Returns:
        ``[T, 4]`` xywh, px; a box without area keeps none.
    """
    errors = rng.standard_normal((len(boxes), 4)) * (noise.centre, noise.centre, noise.size, noise.size)
    centres = boxes[:, :2] + boxes[:, 2:] / 2 + errors[:, :2] * boxes[:, 2:]
    sizes = boxes[:, 2:] * np.exp(errors[:, 2:])
    return np.concatenate((centres - sizes / 2, sizes), axis=1).astype(np.float32)


class NoisyLabels:
    """A data set with wrong boxes: every annotation errs once and for all, as in data drawn by hand.

    Args:
        dataset: the data set as it is.
        noise: how far its boxes are off.
        seed: another seed is another annotator.
    """

    def __init__(self, dataset: VideoDataset, noise: LabelNoise, seed: int = 0) -> None:
        self.dataset, self.noise, self.seed = dataset, noise, seed
        self.name, self.is_video = dataset.name, dataset.is_video
        self.skipped: tuple[Any, ...] = tuple(getattr(dataset, "skipped", ()))

    def __len__(self) -> int:
        return len(self.dataset)

    def sequence_name(self, index: int) -> str:
        """Name of a sequence as its makers write it."""
        return self.dataset.sequence_name(index)

    def prepare(self) -> dict[int, str]:
        """Bring the true annotations into memory; what is wrong, by sequence, for those that are broken."""
        return broken_annotations(self.dataset)

    def annotation(self, index: int) -> Annotation:
        """The wrong boxes of a sequence, the same at every call; flags as they are."""
        true = self.dataset.annotation(index)
        rng = np.random.default_rng((self.seed, zlib.crc32(self.name.encode()), index))
        return replace(true, boxes=moved_boxes(true.boxes, self.noise, rng))

    def frame_path(self, index: int, frame: int) -> Path | Slice:
        """Where the image of a frame lies, counted from 0."""
        return self.dataset.frame_path(index, frame)
