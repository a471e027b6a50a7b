"""The box branch's energy and its box gradient in closed form: no autograd graph through pooling and head.

Refinement asks for f and its gradient in a few boxes of one image, ten times a frame. Through autograd that
is some four hundred small operations a step. Here modulation and batch norms are folded into the head's
weights once per target, only the cells that the boxes touch are read, and the gradient is written out.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import torch
import torch.nn.functional as F
from torch import Tensor, nn

__all__ = ["BoxEnergy", "Energy", "fold_head", "image_energy", "is_foldable"]


THINNEST = 1e-4  # cells; narrower bins are averaged as if they were this wide
Extremes = tuple[list[float], list[float]]


class Energy(Protocol):
    """f of boxes x, y, w, h ``[S, 4]``, crop px -> ``[S]``; differentiable once in the boxes."""

    def __call__(self, boxes: Tensor) -> Tensor: ...


@dataclass(frozen=True, kw_only=True, eq=False)
class FoldedLevel:
    """The head of one feature level with modulation and batch norm folded in.

    Attributes:
        weight: ``[bins * bins * C, O]``, rows in the order (bin row, bin column, channel).
        bias: ``[O]``.
        last: the level's part of the last layer, ``[O]``.
        bins: pooled cells per side.
        scale: map cells per crop px.
    """

    weight: Tensor
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
        weight = weight.permute(2, 1, 0).reshape(bins * bins * channels, -1)
        levels.append(FoldedLevel(weight=weight, bias=bias, last=last, bins=bins, scale=1 / float(stride)))
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


def image_energy(energy: BoxEnergy, features: Sequence[Tensor]) -> Energy:
    """f of boxes in one image.

    Args:
        energy: the target's head.
        features: the image's test features, two levels ``[1, C, H, W]``.
    """
    maps = [_Map(f, level.bins) for f, level in zip(features, energy.levels)]

    def call(boxes: Tensor) -> Tensor:
        scores: Tensor = _Evaluate.apply(boxes, energy, maps)
        return scores

    return call


class _Map:
    """A feature map ready for pooling: square, channels last, with the constants of its grid."""

    def __init__(self, features: Tensor, bins: int) -> None:
        high, wide = features.shape[2:]
        # Outside the map the surface is zero by definition, so padding to a square changes nothing.
        square = (
            F.pad(features, (0, max(high - wide, 0), 0, max(wide - high, 0))) if high != wide else features
        )
        self.cells = square[0].permute(1, 2, 0).contiguous()  # [L, L, C]
        self.counting = torch.arange(self.cells.shape[0], device=features.device, dtype=features.dtype)
        self.places = self.counting.expand(2, 1, 1, -1)
        self.parts = torch.arange(bins + 1, device=features.device, dtype=features.dtype) / bins

    def window(self, extremes: Extremes | None, scale: float) -> tuple[Tensor, Tensor]:
        """The square of cells that boxes touch ``[K, K, C]``, and its places ``[2, 1, 1, K]``, x then y.

        Args:
            extremes: smallest and largest (x, y) of the boxes, px; None takes the whole map.
            scale: cells per px.
        """
        if extremes is None:
            return self.cells, self.places
        side = len(self.counting)
        first = [min(max(math.floor(v * scale), 0), side - 1) for v in extremes[0]]
        last = [min(max(math.ceil(v * scale), 0), side - 1) for v in extremes[1]]
        size = max(b - a for a, b in zip(first, last)) + 1
        left, top = (min(v, side - size) for v in first)
        places = torch.stack((self.counting[left : left + size], self.counting[top : top + size]))
        return self.cells[top : top + size, left : left + size].contiguous(), places[:, None, None]


class _Evaluate(torch.autograd.Function):
    """f ``[S]`` of boxes ``[S, 4]``; the gradient comes with the value, as a score sees its own box only."""

    @staticmethod
    def forward(ctx: Any, boxes: Tensor, energy: BoxEnergy, maps: list[_Map]) -> Tensor:
        scores, gradient = _evaluate(boxes, energy, maps, with_gradient=ctx.needs_input_grad[0])
        ctx.save_for_backward(gradient)
        return scores

    @staticmethod
    @torch.autograd.function.once_differentiable
    def backward(ctx: Any, upstream: Tensor) -> tuple[Tensor, None, None]:
        (gradient,) = ctx.saved_tensors
        return upstream[:, None] * gradient, None, None


def _evaluate(
    boxes: Tensor, energy: BoxEnergy, maps: list[_Map], *, with_gradient: bool
) -> tuple[Tensor, Tensor | None]:
    """Scores ``[S]`` and, if asked for, their gradients ``[S, 4]`` in x, y, w, h."""
    # An exploding ascent must end in a rejected box, not in an error from the middle of a video.
    boxes = torch.nan_to_num(boxes, nan=0.0, posinf=1e6, neginf=-1e6)
    extremes = _extremes(boxes)
    axes = boxes.T.reshape(2, 2, -1, 1)  # (corner, extent), (x, y), box
    scores, slope = energy.bias, None
    for level, cells in zip(energy.levels, maps):
        pooling = _Pooling(axes * level.scale, level.bins, cells.parts, *cells.window(extremes, level.scale))
        hidden = torch.addmm(level.bias, pooling.pooled, level.weight)
        scores = scores + hidden.relu() @ level.last
        if with_gradient:
            upstream = ((hidden > 0) * level.last) @ level.weight.T
            part = pooling.gradient(upstream) * level.scale
            slope = part if slope is None else slope + part
    return scores, None if slope is None else slope.reshape(4, -1).T


def _extremes(boxes: Tensor) -> Extremes | None:
    """Smallest and largest (x, y) of boxes; None off the CPU, where reading them waits for the device."""
    if boxes.device.type != "cpu":
        return None
    values = boxes.detach().numpy()
    corner, far = values[:, :2], values[:, :2] + values[:, 2:].clip(0)
    return corner.min(axis=0).tolist(), far.max(axis=0).tolist()


class _Pooling:
    """Precise pooling of S boxes on one square map, and its gradient in the boxes.

    Args:
        axes: boxes in cells, ``[2 (corner, extent), 2 (x, y), S, 1]``; an empty box pools to zero and has no
            gradient.
        bins: cells per side of the result.
        parts: the bins' edges as parts of the extent, ``[bins + 1]``.
        window: the cells that the boxes touch, ``[K, K, C]``.
        places: their coordinates, ``[2, 1, 1, K]``, x then y.
    """

    def __init__(self, axes: Tensor, bins: int, parts: Tensor, window: Tensor, places: Tensor) -> None:
        extent = axes[1].clamp(min=0)
        # All edges of an empty box coincide: its weights are zero whatever they are divided by.
        self.step = (extent / bins).clamp(min=THINNEST).unsqueeze(-1)
        self.filled, self.parts, self.window = extent[..., 0] > 0, parts, window
        t = (torch.addcmul(axes[0], extent, parts).unsqueeze(-1) - places).clamp_(
            -1, 1
        )  # [2, S, bins + 1, K]
        magnitude = t.abs()
        self.hats = 1 - magnitude
        integral = torch.addcmul(t, t, magnitude, value=-0.5)  # of the hat function, up to a constant
        self.weights = (integral[:, :, 1:] - integral[:, :, :-1]) / self.step  # [2, S, bins, K]
        count, size, channels = axes.shape[2], window.shape[0], window.shape[2]
        rows = self.weights[1].reshape(count * bins, size)
        self.columns = self.weights[0, :, None].expand(-1, bins, -1, -1).reshape(count * bins, bins, size)
        self.half = (rows @ window.reshape(size, -1)).reshape(-1, size, channels)
        self.pooled = torch.bmm(self.columns, self.half).reshape(count, -1)  # [S, bins * bins * C]

    def gradient(self, upstream: Tensor) -> Tensor:
        """Gradient of ``(pooled * upstream).sum()`` for upstream ``[S, bins * bins * C]``.

        Returns:
            ``[2 (corner, extent), 2 (x, y), S]``.
        """
        _, count, bins, size = self.weights.shape
        above = upstream.reshape(count * bins, bins, -1)
        by_column = torch.bmm(above, self.half.transpose(1, 2)).reshape(count, bins, bins, size).sum(1)
        by_half = torch.bmm(self.columns.transpose(1, 2), above).reshape(count * bins, -1)
        by_row = (by_half @ self.window.reshape(size, -1).T).reshape(count, bins, size)
        by_weight = torch.stack((by_column, by_row)) / self.step
        # A weight is (I(e_k+1) - I(e_k)) / step with I' = hat: an inner edge ends one bin and starts the
        # next.
        ends = F.pad(by_weight, (0, 0, 1, 1))
        by_edge = ((ends[:, :, :-1] - ends[:, :, 1:]) * self.hats).sum(-1)  # [2, S, bins + 1]
        by_step = (by_weight * self.weights).sum((2, 3))
        by_extent = (by_edge @ self.parts - by_step / bins) * self.filled
        return torch.stack((by_edge.sum(-1), by_extent))
