"""`EBMRegressor` behaves as scikit-learn expects of a regressor."""

import pickle
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import ebm
from ebm.exceptions import DomainError, InputError, ShapeError, UnknownNameError

pytest.importorskip("sklearn", minversion="1.6")

from sklearn.base import clone
from sklearn.compose import TransformedTargetRegressor
from sklearn.datasets import load_diabetes
from sklearn.exceptions import NotFittedError
from sklearn.model_selection import GridSearchCV, cross_val_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import PolynomialFeatures

from ebm.estimator import EBMRegressor
from ebm.estimator_checks import NOT_APPLICABLE, CheckResult, report, run_checks

QUICK: dict[str, Any] = {"hidden": (8,), "epochs": 3, "random_state": 0}
DRAW = np.random.default_rng(0)
X = DRAW.normal(size=(60, 3))
Y = X[:, 0] + 0.1 * DRAW.normal(size=60)


@pytest.mark.slow
def test_every_check_of_scikit_learn_that_applies_passes() -> None:
    results = run_checks()
    status = {result.name: result.status for result in results}
    failed = [f"{result.name}: {result.reason}" for result in results if result.status == "failed"]
    assert not failed
    assert {name for name, s in status.items() if s == "not applicable"} == set(NOT_APPLICABLE)
    assert sum(result.status == "passed" for result in results) >= 50
    for known in ("check_estimators_pickle", "check_regressors_train", "check_regressor_multioutput"):
        assert status[known] == "passed"


def test_the_report_lists_every_check() -> None:
    text = report(
        [
            CheckResult(name="check_a", status="passed"),
            CheckResult(name="check_a", status="passed"),
            CheckResult(name="check_b", status="skipped", reason="no pandas"),
        ]
    )
    assert "2 of 3 checks passed" in text
    assert "`check_a` (2 times)." in text
    assert "- `check_b`: skipped: no pandas" in text


def test_it_gives_what_fit_gives() -> None:
    model = EBMRegressor(**QUICK).fit(X, Y)
    fitted = model.fitted_
    np.testing.assert_array_equal(model.predict(X), fitted.predict(X))
    np.testing.assert_array_equal(model.predict_interval(X, 0.5), fitted.predict_interval(X, 0.5))
    np.testing.assert_array_equal(model.log_prob(X, Y), fitted.log_prob(X, Y))
    assert isinstance(model.predict_density(X), ebm.GridDensity)
    assert model.score(X, Y) == pytest.approx(fitted.score(X, Y), abs=1e-9)
    assert (model.n_features_in_, model.n_iter_) == (3, 3)


def test_arguments_reach_the_fit() -> None:
    model = EBMRegressor(loss="nce", loss_options={"num_samples": 7}, prediction="median", **QUICK).fit(X, Y)
    assert model.fitted_.config.loss == "nce"
    assert model.fitted_.loss_options["num_samples"] == 7
    np.testing.assert_array_equal(model.predict(X), model.fitted_.predict(X, method="median"))
    with pytest.raises(UnknownNameError, match="option"):
        EBMRegressor(loss_options={"num_sample": 7}, **QUICK).fit(X, Y)


def test_clones_and_pickles_predict_the_same() -> None:
    model = EBMRegressor(**QUICK).fit(X, Y)
    np.testing.assert_array_equal(clone(model).fit(X, Y).predict(X), model.predict(X))
    np.testing.assert_array_equal(pickle.loads(pickle.dumps(model)).predict(X), model.predict(X))
    assert clone(model).get_params() == model.get_params()


def test_a_random_state_decides() -> None:
    one, two = (EBMRegressor(**QUICK).fit(X, Y).predict(X) for _ in range(2))
    np.testing.assert_array_equal(one, two)
    free = EBMRegressor(**{**QUICK, "random_state": None})
    assert not np.array_equal(free.fit(X, Y).predict(X), free.fit(X, Y).predict(X))


def test_it_works_inside_pipelines_searches_and_target_transforms() -> None:
    pipeline = make_pipeline(PolynomialFeatures(2), EBMRegressor(**QUICK))
    assert cross_val_score(pipeline, X, Y, cv=2).shape == (2,)
    search = GridSearchCV(EBMRegressor(**QUICK), {"loss": ["nce", "ml-is"]}, cv=2).fit(X, Y)
    assert search.best_params_["loss"] in ("nce", "ml-is")
    whole = TransformedTargetRegressor(EBMRegressor(**QUICK), func=np.exp, inverse_func=np.log)
    assert whole.fit(X, Y).predict(X).shape == (60,)


def test_names_of_columns_are_kept_and_compared() -> None:
    pandas = pytest.importorskip("pandas")
    frame = pandas.DataFrame(X, columns=["a", "b", "c"])
    model = EBMRegressor(**QUICK).fit(frame, Y)
    assert list(model.feature_names_in_) == ["a", "b", "c"]
    with pytest.raises(ValueError, match="feature names"):
        model.predict(frame[["c", "b", "a"]])


def test_weights_reach_the_fit() -> None:
    more, labels = np.concatenate((X, X[:1])), np.concatenate((Y, [50.0]))
    weights = np.concatenate((np.ones(60), [0.0]))
    model = EBMRegressor(**QUICK).fit(more, labels, sample_weight=weights)
    np.testing.assert_array_equal(model.predict(X), EBMRegressor(**QUICK).fit(X, Y).predict(X))
    with pytest.raises(DomainError, match="sample_weight"):
        EBMRegressor(**QUICK).fit(X, Y, sample_weight=-np.ones(60))


def test_misuse_is_told() -> None:
    with pytest.raises(NotFittedError):
        EBMRegressor().predict(X)
    with pytest.raises(ValueError, match="3 features"):
        EBMRegressor(**QUICK).fit(X, Y).predict(X[:, :2])


def test_diabetes_is_predicted_as_well_as_by_a_line() -> None:
    x, y = load_diabetes(return_X_y=True)
    model = EBMRegressor(random_state=0, epochs=40).fit(x[:350], y[:350])
    assert model.score(x[350:], y[350:]) > 0.4  # ordinary least squares: about 0.5
    ends = model.predict_interval(x[350:], 0.9)
    share = ((ends[:, 0] <= y[350:]) & (y[350:] <= ends[:, 1])).mean()
    assert 0.75 < share <= 1.0


def test_without_scikit_learn_the_error_says_what_to_install() -> None:
    code = """
import sys
sys.modules["sklearn"] = None
import ebm
try:
    import ebm.estimator
except ImportError as error:
    print(error)
"""
    out = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    assert 'pip install "ebmtrack[sklearn]"' in out


def test_a_search_over_numbers_of_numpy() -> None:
    grid = {"epochs": np.arange(1, 4, 1), "hidden": [np.int64(4)], "learning_rate": np.array([1e-2])}
    search = GridSearchCV(EBMRegressor(**QUICK), grid, cv=2, error_score="raise").fit(X, Y)
    plain = [{"epochs": [1, 2, 3], "hidden": [4], "learning_rate": [1e-2]}]
    other = GridSearchCV(EBMRegressor(**QUICK), plain, cv=2, error_score="raise").fit(X, Y)
    assert search.best_params_ == other.best_params_
    np.testing.assert_array_equal(search.predict(X), other.predict(X))


def test_single_numbers_of_the_loss_in_a_search() -> None:
    model = EBMRegressor(loss_options={"num_samples": 8}, **QUICK)
    search = GridSearchCV(model, {"loss_options__beta": np.array([0.0, 0.5])}, cv=2, error_score="raise")
    search.fit(X, Y)
    options = search.best_estimator_.fitted_.loss_options
    assert options["num_samples"] == 8
    assert options["beta"] == search.best_params_["loss_options__beta"]
    assert model.loss_options == {"num_samples": 8}
    in_a_pipeline = make_pipeline(PolynomialFeatures(), EBMRegressor(**QUICK))
    in_a_pipeline.set_params(ebmregressor__loss_options__beta=0.5).fit(X, Y)
    assert in_a_pipeline[-1].fitted_.loss_options["beta"] == 0.5


def test_what_predict_could_not_do_is_refused_before_the_training() -> None:
    with pytest.raises(UnknownNameError, match="Unknown method of predict 'map'"):
        EBMRegressor(prediction="map", **QUICK).fit(X, Y)


def test_rows_to_hold_out_of_ones_own() -> None:
    model = EBMRegressor(**QUICK).fit(X[:40], Y[:40], validation_data=(X[40:], Y[40:]))
    options = {"hidden": (8,), "epochs": 3, "seed": model.fitted_.config.seed, "progress": False}
    expected = ebm.fit(X[:40], Y[:40], validation_data=(X[40:], Y[40:]), **options)
    assert model.fitted_.history.held_out_nll == expected.history.held_out_nll


def test_names_reach_the_fitted_density() -> None:
    pd = pytest.importorskip("pandas")
    frame, two = pd.DataFrame(X, columns=["a", "b", "c"]), pd.DataFrame({"u": Y, "v": X[:, 1]})
    model = EBMRegressor(**QUICK).fit(frame, two)
    assert model.fitted_.scaling.x_names == ("a", "b", "c")
    assert model.fitted_.scaling.y_names == ("u", "v")
    np.testing.assert_array_equal(model.predict(frame), model.fitted_.predict(frame))
    with pytest.raises(ValueError, match="same order"):
        model.predict(frame[["b", "a", "c"]])
    with pytest.raises(ValueError, match="another order"):
        model.log_prob(frame, two[["v", "u"]])


def test_tables_whose_rows_are_mixed_up_are_refused() -> None:
    pd = pytest.importorskip("pandas")
    frame, y = pd.DataFrame(X), pd.Series(Y)
    mixed = y.sample(frac=1, random_state=0)
    model = EBMRegressor(**QUICK)
    for arguments in ((frame, mixed), (frame, y, mixed.abs()), (frame, y, None, (frame, mixed))):
        with pytest.raises(InputError, match="the same index in another order"):
            model.fit(*arguments)
    with pytest.raises(InputError, match="the same index in another order"):
        model.fit(frame, y).log_prob(frame, mixed)


def test_no_rows_no_predictions() -> None:
    model = EBMRegressor(**QUICK).fit(X, Y)
    assert model.predict(X[:0]).shape == (0,)
    assert model.predict_interval(X[:0]).shape == (0, 2)
    assert model.log_prob(X[:0], Y[:0]).shape == (0,)
    assert model.predict_density(X[:0]).batch_size == 0


def test_a_warm_start_goes_on_as_fit_does() -> None:
    model = EBMRegressor(warm_start=True, support=(None, 9), **QUICK).fit(X, Y)
    first = model.fitted_
    again = model.fit(X, Y).fitted_.history.held_out_nll
    seed = int(np.random.RandomState(0).randint(2**31 - 1))
    expected = ebm.fit(X, Y, warm_start=first, epochs=3, seed=seed, progress=False)
    assert again == expected.history.held_out_nll
    assert again[0] == pytest.approx(first.history.held_out_nll[first.history.best_epoch], abs=1e-6)
    assert model.n_iter_ == 4  # the network as it was is the first entry
    with pytest.raises(InputError, match=r"goes on with hidden=\(8,\)"):
        model.set_params(hidden=(9,)).fit(X, Y)
    with pytest.raises(ShapeError, match=r"fitted on rows of shape \(3,\)"):
        model.set_params(hidden=(8,)).fit(X[:, :2], Y)
    cold = EBMRegressor(support=(None, 9), **QUICK).fit(X, Y).fit(X, Y).fitted_.history
    assert cold.held_out_nll == first.history.held_out_nll
    with pytest.raises(DomainError, match="warm_start must be True or False"):
        EBMRegressor(warm_start="yes", **QUICK).fit(X, Y)  # type: ignore[arg-type]


def test_a_checkpoint_and_a_log_reach_the_fit(tmp_path: Path) -> None:
    place = {"checkpoint": tmp_path / "kept", "log": f"csv={tmp_path / 'log.csv'}"}
    model = EBMRegressor(**QUICK, **place)
    nll = model.fit(X, Y).fitted_.history.held_out_nll
    assert len((tmp_path / "log.csv").read_text().splitlines()) >= 3
    found = clone(model).set_params(log=None).fit(X, Y)  # over: what the file holds comes back
    assert found.fitted_.history.held_out_nll == nll
    with pytest.raises(InputError, match="epochs is 3 there and 4 here"):
        clone(model).set_params(log=None, epochs=4).fit(X, Y)
    with pytest.raises(InputError, match="whole number as random_state, got None"):
        clone(model).set_params(random_state=None).fit(X, Y)
