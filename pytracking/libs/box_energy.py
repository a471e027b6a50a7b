"""The box branch's energy and its box gradient in closed form: no autograd graph through pooling and head.

Refinement asks for f and its gradient in a few boxes of one image, ten times a frame. Through autograd that
is some four hundred small operations a step. Here the batch norms are
folded into the head's weights, the modulation goes to the map, only the cells that the boxes touch are read,
and the gradient is written out.
"""

import math
from collections.abc import Iterator, Sequence
from typing import Any, cast

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from pytracking.libs.box_curvature import curvature
from pytracking.libs.box_head import BoxEnergy, FoldedLevel
from pytracking.libs.box_maps import BoxMap, Region, WindowedMap
from pytracking.libs.box_pooling import Array, Pooling
from pytracking.libs.box_pooling import as_tensor as _tensor

__all__ = ["ImageEnergy"]


Extremes = tuple[list[list[float]], list[list[float]]]
Touched = tuple[list[int], list[int], tuple[int, int]]  # left and top of each target; wide and high; cells


class ImageEnergy:
    """f of boxes in one image, or of several targets' boxes each in an image of its own, and its gradient.

    Several targets share every operation; boxes come target by target, equally many of each.

    Args:
        energy: the target's head, or one head per target, all of one network.
        features: the images' test features, two levels ``[T, C, H, W]``, or what computes them where boxes
            are.
    """

    def __init__(self, energy: BoxEnergy | Sequence[BoxEnergy], features: Sequence[BoxMap]) -> None:
        heads = (energy,) if isinstance(energy, BoxEnergy) else tuple(energy)
        self._levels, self._bias = heads[0].levels, heads[0].bias
        factors = [torch.stack(level) for level in zip(*(h.modulation for h in heads))]
        self._maps = [
            (_Map if isinstance(f, Tensor) else _LazyMap)(f, factor, level.bins)
            for f, factor, level in zip(features, factors, self._levels)
        ]

    def __call__(self, boxes: Tensor) -> Tensor:
        """f of boxes x, y, w, h ``[T * S, 4]``, crop px -> ``[T * S]``; differentiable once."""
        scores: Tensor = _Evaluate.apply(boxes, self)
        return scores

    def value_and_gradient(self, boxes: Tensor) -> tuple[Tensor, Tensor]:
        """f ``[T * S]`` of boxes ``[T * S, 4]`` and its gradient ``[T * S, 4]``, without a graph."""
        scores, gradient = self.evaluate(boxes, with_gradient=True)
        return scores, cast(Tensor, gradient)

    def hessian(self, boxes: Tensor) -> Tensor:
        """Second derivatives of f at boxes ``[S, 4]`` of one target, ``[S, 4, 4]`` in x, y, w, h, crop px.

        Those that exist: f has kinks where a hidden unit switches, and its slope has some where an edge of a
        bin crosses the centre of a cell.
        """
        total = boxes.new_zeros(len(boxes), 4, 4)
        for level, pooling in self._pooled(_array(boxes.detach()).T.reshape(2, 2, -1, 1)):
            total = total + curvature(pooling, level.upstream(level.hidden(pooling.pooled))) * level.scale**2
        return total

    def evaluate(self, boxes: Tensor, *, with_gradient: bool) -> tuple[Tensor, Tensor | None]:
        """Scores ``[T * S]`` and, if asked for, their gradients ``[T * S, 4]`` in x, y, w, h."""
        # An exploding ascent must end in a rejected box, not in an error from the middle of a video.
        finite = torch.nan_to_num(boxes.detach(), nan=0.0, posinf=1e6, neginf=-1e6)
        axes = _array(finite).T.reshape(2, 2, -1, 1)  # (corner, extent), (x, y), box
        scores, slope = self._bias, None
        for level, pooling in self._pooled(axes):
            hidden = level.hidden(pooling.pooled)
            scores = scores + hidden.relu() @ level.last
            if with_gradient:
                part = pooling.gradient(level.upstream(hidden)) * level.scale
                slope = part if slope is None else slope + part
        return scores, None if slope is None else _tensor(slope.reshape(4, -1).T)

    def _pooled(self, axes: Array) -> Iterator[tuple[FoldedLevel, Pooling]]:
        """The levels and their pooling of boxes ``[2 (corner, extent), 2 (x, y), T * S, 1]``, crop px."""
        extremes = None if isinstance(axes, Tensor) else _extremes(axes, len(self._maps[0].factor))
        for level, cells in zip(self._levels, self._maps):
            windows, places = cells.window(extremes, axes.shape[2], level.scale)
            yield level, Pooling(axes * level.scale, level.bins, cells.parts, windows, places)


class _Evaluate(torch.autograd.Function):
    """The energy for autograd; the gradient comes with the value, as a score sees its own box only."""

    @staticmethod
    def forward(ctx: Any, boxes: Tensor, energy: ImageEnergy) -> Tensor:
        scores, gradient = energy.evaluate(boxes, with_gradient=ctx.needs_input_grad[0])
        ctx.save_for_backward(gradient)
        return scores

    @staticmethod
    @torch.autograd.function.once_differentiable
    def backward(ctx: Any, upstream: Tensor) -> tuple[Tensor, None]:
        (gradient,) = ctx.saved_tensors
        return upstream[:, None] * gradient, None


class _Map:
    """Feature maps ready for pooling: modulated, square, channels last, with the constants of their grid.

    Args:
        features: ``[T, C, H, W]``.
        factor: the modulation ``[T, C]``.
        bins: cells per side of what is pooled.
    """

    def __init__(self, features: Any, factor: Tensor, bins: int) -> None:
        high, wide = features.shape[2:]
        self.side, self.factor = max(high, wide), factor[:, None, None]
        grid = torch.arange(self.side, device=factor.device, dtype=factor.dtype)
        self.places = _array(grid.expand(2, 1, 1, -1).contiguous())
        self.parts = _array(torch.arange(bins + 1, device=factor.device, dtype=factor.dtype) / bins)
        self._last: tuple[tuple[list[int], list[int], int, Touched], Tensor] | None = None
        self._read(features)

    def _read(self, features: Any) -> None:
        high, wide = features.shape[2:]
        # Outside the map the surface is zero by definition, so padding to a square changes nothing.
        square = (
            F.pad(features, (0, max(high - wide, 0), 0, max(wide - high, 0))) if high != wide else features
        )
        self.cells = (square.detach().permute(0, 2, 3, 1) * self.factor).contiguous()  # [T, L, L, C]

    def window(self, extremes: Extremes | None, boxes: int, scale: float) -> tuple[Tensor, Array]:
        """The squares of cells that boxes touch ``[T, K, K, C]``, and their places ``[2, T * S, 1, K]``.

        Args:
            extremes: smallest and largest (x, y) of each target's boxes, px; None takes the whole maps.
            boxes: T * S.
            scale: cells per px.

        Returns:
            Cells and places, x then y; one row of places where all boxes have the same.
        """
        if extremes is None:
            return self._whole(), self.places
        side = self.side
        first = [[min(max(math.floor(v * scale), 0), side - 1) for v in axis] for axis in extremes[0]]
        last = [[min(max(math.ceil(v * scale), 0), side - 1) for v in axis] for axis in extremes[1]]
        wide, high = (max(b - a for a, b in zip(*axis)) + 1 for axis in zip(first, last))
        size, targets = max(wide, high), len(first[0])
        left, top = ([min(v, side - size) for v in axis] for axis in first)
        touched = [[min(v, side - n) for v in axis] for axis, n in zip(first, (wide, high))]
        asked = (left, top, size, (touched[0], touched[1], (wide, high)))
        if self._last is None or self._last[0] != asked:  # most steps stay within the same cells
            self._last = asked, self._squares(*asked)
        origin = np.array([left, top], dtype=self.places.dtype).repeat(
            boxes // targets if targets > 1 else 1, 1
        )
        return self._last[1], self.places[:, :, :, :size] + origin[:, :, None, None]

    def _whole(self) -> Tensor:
        """All cells ``[T, L, L, C]``."""
        return self.cells

    def _squares(self, left: list[int], top: list[int], size: int, touched: Touched) -> Tensor:
        """Cells ``[T, size, size, C]`` of a square per target, right where boxes touch them."""
        squares = [c[y : y + size, x : x + size] for c, x, y in zip(self.cells, left, top)]
        return squares[0].contiguous()[None] if len(squares) == 1 else torch.stack(squares)


class _LazyMap(_Map):
    """A map that is computed where boxes are."""

    def _read(self, features: Any) -> None:
        self._source: WindowedMap = features
        self._region: Region | None = None

    def _whole(self) -> Tensor:
        zeros = [0] * self._source.shape[0]
        return self._squares(zeros, zeros, self.side, (zeros, zeros, (self.side, self.side)))

    def _squares(self, left: list[int], top: list[int], size: int, touched: Touched) -> Tensor:
        region = self._source.region(*touched)
        if region is not self._region:
            self._region, self.cells = region, region.cells * self.factor
        return region.cut(self.cells, left, top, size)


def _array(values: Tensor) -> Array:
    """A numpy view on the CPU, where its small operations cost a third of torch's; else the tensor.

    A graph that is being exported has no numbers yet, and its operations are all torch's.
    """
    numbers = values.device.type == "cpu" and not torch.compiler.is_compiling()
    return values.numpy() if numbers else values


def _extremes(axes: Array, targets: int) -> Extremes:
    """Smallest and largest (x, y) of each target's boxes ``[2 (corner, extent), 2 (x, y), T * S, 1]``."""
    far = axes[0] + axes[1].clip(0)
    low, high = (side.reshape(2, targets, -1) for side in (axes[0], far))
    return low.min(axis=2).tolist(), high.max(axis=2).tolist()
