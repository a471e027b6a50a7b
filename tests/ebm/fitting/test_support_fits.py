"""Fits of targets that have borders or are whole numbers."""

import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from sklearn.base import clone
from torch.distributions import Poisson

import ebm
from ebm.estimator import EBMRegressor
from ebm.exceptions import DomainError, InputError, ShapeError, UnknownNameError

LINE = torch.linspace(0, 1, 3)[:, None]  # features that no truth looks at


X = np.random.default_rng(0).uniform(size=(400, 1))


@pytest.fixture(scope="module")
def exponential() -> ebm.FittedEBM:
    y = np.random.default_rng(1).exponential(1 + X[:, 0])
    return ebm.fit(X, y, support="positive", epochs=40, progress=False)


@pytest.fixture(scope="module")
def poisson() -> ebm.FittedEBM:
    y = np.random.default_rng(1).poisson(1 + 4 * X[:, 0])
    return ebm.fit(X, y, support="count", epochs=40, members=2, progress=False)


def test_a_fit_of_positive_targets_is_near_the_truth(exponential: ebm.FittedEBM) -> None:
    rng = np.random.default_rng(2)
    x = rng.uniform(size=(500, 1))
    y = rng.exponential(1 + x[:, 0])
    log_prob, truth = exponential.log_prob(x, y), -y / (1 + x[:, 0]) - np.log(1 + x[:, 0])
    assert (truth - log_prob).mean() < 0.08
    low, high = exponential.predict_interval(x, 0.9).T
    assert low.min() > 0
    assert abs(((low <= y) & (y <= high)).mean() - 0.9) < 0.06
    ends = np.concatenate(exponential.predict_set(x[:50]))
    assert ends.min() > 0
    assert (exponential.predict(x, method="mode") >= 0).all()
    assert exponential.sample(x, 50, seed=0).min() > 0
    grid = np.concatenate([np.geomspace(1e-8, 1e-2, 2000), np.linspace(1e-2, 60, 20_000)[1:]])
    density = np.exp(exponential.log_prob(np.full((len(grid), 1), 0.5), grid))
    assert abs(np.trapezoid(density, grid) - 1) < 2e-3
    assert exponential.log_prob(x[:1], [-0.1])[0] == -np.inf


def test_a_fit_of_counts_is_near_the_truth(poisson: ebm.FittedEBM) -> None:
    rng = np.random.default_rng(2)
    x = rng.uniform(size=(400, 1))
    y = rng.poisson(1 + 4 * x[:, 0])
    truth = Poisson(torch.from_numpy(1 + 4 * x[:, 0])).log_prob(torch.from_numpy(y)).numpy()
    assert (truth - poisson.log_prob(x, y)).mean() < 0.08
    for answer in (
        poisson.predict_interval(x),
        poisson.predict(x, method="mode"),
        poisson.predict(x, method="median"),
        poisson.quantile(x, [0.1, 0.6]),
        poisson.sample(x, 5, seed=0),
        np.concatenate(poisson.predict_set(x)),
    ):
        assert (answer == np.round(answer)).all()
        assert answer.min() >= 0
    total = sum(np.exp(poisson.log_prob(x[:20], np.full(20, k))) for k in range(60))
    np.testing.assert_allclose(total, 1, atol=1e-6)


@pytest.mark.parametrize("score", ["rank", "log-density"])
def test_calibrated_sets_of_counts_hold_what_they_promise(poisson: ebm.FittedEBM, score: Any) -> None:
    rng = np.random.default_rng(3)
    x = np.repeat(rng.uniform(size=(8, 1)), 100, 0)  # equal rows: ranks are tied
    y = rng.poisson(1 + 4 * x[:, 0])
    order = rng.permutation(800)
    known_rows, new = order[:400], order[400:]
    poisson.calibrate(x[known_rows], y[known_rows])
    held = poisson.contains(x[new], y[new], 0.9, score=score)
    sets = poisson.predict_set(x[new], 0.9, score=score)
    there = [bool(((runs[:, 0] <= t) & (t <= runs[:, 1])).any()) for runs, t in zip(sets, y[new])]
    assert there == held.tolist()
    assert held.mean() > 0.86
    low, high = poisson.predict_interval(x[new], 0.9).T
    assert np.isfinite(high).all()
    assert ((low <= y[new]) & (y[new] <= high)).mean() > 0.86
    poisson.calibration = None


@pytest.mark.parametrize("name", ["exponential", "poisson"])
def test_a_file_keeps_the_support(name: str, request: pytest.FixtureRequest, tmp_path: Path) -> None:
    fitted: ebm.FittedEBM = request.getfixturevalue(name)
    fitted.save(tmp_path / "a.ebm")
    again = ebm.load_fitted(tmp_path / "a.ebm")
    assert again.scaling.support == fitted.scaling.support
    y = np.arange(1, 6)
    assert (again.log_prob(X[:5], y) == fitted.log_prob(X[:5], y)).all()


@pytest.mark.parametrize("model", ["gaussian", "mdn-2", "mdn-2+energy"])
def test_heads_and_their_corrections_take_a_support(model: str) -> None:
    """A Gaussian of the logarithm is a lognormal target."""
    y = np.exp(3 * np.random.default_rng(1).standard_normal(400))
    fitted = ebm.fit(X, y, support="positive", model=model, epochs=20, progress=False)
    column = fitted.scaling.support.columns[0] if fitted.scaling.support else None
    assert column is not None
    assert column.kind == "log"
    truth = -0.5 * (np.log(y) / 3) ** 2 - np.log(3 * y * math.sqrt(2 * math.pi))
    assert (truth - fitted.log_prob(X, y)).mean() < 0.05


def test_rows_do_not_depend_on_their_neighbours(poisson: ebm.FittedEBM, exponential: ebm.FittedEBM) -> None:
    for fitted in (poisson, exponential):
        np.testing.assert_allclose(fitted.predict(X[:1]), fitted.predict(X[:50])[:1], rtol=1e-5)
        assert fitted.predict(X[:0]).shape == (0,)


def test_far_beyond_the_inputs_densities_stay_inside() -> None:
    y = 1 / (1 + np.exp(-20 * (X[:, 0] - 0.5) + np.random.default_rng(0).standard_normal(400)))
    y = np.clip(y, 1e-12, 1 - 1e-12)
    fitted = ebm.fit(X, y, support=(0, 1), epochs=5, progress=False)
    far = np.array([[-20.0], [30.0]])
    interval = fitted.predict_interval(far)
    assert (interval >= 0).all()
    assert (interval <= 1).all()
    assert np.isfinite(fitted.predict(far)).all()


@pytest.mark.parametrize("scale", [1e-200, 1e200])
def test_positive_targets_of_any_unit(scale: float) -> None:
    y = np.random.default_rng(1).gamma(4.0, size=400)
    one, other = (ebm.fit(X, y * s, support="positive", epochs=2, progress=False) for s in (1.0, scale))
    np.testing.assert_allclose(other.predict(X[:5]) / scale, one.predict(X[:5]), rtol=1e-4)


@pytest.mark.parametrize("support", ["positive", (0, 40), (None, 40)])
def test_open_bounds_end_where_the_support_does(support: Any) -> None:
    y = np.random.default_rng(1).gamma(4.0, size=400)
    fitted = ebm.fit(X, y, support=support, model="gaussian", epochs=2, progress=False)
    column = fitted.scaling.support.columns[0]
    for upper in (1e-9, 1e-6, 1e-3, 0.1, 5):
        for low, high in ((-math.inf, upper), (40 - upper, math.inf)):
            if low == -math.inf and column.low != 0 or high == math.inf and column.high != 40:
                continue
            closed = ebm.Censored([max(low, column.low)], [min(high, column.high)])
            found = fitted.log_prob(X[:1], ebm.Censored([low], [high]))
            assert np.isfinite(found).all()
            np.testing.assert_allclose(found, fitted.log_prob(X[:1], closed), rtol=1e-9)
    if column.low == 0:
        assert fitted.log_prob(X[:1], ebm.Censored([-3], [-1])) == -math.inf


def test_the_regressor_takes_a_support() -> None:
    y = np.random.default_rng(1).exponential(size=400)
    model = clone(EBMRegressor(support=(0, None), epochs=2, random_state=0)).fit(X, y)
    assert model.predict_interval(X).min() > 0


@pytest.mark.parametrize(
    ("support", "error", "says"),
    [
        ("positve", UnknownNameError, "positive"),
        ((1, 0), DomainError, "empty"),
        ((0, "a"), DomainError, "end of support"),
        ((0, 1, 2), DomainError, "pair"),
        (3, DomainError, "pair"),
        ((1e15, 1e15 + 1), DomainError, "resolve"),
        (["positive", "positive"], ShapeError, "lists 2 targets"),
        (range(0, 10, 2), DomainError, "successive"),
        ("integer", DomainError, "row 0 with"),
        ((0.0, 1.0), DomainError, "half the step"),
        ((0.2, None), DomainError, "must lie inside the support"),
    ],
)
def test_what_cannot_be_is_refused_in_words(support: Any, error: type[Exception], says: str) -> None:
    y = np.linspace(0, 0.9, 10)
    with pytest.raises(error, match=says):
        ebm.fit(X[:10], y + 1e-3 * (support == "integer"), support=support, progress=False)


def test_other_refusals() -> None:
    y = np.random.default_rng(1).exponential(size=40)
    with pytest.raises(DomainError, match="base and a support"):
        ebm.fit(X[:40], y, support="positive", base=object())  # type: ignore[arg-type]
    with pytest.raises(DomainError, match="one target alone"):
        ebm.fit(X[:40], np.ones((40, 2)), support="count")
    with pytest.raises(DomainError, match="the one value 3"):
        ebm.fit(X[:40], np.full(40, 3), support="count")
    with pytest.raises(DomainError, match="row 1 with -1"):
        ebm.fit(X[:40], y, support="positive", validation_data=(X[:2], [1.0, -1.0]))
    weights = np.ones(40)
    weights[0] = 0
    y[5] = -2
    with pytest.raises(DomainError, match="row 5 with -2"):
        ebm.fit(X[:40], y, support="positive", sample_weight=weights)


def test_onnx_refuses_a_support(exponential: ebm.FittedEBM, tmp_path: Path) -> None:
    from ebm.interop.onnx_files import export_onnx

    with pytest.raises(InputError, match="support"):
        export_onnx(exponential, tmp_path / "a.onnx")
