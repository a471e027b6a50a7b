"""Scorers of scikit-learn for estimators that predict densities: ``scoring=neg_crps``.

They see through `Pipeline`, searches and `TransformedTargetRegressor`, and score p(y|x) of the targets as
they are given. Greater is better, as scikit-learn has it, except for coverage, which is to meet its level.
"""

import math
from dataclasses import dataclass
from functools import partial
from typing import Any, Protocol

import torch
from torch import Tensor

from ebm.calibration import Distribution
from ebm.density.base import Labels, require_level
from ebm.exceptions import InputError
from ebm.fitting.data import as_weights
from ebm.scores.arrays import require_thresholds, winkler_from_ends
from ebm.scores.circles import uncircular
from ebm.scores.local import inside_interval
from ebm.scores.marginal import target_rows
from ebm.scores.rows import crps, energy_score, log_score, pinball_loss, threshold_crps
from ebm.scores.seen_through import Predicted, row_count, seen_through

__all__ = [
    "SCORERS",
    "Scorer",
    "coverage_50",
    "coverage_90",
    "coverage_95",
    "coverage_error_scorer",
    "coverage_scorer",
    "neg_coverage_error_90",
    "neg_crps",
    "neg_energy_score",
    "neg_log_likelihood",
    "neg_width_90",
    "neg_winkler_90",
    "pinball_scorer",
    "predicted",
    "threshold_crps_scorer",
    "width_scorer",
    "winkler_scorer",
]


class _Rows(Protocol):
    def __call__(self, rows: Predicted, y: Labels) -> Tensor:
        """Per row."""


@dataclass(frozen=True)
class Scorer:
    """A scorer as scikit-learn calls it, which can be pickled and cloned.

    Attributes:
        name: what it is called in results.
        rows: score per row, of predictions and labels.
        sign: -1 where less is better.
        level: where given, the score is how far the mean stays from it, negated.
    """

    name: str
    rows: _Rows
    sign: float = -1.0
    level: float | None = None

    def __call__(self, estimator: Any, X: Any, y: Any, sample_weight: Any = None) -> float:
        """The mean over rows.

        Args:
            estimator: fitted: an `EBMRegressor` or whatever has `predict_density` or `density`, also inside
                pipelines, searches and regressors of transformed targets.
            X: inputs, N rows.
            y: labels ``(N,)`` or ``(N, D)``.
            sample_weight: weight per row ``(N,)``.

        Raises:
            ShapeError: if the shapes do not fit, or there is no row.
            InputError: if the transform of the target is no inverse of its inverse.
            TypeError: if the estimator predicts no density.
        """
        labels = target_rows("y", y)
        weights = as_weights(sample_weight, len(labels))
        blocks = list(seen_through(estimator, X, len(labels)))
        parts = labels.split([block.count for block in blocks])
        every = torch.cat([self.rows(block, y.numpy()).double().cpu() for block, y in zip(blocks, parts)])
        _require_inverse(every, bool(blocks[0].chain))
        used = weights > 0  # infinity times no weight is none
        mean = (weights[used] * every[used]).sum().item() / weights.sum().item()
        return self.sign * mean if self.level is None else -abs(mean - self.level)

    def __repr__(self) -> str:
        return self.name


def predicted(estimator: Any, X: Any) -> list[Distribution]:
    """Densities of the targets as given, for every function of `ebm.scores`; all rows are held at once.

    Args:
        estimator: see `Scorer`.
        X: inputs, N rows.

    Raises:
        TypeError: if the estimator predicts no density.
        ShapeError: if there is no row.
    """
    return [block.density() for block in seen_through(estimator, X, row_count(X))]


def coverage_scorer(level: float) -> Scorer:
    """Share of the labels inside the intervals of the model: to look at, not to maximise.

    Intervals are those of ``predict_interval`` where the model has it, with its guarantee if it was
    calibrated, else the equal-tailed ones of the density.

    Raises:
        DomainError: (a ValueError) if the level is not in (0, 1).
    """
    return Scorer(f"coverage_{_percent(level)}", partial(_interval, _inside, level), 1.0)


def coverage_error_scorer(level: float) -> Scorer:
    """How far the coverage is from its level, negated; see `coverage_scorer`."""
    rows = partial(_interval, _inside, level)
    return Scorer(f"neg_coverage_error_{_percent(level)}", rows, level=require_level(level))


def winkler_scorer(level: float) -> Scorer:
    """Winkler's score of the model's intervals, negated; see `coverage_scorer`."""
    return Scorer(f"neg_winkler_{_percent(level)}", partial(_interval, winkler_from_ends, level))


def width_scorer(level: float) -> Scorer:
    """Width of the model's intervals, negated; see `coverage_scorer`."""
    return Scorer(f"neg_width_{_percent(level)}", partial(_interval, _width, level))


def pinball_scorer(level: float) -> Scorer:
    """Pinball loss of one quantile, negated; level in (0, 1)."""
    return Scorer(f"neg_pinball_{_percent(level)}", partial(_each, partial(pinball_loss, levels=level)))


def threshold_crps_scorer(low: float = -math.inf, high: float = math.inf) -> Scorer:
    """CRPS between two thresholds, negated, see `threshold_crps`."""
    low, high = require_thresholds(low, high)
    rows = partial(_each, partial(threshold_crps, low=low, high=high))
    return Scorer(f"neg_crps_{low:g}_to_{high:g}", rows)


def _percent(level: float) -> str:
    return f"{100 * require_level(level):g}"


def _joint(score: Any, rows: Predicted, y: Labels) -> Tensor:
    """A score of all coordinates together, ``(B,)``."""
    return score(rows.density(), y)


def _each(score: Any, rows: Predicted, y: Labels) -> Tensor:
    """A score of one coordinate, averaged over all of them, ``(B,)``."""
    density = rows.density()
    return torch.stack([score(density, y, dim=d) for d in range(y.shape[1])]).mean(0)


def _interval(score: Any, level: float, rows: Predicted, y: Labels) -> Tensor:
    """A score of intervals, averaged over the coordinates, ``(B,)``."""
    ends = rows.intervals(level, y.shape[1])
    if rows.circle is not None:
        if score is winkler_from_ends:
            raise uncircular("Winkler's score")
        y = rows.circle.beyond(ends[..., 0], torch.as_tensor(y)).numpy()
    return torch.stack([score(*ends[:, d].unbind(-1), y[:, d], level) for d in range(y.shape[1])]).mean(0)


def _inside(low: Tensor, high: Tensor, y: Labels, level: float) -> Tensor:
    return inside_interval(low, high, y).double()


def _width(low: Tensor, high: Tensor, y: Labels, level: float) -> Tensor:
    return high - low


neg_log_likelihood = Scorer("neg_log_likelihood", partial(_joint, log_score))
neg_crps = Scorer("neg_crps", partial(_each, crps))
neg_energy_score = Scorer("neg_energy_score", partial(_joint, energy_score))
neg_winkler_90, neg_width_90 = winkler_scorer(0.9), width_scorer(0.9)
coverage_50, coverage_90, coverage_95 = (coverage_scorer(level) for level in (0.5, 0.9, 0.95))
neg_coverage_error_90 = coverage_error_scorer(0.9)

SCORERS: dict[str, Scorer] = {
    scorer.name: scorer
    for scorer in (
        neg_log_likelihood,
        neg_crps,
        neg_energy_score,
        neg_winkler_90,
        neg_width_90,
        neg_coverage_error_90,
        coverage_50,
        coverage_90,
        coverage_95,
    )
}


def _require_inverse(values: Tensor, is_transformed: bool) -> None:
    """Refuse likelihoods of labels none of which the inverse transform leads to."""
    if is_transformed and bool(values.isinf().all()):
        raise InputError(
            "inverse_transform leads to none of the labels: it is not the inverse of the target's transform; "
            "compare transformer.inverse_transform(transformer.transform(y)) with y."
        )
