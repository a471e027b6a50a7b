"""Scorers of scikit-learn for estimators that predict densities: ``scoring=neg_crps``.

They see through `Pipeline`, searches and `TransformedTargetRegressor`, and score p(y|x) of the targets as
they are given. Greater is better, as scikit-learn has it, except for coverage, which is to meet its level.
"""

import math
from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial
from typing import Any, Protocol

import torch
from torch import Tensor

from ebm.calibration import Densities, Distribution
from ebm.density.base import Labels, require_level
from ebm.exceptions import InputError, ShapeError
from ebm.fitting.data import as_weights
from ebm.scores.arrays import require_thresholds
from ebm.scores.evaluation import inside
from ebm.scores.marginal import target_rows
from ebm.scores.rows import (
    crps,
    energy_score,
    log_score,
    pinball_loss,
    threshold_crps,
    width,
    winkler_score,
)
from ebm.scores.transformed import TransformedDensity, Transformer, transformed

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

# Rows whose densities are held at a time.
MOST_ROWS = 256


class _Rows(Protocol):
    def __call__(self, densities: Densities, y: Labels) -> Tensor:
        """Per row."""


@dataclass(frozen=True)
class Scorer:
    """A scorer as scikit-learn calls it, which can be pickled and cloned.

    Attributes:
        name: what it is called in results.
        rows: score per row, of densities and labels.
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
        values, start = [], 0
        for density in _predicted(estimator, X, len(labels)):
            part = labels[start : start + density.batch_size]
            values.append(self.rows(density, part.numpy()).double().cpu())
            start += density.batch_size
        every = torch.cat(values)
        _require_inverse(every, isinstance(density, TransformedDensity))
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
    return list(_predicted(estimator, X, _count(X)))


def coverage_scorer(level: float) -> Scorer:
    """Share of the labels inside equal-tailed intervals: to look at, not to maximise.

    Raises:
        DomainError: (a ValueError) if the level is not in (0, 1).
    """
    return Scorer(f"coverage_{_percent(level)}", partial(_each, partial(inside, level=level)), 1.0)


def coverage_error_scorer(level: float) -> Scorer:
    """How far the coverage is from its level, negated; level in (0, 1)."""
    rows = partial(_each, partial(inside, level=level))
    return Scorer(f"neg_coverage_error_{_percent(level)}", rows, level=require_level(level))


def winkler_scorer(level: float) -> Scorer:
    """Winkler's interval score, negated; level in (0, 1)."""
    return Scorer(f"neg_winkler_{_percent(level)}", partial(_each, partial(winkler_score, level=level)))


def width_scorer(level: float) -> Scorer:
    """Width of equal-tailed intervals, negated; level in (0, 1)."""
    return Scorer(f"neg_width_{_percent(level)}", partial(_each, partial(_width, level=level)))


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


def _each(score: Any, densities: Densities, y: Labels) -> Tensor:
    """A score of one coordinate, averaged over all of them, ``(B,)``."""
    return torch.stack([score(densities, y, dim=d) for d in range(y.shape[1])]).mean(0)


def _width(densities: Densities, y: Labels, level: float, dim: int) -> Tensor:
    return width(densities, level, dim)


neg_log_likelihood = Scorer("neg_log_likelihood", log_score)
neg_crps = Scorer("neg_crps", partial(_each, crps))
neg_energy_score = Scorer("neg_energy_score", energy_score)
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


def _predicted(estimator: Any, x: Any, count: int) -> Iterator[Distribution]:
    """Densities of some rows at a time."""
    if _count(x) != count or not count:
        raise ShapeError(
            f"expected as many rows of X as labels, and at least one; got {_count(x)} and {count}."
        )
    model, x, chain = _seen_through(estimator, x)
    predict = getattr(model, "predict_density", None) or getattr(model, "density", None)
    if predict is None:
        raise _no_density(model)
    for start in range(0, count, MOST_ROWS):
        part = slice(start, min(start + MOST_ROWS, count))
        yield transformed(predict(x.iloc[part] if hasattr(x, "iloc") else x[part]), chain)


def _seen_through(estimator: Any, x: Any) -> tuple[Any, Any, tuple[Transformer, ...]]:
    """The regressor inside, the inputs that it gets, and the target's transformers, the outermost first."""
    chain: list[Transformer] = []
    while True:
        if hasattr(estimator, "best_estimator_"):
            estimator = estimator.best_estimator_
        elif hasattr(estimator, "named_steps"):
            x = estimator[:-1].transform(x) if len(estimator.steps) > 1 else x
            estimator = estimator.steps[-1][1]
        elif hasattr(estimator, "regressor_") and hasattr(estimator, "transformer_"):
            chain.append(estimator.transformer_)
            estimator = estimator.regressor_
        else:
            return estimator, x, tuple(chain)


def _no_density(model: Any) -> TypeError:
    """Why there is no density: not fitted yet, or the wrong kind of estimator."""
    kind = type(model).__name__
    if hasattr(model, "get_params"):
        from sklearn.utils.validation import (  # type: ignore[import-untyped, unused-ignore]
            check_is_fitted,
        )

        check_is_fitted(model)
    return TypeError(
        f"{kind} predicts no density: these scorers need predict_density, as EBMRegressor has it, "
        "by itself or inside a Pipeline, a search (with refit) or a TransformedTargetRegressor."
    )


def _count(x: Any) -> int:
    return int(x.shape[0]) if hasattr(x, "shape") else len(x)


def _require_inverse(values: Tensor, is_transformed: bool) -> None:
    """Refuse likelihoods of labels none of which the inverse transform leads to."""
    if is_transformed and bool(values.isinf().all()):
        raise InputError(
            "inverse_transform leads to none of the labels: it is not the inverse of the target's transform; "
            "compare transformer.inverse_transform(transformer.transform(y)) with y."
        )
