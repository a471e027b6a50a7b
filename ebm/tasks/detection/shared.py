"""f of many boxes around each of a few labels, with its gradient: for training on a CPU."""

from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor
from torch.autograd import Function

from ebm.boxes import rel_to_rect
from ebm.gradients import ScoreFunction, score_and_gradient
from ebm.tasks.detection.branch import ConfidenceBranch, corners_of
from ebm.tasks.detection.near import Layers, Units, are_sound
from ebm.tasks.detection.near_cells import NearCells
from ebm.tasks.detection.pyramid import Pyramid

__all__ = ["SharedEnergy", "SharedPooling"]

PIECE = 64  # boxes that are pooled from one piece of a map


@dataclass(frozen=True, eq=False)
class SharedPooling:
    """Boxes around labels, those of one label and level together, pooled from the same pieces of the maps.

    Attributes:
        cells: of the pieces.
        order: of the boxes, piece by piece, ``(R,)`` int64.
        back: its inverse.
    """

    cells: NearCells
    order: Tensor
    back: Tensor

    @classmethod
    def of(cls, pyramid: Pyramid, image: Tensor, corners: Tensor, bins: int) -> "SharedPooling":
        """For boxes xyxy around labels ``(B, M, 4)``, px, finite and with an area, in images ``(B,)``."""
        flat, levels = corners.flatten(0, 1), len(pyramid.names)
        label = torch.arange(len(image)).repeat_interleave(corners.shape[1])
        key = label * levels + pyramid.rule.assign(flat)
        order = (flat[:, 2:] - flat[:, :2]).amax(-1).argsort()  # boxes of a size reach over as many cells
        order = order[key[order].argsort(stable=True)]
        keys, numbers = key[order].unique_consecutive(return_counts=True)
        pieces = [
            (own // levels, min(PIECE, count - start))
            for own, count in zip(keys.tolist(), numbers.tolist())
            for start in range(0, count, PIECE)
        ]
        owner = image[torch.tensor([place for place, _ in pieces])]
        return cls(
            NearCells(pyramid, owner, bins, [(1, share) for _, share in pieces]), order, order.argsort()
        )

    def pool(self, corners: Tensor) -> Tensor:
        """Boxes ``(R, 4)`` in their own order to ``(R, bins, bins, C)`` in the order of the pieces."""
        ordered = corners[self.order]
        self.cells.gather(ordered)
        return self.cells.pool(ordered)

    def slopes(self, pooled: Tensor) -> Tensor:
        """Of a gradient in what was pooled, that in boxes xywh, px, ``(R, 4)``, in their own order."""
        return self.cells.rect_slopes(pooled)[self.back]

    def turned(self, moved: Tensor) -> Tensor:
        """How what was pooled changes where corners xyxy move so, ``(R, 4)``, in their own order."""
        return self.cells.turned(*moved[self.order].split(2, -1))


class SharedEnergy:
    """f of M boxes around each of B labels, relative coordinates ``(B, M, 4) -> (B, M)``; knows its gradient.

    It is an `ebm.gradients.ScoreWithGradient` and a `ebm.gradients.ScoreWithTrainedGradient`. Where a box has
    no area or is not finite, autograd does all of it.

    Args:
        branch: that scores; with the pyramid it must be `ebm.tasks.detection.near.fits_near`.
        pyramid: the maps.
        plainly: the same score by differentiable operations.
        image: of each label, ``(B,)`` int64.
        column: of its class, ``(B,)`` int64.
        size: reference width and height, px, ``(B, 2)``.
    """

    def __init__(
        self,
        branch: ConfidenceBranch,
        pyramid: Pyramid,
        plainly: ScoreFunction,
        image: Tensor,
        column: Tensor,
        size: Tensor,
    ) -> None:
        self._branch, self._pyramid, self._plainly = branch, pyramid, plainly
        self._image, self._column, self._size = image, column, size

    def __call__(self, y: Tensor) -> Tensor:
        """f ``(B, M)``, differentiable in the branch and in `y`."""
        corners = None if y.requires_grad else self._corners(y)
        if corners is None:
            return self._plainly(y)
        pooling = self._pooling(corners)
        with torch.no_grad():
            pooled = pooling.pool(corners.flatten(0, 1)).permute(0, 3, 1, 2)
        score = self._branch(pooled, self._columns(y, pooling))
        return score[pooling.back].view(y.shape[:2])

    def value_and_gradient(self, y: Tensor) -> tuple[Tensor, Tensor]:
        """f ``(B, M)`` and its gradient ``(B, M, 4)``; both without a graph."""
        corners = self._corners(y)
        if corners is None:
            point = score_and_gradient(self._plainly, y)
            return point.score, point.gradient
        with torch.no_grad():
            seen = self._seen(y, corners)
            return seen.score, seen.gradient()

    def value_and_trained_gradient(self, y: Tensor) -> tuple[Tensor, Tensor]:
        """f without a graph, and its gradient, differentiable in the branch and not in `y`."""
        corners = self._corners(y)
        if corners is None:
            point = score_and_gradient(self._plainly, y, create_graph=True)
            return point.score.detach(), point.gradient
        branch = self._branch
        hidden = branch.fc6, branch.fc7
        weights = [layer.weight for layer in (*hidden, branch.fc_conf)] + [layer.bias for layer in hidden]
        with torch.no_grad():
            seen = self._seen(y, corners)
        gradient: Tensor = _TrainedGradient.apply(seen, *weights)
        return seen.score, gradient

    def _corners(self, y: Tensor) -> Tensor | None:
        """Boxes xyxy, px, ``(B, M, 4)``; None where autograd is to do it all."""
        corners = corners_of(rel_to_rect(y.detach(), self._size[:, None]))
        return corners if corners.numel() and bool(are_sound(corners).all()) else None

    def _pooling(self, corners: Tensor) -> SharedPooling:
        return SharedPooling.of(self._pyramid, self._image, corners, self._branch.bins)

    def _columns(self, y: Tensor, pooling: SharedPooling) -> Tensor:
        return self._column.repeat_interleave(y.shape[1])[pooling.order]

    def _seen(self, y: Tensor, corners: Tensor) -> "_Seen":
        pooling = self._pooling(corners)
        column = self._columns(y, pooling)
        layers = Layers.of(self._branch, column)
        score, units = layers.score(pooling.pool(corners.flatten(0, 1)))
        extent = corners[..., 2:] - corners[..., :2]
        return _Seen(
            pooling, layers, column, units, score[pooling.back].view(y.shape[:2]), self._size, extent
        )


@dataclass(frozen=True, eq=False)
class _Seen:
    """An evaluation of f.

    Attributes:
        pooling: of the boxes.
        layers: of the branch.
        column: of each box, in the order of the pieces, ``(R,)``.
        units: of the hidden layers, in that order.
        score: f ``(B, M)``.
        size: reference sizes, ``(B, 2)``.
        extent: width and height of the boxes, px, ``(B, M, 2)``.
    """

    pooling: SharedPooling
    layers: Layers
    column: Tensor
    units: Units
    score: Tensor
    size: Tensor
    extent: Tensor

    def gradient(self) -> Tensor:
        """In relative coordinates, ``(B, M, 4)``."""
        slopes = self.pooling.slopes(self.layers.gradient(self.units)).view(*self.score.shape, 4)
        corner, extent = slopes.split(2, -1)
        return torch.cat((corner * self.size[:, None], (extent - 0.5 * corner) * self.extent), -1)

    def turned(self, moved: Tensor) -> Tensor:
        """How pooled boxes ``(R, C * bins * bins)`` change where relative coordinates move so."""
        growth = moved[..., 2:] * self.extent
        low = moved[..., :2] * self.size[:, None] - 0.5 * growth
        corners = torch.cat((low, low + growth), -1).flatten(0, 1)
        return self.pooling.turned(corners).permute(0, 3, 1, 2).flatten(1)


class _TrainedGradient(Function):
    """Gradient of f in the boxes, differentiable in the branch's weights.

    Between its kinks a branch is linear: the product of the gradient with a direction is what the branch,
    without biases and with the same units on, makes of the pooled boxes' change along that direction.
    """

    @staticmethod
    def forward(ctx: Any, seen: _Seen, *weights: Tensor) -> Tensor:
        """The gradient ``(B, M, 4)``; `weights` are those of the three layers, then two biases."""
        ctx.seen = seen
        ctx.save_for_backward(*weights)
        return seen.gradient()

    @staticmethod
    def backward(ctx: Any, *slopes: Tensor) -> tuple[Tensor | None, ...]:
        """In the weights; 0 in biases, as autograd has it: an optimiser lets them decay."""
        seen: _Seen = ctx.seen
        first, second, last, *biases = ctx.saved_tensors
        pooled = seen.turned(slopes[0])
        on, active = seen.units.second > 0, seen.units.first > 0
        outer = seen.layers.weight * on
        inner = (outer @ second) * active
        hidden = (pooled @ first.T) * active
        top = (hidden @ second.T) * on
        column = torch.zeros_like(seen.column) if len(last) == 1 else seen.column
        last_slope = torch.zeros_like(last).index_add_(0, column, top)
        slopes_of_weights = inner.T @ pooled, outer.T @ hidden, last_slope
        return None, *slopes_of_weights, *(torch.zeros_like(bias) for bias in biases)
