"""f of boxes that move little, with its gradient: an ascent or a chain on a CPU in a few products a step."""

from dataclasses import dataclass
from typing import NamedTuple

import torch
from torch import Tensor
from torch.nn.functional import linear

from ebm.gradients import score_and_gradient
from ebm.tasks.detection.branch import ConfidenceBranch, box_scores, corners_of
from ebm.tasks.detection.near_cells import NearCells
from ebm.tasks.detection.pyramid import Pyramid

__all__ = ["MOST_BOXES", "Layers", "NearEnergy", "Units", "are_sound", "fits_near"]

MOST_BOXES = 256  # at once: the cells around them take some ten MB
FEW_BOXES = 64
GROUP = 8  # boxes whose cells are gathered in one tensor


def fits_near(branch: ConfidenceBranch, pyramid: Pyramid) -> bool:
    """Whether it is the right way: on a CPU, for the branch as it is, in single precision."""
    plain = type(branch) is ConfidenceBranch and branch.fc6.weight.dtype == torch.float32
    return plain and pyramid.device.type == "cpu" and not torch.is_autocast_enabled("cpu")


class Units(NamedTuple):
    """What an evaluation leaves for the gradient: units of both hidden layers, ``(R, hidden)``."""

    first: Tensor
    second: Tensor


@dataclass(frozen=True, eq=False)
class Layers:
    """A branch on boxes whose classes are known; without a graph.

    Attributes:
        branch: its layers.
        first: of the first one in the order of what is pooled, ``(hidden, bins * bins * C)``. None for
            few boxes: it is cheaper then to put these into the order of the weights.
        weight: the last layer's of every box, ``(R, hidden)``.
        bias: likewise, ``(R,)``.
    """

    branch: ConfidenceBranch
    first: Tensor | None
    weight: Tensor
    bias: Tensor

    @classmethod
    def of(cls, branch: ConfidenceBranch, column: Tensor) -> "Layers":
        """For boxes of the classes ``(R,)``."""
        own = torch.zeros_like(column) if branch.columns == 1 else column
        first = None
        if len(column) >= FEW_BOXES:
            first = branch.fc6.weight.detach().unflatten(1, (branch.channels, -1)).transpose(1, 2).flatten(1)
        return cls(branch, first, branch.fc_conf.weight.detach()[own], branch.fc_conf.bias.detach()[own])

    def score(self, pooled: Tensor) -> tuple[Tensor, Units]:
        """f ``(R,)`` of pooled boxes ``(R, bins, bins, C)``."""
        fc6, fc7 = self.branch.fc6, self.branch.fc7
        if self.first is None:
            first = linear(pooled.permute(0, 3, 1, 2).flatten(1), fc6.weight, fc6.bias).relu_()
        else:
            first = linear(pooled.flatten(1), self.first, fc6.bias).relu_()
        second = linear(first, fc7.weight, fc7.bias).relu_()
        return torch.linalg.vecdot(second, self.weight) + self.bias, Units(first, second)

    def gradient(self, units: Units) -> Tensor:
        """Of f in what was pooled, ``(R, bins, bins, C)``."""
        branch = self.branch
        inner = ((self.weight * (units.second > 0)) @ branch.fc7.weight) * (units.first > 0)
        if self.first is None:
            pooled = (inner @ branch.fc6.weight).view(len(inner), branch.channels, branch.bins, branch.bins)
            return pooled.permute(0, 2, 3, 1)
        return (inner @ self.first).view(len(inner), branch.bins, branch.bins, branch.channels)


class NearEnergy:
    """f of boxes xywh px ``(R, 4)``, each in its own image and class; knows its gradient.

    The values are those of `ebm.tasks.detection.branch.box_scores`, which pools every box anew from the whole
    maps, level by level: some hundred operations for an evaluation, and twice as many for its gradient,
    whatever the number of boxes. Here the cells around every box are gathered once, and the gradient is
    written out. It is an `ebm.gradients.ScoreWithGradient`.

    Args:
        branch: that scores; with the pyramid it must be `fits_near`.
        pyramid: the maps.
        image: of each box, ``(R,)`` int64.
        column: of its class, ``(R,)`` int64.
    """

    def __init__(self, branch: ConfidenceBranch, pyramid: Pyramid, image: Tensor, column: Tensor) -> None:
        self._branch, self._pyramid, self._image, self._column = branch, pyramid, image, column
        self._plainly = box_scores(branch, pyramid, image, column)
        self._order: Tensor | None = None

    def __call__(self, rects: Tensor) -> Tensor:
        """f ``(R,)``."""
        found = None if rects.requires_grad else self._evaluated(rects)
        return self._plainly(rects) if found is None else found[0]

    def value_and_gradient(self, rects: Tensor) -> tuple[Tensor, Tensor]:
        """f ``(R,)`` and its gradient ``(R, 4)``."""
        found = self._evaluated(rects)
        if found is None:
            point = score_and_gradient(self._plainly, rects)
            return point.score, point.gradient
        return found[0], self._cells.rect_slopes(self._layers.gradient(found[1]))[self._back]

    def _evaluated(self, rects: Tensor) -> tuple[Tensor, Units] | None:
        """f and what its gradient needs; None for boxes without area or with numbers that are not finite."""
        corners = corners_of(rects)
        ordered = None if self._order is None else corners[self._order]
        if ordered is None or not self._cells.hold(ordered):
            if not len(rects) or not bool(are_sound(corners).all()):
                return None
            if self._order is None:
                self._order = self._divide(corners)
            ordered = corners[self._order]
            self._cells.gather(ordered)
        score, units = self._layers.score(self._cells.pool(ordered))
        return score[self._back], units

    def _divide(self, corners: Tensor) -> Tensor:
        """Divide the boxes into groups of about as many cells; returns the order of the boxes."""
        strides = torch.tensor(self._pyramid.rule.strides)
        extent = (corners[:, 2:] - corners[:, :2]).amax(-1)
        order = (extent / strides[self._pyramid.rule.assign(corners)]).argsort()
        self._back = order.argsort()
        groups = [(len(own), 1) for own in order.split(GROUP)]
        self._cells = NearCells(self._pyramid, self._image[order], self._branch.bins, groups)
        self._layers = Layers.of(self._branch, self._column[order])
        return order


def are_sound(corners: Tensor) -> Tensor:
    """Which boxes xyxy ``(..., 4)`` have an area and are finite."""
    return (corners[..., 2:] > corners[..., :2]).all(-1) & corners.isfinite().all(-1)
