"""Fit what a tracker's confidence is made of: the classifier's score and the box's energy."""

import numpy as np
from numpy.typing import NDArray

from ebm.exceptions import InputError

__all__ = ["fit_confidence"]

Array = NDArray[np.float64]

RIDGE = 1e-2  # of weights of standardised inputs: frames that are all right would make them infinite
STEPS = 50


def fit_confidence(presence: Array, energy: Array, good: NDArray[np.bool_]) -> tuple[float, float, float]:
    """Bias and weights of a logistic function of presence and energy, by penalised likelihood.

    Args:
        presence: classifier's score of every frame, clamped to [0, 1], ``[T]``.
        energy: of its box, ``[T]``; frames without a refined box are left out.
        good: whether the box overlaps the target's by at least 0.5, ``[T]``.

    Returns:
        ``confidence_weights`` of a parameter set or of a weights file's ``net_info``.

    Raises:
        InputError: if no frame has a finite energy.
    """
    use = np.isfinite(energy) & np.isfinite(presence)
    if not use.any():
        raise InputError("There is no frame with a refined box to fit the confidence on.")
    inputs = np.stack((presence[use], energy[use]), axis=1)
    middle, width = inputs.mean(axis=0), inputs.std(axis=0) + 1e-9
    x = np.concatenate((np.ones((len(inputs), 1)), (inputs - middle) / width), axis=1)
    y = good[use].astype(np.float64)
    weights = np.zeros(3)
    for _ in range(STEPS):  # Newton's steps, of a convex function of three numbers
        chance = 1 / (1 + np.exp(-np.clip(x @ weights, -30, 30)))
        gradient = x.T @ (y - chance) - RIDGE * weights
        curvature = (x * (chance * (1 - chance))[:, None]).T @ x + RIDGE * np.eye(3)
        step = np.linalg.solve(curvature, gradient)
        weights = weights + step / max(1.0, float(np.abs(step).max()))
    scaled = weights[1:] / width
    return float(weights[0] - scaled @ middle), float(scaled[0]), float(scaled[1])
