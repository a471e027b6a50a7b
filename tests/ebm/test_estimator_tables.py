"""`EBMRegressor` takes the tables that `ebm.fit` takes, alone and inside scikit-learn's own machinery."""

import io
import pickle
from typing import Any

import numpy as np
import pytest

import ebm
from ebm.exceptions import DomainError, InputError, ShapeError

pytest.importorskip("sklearn", minversion="1.6")
pd = pytest.importorskip("pandas")

import sklearn  # noqa: E402
from scipy import sparse  # noqa: E402
from sklearn.base import clone  # noqa: E402
from sklearn.compose import ColumnTransformer  # noqa: E402
from sklearn.model_selection import GridSearchCV, GroupKFold, cross_val_score, cross_validate  # noqa: E402
from sklearn.neighbors import KNeighborsRegressor  # noqa: E402
from sklearn.pipeline import Pipeline, make_pipeline  # noqa: E402
from sklearn.preprocessing import OneHotEncoder, StandardScaler  # noqa: E402

from ebm.estimator import EBMRegressor  # noqa: E402

QUICK: dict[str, Any] = {"hidden": (8,), "epochs": 3, "random_state": 0}
DRAW = np.random.default_rng(0)
COUNT = 60
HOUSE = np.repeat(np.arange(20), 3)
FRAME = pd.DataFrame(
    {
        "city": DRAW.choice(["Bern", "Oslo", "Rome"], COUNT),
        "rooms": pd.array(DRAW.integers(1, 6, COUNT), dtype="Int64"),
        "since": pd.Timestamp("2019-01-01") + pd.to_timedelta(DRAW.integers(0, 1500, COUNT), unit="D"),
        "balcony": DRAW.random(COUNT) < 0.5,
    }
)
Y = FRAME["city"].map({"Bern": 3.0, "Oslo": 2.0, "Rome": 1.0}) + FRAME["rooms"].astype(float)
GAPS = FRAME.assign(rooms=FRAME["rooms"].mask(np.arange(COUNT) % 7 == 0))
NUMBERS = DRAW.normal(size=(COUNT, 3))


def test_a_table_goes_in_as_in_fit() -> None:
    model = EBMRegressor(missing="impute", **QUICK).fit(GAPS, Y)
    options = {"hidden": (8,), "epochs": 3, "missing": "impute", "seed": model.fitted_.config.seed}
    np.testing.assert_array_equal(model.predict(GAPS), ebm.fit(GAPS, Y, **options).predict(GAPS))
    assert list(model.feature_names_in_) == list(FRAME.columns)
    assert model.n_features_in_ == 4
    assert model.fitted_.encoded_names is not None
    assert "rooms missing" in model.fitted_.encoded_names
    assert model.predict_interval(GAPS[:2]).shape == (2, 2)
    assert model.predict(GAPS[:0]).shape == (0,)
    with pytest.raises(ValueError, match="same order"):
        model.predict(GAPS[FRAME.columns[::-1]])
    with pytest.raises(ValueError, match="feature names"):
        model.predict(GAPS.drop(columns="city"))


def test_polars_gives_the_same_as_pandas() -> None:
    pl = pytest.importorskip("polars")
    one = EBMRegressor(**QUICK).fit(FRAME[["city", "balcony"]], Y)
    table = pl.DataFrame({name: FRAME[name].tolist() for name in ("city", "balcony")})
    two = EBMRegressor(**QUICK).fit(table, pl.Series("y", Y.tolist()))
    np.testing.assert_array_equal(one.predict(FRAME[["city", "balcony"]]), two.predict(table))


def test_options_of_tables_reach_the_fit() -> None:
    with pytest.raises(InputError, match="more than max_levels=2"):
        EBMRegressor(max_levels=2, **QUICK).fit(FRAME, Y)
    with pytest.raises(DomainError, match='missing="impute"'):
        EBMRegressor(**QUICK).fit(GAPS, Y)
    with pytest.raises(ValueError, match="could not convert"):
        EBMRegressor(encode=False, **QUICK).fit(FRAME[["city", "balcony"]], Y)
    strict = EBMRegressor(unseen="error", **QUICK).fit(FRAME, Y)
    with pytest.raises(InputError, match="'Paris'"):
        strict.predict(FRAME[:2].assign(city="Paris"))
    with pytest.raises(InputError, match="column 'odd'"):
        EBMRegressor(**QUICK).fit(FRAME.assign(odd=[{}] * COUNT), Y)
    mixed = np.array([["a", 1.0]] * COUNT, dtype=object)
    mixed[0, 1] = {"no": "number"}
    with pytest.raises(InputError, match="column '1' .* holds dict and float"):
        EBMRegressor(**QUICK).fit(mixed, Y)


def test_gaps_in_an_array_are_filled_where_that_was_asked_for() -> None:
    x = NUMBERS.copy()
    x[::5, 1] = np.nan
    with pytest.raises(ValueError, match="contains NaN"):
        EBMRegressor(**QUICK).fit(x, Y)
    model = EBMRegressor(missing="impute", **QUICK).fit(x, Y)
    assert np.isfinite(model.predict(x)).all()


def test_targets_are_checked_beside_a_table() -> None:
    with pytest.raises(ValueError, match="NaN"):
        EBMRegressor(**QUICK).fit(FRAME, Y.mask(Y.index == 3))
    with pytest.raises(ValueError, match="inconsistent"):
        EBMRegressor(**QUICK).fit(FRAME, Y.to_numpy()[:-1])
    both = EBMRegressor(**QUICK).fit(FRAME, np.stack((Y, DRAW.normal(size=COUNT)), 1))
    assert both.predict(FRAME).shape == (COUNT, 2)


def test_sparse_inputs_are_the_dense_ones() -> None:
    rows = NUMBERS * (abs(NUMBERS) > 0.5)
    dense, thin = (EBMRegressor(**QUICK).fit(x, Y) for x in (rows, sparse.csr_matrix(rows)))
    np.testing.assert_array_equal(dense.predict(rows), thin.predict(sparse.coo_array(rows)))


def columns() -> ColumnTransformer:
    return ColumnTransformer(
        [("city", OneHotEncoder(), ["city"]), ("rooms", StandardScaler(), ["rooms"])],
        sparse_threshold=1.0,
    )


def test_a_search_in_two_processes_over_a_pipeline() -> None:
    steps = Pipeline([("columns", columns()), ("ebm", EBMRegressor(**QUICK))])
    grid = {"ebm__loss_options__beta": [0.0, 0.5], "ebm__support": ["positive"]}
    search = GridSearchCV(steps, grid, cv=2, n_jobs=2, error_score="raise").fit(FRAME, Y)
    alone = GridSearchCV(steps, grid, cv=2, error_score="raise").fit(FRAME, Y)
    assert search.best_params_ == alone.best_params_
    np.testing.assert_allclose(search.cv_results_["mean_test_score"], alone.cv_results_["mean_test_score"])
    fitted = search.best_estimator_[-1].fitted_
    assert fitted.loss_options["beta"] == search.best_params_["ebm__loss_options__beta"]
    assert fitted.scaling.support is not None


def test_a_table_through_scores_copies_and_files() -> None:
    joblib = pytest.importorskip("joblib")
    model = EBMRegressor(base=KNeighborsRegressor(3), members=2, calibrate=True, validation=0.3, **QUICK)
    assert cross_val_score(model, FRAME, Y, cv=2, error_score="raise").shape == (2,)
    fitted = clone(model).fit(FRAME, Y)
    assert not hasattr(model.base, "n_samples_fit_")  # what was given is not touched
    file = io.BytesIO()
    joblib.dump(fitted, file)
    file.seek(0)
    ends = fitted.predict_interval(FRAME)
    for again in (joblib.load(file), pickle.loads(pickle.dumps(fitted))):
        np.testing.assert_array_equal(again.predict_interval(FRAME), ends)
    assert fitted.fitted_.calibration is not None
    assert not np.array_equal(fitted.predict_interval(FRAME, calibrated=False), ends)
    assert model.set_params(base__n_neighbors=4).base.n_neighbors == 4


@pytest.mark.parametrize("library", ["pandas", "polars"])
def test_names_come_through_a_pipeline(library: str) -> None:
    pytest.importorskip(library)
    model = make_pipeline(StandardScaler(), EBMRegressor(**QUICK)).set_output(transform=library)
    model.fit(pd.DataFrame(NUMBERS, columns=["a", "b", "c"]), Y)
    assert list(model[-1].feature_names_in_) == ["a", "b", "c"]
    assert model[-1].fitted_.scaling.x_names == ("a", "b", "c")


def test_groups_reach_the_fit_and_are_sliced_by_cross_validation() -> None:
    model = EBMRegressor(validation=0.3, **QUICK).fit(FRAME, Y, groups=HOUSE)
    options = {"hidden": (8,), "epochs": 3, "validation": 0.3, "seed": model.fitted_.config.seed}
    expected = ebm.fit(FRAME, Y, groups=HOUSE, **options)
    np.testing.assert_array_equal(model.predict(FRAME), expected.predict(FRAME))
    with pytest.raises(ShapeError, match="one group per row"):
        EBMRegressor(**QUICK).fit(FRAME, Y, groups=HOUSE[:-1])
    with sklearn.config_context(enable_metadata_routing=True):
        routed = EBMRegressor(**QUICK).set_fit_request(groups=True)
        options = {"cv": GroupKFold(2), "params": {"groups": HOUSE}, "error_score": "raise"}
        found = cross_validate(routed, FRAME, Y, **options)
    assert len(found["test_score"]) == 2


def test_rows_held_out_of_a_table() -> None:
    model = EBMRegressor(**QUICK).fit(FRAME[:40], Y[:40], validation_data=(FRAME[40:], Y[40:]))
    options = {"hidden": (8,), "epochs": 3, "seed": model.fitted_.config.seed}
    expected = ebm.fit(FRAME[:40], Y[:40], validation_data=(FRAME[40:], Y[40:]), **options)
    assert model.fitted_.history.held_out_nll == expected.history.held_out_nll
