"""What every method predicts for the test rows, in one form, and how good that is."""

from dataclasses import dataclass

import torch
from torch import Tensor

from ebm.baselines.densities import ParametricDensity
from ebm.crps import crps_from_cells
from ebm.exceptions import ShapeError

__all__ = ["INTERVALS", "TAILS", "Predictions", "Scores", "crps_of_quantiles", "of_density", "score"]

INTERVALS = (0.5, 0.9, 0.95)
# Levels of the ends of these intervals: all lower ones, then all upper ones.
TAILS = (*((1 - level) / 2 for level in INTERVALS), *((1 + level) / 2 for level in INTERVALS))
# So many equal steps of probability stand for a distribution function in closed form when its CRPS is taken.
CDF_STEPS = 2000


@dataclass(frozen=True, kw_only=True)
class Predictions:
    """Predictions of T rows, in the unit of y, float64.

    Attributes:
        log_prob: log-density of the labels, nats, ``(T,)``; None where a method has no density.
        mean: ``(T,)``.
        ends: quantiles at `TAILS`, ``(T, 6)``.
        crps: continuous ranked probability score of the labels, ``(T,)``.
        parameters: numbers that were trained.
        epochs: passes over the training rows.
        seconds: of training; on a CPU those of the processor.
    """

    log_prob: Tensor | None
    mean: Tensor
    ends: Tensor
    crps: Tensor
    parameters: int
    epochs: int
    seconds: float


@dataclass(frozen=True, kw_only=True)
class Scores:
    """One method on one split.

    Attributes:
        nll: mean negative log-likelihood, nats; None where a method has no density.
        crps: mean, in the unit of y.
        coverage_50: share of the labels inside the equal-tailed 50 % interval.
        coverage_90: the same for 90 %.
        coverage_95: the same for 95 %.
        width_90: mean width of the 90 % interval, in the unit of y.
        rmse: of the predicted mean.
        parameters: numbers that were trained.
        epochs: passes over the training rows.
        seconds: of training; on a CPU those of the processor.
    """

    nll: float | None
    crps: float
    coverage_50: float
    coverage_90: float
    coverage_95: float
    width_90: float
    rmse: float
    parameters: int
    epochs: int
    seconds: float


def score(predictions: Predictions, y: Tensor) -> Scores:
    """How good predictions are.

    Args:
        predictions: of T rows.
        y: labels ``(T,)``, float64.

    Raises:
        ShapeError: if there are not as many labels as predictions.
    """
    if y.shape != predictions.mean.shape:
        raise ShapeError(f"expected {tuple(predictions.mean.shape)} labels, got {tuple(y.shape)}.")
    low, high = predictions.ends.split(len(INTERVALS), dim=1)
    inside = ((low <= y[:, None]) & (y[:, None] <= high)).double().mean(0).tolist()
    return Scores(
        nll=None if predictions.log_prob is None else -predictions.log_prob.mean().item(),
        crps=predictions.crps.mean().item(),
        coverage_50=inside[0],
        coverage_90=inside[1],
        coverage_95=inside[2],
        width_90=(high - low)[:, 1].mean().item(),
        rmse=(predictions.mean - y).square().mean().sqrt().item(),
        parameters=predictions.parameters,
        epochs=predictions.epochs,
        seconds=predictions.seconds,
    )


def of_density(density: ParametricDensity, y: Tensor) -> dict[str, Tensor]:
    """Fields of `Predictions` that a closed density of one target decides.

    Args:
        density: of T items, D = 1.
        y: labels ``(T,)``.
    """
    levels = (torch.arange(CDF_STEPS, dtype=torch.float64, device=y.device) + 0.5) / CDF_STEPS
    return {
        "log_prob": density.log_prob(y[:, None]),
        "mean": density.mean()[:, 0],
        "ends": density.quantile(TAILS),
        "crps": crps_of_quantiles(density.quantile(levels.tolist()), levels, y),
    }


def crps_of_quantiles(quantiles: Tensor, levels: Tensor, y: Tensor) -> Tensor:
    """CRPS of the distribution function through given quantiles.

    It is linear between them; what lies below the lowest and above the highest is put there as a point mass.

    Args:
        quantiles: increasing, ``(T, Q)``.
        levels: increasing, inside (0, 1), ``(Q,)``.
        y: labels ``(T,)``.

    Returns:
        ``(T,)`` float64.
    """
    quantiles = quantiles.double()
    edges = torch.cat((quantiles[:, :1], quantiles, quantiles[:, -1:]), 1)
    below = torch.cat((levels.new_zeros(1), levels, levels.new_ones(1))).double().expand_as(edges)
    return crps_from_cells(edges, below, y.double())
