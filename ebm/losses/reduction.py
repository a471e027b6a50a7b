"""From losses per item to one number: mean, sum or none, with weights per item."""

from typing import Literal

import torch
from torch import Tensor

from ebm.checks import checks_values, require_same_device
from ebm.exceptions import DomainError, ShapeError
from ebm.lookup import unknown_name

__all__ = ["Reduction", "reduce", "require_weights"]

Reduction = Literal["mean", "sum", "none"]


def reduce(per_item: Tensor, reduction: Reduction, weights: Tensor | None = None) -> Tensor:
    """Reduce per-item losses.

    Args:
        per_item: ``(B,)``; with B = 0, mean and sum are 0.
        reduction: ``"mean"``, ``"sum"`` or ``"none"``.
        weights: non-negative weight per item ``(B,)``, not all 0; the mean divides by their sum.

    Returns:
        ``()``, or ``(B,)`` for ``"none"``.

    Raises:
        UnknownNameError: (a ValueError) for another reduction.
        ShapeError, TypeError, DomainError: for unfit weights, see `require_weights`.
    """
    if reduction not in ("mean", "sum", "none"):
        raise unknown_name("reduction", str(reduction), ("mean", "sum", "none"))
    total: Tensor | int = max(per_item.shape[0], 1)
    if weights is not None:
        require_weights(weights, per_item)
        # A zero weight drops its item even where the loss is infinite or NaN.
        per_item = torch.where(weights == 0, 0, per_item * weights)
        total = weights.sum() if per_item.shape[0] else 1
    if reduction == "none":
        return per_item
    return per_item.sum() if reduction == "sum" else per_item.sum() / total


def require_weights(weights: Tensor | None, items: Tensor) -> None:
    """Check the weights of a batch before anything is computed with it.

    Args:
        weights: ``(B,)`` or None.
        items: a tensor ``(B, ...)`` of the batch.

    Raises:
        ShapeError: if the weights are not ``(B,)``.
        TypeError: if they are on another device.
        DomainError: if one is negative or NaN or all are zero; looked at on CPU tensors.
    """
    if weights is None:
        return
    if weights.shape != items.shape[:1]:
        raise ShapeError(f"expected weights of shape {tuple(items.shape[:1])}, got {tuple(weights.shape)}.")
    require_same_device(weights=weights, items=items)
    if weights.numel() == 0 or not checks_values(weights, None):
        return
    if not bool((weights >= 0).all()) or not bool(weights.sum() > 0):
        raise DomainError("weights must be >= 0 and not all zero.")
