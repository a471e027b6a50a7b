"""What is known of pictures with labelled boxes, whatever files it came from."""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ebm.exceptions import DomainError, ShapeError

__all__ = ["Category", "DetectionImage", "DetectionSet"]

ImageId = int | str


@dataclass(frozen=True)
class Category:
    """A kind of object: the id that files know it by, and its name."""

    category_id: int
    name: str


@dataclass(frozen=True, eq=False)
class DetectionImage:
    """A picture and its boxes.

    Attributes:
        image_id: as in the file of annotations; results name pictures by it.
        path: of the file.
        boxes: ``[N, 4]`` float32, xyxy, px of the upright picture, ``right = left + width``.
        labels: ``[N]`` int64, places in `DetectionSet.categories`, from 0.
        crowd: ``[N]`` bool: the box holds several objects. It is not trained on, and in scoring a detection
            inside it is neither right nor wrong.
        width: of the upright picture, px.
        height: of the upright picture, px.
        area: ``[N]`` float32, px^2, by which scores sort objects into small, medium and large: of the
            object's outline where the file knows it (as in COCO); None takes the boxes' own.
    """

    image_id: ImageId
    path: Path
    boxes: NDArray[np.float32]
    labels: NDArray[np.int64]
    crowd: NDArray[np.bool_]
    width: int
    height: int
    area: NDArray[np.float32] | None = None

    def __post_init__(self) -> None:
        """Refuse arrays that do not belong together.

        Raises:
            ShapeError: if a shape is wrong.
        """
        count = len(self.boxes)
        area = () if self.area is None else (self.area.shape,)
        if self.boxes.shape != (count, 4) or {self.labels.shape, self.crowd.shape, *area} != {(count,)}:
            raise ShapeError(
                f"picture {self.image_id}: expected boxes [N, 4], labels [N] and crowd [N], got "
                f"{list(self.boxes.shape)}, {list(self.labels.shape)} and {list(self.crowd.shape)}."
            )

    def __len__(self) -> int:
        """N."""
        return len(self.boxes)

    @property
    def areas(self) -> NDArray[np.float32]:
        """Areas of the objects, ``[N]``, px^2."""
        if self.area is not None:
            return self.area
        return np.prod(self.boxes[:, 2:] - self.boxes[:, :2], axis=1, dtype=np.float32)

    def chosen(self, keep: NDArray[np.bool_] | NDArray[np.int64]) -> "DetectionImage":
        """The same picture with some of its boxes."""
        area = None if self.area is None else self.area[keep]
        return replace(
            self, boxes=self.boxes[keep], labels=self.labels[keep], crowd=self.crowd[keep], area=area
        )


@dataclass(frozen=True, eq=False)
class DetectionSet:
    """Pictures with boxes, and the kinds of objects in them.

    Attributes:
        images: in the order of the file.
        categories: label k is of ``categories[k]``.
    """

    images: tuple[DetectionImage, ...]
    categories: tuple[Category, ...]

    def __post_init__(self) -> None:
        """Refuse labels without a category, and pictures of one id.

        Raises:
            DomainError: if there are any.
        """
        if len(self.by_id) != len(self.images):
            raise DomainError("two pictures of a set have one image_id; results could not tell them apart.")
        for image in self.images:
            if len(image) and not 0 <= image.labels.min() <= image.labels.max() < len(self.categories):
                raise DomainError(
                    f"picture {image.image_id} has labels {image.labels.min()} to {image.labels.max()}; "
                    f"there are {len(self.categories)} categories, labelled from 0."
                )

    def __len__(self) -> int:
        """Number of pictures."""
        return len(self.images)

    @cached_property
    def by_id(self) -> dict[ImageId, DetectionImage]:
        """The pictures by their ids."""
        return {image.image_id: image for image in self.images}

    @cached_property
    def label_of(self) -> dict[int, int]:
        """Label of a category's id."""
        return {category.category_id: label for label, category in enumerate(self.categories)}

    @property
    def names(self) -> tuple[str, ...]:
        """Names of the categories, by label."""
        return tuple(category.name for category in self.categories)

    def chosen(self, places: Iterable[int]) -> "DetectionSet":
        """Some of the pictures, in this order."""
        return replace(self, images=tuple(self.images[place] for place in places))

    def for_training(self) -> "DetectionSet":
        """What a detector learns from: no crowds, boxes cut at the border, none empty, no picture without.

        Source: spec/ebm.md, 6.1 and 6.2 (as in the papers' code).
        """
        kept = (_trained_on(image) for image in self.images)
        return replace(self, images=tuple(image for image in kept if len(image)))


def _trained_on(image: DetectionImage) -> DetectionImage:
    size = np.array([image.width, image.height] * 2, dtype=np.float32)
    cut = replace(image, boxes=np.clip(image.boxes, 0, size))
    return cut.chosen(~image.crowd & (cut.boxes[:, 2:] > cut.boxes[:, :2]).all(axis=1))
