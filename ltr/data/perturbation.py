"""Candidate boxes for overlap prediction: labels moved at random, but never too far."""

import torch
from torch import Tensor

from ebm.boxes import box_iou
from ebm.exceptions import DomainError, ShapeError

__all__ = ["perturb_boxes"]

_ATTEMPTS = 100
_SHRINK = 0.9  # of the spread, after an attempt that moved a box too far
_SMALLEST = (0.15, 0.5)  # range of the share of its label's side that a vanished side gets


def _revive(size: Tensor, label_size: Tensor, generator: torch.Generator | None) -> Tensor:
    """Sides of at most a pixel become a random share of the label's; ``[N, 2]`` px."""
    low, high = _SMALLEST
    share = low + (high - low) * torch.rand(size.shape, generator=generator, dtype=size.dtype)
    return torch.where(size <= 1, label_size * share, size)


def perturb_boxes(
    labels: Tensor,
    sigma_factor: Tensor,
    min_iou: float = 0.5,
    generator: torch.Generator | None = None,
) -> tuple[Tensor, Tensor]:
    """One random box a label, in whole pixels, that overlaps it.

    Centre and size get Gaussian noise; a box that overlaps too little is drawn again with less noise, at
    most a hundred times (the last draw stands).

    Args:
        labels: ``[N, 4]`` xywh, px, width and height > 0. Repeat a label to get several boxes for it.
        sigma_factor: ``[N]`` standard deviation / sqrt(label area).
        min_iou: overlap that a box must exceed.
        generator: source of randomness; None: torch's own.

    Returns:
        Boxes ``[N, 4]`` xywh, px, and their overlaps with the labels ``[N]``, 0..1.

    Raises:
        ShapeError: if the shapes do not fit.
        DomainError: if a label is not finite or has no area.

    Source: proposals of the published ATOM and DiMP training.
    """
    if labels.ndim != 2 or labels.shape[1] != 4 or sigma_factor.shape != labels.shape[:1]:
        shapes = f"{list(labels.shape)} and {list(sigma_factor.shape)}"
        raise ShapeError(f"labels must be [N, 4] and sigma_factor [N], not {shapes}.")
    if not bool(labels.isfinite().all()) or bool((labels[:, 2:] <= 0).any()):
        raise DomainError("labels to perturb must be finite with width and height > 0.")
    sigma = labels[:, 2:].prod(dim=1).sqrt() * sigma_factor
    boxes, overlaps = labels.clone(), torch.zeros_like(sigma)
    left = torch.arange(len(labels))
    for _ in range(_ATTEMPTS):
        boxes[left] = _move(labels[left], sigma[left], generator)
        overlaps[left] = box_iou(boxes[left], labels[left])
        left = left[overlaps[left] <= min_iou]
        if len(left) == 0:
            break
        sigma[left] *= _SHRINK
    return boxes, overlaps


def _move(labels: Tensor, sigma: Tensor, generator: torch.Generator | None) -> Tensor:
    """One attempt: ``[N, 4]`` labels and ``[N]`` px -> ``[N, 4]`` boxes in whole pixels."""
    noise = torch.randn(labels.shape, generator=generator, dtype=labels.dtype) * sigma[:, None]
    size = labels[:, 2:]
    centre = labels[:, :2] + size / 2 + noise[:, :2]
    moved = _revive(size + noise[:, 2:], size, generator)
    rounded = torch.cat((centre - moved / 2, moved), dim=1).round()
    return torch.cat((rounded[:, :2], _revive(rounded[:, 2:], size, generator)), dim=1)
