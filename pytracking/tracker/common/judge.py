"""How far a refined box is believed: limits of its size, and a confidence from score and energy together."""

import math

import numpy as np
import torch
from numpy.typing import NDArray

from ebm.boxes import box_iou
from pytracking.parameter.state_params import StateParams
from pytracking.tracker.base import Flag

__all__ = ["agreement", "confidence", "guarded_size", "judged"]

Array = NDArray[np.float64]

SAME_BOX = 0.75  # IoU from which two ascents count as ended at one box


def guarded_size(size: Array, last: Array, first: Array, presence: float, params: StateParams) -> Array:
    """A refined size within the limits on its change.

    Args:
        size: (h, w) that refinement found, px.
        last: of the last frame.
        first: of the first frame.
        presence: how sure the classifier is that the target is there, in [0, 1].
        params: the limits; without any the size stays as it is.

    Returns:
        (h, w). An area that was let out of its range while the classifier was sure may stay where it is, and
        come back, but goes no further when it is not.
    """
    if params.size_step is not None:
        size = np.clip(size, last / params.size_step, last * params.size_step)
    if params.size_range is None or presence >= params.size_trust:
        return size
    area, before = size.prod() / first.prod(), last.prod() / first.prod()
    lowest, highest = min(1 / params.size_range, before), max(params.size_range, before)
    return size * math.sqrt(min(max(area, lowest), highest) / area)


def agreement(boxes: Array, scores: Array, box: Array) -> float:
    """Share of the ascents that end at a box, in [0, 1]; 0 where none ended well.

    Args:
        boxes: where they ended, x, y, w, h ``[S, 4]``.
        scores: their energies ``[S]``; those that are not finite count as ended elsewhere.
        box: x, y, w, h ``[4]``.
    """
    good = np.isfinite(boxes).all(axis=1) & np.isfinite(scores) & (boxes[:, 2:] > 0).all(axis=1)
    if not good.any():
        return 0.0
    overlaps = box_iou(torch.from_numpy(box), torch.from_numpy(boxes[good])).numpy()
    return float((overlaps >= SAME_BOX).sum() / len(boxes))


def confidence(presence: float, agreed: float, params: StateParams) -> float | None:
    """Probability that the box is the target's, in [0, 1]; None where it was not calibrated."""
    if params.confidence_weights is None:
        return None
    bias, of_presence, of_agreement = params.confidence_weights
    return float(
        1 / (1 + math.exp(-min(max(bias + of_presence * presence + of_agreement * agreed, -500), 500)))
    )


def judged(flag: Flag, sure: float | None, params: StateParams) -> Flag:
    """The flag after the confidence was heard: it makes a frame less sure, never surer.

    Args:
        flag: what localisation thinks of the frame.
        sure: the confidence, or None.
        params: its thresholds.
    """
    if sure is None or flag is Flag.NOT_FOUND:
        return flag
    if sure < params.lost_confidence:
        return Flag.NOT_FOUND
    return Flag.UNCERTAIN if sure < params.uncertain_confidence else flag
