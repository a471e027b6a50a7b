"""f of boxes in relative coordinates, given the feature maps of a batch of images."""

from collections.abc import Callable
from functools import partial
from typing import NamedTuple

from torch import Tensor

from ebm.boxes import rect_to_rel, rel_to_rect
from ebm.models import EnergyModel, Features
from ebm.tasks.detection.branch import ConfidenceBranch, box_scores, rects_of
from ebm.tasks.detection.near import fits_near
from ebm.tasks.detection.pyramid import Pyramid
from ebm.tasks.detection.shared import SharedEnergy

__all__ = ["Problems", "PyramidEnergy"]


class Problems(NamedTuple):
    """Regression problems of a batch of images: one for every labelled box, or detection.

    Attributes:
        image: which image of the batch, ``(B,)`` int64.
        column: of the class, ``(B,)`` int64.
        size: reference width and height, px of the image that was fed, ``(B, 2)``.
    """

    image: Tensor
    column: Tensor
    size: Tensor


class PyramidEnergy(EnergyModel):
    """f of boxes in relative coordinates, given the feature maps of a batch of images.

    Args:
        branch: is trained.
        pyramid: features of the batch; no gradient flows into them.
    """

    target_dim = 4

    def __init__(self, branch: ConfidenceBranch, pyramid: Pyramid) -> None:
        super().__init__()
        self.branch, self.pyramid = branch, pyramid

    def extract(self, x: Problems) -> Features:
        """The problems themselves."""
        return x

    def score(self, features: Features, y: Tensor) -> Tensor:
        """f of relative boxes ``(B, M, 4) -> (B, M)``, differentiable in them."""
        return self.score_function(features)(y)

    def score_function(self, features: Features) -> Callable[[Tensor], Tensor]:
        """See `EnergyModel.score_function`; on a CPU it knows its gradient."""
        problems = Problems(*features)
        plainly = partial(self._plainly, problems)
        if type(self) is not PyramidEnergy or not fits_near(self.branch, self.pyramid):
            return plainly
        return SharedEnergy(self.branch, self.pyramid, plainly, *problems)

    def _plainly(self, problems: Problems, y: Tensor) -> Tensor:
        rects = rel_to_rect(y, problems.size[:, None])
        image, column = (own[:, None].expand(y.shape[:2]).flatten() for own in problems[:2])
        return self.of_boxes(image, column)(rects.flatten(0, 1)).view(y.shape[:2])

    def labels(self, image: Tensor, column: Tensor, boxes: Tensor) -> tuple[Problems, Tensor]:
        """The problems that labelled boxes pose, and their labels.

        Args:
            image: ``(B,)``.
            column: ``(B,)``.
            boxes: xyxy, px of the images that were fed, ``(B, 4)``.

        Returns:
            Problems whose reference sizes are the boxes' own, and relative boxes ``(B, 4)``.

        Raises:
            DomainError: if a box has no area.
        """
        rects = rects_of(boxes)
        problems = Problems(image, column, rects[:, 2:])
        return problems, rect_to_rel(rects, problems.size)

    def of_boxes(self, image: Tensor, column: Tensor) -> Callable[[Tensor], Tensor]:
        """f of boxes xywh, px ``(R, 4) -> (R,)``, each in its own image and class."""
        return box_scores(self.branch, self.pyramid, image, column)
