"""The box branch's energy and its box gradient in closed form: no autograd graph through pooling and head.

Refinement asks for f and its gradient in a few boxes of one image, ten times a frame. Through autograd that
is some four hundred small operations a step. Here modulation and batch norms are folded into the head's
weights once per target, only the cells that the boxes touch are read, and the gradient is written out.
"""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, cast

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from pytracking.libs.box_curvature import curvature

__all__ = ["BoxEnergy", "ImageEnergy", "fold_head", "is_foldable"]


THINNEST = 1e-4  # cells; narrower bins are averaged as if they were this wide
Extremes = tuple[list[float], list[float]]
Array = Any  # numpy.ndarray or Tensor


@dataclass(frozen=True, kw_only=True, eq=False)
class FoldedLevel:
    """The head of one feature level with modulation and batch norm folded in.

    Attributes:
        weight: ``[bins * bins * C, O]``, rows in the order (bin row, bin column, channel).
        transposed: the same as ``[O, bins * bins * C]``; products with a view of `weight` take twice as long.
        bias: ``[O]``.
        last: the level's part of the last layer, ``[O]``.
        bins: pooled cells per side.
        scale: map cells per crop px.
    """

    weight: Tensor
    transposed: Tensor
    bias: Tensor
    last: Tensor
    bins: int
    scale: float


@dataclass(frozen=True, kw_only=True, eq=False)
class BoxEnergy:
    """The box branch for one target: two folded levels and the last layer's bias."""

    levels: tuple[FoldedLevel, ...]
    bias: Tensor


def is_foldable(regressor: Any) -> bool:
    """Whether the box branch has the head that is folded here: two linear blocks and a linear layer."""
    blocks = (getattr(regressor, "fc3_rt", None), getattr(regressor, "fc4_rt", None))
    return (
        hasattr(regressor, "strides")
        and isinstance(getattr(regressor, "iou_predictor", None), nn.Linear)
        and all(isinstance(getattr(b, "linear", None), nn.Linear) for b in blocks)
        and all(getattr(b, "relu", None) is not None for b in blocks)
    )


def fold_head(regressor: Any, modulation: Sequence[Tensor]) -> BoxEnergy:
    """Fold a target's modulation and the batch norms into the head.

    Args:
        regressor: an ``AtomIoUNet`` in evaluation mode.
        modulation: two vectors of C values, any shape.
    """
    blocks = (regressor.fc3_rt, regressor.fc4_rt)
    lasts = regressor.iou_predictor.weight[0].split([b.linear.out_features for b in blocks])
    levels = []
    for block, vector, stride, last in zip(blocks, modulation, regressor.strides, lasts):
        weight, bias = _without_batch_norm(block)
        channels = vector.numel()
        bins = math.isqrt(weight.shape[1] // channels)
        weight = weight.reshape(-1, channels, bins * bins) * vector.reshape(1, -1, 1)
        flat = weight.permute(2, 1, 0).reshape(bins * bins * channels, -1)
        levels.append(
            FoldedLevel(
                weight=flat,
                transposed=flat.T.contiguous(),
                bias=bias,
                last=last,
                bins=bins,
                scale=1 / float(stride),
            )
        )
    return BoxEnergy(levels=tuple(levels), bias=regressor.iou_predictor.bias)


def _without_batch_norm(block: Any) -> tuple[Tensor, Tensor]:
    """Weight ``[O, I]`` and bias ``[O]`` of a linear layer together with the batch norm behind it."""
    weight = block.linear.weight
    bias = block.linear.bias if block.linear.bias is not None else weight.new_zeros(weight.shape[0])
    norm = block.bn
    if norm is None:
        return weight, bias
    gain = norm.weight * (norm.running_var + norm.eps).rsqrt()
    return weight * gain[:, None], (bias - norm.running_mean) * gain + norm.bias


class ImageEnergy:
    """f of boxes in one image, and its gradient.

    Args:
        energy: the target's head.
        features: the image's test features, two levels ``[1, C, H, W]``.
    """

    def __init__(self, energy: BoxEnergy, features: Sequence[Tensor]) -> None:
        self._energy = energy
        self._maps = [_Map(f, level.bins) for f, level in zip(features, energy.levels)]

    def __call__(self, boxes: Tensor) -> Tensor:
        """f of boxes x, y, w, h ``[S, 4]``, crop px -> ``[S]``; differentiable once."""
        scores: Tensor = _Evaluate.apply(boxes, self)
        return scores

    def value_and_gradient(self, boxes: Tensor) -> tuple[Tensor, Tensor]:
        """f ``[S]`` of boxes ``[S, 4]`` and its gradient ``[S, 4]``, without a graph."""
        scores, gradient = self.evaluate(boxes, with_gradient=True)
        return scores, cast(Tensor, gradient)

    def hessian(self, boxes: Tensor) -> Tensor:
        """Second derivatives of f at boxes ``[S, 4]``, ``[S, 4, 4]`` in x, y, w, h, crop px.

        Those that exist: f has kinks where a hidden unit switches, and its slope has some where an edge of a
        bin crosses the centre of a cell.
        """
        total = boxes.new_zeros(len(boxes), 4, 4)
        for level, pooling in self._pooled(_array(boxes.detach()).T.reshape(2, 2, -1, 1)):
            hidden = torch.addmm(level.bias, pooling.pooled, level.weight)
            upstream = ((hidden > 0) * level.last) @ level.transposed
            total = total + curvature(pooling, upstream) * level.scale**2
        return total

    def evaluate(self, boxes: Tensor, *, with_gradient: bool) -> tuple[Tensor, Tensor | None]:
        """Scores ``[S]`` and, if asked for, their gradients ``[S, 4]`` in x, y, w, h."""
        # An exploding ascent must end in a rejected box, not in an error from the middle of a video.
        finite = torch.nan_to_num(boxes.detach(), nan=0.0, posinf=1e6, neginf=-1e6)
        axes = _array(finite).T.reshape(2, 2, -1, 1)  # (corner, extent), (x, y), box
        scores, slope = self._energy.bias, None
        for level, pooling in self._pooled(axes):
            hidden = torch.addmm(level.bias, pooling.pooled, level.weight)
            scores = scores + hidden.relu() @ level.last
            if with_gradient:
                part = pooling.gradient(((hidden > 0) * level.last) @ level.transposed) * level.scale
                slope = part if slope is None else slope + part
        return scores, None if slope is None else _tensor(slope.reshape(4, -1).T)

    def _pooled(self, axes: Array) -> Iterator[tuple[FoldedLevel, "_Pooling"]]:
        """The levels and their pooling of boxes ``[2 (corner, extent), 2 (x, y), S, 1]``, crop px."""
        extremes = None if isinstance(axes, Tensor) else _extremes(axes)
        for level, cells in zip(self._energy.levels, self._maps):
            window, places = cells.window(extremes, level.scale)
            yield level, _Pooling(axes * level.scale, level.bins, cells.parts, window, places)


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
    """A feature map ready for pooling: square, channels last, with the constants of its grid."""

    def __init__(self, features: Tensor, bins: int) -> None:
        high, wide = features.shape[2:]
        # Outside the map the surface is zero by definition, so padding to a square changes nothing.
        square = (
            F.pad(features, (0, max(high - wide, 0), 0, max(wide - high, 0))) if high != wide else features
        )
        self.cells = square.detach()[0].permute(1, 2, 0).contiguous()  # [L, L, C]
        grid = torch.arange(max(high, wide), device=features.device, dtype=features.dtype)
        self.places = _array(grid.expand(2, 1, 1, -1).contiguous())
        self.parts = _array(torch.arange(bins + 1, device=features.device, dtype=features.dtype) / bins)

    def window(self, extremes: Extremes | None, scale: float) -> tuple[Tensor, Array]:
        """The square of cells that boxes touch ``[K, K, C]``, and its places ``[2, 1, 1, K]``, x then y.

        Args:
            extremes: smallest and largest (x, y) of the boxes, px; None takes the whole map.
            scale: cells per px.
        """
        if extremes is None:
            return self.cells, self.places
        side = len(self.cells)
        first = [min(max(math.floor(v * scale), 0), side - 1) for v in extremes[0]]
        last = [min(max(math.ceil(v * scale), 0), side - 1) for v in extremes[1]]
        size = max(b - a for a, b in zip(first, last)) + 1
        left, top = (min(v, side - size) for v in first)
        places = self.places[:, :, :, :size] + np.array([left, top], dtype=self.places.dtype).reshape(
            2, 1, 1, 1
        )
        return self.cells[top : top + size, left : left + size].contiguous(), places


def _array(values: Tensor) -> Array:
    """A numpy view on the CPU, where its small operations cost a third of torch's; else the tensor."""
    return values.numpy() if values.device.type == "cpu" else values


def _tensor(values: Array) -> Tensor:
    """Inverse of `_array`."""
    return values if isinstance(values, Tensor) else torch.from_numpy(values)


def _extremes(axes: Array) -> Extremes:
    """Smallest and largest (x, y) of boxes ``[2 (corner, extent), 2 (x, y), S, 1]``."""
    far = axes[0] + axes[1].clip(0)
    return axes[0].min(axis=1)[:, 0].tolist(), far.max(axis=1)[:, 0].tolist()


class _Pooling:
    """Precise pooling of S boxes on one square map, and its gradient in the boxes.

    Elementwise work is written in what numpy and torch have in common; matrix products are torch's.

    Args:
        axes: boxes in cells, ``[2 (corner, extent), 2 (x, y), S, 1]``; an empty box pools to zero and has no
            gradient.
        bins: cells per side of the result.
        parts: the bins' edges as parts of the extent, ``[bins + 1]``.
        window: the cells that the boxes touch, ``[K, K, C]``.
        places: their coordinates, ``[2, 1, 1, K]``, x then y.
    """

    def __init__(self, axes: Array, bins: int, parts: Array, window: Tensor, places: Array) -> None:
        extent = axes[1].clip(0)
        # All edges of an empty box coincide: its weights are zero whatever they are divided by.
        self.step = (extent / bins).clip(THINNEST)[:, :, :, None]
        self.filled, self.parts, self.window = extent[:, :, 0] > 0, parts, window
        t = ((axes[0] + extent * parts)[:, :, :, None] - places).clip(-1, 1)  # [2, S, bins + 1, K]
        self.offsets, self.hats = t, abs(t)
        integral = t - t * self.hats * 0.5  # of the hat function, up to a constant
        self.hats = 1 - self.hats
        self.weights = (integral[:, :, 1:] - integral[:, :, :-1]) / self.step  # [2, S, bins, K]
        count, size, channels = axes.shape[2], window.shape[0], window.shape[2]
        columns, rows = _tensor(self.weights)
        self.columns = columns[:, None].expand(-1, bins, -1, -1).reshape(count * bins, bins, size)
        half = rows.reshape(count * bins, size) @ window.reshape(size, -1)
        self.half = half.reshape(-1, size, channels)
        self.pooled = torch.bmm(self.columns, self.half).reshape(count, -1)  # [S, bins * bins * C]

    def gradient(self, upstream: Tensor) -> Array:
        """Gradient of ``(pooled * upstream).sum()`` for upstream ``[S, bins * bins * C]``.

        Returns:
            ``[2 (corner, extent), 2 (x, y), S]``.
        """
        _, count, bins, size = self.weights.shape
        above = upstream.reshape(count * bins, bins, -1)
        by_column = torch.bmm(above, self.half.transpose(1, 2)).reshape(count, bins, bins, size).sum(1)
        by_half = torch.bmm(self.columns.transpose(1, 2), above).reshape(count * bins, -1)
        by_row = (by_half @ self.window.reshape(size, -1).T).reshape(count, bins, size)
        by_weight = _array(torch.stack((by_column, by_row))) / self.step
        # A weight is (I(e_k+1) - I(e_k)) / step with I' = hat and e_k = corner + extent * part_k.
        moved = self.hats[:, :, 1:] - self.hats[:, :, :-1]
        grown = self.hats * self.parts[:, None]
        grown = grown[:, :, 1:] - grown[:, :, :-1] - self.weights / bins
        by_corner = (by_weight * moved).sum((2, 3))
        by_extent = (by_weight * grown).sum((2, 3)) * self.filled
        return (
            np.stack((by_corner, by_extent))
            if isinstance(by_corner, np.ndarray)
            else torch.stack((by_corner, by_extent))
        )
