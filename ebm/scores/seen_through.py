"""Which density an estimator predicts, through pipelines, searches and transformed targets."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor

from ebm.calibration import Distribution
from ebm.density.base import require_level
from ebm.density.circular import Circle
from ebm.exceptions import DomainError, ShapeError
from ebm.scores.transformed import Transformer, brought_back, transformed

__all__ = ["Predicted", "row_count", "seen_through"]

# Rows whose densities are held at a time.
MOST_ROWS = 256


@dataclass(frozen=True)
class Predicted:
    """What a model says of some rows, of the targets as they are given.

    Attributes:
        model: has `predict_density` or `density`.
        x: the inputs that it gets.
        count: B, their number.
        chain: transformers of the target, the outermost first.
    """

    model: Any
    x: Any
    count: int
    chain: tuple[Transformer, ...]

    def density(self) -> Distribution:
        """Of the targets, of B items; computed anew by every call."""
        self._require_line()
        return transformed(self._density(), self.chain)

    @property
    def circle(self) -> Circle | None:
        """The circle that the model's targets lie on; None where there is none."""
        scaling = getattr(getattr(self.model, "fitted_", self.model), "scaling", None)
        return getattr(scaling, "circle", None)

    def _require_line(self) -> None:
        if self.chain and self.circle is not None:
            raise DomainError(
                "the model's targets are transformed and on a circle: a density of an angle cannot be "
                "brought back. Fit the angles as they are, with their period as support."
            )

    def intervals(self, level: float, dim: int) -> Tensor:
        """Intervals of D coordinates, ``(B, D, 2)`` float64 on the CPU.

        Those of the model where it has some, with the guarantee that it gives; an interval of several
        transformed targets is one of the density, since a transform may mix them.
        """
        self._require_line()
        tail = 0.5 * (1 - require_level(level))
        if not hasattr(self.model, "predict_interval") or (self.chain and dim > 1):
            density: Any = self.density()
            columns = [density.quantile((tail, 1 - tail), d).double().cpu() for d in range(dim)]
            return torch.stack(columns, 1)
        given = self.model.predict_interval(self.x, level)
        ends = torch.as_tensor(np.asarray(given), dtype=torch.float64).reshape(self.count, dim, 2)
        return self._back(ends) if self.chain else ends

    def _density(self) -> Any:
        predict = getattr(self.model, "predict_density", None) or self.model.density
        return predict(self.x)

    def _back(self, ends: Tensor) -> Tensor:
        """Intervals of one transformed target, ``(B, 1, 2)``; an infinite end stays one."""
        finite = ends.isfinite()
        inner = torch.where(finite, ends, self._density().mean().double().cpu()[:, :, None])
        back = brought_back(self.chain, inner.reshape(-1, 1).numpy()).reshape(ends.shape)
        if not bool(finite.all()):
            beside = brought_back(self.chain, inner.reshape(-1, 1).numpy() + 1e-3).reshape(ends.shape)
            back = torch.where(finite, back, torch.where(beside > back, ends, -ends))
        return back.sort(-1).values


def seen_through(estimator: Any, x: Any, count: int) -> Iterator[Predicted]:
    """Predictions of some rows at a time.

    Args:
        estimator: fitted; pipelines, searches and regressors of transformed targets are looked into.
        x: inputs as `estimator` takes them.
        count: rows that are expected.

    Raises:
        ShapeError: if there are more or fewer rows, or none.
        TypeError: if the estimator inside predicts no density.
    """
    if row_count(x) != count or not count:
        raise ShapeError(
            f"expected as many rows of X as labels, and at least one; got {row_count(x)} and {count}."
        )
    model, x, chain = _inside(estimator, x)
    if not (hasattr(model, "predict_density") or hasattr(model, "density")):
        raise _no_density(model)
    for start in range(0, count, MOST_ROWS):
        part = slice(start, min(start + MOST_ROWS, count))
        yield Predicted(model, x.iloc[part] if hasattr(x, "iloc") else x[part], part.stop - start, chain)


def row_count(x: Any) -> int:
    """Rows of an array, tensor, table or list."""
    return int(x.shape[0]) if hasattr(x, "shape") else len(x)


def _inside(estimator: Any, x: Any) -> tuple[Any, Any, tuple[Transformer, ...]]:
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
    """Why there is no density: not fitted yet, which scikit-learn says, or the wrong kind of estimator."""
    if hasattr(model, "get_params"):
        from sklearn.utils.validation import (  # type: ignore[import-untyped, unused-ignore]
            check_is_fitted,
        )

        check_is_fitted(model)
    return TypeError(
        f"{type(model).__name__} predicts no density: these scorers need predict_density, as EBMRegressor "
        "has it, by itself or inside a Pipeline, a search (with refit) or a TransformedTargetRegressor."
    )
