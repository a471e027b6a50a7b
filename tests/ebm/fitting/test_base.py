"""Densities of the errors of a predictor of the user's own."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

import ebm
from ebm.exceptions import DomainError, InputError, ShapeError
from ebm.fitting.base import build_on


class Nearest:
    """Repeats the target of the nearest row: without an error on rows that it knows."""

    def fit(self, X: Any, y: Any, sample_weight: Any = None) -> "Nearest":
        self.x, self.y, self.weights = X, y, sample_weight
        return self

    def predict(self, X: Any) -> Any:
        return self.y[np.abs(X[:, None] - self.x[None]).sum(-1).argmin(1)]


def steps(count: int, seed: int, dim: int = 1) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    x = rng.uniform(0, 4, (count, 1))
    y = 5 * np.floor(x) + rng.standard_normal((count, dim))
    return x, y[:, 0] if dim == 1 else y


QUICK = {"epochs": 25, "hidden": (8,), "progress": False}


@pytest.fixture(scope="module", params=[1, 2, 4])
def fitted(request: Any) -> ebm.FittedEBM:
    return ebm.fit(*steps(200, 0, request.param), base=Nearest(), **QUICK)


def test_errors_are_those_on_rows_that_were_not_seen() -> None:
    x, y = steps(60, 0)
    built = build_on(Nearest(), x, y, None, None, seed=0)
    assert built.base.predict(x) == pytest.approx(y)  # on its own rows it knows everything
    assert built.y.std() > 1  # two targets of one step differ by sqrt(2) deviations
    torch.testing.assert_close(built.x[:, 1] + built.y, torch.as_tensor(y))


def test_the_density_moves_with_the_prediction(fitted: ebm.FittedEBM) -> None:
    x, y = steps(120, 1, fitted.target_dim)
    assert fitted.score(x, y) > 0.7
    if fitted.target_dim == 1:
        assert np.mean(fitted.contains(x, y, 0.9)) == pytest.approx(0.9, abs=0.1)
        line = np.linspace(-20, 40, 6001)
        assert np.exp(fitted.log_prob(np.full((6001, 1), 1.5), line)).sum() * 0.01 == pytest.approx(
            1, abs=1e-3
        )
    density = fitted.density(x[:7])
    np.testing.assert_allclose(fitted.predict(x[:7]), density.mean().reshape(np.shape(y[:7])), rtol=1e-5)
    modes = fitted.predict(x[:7], method="mode")
    assert (fitted.log_prob(x[:7], modes) >= density.log_prob(density.mode()).numpy() - 1e-3).all()
    assert fitted.predict(x[:0]).shape == y[:0].shape


def test_a_calibration_holds_on_top(fitted: ebm.FittedEBM) -> None:
    if fitted.target_dim > 1:
        pytest.skip("the same for several targets")
    fitted.calibrate(*steps(400, 2))
    x, y = steps(1000, 3)
    ends = fitted.predict_interval(x, 0.8)
    assert ((y >= ends[:, 0]) & (y <= ends[:, 1])).mean() == pytest.approx(0.8, abs=0.06)
    fitted.calibration = None


def test_it_is_saved_without_the_predictor(fitted: ebm.FittedEBM, tmp_path: Path) -> None:
    fitted.save(tmp_path / "a.pt")
    x, y = steps(5, 1, fitted.target_dim)
    again = ebm.load_fitted(tmp_path / "a.pt", base=fitted.base)
    np.testing.assert_array_equal(again.log_prob(x, y), fitted.log_prob(x, y))
    with pytest.raises(InputError, match="pass it as base"):
        ebm.load_fitted(tmp_path / "a.pt")
    plain = ebm.fit(x.repeat(2, 0), y.repeat(2, 0), epochs=1, hidden=(4,), progress=False)
    plain.save(tmp_path / "b.pt")
    with pytest.raises(InputError, match="without a base"):
        ebm.load_fitted(tmp_path / "b.pt", base=fitted.base)


def test_a_forest_with_members_weights_and_validation() -> None:
    forest = pytest.importorskip("sklearn.ensemble").RandomForestRegressor(
        10, min_samples_leaf=5, random_state=0
    )
    x, y = steps(120, 0)
    weights = np.r_[np.zeros(20), np.ones(100)]
    options = {**QUICK, "epochs": 3, "members": 2}
    fitted = ebm.fit(x, y, base=forest, sample_weight=weights, validation_data=steps(30, 1), **options)
    assert not hasattr(forest, "estimators_")  # a copy was fitted
    assert fitted.score(*steps(60, 2)) > 0.8
    assert fitted.out_of_range([[2.0], [7.0]]).tolist() == [False, True]


@pytest.mark.parametrize(
    ("base", "error", "message"),
    [
        (3, InputError, "must have fit and predict"),
        (
            type("Wide", (Nearest,), {"predict": lambda self, X: np.zeros((len(X), 3))})(),
            ShapeError,
            "predicts an",
        ),
        (
            type("Bad", (Nearest,), {"predict": lambda self, X: X[:, 0] * np.nan})(),
            DomainError,
            "predictions of base",
        ),
        (
            type("No", (), {"fit": lambda self, X: None, "predict": None})(),
            InputError,
            "cannot be fitted: TypeError",
        ),
    ],
)
def test_faults(base: Any, error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message):
        ebm.fit(*steps(40, 0), base=base, **QUICK)


def test_few_rows_and_rows_that_are_not_flat() -> None:
    with pytest.raises(DomainError, match="10 rows or more"):
        ebm.fit(*steps(9, 0), base=Nearest(), **QUICK)
    x, y = steps(40, 0)
    with pytest.raises(ShapeError, match="flat rows"):
        ebm.fit(x[:, None], y, base=Nearest(), **QUICK)
