"""`ebm.fit` as a probabilistic regressor of skpro, and the distribution that it predicts."""

from functools import cached_property
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from ebm.crps import crps_from_cells
from ebm.density import GridDensity, ImportanceDensity
from ebm.density.circular import CircularDensity
from ebm.exceptions import DomainError, InputError, ShapeError
from ebm.extras import explain_missing

try:
    import pandas as pd
    from skpro.distributions.base import (  # type: ignore[import-untyped, import-not-found, unused-ignore]
        BaseDistribution,
    )
    from skpro.regression.base import (  # type: ignore[import-untyped, import-not-found, unused-ignore]
        BaseProbaRegressor,
    )
except ImportError as error:
    raise explain_missing("the skpro adapter", "skpro") from error

from sklearn.base import clone  # type: ignore[import-untyped, import-not-found, unused-ignore]

from ebm.estimator import EBMRegressor

__all__ = ["EBMProbaRegressor", "GridDistribution"]

Array = NDArray[Any]


class GridDistribution(BaseDistribution):  # type: ignore[misc, unused-ignore]
    """Densities on grids, one per row, as a distribution of skpro with one column.

    Between the grid points the density is linear, as that of `ebm.GridDensity.from_log_masses`.

    Args:
        points: increasing, ``(N, G)``; ``(G,)`` is one number's distribution.
        log_masses: log-mass of the cells around them, nats, same shape.
        index: N labels of the rows.
        columns: the name of the target.

    Raises:
        ShapeError: if shapes do not fit.

    Examples:
        >>> import numpy as np
        >>> from ebm.interop.skpro import GridDistribution
        >>> points = np.linspace(-5, 5, 101)
        >>> round(float(GridDistribution(points, -(points**2) / 2).var()), 3)
        1.0
    """

    _tags = {
        "authors": ["EBMTrack"],
        "capabilities:approx": ["pdfnorm"],
        "capabilities:exact": ["mean", "var", "energy", "pdf", "log_pdf", "cdf", "ppf"],
        "distr:measuretype": "continuous",
        "distr:paramtype": "nonparametric",
        "broadcast_init": "off",
    }

    def __init__(self, points: Array, log_masses: Array, index: Any = None, columns: Any = None) -> None:
        self.points, self.log_masses = points, log_masses
        shape = np.shape(points)
        if len(shape) not in (1, 2) or np.shape(log_masses) != shape:
            raise ShapeError(f"expected points and log_masses (N, G), got {shape}, {np.shape(log_masses)}.")
        if len(shape) == 2:
            index = pd.RangeIndex(shape[0]) if index is None else index
            columns = pd.RangeIndex(1) if columns is None else columns
            if (len(index), len(columns)) != (shape[0], 1):
                raise ShapeError(f"expected {shape[0]} rows and 1 column, got {len(index)}, {len(columns)}.")
        super().__init__(index=index, columns=columns)

    @classmethod
    def of(
        cls, density: GridDensity | ImportanceDensity, index: Any = None, columns: Any = None
    ) -> "GridDistribution":
        """The distribution of a density of one target.

        Raises:
            ShapeError: if it has more, or is none on a grid.
            DomainError: (a ValueError) if the target is an angle.
        """
        if density.target_dim != 1 or not isinstance(density, GridDensity):
            raise ShapeError(f"expected a grid of one target, got D={density.target_dim}.")
        _require_line(isinstance(density, CircularDensity))
        points = density.axes[0].points.expand(density.batch_size, -1)
        return cls(points.cpu().numpy(), density.log_masses.cpu().numpy(), index, columns)

    @cached_property
    def density(self) -> GridDensity:
        """The same as a density of ours."""
        points, masses = (np.atleast_2d(np.asarray(a, float)) for a in (self.points, self.log_masses))
        return GridDensity.from_log_masses(torch.tensor(points), torch.tensor(masses))

    @classmethod
    def get_test_params(cls, parameter_set: str = "default") -> list[dict[str, Any]]:
        """What skpro's own checks make instances of."""
        points = np.linspace(-4, 6, 201)
        rows = np.stack((points, 2 * points, points + 1))
        masses = np.stack((-0.5 * points**2, -abs(points), -0.5 * (points - 1) ** 2))
        several = {"points": rows, "log_masses": masses, "index": pd.Index([1, 2, 5]), "columns": ["a"]}
        return [several, {"points": points, "log_masses": masses[0]}]

    def pdfnorm(self, a: float = 2) -> Any:
        """Integral of the density to the power `a`, by the trapezoid rule."""
        widths = self.density.axes[0].widths
        norm = ((a * (self.density.log_masses - widths.log())).exp() * widths).sum(1)
        if self.ndim == 0:
            return norm.item()
        return pd.DataFrame(norm[:, None].numpy(), index=self.index, columns=self.columns)

    def _mean(self) -> Array:
        return self._shaped(self.density.mean())

    def _var(self) -> Array:
        return self._shaped(self.density.variance())

    def _log_pdf(self, x: Array) -> Array:
        return self._shaped(self.density.log_prob(self._column(x)))

    def _pdf(self, x: Array) -> Array:
        return np.exp(self._log_pdf(x))

    def _cdf(self, x: Array) -> Array:
        return self._shaped(self.density.cdf(self._column(x)))

    def _ppf(self, p: Array) -> Array:
        return self._shaped(self.density.quantile(self._column(p)))

    def _energy_self(self) -> Array:
        """E|X - X'| = 2 times the integral of F (1 - F), F being linear within a cell."""
        edges, below = self.density.cumulative()
        low, high = below[:, :-1], below[:, 1:]
        inside = 0.5 * (low + high) - (low.square() + low * high + high.square()) / 3
        return self._shaped(2 * (inside * edges.diff(dim=1)).sum(1))

    def _energy_x(self, x: Array) -> Array:
        """E|X - x| is the CRPS of x and half of E|X - X'|."""
        score = crps_from_cells(*self.density.cumulative(), self._column(x)[:, 0])
        return self._shaped(score) + 0.5 * self._energy_self()

    def _column(self, x: Any) -> Tensor:
        """Values of all rows, ``(N, 1)``."""
        return torch.tensor(np.asarray(x, float).reshape(-1, 1))

    def _shaped(self, result: Tensor) -> Array:
        """One result per row in the shape of this distribution."""
        return result.numpy().reshape(self.shape)

    def _subset_params(self, rowidx: Any, colidx: Any, coerce_scalar: bool = False) -> dict[str, Array]:
        """Rows of both arrays: skpro would take the points of a grid for columns."""
        rows = slice(None) if rowidx is None else rowidx
        return {"points": self.points[rows], "log_masses": self.log_masses[rows]}


class EBMProbaRegressor(BaseProbaRegressor):  # type: ignore[misc, unused-ignore]
    """A probabilistic regressor of skpro that is fitted by `ebm.fit`.

    For one target; `ebm.fit` itself gives the joint density of several. Where the fit is calibrated
    (``EBMRegressor(calibrate=True)``, or ``model.estimator_.fitted_.calibrate(x, y)``), `predict_interval`
    and `predict_quantiles` are, as ends of equal-tailed intervals; `predict_proba` is the density as fitted.

    Args:
        estimator: an `EBMRegressor` that says how to fit; None is one with its defaults. Searches reach its
            arguments as ``estimator__epochs`` and so on.

    Attributes:
        estimator_: the fitted `EBMRegressor`; ``estimator_.fitted_`` is what `ebm.fit` returned.

    Examples:
        >>> import pandas as pd
        >>> from ebm.estimator import EBMRegressor
        >>> from ebm.interop.skpro import EBMProbaRegressor
        >>> x = pd.DataFrame({"x": [0.0, 0.3, 0.5, 0.7, 1.0, 1.2]})
        >>> model = EBMProbaRegressor(EBMRegressor(epochs=2, random_state=0))
        >>> model.fit(x, 2 * x).predict_proba(x[:2]).shape
        (2, 1)
    """

    _tags = {
        "authors": ["EBMTrack"],
        "capability:multioutput": False,
        "capability:missing": False,
        "X_inner_mtype": "pd_DataFrame_Table",
        "y_inner_mtype": "pd_DataFrame_Table",
    }

    estimator_: EBMRegressor

    def __init__(self, estimator: EBMRegressor | None = None) -> None:
        self.estimator = estimator
        super().__init__()

    @classmethod
    def get_test_params(cls, parameter_set: str = "default") -> list[dict[str, Any]]:
        """What skpro's own checks make instances of; quick to fit."""
        quick: dict[str, Any] = {"epochs": 2, "hidden": (8,), "random_state": 0}
        return [{"estimator": EBMRegressor(**quick)}, {"estimator": EBMRegressor(**quick, prediction="mode")}]

    def _fit(self, X: Any, y: Any) -> "EBMProbaRegressor":
        if y.shape[1] != 1:
            raise ShapeError(
                f"EBMProbaRegressor has one target, got {y.shape[1]} columns of y: fit one each, or their "
                "joint density with ebm.fit."
            )
        self._target = y.columns
        own = EBMRegressor() if self.estimator is None else clone(self.estimator)
        self.estimator_ = own.fit(_named(X), y.iloc[:, 0].to_numpy())
        return self

    def _predict(self, X: Any) -> Any:
        return pd.DataFrame(self.estimator_.predict(_named(X)), index=X.index, columns=self._target)

    def _predict_quantiles(self, X: Any, alpha: list[float]) -> Any:
        """Those of the density, or the ends of calibrated intervals; skpro makes its intervals of them."""
        _require_line(self.estimator_.fitted_.scaling.circle is not None)
        calibration = self.estimator_.fitted_.calibration
        if calibration is not None and calibration.groups is not None:
            raise InputError(
                "the calibration is within groups, which intervals of skpro have no place for: ask "
                "model.estimator_.predict_interval(X, level, within=...), or calibrate without groups."
            )
        found = [self._quantile(_named(X), p, calibration is not None) for p in alpha]
        columns = self._get_columns(method="predict_quantiles", alpha=alpha)
        return pd.DataFrame(np.stack(found, 1), index=X.index, columns=columns)

    def _quantile(self, X: Any, p: float, calibrated: bool) -> Array:
        if not calibrated or p == 0.5:
            return np.asarray(self.estimator_.predict_quantile(X, p))
        return np.asarray(self.estimator_.predict_interval(X, abs(1 - 2 * p))[:, int(p > 0.5)])

    def _predict_proba(self, X: Any) -> GridDistribution:
        density = self.estimator_.predict_density(_named(X))
        return GridDistribution.of(density, X.index, self._target)


def _require_line(on_circle: bool) -> None:
    if on_circle:
        raise DomainError(
            "skpro knows no circles: its quantiles and scores would be those of numbers on a line. Ask "
            "the density itself, or give sine and cosine as targets of ebm.fit."
        )


def _named(table: Any) -> Any:
    """A table whose columns have text for names, as scikit-learn wants all or none of them."""
    return table.rename(columns=str)
