"""`EBMRegressor`: conditional densities with the conventions of scikit-learn: pipelines, searches, scores."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import nn

from ebm.density import GridDensity, ImportanceDensity
from ebm.exceptions import FitInterrupted, InputError
from ebm.fitting.answers import Method, require_method
from ebm.fitting.censored import Censored
from ebm.fitting.columns import holds_numbers
from ebm.fitting.config import FitConfig, TableOptions
from ebm.fitting.fitted import FittedEBM
from ebm.fitting.rows import held_out_pair
from ebm.fitting.tables import NamedArray, dense, names_of, require_same_order
from ebm.fitting.training import fit
from ebm.numbers import require_truth

try:
    from sklearn.base import (  # type: ignore[import-untyped, import-not-found, unused-ignore]
        BaseEstimator,
        RegressorMixin,
    )
    from sklearn.utils import check_random_state  # type: ignore[import-untyped, unused-ignore]
    from sklearn.utils.validation import (  # type: ignore[import-untyped, unused-ignore]
        _num_samples,
        check_is_fitted,
        check_X_y,
        validate_data,
    )
except ImportError as error:
    raise ImportError(
        'EBMRegressor needs scikit-learn >= 1.6: pip install "ebmtrack[sklearn]". '
        "Without it, ebm.fit does the same."
    ) from error

__all__ = ["EBMRegressor"]

OPTION = "loss_options__"
# What the estimator and the configuration of a fit call by the same names.
SETTINGS = tuple(field.name for field in fields(FitConfig) if field.name != "seed")
OPTIONS = (*SETTINGS, *(field.name for field in fields(TableOptions)))
# Arguments of a fit that are no such numbers.
SAME = ("feature_net", "base", "support", "device", "progress", "calibrate", "checkpoint", "log")


@dataclass(kw_only=True, eq=False, repr=False)
class EBMRegressor(RegressorMixin, BaseEstimator):  # type: ignore[misc, unused-ignore]
    """A regressor that predicts p(y|x) = exp f(x, y) / Z(x), fitted by `ebm.fit`.

    It works like any other regressor:

        model = make_pipeline(SimpleImputer(), EBMRegressor(random_state=0))
        cross_val_score(model, x, y)

    Args:
        loss: see `ebm.fit`, as all arguments but `prediction`, `loss_options` and `random_state`.
        model: "auto", "energy", or another density to compare with: "gaussian", "mdn-4", "quantile" ...
        hidden: layer sizes.
        epochs: most passes over the data.
        batch_size: rows per step; None chooses.
        learning_rate: of AdamW.
        weight_decay: of AdamW.
        validation: share of the rows held out for early stopping.
        patience: epochs without improvement before training ends.
        members: networks whose densities are averaged, each with other rows held out.
        calibrate: widen intervals and sets until they hold the rows held out.
        prediction: what `predict` returns of the density: its "mean", "mode" or "median".
        loss_options: numbers of the loss, for example ``{"num_samples": 256}``; None leaves them as they are.
        feature_net: a network of your own for the features.
        base: a regressor on whose errors the density is fitted, such as a random forest.
        support: where targets can lie, see `ebm.fit`.
        encode: turn texts, categories, dates and durations of a data frame into numbers.
        missing: "error", or "impute": gaps become the median of their column, and an indicator beside it.
        unseen: what a category that the fit never saw is: "zeros", or an "error".
        max_levels: most categories of a column.
        device: where to train and predict.
        progress: show a progress bar.
        warm_start: go on from the weights of the call of `fit` before, with its scaling and encoding.
        checkpoint: a file that a long fit is kept in, and goes on from; takes a whole `random_state`, and has
            no place in a search, where every candidate is a fit of its own.
        log: where the numbers of every epoch go, "csv=FILE" for example.
        random_state: an integer gives the same result every time; None does not.

    Attributes:
        fitted_: the `FittedEBM`.
        n_features_in_: columns of the input.
        feature_names_in_: their names, where the input had some.
        n_iter_: epochs trained.
    """

    loss: str | None = None
    model: str = "auto"
    hidden: Sequence[int] = (32, 32)
    epochs: int = 150
    batch_size: int | None = None
    learning_rate: float = 5e-3
    weight_decay: float = 0.2
    validation: float = 0.15
    patience: int = 20
    members: int = 1
    calibrate: bool = False
    prediction: Method = "mean"
    loss_options: Mapping[str, Any] | None = None
    feature_net: nn.Module | None = None
    base: Any = None
    support: Any = None
    encode: bool = True
    missing: str = "error"
    unseen: str = "zeros"
    max_levels: int = 64
    device: str | torch.device = "cpu"
    progress: bool = False
    warm_start: bool = False
    checkpoint: str | Path | None = None
    log: Any = None
    random_state: int | np.random.RandomState | None = None

    def set_params(self, **params: Any) -> "EBMRegressor":
        """As for every estimator; ``loss_options__beta=0.1`` sets one number of the loss, in searches too."""
        options = {name: params.pop(name) for name in [*params] if name.startswith(OPTION)}
        super().set_params(**params)
        if options:
            given = {name.removeprefix(OPTION): value for name, value in options.items()}
            self.loss_options = {**(self.loss_options or {}), **given}
        return self

    def fit(
        self,
        X: Any,
        y: Any,
        sample_weight: Any = None,
        validation_data: tuple[Any, Any] | None = None,
        groups: Any = None,
    ) -> "EBMRegressor":
        """Fit the density.

        Args:
            X: inputs ``(N, F)``, N >= 4; a data frame, array, sparse matrix or list.
            y: targets ``(N,)`` or ``(N, D)``.
            sample_weight: non-negative weight per row ``(N,)``.
            validation_data: ``(X, y)`` to hold out for early stopping in place of a share of the rows.
            groups: a text or whole number per row ``(N,)``: whole groups are held out, see `ebm.fit`.

        Raises:
            ValueError: if a value is outside its domain, or shapes, columns or the order of rows do not fit.
            FitInterrupted: (a KeyboardInterrupt) after Ctrl-C; the estimator has the best weights so far.
        """
        require_method(self.prediction)
        if isinstance(y, Censored):
            raise InputError("scikit-learn takes targets that are known; fit censored ones with ebm.fit.")
        for name, own in (("y", y), ("sample_weight", sample_weight), ("groups", groups)):
            require_same_order(X, own, name)  # arrays, which scikit-learn makes of tables, have no index
        y_names = names_of(y)
        self._as_table: bool = self._needs_encoding(X)
        X, y = self._checked_rows(X, y)
        if validation_data is not None:
            held_x, held_y = held_out_pair(validation_data)
            validation_data = (self._inputs(held_x), held_y)
        rows = {"validation_data": validation_data, "sample_weight": sample_weight, "groups": groups}
        try:
            self._keep(fit(X, NamedArray(y, y_names), **rows, **self._options(), **(self.loss_options or {})))
        except FitInterrupted as stop:
            self._keep(stop.fitted)
            raise
        return self

    def _options(self) -> dict[str, Any]:
        """What the estimator was made with, as `ebm.fit` takes it."""
        if self.checkpoint is not None and not isinstance(self.random_state, int | np.integer):
            raise InputError(
                "a checkpoint is that of one call, repeated with the same random numbers: give a whole "
                f"number as random_state, got {self.random_state!r}."
            )
        earlier = getattr(self, "fitted_", None) if require_truth("warm_start", self.warm_start) else None
        # What the earlier fit has decided is not told again.
        names = (*SAME, *OPTIONS) if earlier is None else (*(set(SAME) - {"feature_net"}), *SETTINGS)
        options = {name: getattr(self, name) for name in names}
        # A range that every generator of torch and NumPy takes.
        seed = int(check_random_state(self.random_state).randint(2**31 - 1))
        return options | {"warm_start": earlier, "seed": seed}

    def _keep(self, fitted: FittedEBM) -> None:
        self.fitted_: FittedEBM = fitted
        self.n_iter_: int = len(fitted.history.held_out_nll)

    def predict(self, X: Any) -> Any:
        """Point predictions, ``(N, F) -> (N,)`` or ``(N, D)``."""
        return self._checked().predict(self._inputs(X), method=self.prediction)

    def predict_interval(self, X: Any, level: float | Sequence[float] = 0.9, **options: Any) -> Any:
        """Intervals, ``(N, 2)`` or ``(N, D, 2)``, and options: see `FittedEBM.predict_interval`."""
        return self._checked().predict_interval(self._inputs(X), level, **options)

    def predict_quantile(self, X: Any, p: float | Sequence[float]) -> Any:
        """Quantiles of the density as fitted, see `FittedEBM.quantile`."""
        return self._checked().quantile(self._inputs(X), p)

    def predict_density(self, X: Any) -> GridDensity | ImportanceDensity:
        """The whole density of every row, see `FittedEBM.density`."""
        return self._checked().density(self._inputs(X))

    def log_prob(self, X: Any, y: Any) -> Any:
        """log p(y|x) of targets, nats, ``(N,)``; its mean is a score for model selection."""
        require_same_order(X, y)
        return self._checked().log_prob(self._inputs(X), y)

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.target_tags.multi_output = True
        tags.input_tags.sparse = True
        tags.input_tags.allow_nan = self.missing == "impute"
        # Not `categorical` as well: scikit-learn's checks would then use whole numbers alone.
        tags.input_tags.string = bool(self.encode)
        return tags

    def _needs_encoding(self, X: Any) -> bool:
        """Whether `ebm.fit` itself has to read a table: scikit-learn's checks let numbers through alone."""
        return bool(self.encode) and not holds_numbers(X)

    def _checked(self) -> FittedEBM:
        check_is_fitted(self)
        return self.fitted_

    def _checked_rows(self, X: Any, y: Any) -> tuple[Any, Any]:
        """Inputs and targets of a fit; the names and the number of columns are kept."""
        numeric = {"y_numeric": True, "multi_output": True}
        if not self._as_table:
            X, y = validate_data(self, X, y, **self._of_numbers(), **numeric)
            return self._named(X), y
        validate_data(self, X, y, skip_check_array=True)
        places = np.zeros((_num_samples(X), 1))  # what checks y looks at the number of rows
        return X, check_X_y(places, y, estimator=self, **numeric)[1]

    def _inputs(self, X: Any) -> Any:
        if self._as_table:
            validate_data(self, X, reset=False, skip_check_array=True)
            return X
        # No rows may be left by a filter: then there are no predictions.
        return self._named(validate_data(self, X, reset=False, ensure_min_samples=0, **self._of_numbers()))

    def _of_numbers(self) -> dict[str, Any]:
        """How scikit-learn checks inputs that are numbers."""
        finite = "allow-nan" if self.missing == "impute" else True
        return {"dtype": np.float64, "accept_sparse": "csr", "ensure_all_finite": finite}

    def _named(self, X: Any) -> NamedArray:
        """Checked inputs with the names of their columns, which go into the file of ``fitted_.save``."""
        names = getattr(self, "feature_names_in_", None)
        values = dense("X", X) if hasattr(X, "tocsr") else X
        return NamedArray(values, None if names is None else tuple(names))
