"""Scorers of scikit-learn, through pipelines, searches and transformed targets, against closed forms."""

import math
import pickle
from typing import Any

import numpy as np
import pytest
import torch

pytest.importorskip("sklearn", minversion="1.6")

from sklearn.base import BaseEstimator, RegressorMixin, clone
from sklearn.compose import TransformedTargetRegressor
from sklearn.decomposition import PCA
from sklearn.exceptions import NotFittedError
from sklearn.linear_model import LinearRegression
from sklearn.model_selection import GridSearchCV, cross_val_score, cross_validate
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import (
    FunctionTransformer,
    MinMaxScaler,
    PowerTransformer,
    QuantileTransformer,
    StandardScaler,
)

import ebm
import ebm.estimator
from ebm.baselines.location_scale import DiagonalGaussian
from ebm.exceptions import DomainError, InputError, NumericalError, ShapeError
from ebm.scores import crps, evaluate, log_score
from ebm.scores.sklearn_scorers import (
    SCORERS,
    coverage_90,
    coverage_scorer,
    neg_coverage_error_90,
    neg_crps,
    neg_energy_score,
    neg_log_likelihood,
    neg_width_90,
    neg_winkler_90,
    pinball_scorer,
    predicted,
    threshold_crps_scorer,
)


class LinearGaussian(RegressorMixin, BaseEstimator):
    """Least squares with a Gaussian of given width, on a grid for one target."""

    def __init__(self, std: float = 1.0, grid: bool = True) -> None:
        self.std = std
        self.grid = grid

    def fit(self, X: Any, y: Any) -> "LinearGaussian":
        y = np.asarray(y)
        self.flat_ = y.ndim == 1
        self.line_ = LinearRegression().fit(X, y.reshape(len(y), -1))
        return self

    def predict(self, X: Any) -> Any:
        return self.line_.predict(X)[:, 0] if self.flat_ else self.line_.predict(X)

    def predict_density(self, X: Any) -> Any:
        mean = torch.from_numpy(self.line_.predict(X))
        closed = DiagonalGaussian(mean, torch.full_like(mean, 2 * math.log(self.std)))  # the log-variance
        if mean.shape[1] > 1 or not self.grid:
            return closed
        grid = mean + self.std * torch.linspace(-8, 8, 801, dtype=torch.float64)
        return ebm.GridDensity(closed.log_prob, grid, batch_size=len(mean))


DRAW = np.random.default_rng(0)
X = DRAW.normal(size=(300, 2))
Z = X @ [1.0, -0.5] + 0.5 * DRAW.normal(size=300)
TRUE = LinearGaussian(0.5).fit(X, Z)


def mean_of_line(x: Any = X, z: Any = Z) -> Any:
    return LinearRegression().fit(x, z).predict(x)


def normal_log_prob(z: Any, mean: Any, std: float) -> Any:
    return -0.5 * ((z - mean) / std) ** 2 - math.log(std * math.sqrt(2 * math.pi))


def test_plain_estimators() -> None:
    expected = normal_log_prob(Z, mean_of_line(), 0.5).mean()
    assert neg_log_likelihood(TRUE, X, Z) == pytest.approx(expected, abs=1e-4)
    density = TRUE.predict_density(X)
    assert neg_crps(TRUE, X, Z) == pytest.approx(-crps(density, Z[:, None]).mean().item(), abs=1e-9)
    right = 1.6448536269514722
    inside = np.abs(Z - mean_of_line()) <= right * 0.5
    assert coverage_90(TRUE, X, Z) == pytest.approx(inside.mean(), abs=1e-9)
    assert neg_coverage_error_90(TRUE, X, Z) == pytest.approx(-abs(inside.mean() - 0.9), abs=1e-9)
    assert neg_width_90(TRUE, X, Z) == pytest.approx(-right, abs=1e-3)
    assert neg_winkler_90(TRUE, X, Z) < neg_width_90(TRUE, X, Z)
    assert pinball_scorer(0.5)(TRUE, X, Z) == pytest.approx(-np.abs(Z - mean_of_line()).mean() / 2, abs=1e-3)
    parts = [threshold_crps_scorer(*ends)(TRUE, X, Z) for ends in ((-math.inf, 0.2), (0.2, math.inf))]
    assert sum(parts) == pytest.approx(neg_crps(TRUE, X, Z))


def test_weights() -> None:
    weights = np.r_[np.ones(100), np.zeros(200)]
    for scorer in (neg_log_likelihood, neg_crps, coverage_90):
        expected = scorer(TRUE, X[:100], Z[:100])
        assert scorer(TRUE, X, Z, sample_weight=weights) == pytest.approx(expected)


def test_the_logarithm_of_the_target_gives_the_lognormal() -> None:
    y = np.exp(Z)
    model = TransformedTargetRegressor(LinearGaussian(0.5), func=np.log, inverse_func=np.exp).fit(X, y)
    m = mean_of_line()
    expected = (normal_log_prob(Z, m, 0.5) - Z).mean()  # -log y is the Jacobian's share
    assert neg_log_likelihood(model, X, y) == pytest.approx(expected, abs=1e-4)
    # CRPS of the lognormal, Baran and Lerch, QJRMS 2015.
    cdf = lambda t: 0.5 * (1 + torch.erf(torch.as_tensor(t) / math.sqrt(2)).numpy())  # noqa: E731
    w = (Z - m) / 0.5
    crps_of = y * (2 * cdf(w) - 1) - 2 * np.exp(m + 0.125) * (
        cdf(w - 0.5) + cdf(np.array(0.5 / math.sqrt(2))) - 1
    )
    assert neg_crps(model, X, y) == pytest.approx(-crps_of.mean(), rel=2e-3)
    assert coverage_90(model, X, y) == pytest.approx(coverage_90(TRUE, X, Z), abs=1e-9)
    width = (np.exp(m + 0.8224268) - np.exp(m - 0.8224268)).mean()
    assert neg_width_90(model, X, y) == pytest.approx(-width, rel=2e-3)
    assert coverage_90(TransformedTargetRegressor(
        LinearGaussian(0.5), func=lambda v: -v, inverse_func=lambda v: -v).fit(X, Z), X, Z
    ) == pytest.approx(coverage_90(TRUE, X, Z), abs=1e-9)  # a decreasing transform  # fmt: skip


@pytest.mark.parametrize(
    "transformer", [StandardScaler(), MinMaxScaler(), make_pipeline(MinMaxScaler(), StandardScaler())]
)
@pytest.mark.parametrize("shift", [0.0, 1e6])
def test_an_affine_transform_changes_nothing(transformer: Any, shift: float) -> None:
    y = Z + shift
    scale = transformer.fit(y[:, None]).transform([[shift + 1.0]]) - transformer.transform([[shift]])
    model = TransformedTargetRegressor(LinearGaussian(0.5 * scale.item()), transformer=transformer).fit(X, y)
    assert neg_log_likelihood(model, X, y) == pytest.approx(neg_log_likelihood(TRUE, X, Z), abs=1e-4)
    assert neg_crps(model, X, y) == pytest.approx(neg_crps(TRUE, X, Z), rel=2e-3)
    assert neg_winkler_90(model, X, y) == pytest.approx(neg_winkler_90(TRUE, X, Z), rel=5e-3)


@pytest.mark.parametrize(
    "transformer",
    [
        PowerTransformer(),
        PowerTransformer("box-cox"),
        QuantileTransformer(n_quantiles=50, output_distribution="normal"),
        FunctionTransformer(np.sqrt, np.square),
        FunctionTransformer(np.arcsinh, np.sinh),
    ],
)
def test_the_density_of_a_transformed_target_integrates_to_the_mass_that_can_be_reached(
    transformer: Any,
) -> None:
    y = 5 + 3 * np.exp(0.3 * Z)
    model = TransformedTargetRegressor(LinearGaussian(0.3), transformer=transformer).fit(X, y)
    one, t = X[:1], np.linspace(y.min() + 1e-6, y.max() - 1e-6, 4001)
    density = predicted(model, np.repeat(one, len(t), 0))
    p = torch.cat(
        [-log_score(part, rows) for part, rows in zip(density, torch.tensor(t[:, None]).split(256))]
    ).exp()
    inner = model.regressor_.predict_density(one)
    ends = model.transformer_.transform(np.array([[t[0]], [t[-1]]]))[:, 0].tolist()
    expected = (inner.cdf(ends[1]) - inner.cdf(ends[0])).item()
    assert torch.trapezoid(p, torch.tensor(t)).item() == pytest.approx(expected, abs=5e-3)


def test_the_jacobian_of_box_cox_is_exact() -> None:
    y = np.exp(Z)
    model = TransformedTargetRegressor(
        LinearGaussian(0.4), transformer=PowerTransformer("box-cox", standardize=False)
    )
    model.fit(X, y)
    power = model.transformer_.lambdas_[0]
    z = (y**power - 1) / power
    expected = normal_log_prob(z, mean_of_line(X, z), 0.4) + (power - 1) * np.log(y)
    found = torch.cat(
        [-log_score(d, rows) for d, rows in zip(predicted(model, X), torch.tensor(y[:, None]).split(256))]
    )
    np.testing.assert_allclose(found.numpy(), expected, atol=2e-4)


def test_several_targets_through_a_rotation() -> None:
    y = np.c_[Z, X[:, 0] + 0.3 * Z + 0.2 * DRAW.normal(size=300)] * [1.0, 10.0]
    model = TransformedTargetRegressor(LinearGaussian(0.7), transformer=PCA(whiten=True)).fit(X, y)
    z = model.transformer_.transform(y)
    volume = 0.5 * np.log(model.transformer_.explained_variance_).sum()
    expected = normal_log_prob(z, mean_of_line(X, z), 0.7).sum(1) - volume
    assert neg_log_likelihood(model, X, y) == pytest.approx(expected.mean(), abs=1e-6)
    plain = LinearGaussian(0.7).fit(X, y)
    scaled = TransformedTargetRegressor(LinearGaussian(0.07), transformer=FunctionTransformer(
        lambda v: v / 10, lambda v: v * 10)).fit(X, y)  # fmt: skip
    for scorer in (neg_energy_score, neg_crps, neg_winkler_90):
        assert scorer(scaled, X[:60], y[:60]) == pytest.approx(scorer(plain, X[:60], y[:60]), rel=0.05)
    one = TransformedTargetRegressor(LinearGaussian(), transformer=PCA(1), check_inverse=False).fit(X, y)
    with pytest.raises(ShapeError, match="no inverse"):
        neg_crps(one, X, y)


def test_pipelines_and_searches_are_seen_through() -> None:
    pipeline = make_pipeline(StandardScaler(), LinearGaussian(0.5)).fit(X, Z)
    assert neg_log_likelihood(pipeline, X, Z) == pytest.approx(neg_log_likelihood(TRUE, X, Z), abs=1e-4)
    only = make_pipeline(LinearGaussian(0.5)).fit(X, Z)
    assert neg_crps(only, X, Z) == pytest.approx(neg_crps(TRUE, X, Z))
    whole = TransformedTargetRegressor(pipeline, func=np.log, inverse_func=np.exp)
    search = GridSearchCV(
        whole, {"regressor__lineargaussian__std": [0.05, 0.5, 5.0]}, scoring=neg_log_likelihood, cv=3
    )
    assert search.fit(X, np.exp(Z)).best_params_ == {"regressor__lineargaussian__std": 0.5}
    assert search.score(X, np.exp(Z)) == neg_log_likelihood(search, X, np.exp(Z))
    by_crps = GridSearchCV(
        clone(search.estimator), search.param_grid, scoring=SCORERS, refit="neg_crps", cv=3
    )
    assert by_crps.fit(X[:60], np.exp(Z[:60])).best_params_ == {"regressor__lineargaussian__std": 0.5}
    results = cross_validate(TRUE, X[:150], Z[:150], scoring=SCORERS, cv=3)
    assert {f"test_{name}" for name in SCORERS} <= results.keys()
    assert np.abs(results["test_coverage_90"].mean() - 0.9) < 0.06


def test_the_regressor_of_this_package_in_blocks(monkeypatch: pytest.MonkeyPatch) -> None:
    model = ebm.estimator.EBMRegressor(hidden=(8,), epochs=3, random_state=0)
    assert np.isfinite(
        cross_val_score(make_pipeline(StandardScaler(), model), X, Z, scoring=neg_crps, cv=2)
    ).all()
    model.fit(X, Z)
    expected = model.log_prob(X, Z).mean()
    monkeypatch.setattr("ebm.scores.seen_through.MOST_ROWS", 70)
    assert neg_log_likelihood(model, X, Z) == pytest.approx(expected, abs=1e-5)
    assert neg_log_likelihood(model.fitted_, X, Z) == pytest.approx(expected, abs=1e-5)
    pandas = pytest.importorskip("pandas")
    frame = pandas.DataFrame(X, columns=["a", "b"])
    again = clone(model).fit(frame, Z)
    assert neg_crps(again, frame, pandas.Series(Z)) == pytest.approx(neg_crps(model, X, Z), rel=1e-6)
    table = evaluate(predicted(again, frame), Z, marginal=Z)
    assert table["log score"].mean == pytest.approx(-expected, abs=1e-5)


class WithIntervals(LinearGaussian):
    """Intervals that are not the density's: 2 to either side, the first row's upper end infinite."""

    def predict_interval(self, X: Any, level: float) -> Any:
        ends = self.predict(X)[:, None] + [-2.0, 2.0]
        ends[0, 1] = math.inf
        return ends


def test_intervals_are_those_that_the_model_gives() -> None:
    x, z = X[:200], Z[:200]  # one block of rows
    model = WithIntervals(0.5).fit(x, z)
    away = z - model.predict(x)
    inside = np.abs(away) <= 2
    inside[0] = away[0] >= -2
    assert coverage_90(model, x, z) == pytest.approx(inside.mean())
    assert neg_width_90(model, x, z) == -math.inf
    skipped = np.r_[0, np.ones(199)]
    assert neg_width_90(model, x, z, sample_weight=skipped) == pytest.approx(-4)
    beyond = (np.abs(away[1:]) - 2).clip(min=0)
    assert neg_winkler_90(model, x, z, sample_weight=skipped) == pytest.approx(-(4 + 20 * beyond).mean())
    for func, inverse, y in ((np.log, np.exp, np.exp(z)), (lambda v: -v, lambda v: -v, -z)):
        whole = TransformedTargetRegressor(WithIntervals(0.5), func=func, inverse_func=inverse).fit(x, y)
        assert coverage_90(whole, x, y) == pytest.approx(inside.mean())
        assert neg_width_90(whole, x, y) == -math.inf


def test_a_calibrated_regressor_is_scored_by_its_guarantee() -> None:
    model = ebm.estimator.EBMRegressor(hidden=(8,), epochs=2, random_state=0, calibrate=True).fit(X, Z)
    for level in (0.5, 0.9):
        low, high = model.predict_interval(X, level).T
        assert coverage_scorer(level)(model, X, Z) == ((low <= Z) & (high >= Z)).mean()
    plain = model.fitted_.predict_interval(X, 0.9, calibrated=False)
    assert neg_width_90(model, X, Z) != pytest.approx(-(plain[:, 1] - plain[:, 0]).mean(), rel=1e-3)


def test_scorers_are_pickled_and_named() -> None:
    for name, scorer in SCORERS.items():
        again = pickle.loads(pickle.dumps(scorer))
        assert again == scorer or again(TRUE, X[:9], Z[:9]) == scorer(TRUE, X[:9], Z[:9])
        assert repr(scorer) == name
    assert repr(coverage_scorer(0.995)) == "coverage_99.5"
    with pytest.raises(DomainError, match="level"):
        coverage_scorer(90)


def test_what_has_no_density_is_told() -> None:
    with pytest.raises(TypeError, match="LinearRegression predicts no density"):
        neg_crps(LinearRegression().fit(X, Z), X, Z)
    with pytest.raises(NotFittedError):
        neg_crps(TransformedTargetRegressor(LinearGaussian()), X, Z)
    with pytest.raises(NotFittedError):
        neg_crps(ebm.estimator.EBMRegressor(), X, Z)
    with pytest.raises(ShapeError, match="as many rows"):
        neg_crps(TRUE, X, Z[:10])
    with pytest.raises(ShapeError, match="at least one"):
        neg_crps(TRUE, X[:0], Z[:0])
    with pytest.raises(DomainError, match="nan"):
        neg_crps(TRUE, X, np.where(Z > 0, Z, np.nan))


def test_transforms_without_an_inverse_or_a_derivative() -> None:
    wrong = TransformedTargetRegressor(
        LinearGaussian(), func=np.exp, inverse_func=np.square, check_inverse=False
    )
    with pytest.raises(InputError, match="none of the labels"):
        neg_log_likelihood(wrong.fit(X, Z), X, Z)
    # Beyond the targets seen, the quantile transform leads nowhere: density 0.
    far = TransformedTargetRegressor(
        LinearGaussian(0.3), transformer=QuantileTransformer(n_quantiles=50)
    ).fit(X, Z)
    assert neg_log_likelihood(far, X[:2], [0.0, 50.0]) == -math.inf
    assert math.isfinite(neg_crps(far, X[:2], [0.0, 50.0]))
    cube = TransformedTargetRegressor(LinearGaussian(), func=np.cbrt, inverse_func=lambda v: v**3).fit(X, Z)
    with pytest.raises(NumericalError, match=r"no derivative, or 0, at y\[0\]"):
        neg_log_likelihood(cube, X[:1], [0.0])
