"""How far a refined box is believed: limits of its size, and a confidence from score and energy together."""

import math

import numpy as np
from numpy.typing import NDArray

from pytracking.parameter.state_params import StateParams
from pytracking.tracker.base import Flag

__all__ = ["confidence", "energy_found", "guarded_size", "judged"]

Array = NDArray[np.float64]


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


def energy_found(scores: Array, count: int) -> float:
    """Mean energy of the best boxes, of those with a finite one; minus infinity where there is none.

    Args:
        scores: energies of the boxes where the ascents ended, ``[S]``.
        count: how many boxes are averaged to the one found.
    """
    good = np.sort(scores[np.isfinite(scores)])[::-1][:count]
    return float(good.mean()) if len(good) else -math.inf


def confidence(presence: float, energy: float, params: StateParams) -> float | None:
    """Probability that the box is the target's, in [0, 1]; None where it was not calibrated.

    Args:
        presence: how sure the classifier is that the target is there, in [0, 1].
        energy: of the box found; minus infinity where none was.
        params: the weights.
    """
    if params.confidence_weights is None:
        return None
    if energy == -math.inf:
        return 0.0
    bias, of_presence, of_energy = params.confidence_weights
    logit = bias + of_presence * presence + of_energy * energy
    return 1 / (1 + math.exp(-min(max(logit, -500.0), 500.0)))


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
