"""f of boxes that move little, with its gradient: an ascent or a chain on a CPU in a few products a step."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple

import torch
from torch import Tensor
from torch.nn.functional import linear

from ebm.boxes import rel_to_rect
from ebm.gradients import ScoreFunction, score_and_gradient
from ebm.tasks.detection.branch import ConfidenceBranch, box_scores, corners_of
from ebm.tasks.detection.near_cells import NearCells
from ebm.tasks.detection.pyramid import Pyramid

__all__ = ["MOST_BOXES", "NearEnergy", "SharedEnergy", "fits_near"]

MOST_BOXES = 256  # at once: the cells around them take some ten MB
GROUP = 24  # boxes whose cells are gathered in one tensor


def fits_near(branch: ConfidenceBranch, pyramid: Pyramid) -> bool:
    """Whether it is the right way: on a CPU, for the branch as it is, in single precision."""
    plain = type(branch) is ConfidenceBranch and branch.fc6.weight.dtype == torch.float32
    return plain and pyramid.device.type == "cpu" and not torch.is_autocast_enabled("cpu")


class _Seen(NamedTuple):
    """What an evaluation leaves for the gradient: units of both hidden layers, ``(R, hidden)``."""

    first: Tensor
    second: Tensor


@dataclass(frozen=True, eq=False)
class _Layers:
    """A branch on boxes whose classes are known.

    Attributes:
        branch: its layers.
        weight: the last layer's of every box, ``(R, hidden)``.
        bias: likewise, ``(R,)``.
    """

    branch: ConfidenceBranch
    weight: Tensor
    bias: Tensor

    @classmethod
    def of(cls, branch: ConfidenceBranch, column: Tensor) -> "_Layers":
        """For boxes of the classes ``(R,)``."""
        own = torch.zeros_like(column) if branch.columns == 1 else column
        return cls(branch, branch.fc_conf.weight.detach()[own], branch.fc_conf.bias.detach()[own])

    def score(self, pooled: Tensor) -> tuple[Tensor, _Seen]:
        """f ``(R,)`` of pooled boxes ``(R, bins, bins, C)``."""
        fc6, fc7 = self.branch.fc6, self.branch.fc7
        first = linear(pooled.permute(0, 3, 1, 2).flatten(1), fc6.weight, fc6.bias).relu_()
        second = linear(first, fc7.weight, fc7.bias).relu_()
        return torch.linalg.vecdot(second, self.weight) + self.bias, _Seen(first, second)

    def gradient(self, seen: _Seen) -> Tensor:
        """Of f in what was pooled, ``(R, bins, bins, C)``."""
        branch = self.branch
        inner = ((self.weight * (seen.second > 0)) @ branch.fc7.weight) * (seen.first > 0)
        pooled = (inner @ branch.fc6.weight).view(len(inner), branch.channels, branch.bins, branch.bins)
        return pooled.permute(0, 2, 3, 1)


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
        self._groups: list[NearCells] = []

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
        parts = zip(self._groups, self._layers.gradient(found[1]).split(GROUP))
        return found[0], torch.cat([_rect_slopes(group, own) for group, own in parts])[self._back]

    def _evaluated(self, rects: Tensor) -> tuple[Tensor, _Seen] | None:
        """f and what its gradient needs; None for boxes without area or with numbers that are not finite."""
        corners = corners_of(rects)
        if not len(rects) or not bool(_sound(corners).all()):
            return None
        if self._order is None:
            self._divide(corners)
        parts = zip(self._groups, corners[self._order].split(GROUP))
        score, seen = self._layers.score(torch.cat([group.pool(own) for group, own in parts]))
        return score[self._back], seen

    def _divide(self, corners: Tensor) -> None:
        """Divide the boxes into groups of about as many cells."""
        strides = torch.tensor(self._pyramid.rule.strides)
        extent = (corners[:, 2:] - corners[:, :2]).amax(-1)
        self._order = (extent / strides[self._pyramid.rule.assign(corners)]).argsort()
        self._back = self._order.argsort()
        image = self._image[self._order].split(GROUP)
        self._groups = [NearCells(self._pyramid, own, self._branch.bins) for own in image]
        self._layers = _Layers.of(self._branch, self._column[self._order])


class SharedEnergy:
    """f of M boxes around each of B labels, relative coordinates ``(B, M, 4) -> (B, M)``; knows its gradient.

    The boxes of a label are pooled from the same piece of a map. It is an `ebm.gradients.ScoreWithGradient`,
    for chains; where a label's boxes are on several levels, or have no area, autograd finds its gradient.

    Args:
        branch: that scores; with the pyramid it must be `fits_near`.
        pyramid: the maps.
        plainly: the same score by differentiable operations, of some labels ``(b,)`` int64.
        image: of each label, ``(B,)`` int64.
        column: of its class, ``(B,)`` int64.
        size: reference width and height, px, ``(B, 2)``.
    """

    def __init__(
        self,
        branch: ConfidenceBranch,
        pyramid: Pyramid,
        plainly: Callable[[Tensor], ScoreFunction],
        image: Tensor,
        column: Tensor,
        size: Tensor,
    ) -> None:
        self._branch, self._pyramid, self._plainly = branch, pyramid, plainly
        self._image, self._column, self._size = image, column, size

    def __call__(self, y: Tensor) -> Tensor:
        """f ``(B, M)``."""
        return self._plainly(torch.arange(len(y)))(y)

    def value_and_gradient(self, y: Tensor) -> tuple[Tensor, Tensor]:
        """f ``(B, M)`` and its gradient ``(B, M, 4)``."""
        value, gradient = y.new_empty(y.shape[:2]), torch.empty_like(y)
        corners = corners_of(rel_to_rect(y, self._size[:, None]))
        level = self._pyramid.rule.assign(corners.flatten(0, 1)).view(y.shape[:2])
        near = ((level == level[:, :1]) & _sound(corners)).all(1)
        rows, others = near.nonzero()[:, 0], (~near).nonzero()[:, 0]
        if len(others):
            point = score_and_gradient(self._plainly(others), y[others])
            value[others], gradient[others] = point.score, point.gradient
        if len(rows) and y.shape[1]:
            value[rows], slopes = self._near(rows, corners[rows])
            with torch.enable_grad():
                at = y[rows].requires_grad_()
                rects = rel_to_rect(at, self._size[rows, None])
            (gradient[rows],) = torch.autograd.grad(rects, at, slopes)
        return value, gradient

    def _near(self, rows: Tensor, corners: Tensor) -> tuple[Tensor, Tensor]:
        """f ``(b, M)`` of boxes of some labels, each label's on one level, and its gradient in rects."""
        count = corners.shape[1]
        layers = _Layers.of(self._branch, self._column[rows].repeat_interleave(count))
        pieces = [
            NearCells(self._pyramid, image, self._branch.bins, count) for image in self._image[rows].split(1)
        ]
        score, seen = layers.score(torch.cat([piece.pool(own) for piece, own in zip(pieces, corners)]))
        pooled = layers.gradient(seen).split(count)
        slopes = torch.stack([_rect_slopes(piece, own) for piece, own in zip(pieces, pooled)])
        return score.view(-1, count), slopes


def _sound(corners: Tensor) -> Tensor:
    """Which boxes xyxy ``(..., 4)`` have an area and are finite."""
    return (corners[..., 2:] > corners[..., :2]).all(-1) & corners.isfinite().all(-1)


def _rect_slopes(cells: NearCells, pooled: Tensor) -> Tensor:
    """Of a gradient in what cells pooled last, that in the boxes xywh, ``(R, 4)``."""
    low, high = cells.slopes(pooled)
    return torch.cat((low + high, high), -1)
