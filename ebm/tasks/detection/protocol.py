"""What refinement asks of a detector: the protocol by which any joins, and what goes through it."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import torch
from torch import Tensor, nn

from ebm.exceptions import InputError
from ebm.lookup import unknown_name
from ebm.tasks.detection.data.training import Resizing
from ebm.tasks.detection.pyramid import LevelRule, Pyramid

__all__ = ["Detector", "Hypotheses", "ImageBatch", "columns_for", "require_different"]


@dataclass(frozen=True, eq=False)
class ImageBatch:
    """Images as a detector takes them.

    Attributes:
        tensors: normalised, of one size, zeros on the right and below, ``(N, 3, H, W)``.
        sizes: heights and widths without the zeros, px.
    """

    tensors: Tensor
    sizes: tuple[tuple[int, int], ...]

    def __len__(self) -> int:
        """N."""
        return len(self.sizes)


@dataclass(frozen=True, eq=False)
class Hypotheses:
    """Every box of an image that may be an object of a class, many of them of one object.

    Attributes:
        boxes: xyxy, px of the batch, inside the image, ``(R, 4)``.
        probability: of the class, ``(R,)``.
        column: of the class, ``(R,)`` int64.
    """

    boxes: Tensor
    probability: Tensor
    column: Tensor

    def chosen(self, keep: Tensor) -> "Hypotheses":
        """Some of them."""
        return Hypotheses(self.boxes[keep], self.probability[keep], self.column[keep])


class Detector(Protocol):
    """A detector whose boxes can be refined; it runs frozen, in evaluation mode, without gradients.

    Attributes:
        rule: levels and strides of its feature maps.
        channels: C of these.
        columns: names of its classes by column, "" for a column without one (background).
        resizing: the size that it takes pictures in.
    """

    rule: LevelRule
    channels: int
    columns: tuple[str, ...]
    resizing: Resizing

    def prepare(self, pictures: Sequence[Tensor]) -> ImageBatch:
        """Pictures ``(3, H, W)`` of that size, RGB in [0, 1], as one batch."""

    def features(self, batch: ImageBatch) -> Pyramid:
        """Feature maps of a batch."""

    def hypotheses(self, batch: ImageBatch, pyramid: Pyramid) -> list[Hypotheses]:
        """Of every image the boxes whose class has a probability above 0.05, before any suppression."""

    def head_layers(self) -> tuple[nn.Linear, nn.Linear] | None:
        """The two hidden layers that it reads pooled features with, None where it has none."""


def require_different(names: Sequence[str]) -> None:
    """Refuse classes of one name: a detector and its branches know classes by their names.

    Raises:
        InputError: naming the first that is given twice.
    """
    twice = next((name for place, name in enumerate(names) if name in names[:place]), None)
    if twice is not None:
        raise InputError(f"two categories are called {twice!r}: give each a name of its own.")


def columns_for(detector: Detector, names: Sequence[str]) -> Tensor:
    """The detector's column of each class of a data set, ``(C,)`` int64.

    Raises:
        InputError: if two classes have one name, which the detector could not tell apart.
        UnknownNameError: (a ValueError) if the detector knows no class of that name.
    """
    require_different(names)
    place = {name: column for column, name in enumerate(detector.columns) if name}
    for name in names:
        if name not in place:
            raise unknown_name("class of the detector", name, place)
    return torch.tensor([place[name] for name in names], dtype=torch.long)
