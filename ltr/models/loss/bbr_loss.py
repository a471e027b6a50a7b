"""Losses of predicted boxes by their overlap with the true ones."""

import torch
from torch import Tensor

from ebm.boxes import box_iou
from ebm.losses.functional import Reduction, reduce

__all__ = ["box_giou", "giou_loss", "iou_loss"]


def box_giou(a: Tensor, b: Tensor) -> Tensor:
    """Generalised intersection over union, element by element: the overlap minus the share of wasted hull.

    Args:
        a: boxes xywh, px, ``(..., 4)``.
        b: boxes xywh, px, broadcast against `a`.

    Returns:
        In [-1, 1], ``(...)``: 1 for equal boxes, towards -1 for small ones far apart.

    Raises:
        ShapeError: if a last dimension is not 4.

    Source: Rezatofighi et al., CVPR 2019, arXiv:1902.09630.
    """
    overlap = box_iou(a, b)
    low = torch.minimum(a[..., :2], b[..., :2])
    high = torch.maximum(a[..., :2] + a[..., 2:], b[..., :2] + b[..., 2:])
    hull = (high - low).prod(-1)
    areas = a[..., 2:].clamp(min=0).prod(-1) + b[..., 2:].clamp(min=0).prod(-1)
    union = areas / (1 + overlap)  # areas = union + intersection, and intersection = overlap * union
    return torch.where(hull > 0, overlap - (hull - union) / torch.where(hull > 0, hull, 1), overlap)


def iou_loss(a: Tensor, b: Tensor, *, reduction: Reduction = "mean") -> Tensor:
    """``1 - IoU``: 0 for equal boxes, 1 without overlap, where it has no gradient.

    Args:
        a: boxes xywh, px, ``(N, 4)``.
        b: boxes xywh, px, ``(N, 4)``.
        reduction: ``"mean"`` or ``"sum"`` over the boxes, or ``"none"``.

    Returns:
        ``()``, or ``(N,)`` without reduction; mean and sum over no box are 0.
    """
    return reduce(1 - box_iou(a.float(), b.float()), reduction)


def giou_loss(a: Tensor, b: Tensor, *, reduction: Reduction = "mean") -> Tensor:
    """``1 - GIoU`` in [0, 2], which also draws boxes together that do not overlap; see `iou_loss`."""
    return reduce(1 - box_giou(a.float(), b.float()), reduction)
