"""The energy branch: how well does a box of a class fit, read from the features of a frozen detector."""

from collections.abc import Callable
from typing import NamedTuple

import torch
from torch import Tensor, nn

from ebm.baselines.base import PAPER_STD
from ebm.boxes import rect_to_rel, rel_to_rect
from ebm.checks import require_count
from ebm.models import EnergyModel, Features
from ebm.tasks.detection.pyramid import Pyramid

__all__ = ["ConfidenceBranch", "Problems", "PyramidEnergy", "corners_of", "rects_of"]


class ConfidenceBranch(nn.Module):
    """Pooled features to one score per class: two hidden layers, then a column for every class.

    Args:
        channels: C of the feature maps.
        columns: number of classes that have a column of their own; 1 scores boxes whatever their class.
        hidden: units of both hidden layers.
        bins: cells per side that boxes are pooled into.

    Source: Gustafsson et al., ECCV 2020, supplement C.3; BMVC 2020, appendix B.
    """

    def __init__(self, channels: int, columns: int, *, hidden: int = 1024, bins: int = 7) -> None:
        super().__init__()
        self.channels, self.bins = require_count("channels", channels), require_count("bins", bins)
        self.columns, self.hidden = require_count("columns", columns), require_count("hidden", hidden)
        self.fc6 = nn.Linear(channels * bins * bins, hidden)
        self.fc7 = nn.Linear(hidden, hidden)
        self.fc_conf = nn.Linear(hidden, columns)
        nn.init.normal_(self.fc_conf.weight, std=PAPER_STD)
        nn.init.zeros_(self.fc_conf.bias)

    def start_from(self, layers: tuple[nn.Linear, nn.Linear] | None) -> tuple[str, ...]:
        """Begin with a detector's own two hidden layers where they have the same shape.

        Args:
            layers: the detector's; None where it has none.

        Returns:
            Names of the layers that were taken over.
        """
        taken = []
        for name, source in zip(("fc6", "fc7"), layers or ()):
            own = self.get_submodule(name)
            if isinstance(own, nn.Linear) and own.weight.shape == source.weight.shape:
                own.load_state_dict({key: value.detach() for key, value in source.state_dict().items()})
                taken.append(name)
        return tuple(taken)

    def forward(self, pooled: Tensor, column: Tensor) -> Tensor:
        """Scores ``(R,)`` of pooled boxes ``(R, C, bins, bins)`` in the columns ``(R,)`` of their classes."""
        hidden = self.fc7(self.fc6(pooled.flatten(1)).relu()).relu()
        if self.columns == 1:
            column = torch.zeros_like(column)
        # One column of each row: the others are neither computed nor trained.
        return torch.linalg.vecdot(hidden, self.fc_conf.weight[column]) + self.fc_conf.bias[column]


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
        problems = Problems(*features)
        rects = rel_to_rect(y, problems.size[:, None])
        image, column = (own[:, None].expand(y.shape[:2]).flatten() for own in problems[:2])
        pooled = self.pyramid.pool(image, corners_of(rects.flatten(0, 1)), self.branch.bins)
        return self.branch(pooled, column).view(y.shape[:2])

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

        def scores(rects: Tensor) -> Tensor:
            found: Tensor = self.branch(self.pyramid.pool(image, corners_of(rects), self.branch.bins), column)
            return found

        return scores


def corners_of(rects: Tensor) -> Tensor:
    """Boxes xywh ``(..., 4)`` as xyxy."""
    return torch.cat((rects[..., :2], rects[..., :2] + rects[..., 2:]), -1)


def rects_of(corners: Tensor) -> Tensor:
    """Boxes xyxy ``(..., 4)`` as xywh."""
    return torch.cat((corners[..., :2], corners[..., 2:] - corners[..., :2]), -1)
