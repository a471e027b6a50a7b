"""What every method answers for the test rows, in one form, and how good that is.

All scores are in standard deviations of the target over the rows to fit, so that targets and tables can be
set beside each other.
"""

import math
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from ebm.tasks.compare.tables import Split
from ebm.tasks.tabular.methods import QUANTILES
from ebm.tasks.tabular.predictions import crps_of_quantiles

__all__ = ["DRAWS", "LEVELS", "Answers", "Asked", "Scores", "answer_by_density", "in_units", "measure"]

Array = NDArray[np.float64]
# Quantiles that every method is asked for: every 2.5 %, the ends of the 90 % interval among them.
LEVELS = QUANTILES
_LOW, _HIGH = LEVELS.index(0.05), LEVELS.index(0.95)
# Draws per row for the energy score of several targets, and how often they are paired among themselves.
DRAWS, PAIRINGS = 200, 10
# A count that a density gives less mass than this scores as this much.
LEAST_MASS = 1e-12
BLOCK = 256  # rows whose density is held at a time


@dataclass(frozen=True, kw_only=True)
class Answers:
    """Predictions of T rows with D targets, in the unit of y.

    Attributes:
        log_prob: log-density of the targets, or log-mass of counts, nats, ``(T,)``; None without a density.
        quantiles: at `LEVELS`, ``(T, D, Q)``.
        draws: from the joint density, ``(T, DRAWS, D)``; None for one target.
    """

    log_prob: Array | None
    quantiles: Array
    draws: Array | None


@dataclass(frozen=True, kw_only=True)
class Scores:
    """One method on one split, in units of the target's standard deviation.

    Attributes:
        nll: mean negative log-likelihood, nats; of counts that of their mass; None without a density.
        crps: mean over rows and targets.
        energy: mean energy score of several targets; None for one.
        coverage_90: share of the targets inside the equal-tailed 90 % interval, mean over targets.
        width_90: mean width of it.
        winkler_90: mean of the width and, for a target outside, 20 times its distance: what both are worth.
        fit_seconds: of the processor.
        predict_seconds: of the processor, for quantiles, log-density and draws of the test rows.
    """

    nll: float | None
    crps: float
    energy: float | None
    coverage_90: float
    width_90: float
    winkler_90: float
    fit_seconds: float
    predict_seconds: float

    @property
    def seconds(self) -> float:
        """Of both."""
        return self.fit_seconds + self.predict_seconds

    @property
    def accuracy(self) -> float:
        """Energy score for several targets, CRPS for one: what both are of a whole distribution."""
        return self.crps if self.energy is None else self.energy


class Asked(Protocol):
    """A density as it is asked here; those of `ebm.density` and `ebm.baselines` are."""

    def log_prob(self, y: Any) -> Tensor:
        """Nats, ``(B, D) -> (B,)``."""

    def quantile(self, p: Any, dim: int = 0) -> Tensor:
        """``(B, P)``."""

    def cdf(self, t: Any, dim: int = 0) -> Tensor:
        """``(B,)``."""

    def sample(self, n: int, generator: torch.Generator | None = None) -> Tensor:
        """``(B, n, D)``."""


def answer_by_density(density_of: Any, split: Split, seed: int) -> Answers:
    """Answers of something that gives a density for raw rows.

    Args:
        density_of: from rows ``(B, F)`` to a density.
        split: the rows to answer for.
        seed: of the draws.
    """
    generator = torch.Generator().manual_seed(seed)
    found: dict[str, list[Tensor]] = {"log_prob": [], "quantiles": [], "draws": []}
    for start in range(0, len(split.x_test), BLOCK):
        y = torch.from_numpy(split.y_test[start : start + BLOCK])
        density = density_of(split.x_test[start : start + BLOCK])
        columns = [density.quantile(LEVELS, d) for d in range(split.target_dim)]
        found["quantiles"].append(torch.stack(columns, 1))
        found["log_prob"].append(_log_prob(density, y, split.step))
        if split.target_dim > 1:
            found["draws"].append(density.sample(DRAWS, generator))
    arrays: dict[str, Any] = {
        name: torch.cat(parts).double().numpy() if parts else None for name, parts in found.items()
    }
    return Answers(**arrays)


def _log_prob(density: Asked, y: Tensor, step: float | None) -> Tensor:
    """Log-density, or of a count the log-mass of its cell: on counts, a density can rise without bound."""
    if step is None:
        return density.log_prob(y)
    mass = density.cdf(y[:, 0] + step / 2) - density.cdf(y[:, 0] - step / 2)
    return mass.double().clamp(min=LEAST_MASS).log()


def measure(answers: Answers, split: Split, fit_seconds: float, predict_seconds: float) -> Scores:
    """How good answers are.

    Args:
        answers: for the test rows.
        split: those rows.
        fit_seconds: of the processor.
        predict_seconds: likewise.
    """
    unit = split.unit
    y = split.y_test / unit
    quantiles = np.sort(answers.quantiles / unit[:, None], axis=-1)  # peers' quantiles may cross
    low, high = quantiles[..., _LOW], quantiles[..., _HIGH]
    nll = None
    if answers.log_prob is not None:
        nll = in_units(float(-answers.log_prob.mean()), split)
    return Scores(
        nll=nll,
        crps=_crps(quantiles, y),
        energy=None if answers.draws is None else _energy_score(answers.draws / unit, y),
        coverage_90=float(((low <= y) & (y <= high)).mean()),
        width_90=float((high - low).mean()),
        winkler_90=_winkler(low, high, y),
        fit_seconds=fit_seconds,
        predict_seconds=predict_seconds,
    )


def in_units(nll: float, split: Split) -> float:
    """A mean negative log-likelihood of a split's raw targets as one of targets in their units.

    The mass of a count has no unit.
    """
    return nll if split.step is not None else nll - float(np.log(split.unit).sum())


def _crps(quantiles: Array, y: Array) -> float:
    """Of the distribution function through the quantiles; the same for every method."""
    if not np.isfinite(quantiles).all():
        return math.inf
    levels = torch.tensor(LEVELS, dtype=torch.float64)
    columns = [
        crps_of_quantiles(torch.from_numpy(quantiles[:, d].copy()), levels, torch.from_numpy(y[:, d].copy()))
        for d in range(y.shape[1])
    ]
    return torch.stack(columns).mean().item()


def _winkler(low: Array, high: Array, y: Array) -> float:
    """Source: Gneiting and Raftery, JASA 2007, eq. 43, for intervals of 90 %."""
    outside = np.maximum(low - y, 0) + np.maximum(y - high, 0)
    return float((high - low + outside * 2 / 0.1).mean())


def _energy_score(draws: Array, y: Array) -> float:
    """E|X - y| - E|X - X'| / 2, unbiased. Source: Gneiting and Raftery, JASA 2007, eq. 22 ff."""
    away = np.linalg.norm(draws - y[:, None], axis=-1).mean()
    apart = [
        np.linalg.norm(draws - np.roll(draws, k, axis=1), axis=-1).mean() for k in range(1, PAIRINGS + 1)
    ]
    return float(away - np.mean(apart) / 2)
