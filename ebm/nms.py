"""Suppression of overlapping detections: the energy picks the box, the classifier its confidence."""

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from ebm.boxes import box_iou
from ebm.checks import require_count, require_finite, require_last_dim, require_same_device
from ebm.exceptions import DomainError, ShapeError
from ebm.numbers import require_number

__all__ = ["KeptBoxes", "guided_nms"]


@dataclass(frozen=True)
class KeptBoxes:
    """What a suppression keeps, the most confident first.

    Attributes:
        index: positions in the input, ``(K,)`` int64.
        confidence: largest class probability of the cluster that each box stands for, ``(K,)``.
    """

    index: Tensor
    confidence: Tensor


def guided_nms(
    boxes: Tensor,
    f: Tensor,
    probability: Tensor,
    labels: Tensor,
    *,
    iou_threshold: float = 0.5,
    max_detections: int | None = 100,
    validate: bool | None = None,
) -> KeptBoxes:
    """Keep, per class and cluster of overlapping boxes, the one with the best score.

    Within a class the remaining box with the largest f gathers all that overlap it by more than the
    threshold; it is kept with the largest class probability among them, itself included, and they go. Of
    equal f the earlier box comes first. Over all classes the most confident are kept then, with ties at the
    last place.

    Args:
        boxes: hypotheses of one image, xywh px, ``(N, 4)``; N may be 0. Widths that count both end pixels
            (the inclusive convention) give that convention's overlap.
        f: score of each box in its own class, ``(N,)``.
        probability: class probability, ``(N,)``.
        labels: class, ``(N,)`` integers.
        iou_threshold: overlap above which boxes belong together, in [0, 1].
        max_detections: boxes kept over all classes; None keeps all.
        validate: look at the values; None means on CPU tensors only.

    Returns:
        Positions and confidences, on the device of `boxes`.

    Raises:
        ShapeError: if the shapes do not fit.
        DomainError: (a ValueError) if a value is not finite or an option out of its domain.
        TypeError: if the devices differ, or the labels are no integers.

    Source: Gustafsson et al., ECCV 2020 supplement, after Jiang et al., ECCV 2018 (IoU-guided NMS).
    """
    require_last_dim("boxes", boxes, 4, "(N, 4)", rank=2)
    for name, tensor in (("f", f), ("probability", probability), ("labels", labels)):
        if tensor.shape != boxes.shape[:1]:
            raise ShapeError(f"expected {name} of shape ({len(boxes)},), got {tuple(tensor.shape)}.")
    require_same_device(boxes=boxes, f=f, probability=probability, labels=labels)
    if labels.is_floating_point() or labels.dtype == torch.bool:
        raise TypeError(f"labels must be integers, got {labels.dtype}.")
    iou_threshold = require_number("iou_threshold", iou_threshold)
    if not 0 <= iou_threshold <= 1:
        raise DomainError(f"iou_threshold must lie in [0, 1], got {iou_threshold!r}.")
    for name, tensor in (("boxes", boxes), ("f", f), ("probability", probability)):
        require_finite(name, tensor, validate)
    index, confidence = _clusters(boxes, f, probability, labels, iou_threshold)
    most = len(index) if max_detections is None else require_count("max_detections", max_detections)
    if most < len(index):
        kept = confidence >= confidence[most - 1]
        index, confidence = index[kept], confidence[kept]
    return KeptBoxes(index, confidence)


def _clusters(
    boxes: Tensor, f: Tensor, probability: Tensor, labels: Tensor, iou_threshold: float
) -> tuple[Tensor, Tensor]:
    """Best boxes of all clusters and the clusters' confidences, the most confident first."""
    leaders, confidences = [labels.new_zeros(0, dtype=torch.long)], [probability.new_zeros(0)]
    for label in labels.unique():
        member = (labels == label).nonzero()[:, 0]
        member = member[f[member].argsort(descending=True, stable=True)]
        together = box_iou(boxes[member, None], boxes[None, member]) > iou_threshold
        first = _leaders(together)
        # A box belongs to the first leader that it overlaps; the leader itself also where it has no area.
        owner = (together[first] | torch.eye(len(member), dtype=torch.bool, device=first.device)[first]).int()
        cluster = owner.argmax(0)
        best = probability.new_zeros(len(first)).scatter_reduce(
            0, cluster, probability[member], "amax", include_self=False
        )
        leaders.append(member[first])
        confidences.append(best)
    index, confidence = torch.cat(leaders), torch.cat(confidences)
    order = confidence.argsort(descending=True, stable=True)
    return index[order], confidence[order]


def _leaders(together: Tensor) -> Tensor:
    """Of boxes in order, with their overlaps ``(n, n)``, those that no earlier leader overlaps, ``(K,)``."""
    rows = together.cpu().numpy()  # one transfer, where every step of the loop would wait for the device
    free = np.ones(len(rows), dtype=bool)
    chosen = []
    for i in range(len(rows)):
        if free[i]:
            chosen.append(i)
            free &= ~rows[i]
    return torch.tensor(chosen, dtype=torch.long, device=together.device)
