"""A predictor of the user's own, on whose errors the density is fitted: trees and energies combined."""

import copy
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
import torch
from torch import Tensor

from ebm.checks import require_finite
from ebm.exceptions import DomainError, InputError, ShapeError
from ebm.fitting.data import as_inputs, as_targets, as_weights
from ebm.fitting.groups import codes_of, group_folds

__all__ = ["OnBase", "PointPredictor", "build_on", "predicted"]

FOLDS = 5


class PointPredictor(Protocol):
    """What is asked of it: any regressor of scikit-learn has it, and what looks like one."""

    def fit(self, X: Any, y: Any) -> Any:
        """Learn from arrays ``(N, F)`` and ``(N,)`` or ``(N, D)``; may take ``sample_weight``."""

    def predict(self, X: Any) -> Any:
        """Targets ``(N,)`` or ``(N, D)`` of inputs ``(N, F)``."""


@dataclass(frozen=True)
class OnBase:
    """Rows for the fit of a density on a predictor's errors.

    Attributes:
        x: inputs, and the predictions as further columns, ``(N, F + D)``.
        y: errors, ``(N,)`` or ``(N, D)``.
        validation: the same of validation data; None where there are none.
        base: the predictor, fitted to all rows.
    """

    x: Tensor
    y: Tensor
    validation: tuple[Tensor, Tensor] | None
    base: PointPredictor


def build_on(
    base: PointPredictor,
    x: Any,
    y: Any,
    sample_weight: Any,
    validation_data: tuple[Any, Any] | None,
    seed: int,
    groups: Any = None,
) -> OnBase:
    """Errors of a predictor on rows that it was not fitted to, by cross-validation in `FOLDS` folds.

    Errors on its own rows would be too small: a forest repeats much of what it has seen.

    Args:
        base: an unfitted predictor; copies of it are fitted.
        x: inputs ``(N, F)``.
        y: targets ``(N,)`` or ``(N, D)``.
        sample_weight: ``(N,)`` or None; handed on where it is given.
        validation_data: predicted by the predictor of all rows.
        seed: of the folds.
        groups: a text or whole number per row ``(N,)``; folds then have whole groups.

    Raises:
        InputError: if it is no predictor, or fails.
        ShapeError: if rows are not flat, or it predicts another shape.
        DomainError: if a prediction is not finite, or there are too few rows.
    """
    if not (hasattr(base, "fit") and hasattr(base, "predict")):
        raise InputError(f"base must have fit and predict, as regressors of scikit-learn do; got {base!r}.")
    rows = as_inputs(x)
    targets, flat = as_targets(y, len(rows))
    if rows.ndim != 2:
        raise ShapeError(f"a base takes flat rows (N, F), got {tuple(rows.shape)}.")
    if len(rows) < 2 * FOLDS:
        raise DomainError(f"a base takes {2 * FOLDS} rows or more, for {FOLDS} folds; got {len(rows)}.")
    weights = None if sample_weight is None else as_weights(sample_weight, len(rows))
    out = torch.empty_like(targets)
    for fold in _folds(len(rows), codes_of(groups, x, len(rows)), seed):
        rest = torch.ones(len(rows), dtype=torch.bool).index_fill(0, fold, False)
        part = _fitted(base, rows[rest], targets[rest], None if weights is None else weights[rest], flat)
        out[fold] = predicted(part, rows[fold], targets.shape[1])
    whole = _fitted(base, rows, targets, weights, flat)
    validation = None
    if validation_data is not None:
        held, truth = as_inputs(validation_data[0]), validation_data[1]
        known, _ = as_targets(truth, len(held))
        guess = predicted(whole, held, targets.shape[1])
        validation = torch.cat((held, guess), 1), _like(known - guess, flat)
    return OnBase(torch.cat((rows, out), 1), _like(targets - out, flat), validation, whole)


def _folds(count: int, groups: Tensor | None, seed: int) -> Iterable[Tensor]:
    if groups is not None:
        return group_folds(groups, FOLDS, seed)
    return torch.randperm(count, generator=torch.Generator().manual_seed(seed)).tensor_split(FOLDS)


def predicted(base: PointPredictor, rows: Tensor, target_dim: int) -> Tensor:
    """Predictions of raw rows ``(N, F)``, ``(N, D)`` float64.

    Raises:
        ShapeError: if they have another shape.
        DomainError: if one is not finite.
    """
    if not len(rows):
        return torch.zeros(0, target_dim, dtype=torch.float64)
    values = torch.from_numpy(np.array(base.predict(rows.numpy()), dtype=np.float64))
    values = values[:, None] if values.ndim == 1 else values
    if values.shape != (len(rows), target_dim):
        raise ShapeError(
            f"base predicts an array of shape {tuple(values.shape)}, expected {(len(rows), target_dim)}."
        )
    require_finite("the predictions of base", values)
    return values


def _fitted(
    base: PointPredictor, rows: Tensor, targets: Tensor, weights: Tensor | None, flat: bool
) -> PointPredictor:
    """A fitted copy."""
    one = _copied(base)
    arrays = rows.numpy(), _like(targets, flat).numpy()
    extra = {} if weights is None else {"sample_weight": weights.numpy()}
    try:
        one.fit(*arrays, **extra)
    except (TypeError, ValueError, RuntimeError) as error:
        raise InputError(f"base cannot be fitted: {type(error).__name__}: {error}") from error
    return one


def _copied(base: PointPredictor) -> Any:
    """A copy as scikit-learn makes it, without what was learned, where the predictor is one of its kind."""
    if hasattr(base, "get_params"):
        from sklearn.base import clone  # type: ignore[import-untyped, import-not-found, unused-ignore]

        return clone(base)
    return copy.deepcopy(base)


def _like(targets: Tensor, flat: bool) -> Tensor:
    return targets[:, 0] if flat else targets
