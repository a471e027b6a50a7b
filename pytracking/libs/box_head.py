"""The box branch's head, batch norms folded in, for all targets of a network; and one target's own part."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from pytracking.inference.products import RowProduct

__all__ = ["BoxEnergy", "FoldedLevel", "SharedHead", "fold_head", "is_foldable"]


@dataclass(frozen=True, kw_only=True, eq=False)
class FoldedLevel:
    """The head of one feature level with batch norm folded in; all targets of a network share it.

    Attributes:
        hidden: ``[S, O]`` of pooled values ``[S, bins * bins * C]``, before the activation; in the order
            (bin row, bin column, channel).
        pooled: the transposed product, from ``[S, O]``; it has a matrix of its own, as products with a view
            take twice as long.
        last: the level's part of the last layer, ``[O]``.
        bins: pooled cells per side.
        scale: map cells per crop px.
    """

    hidden: RowProduct
    pooled: RowProduct
    last: Tensor
    bins: int
    scale: float

    def upstream(self, hidden: Tensor) -> Tensor:
        """Gradient of the score in the pooled values, ``[S, bins * bins * C]``."""
        return self.pooled((hidden > 0) * self.last)


@dataclass(frozen=True, kw_only=True, eq=False)
class BoxEnergy:
    """The box branch for one target: two folded levels, what they are modulated by, the last layer's bias.

    Pooling is linear in every channel, so that the modulation ``[C]`` of a level may go to the map: the
    weights are read once for all targets.
    """

    levels: tuple[FoldedLevel, ...]
    modulation: tuple[Tensor, ...]
    bias: Tensor


@dataclass(eq=False)
class SharedHead:
    """The head of a box branch whose weights stay as they are, for all targets of its network.

    Attributes:
        dtype: of its two large matrices; None leaves them as they are.
        levels: once they are needed.
    """

    dtype: torch.dtype | None = None
    levels: tuple[FoldedLevel, ...] | None = None


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
    """Fold the batch norms into the head, and put a target's modulation beside it.

    Args:
        regressor: an ``AtomIoUNet`` in evaluation mode; one that has a ``shared_head`` is folded once.
        modulation: two vectors of C values, any shape.
    """
    shared = getattr(regressor, "shared_head", None) or SharedHead()
    if shared.levels is None:
        shared.levels = _levels(regressor, [vector.numel() for vector in modulation], shared.dtype)
    return BoxEnergy(
        levels=shared.levels,
        modulation=tuple(vector.flatten() for vector in modulation),
        bias=regressor.iou_predictor.bias,
    )


def _levels(regressor: Any, channels: Sequence[int], dtype: torch.dtype | None) -> tuple[FoldedLevel, ...]:
    blocks = (regressor.fc3_rt, regressor.fc4_rt)
    lasts = regressor.iou_predictor.weight[0].split([b.linear.out_features for b in blocks])
    levels = []
    for block, count, stride, last in zip(blocks, channels, regressor.strides, lasts):
        weight, bias = _without_batch_norm(block)
        bins = math.isqrt(weight.shape[1] // count)
        by_cell = weight.reshape(-1, count, bins * bins).transpose(1, 2).flatten(1)
        levels.append(
            FoldedLevel(
                hidden=RowProduct(by_cell, bias, dtype),
                pooled=RowProduct(by_cell.T.contiguous(), dtype=dtype),
                last=last,
                bins=bins,
                scale=1 / float(stride),
            )
        )
    return tuple(levels)


def _without_batch_norm(block: Any) -> tuple[Tensor, Tensor]:
    """Weight ``[O, I]`` and bias ``[O]`` of a linear layer together with the batch norm behind it."""
    weight = block.linear.weight
    bias = block.linear.bias if block.linear.bias is not None else weight.new_zeros(weight.shape[0])
    norm = block.bn
    if norm is None:
        return weight, bias
    gain = norm.weight * (norm.running_var + norm.eps).rsqrt()
    return weight * gain[:, None], (bias - norm.running_mean) * gain + norm.bias
