"""Fits on tables of categories, dates and gaps: everything that a fit on numbers can do."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

import ebm
from ebm.exceptions import DomainError, InputError

pd = pytest.importorskip("pandas")

QUICK: dict[str, Any] = {"hidden": (8,), "epochs": 2, "progress": False}
COUNT = 160
DRAW = np.random.default_rng(0)
FRAME = pd.DataFrame(
    {
        "city": DRAW.choice(["Bern", "Oslo", "Rome"], COUNT),
        "size": pd.Series(DRAW.normal(size=COUNT)).mask(DRAW.random(COUNT) < 0.2),
        "when": pd.date_range("2020-01-01", periods=COUNT, freq="7h"),
        "new": DRAW.random(COUNT) < 0.5,
    }
)
Y = (
    FRAME["city"].map({"Bern": -4.0, "Oslo": 0.0, "Rome": 4.0})
    + FRAME["size"].fillna(3)
    + 0.3 * DRAW.normal(size=COUNT)
).rename("y")
NAMES = ("city=Bern", "city=Oslo", "city=Rome", "size", "size missing", "when")
NAMES += ("when sin(day)", "when cos(day)", "when sin(week)", "when cos(week)", "new")


@pytest.fixture(scope="module")
def fitted() -> ebm.FittedEBM:
    options = QUICK | {"epochs": 60}
    return ebm.fit(FRAME[:120], Y[:120], missing="impute", **options)


def test_categories_and_gaps_tell_what_they_know(fitted: ebm.FittedEBM) -> None:
    assert fitted.encoded_names == NAMES
    assert fitted.score(FRAME[120:], Y[120:]) > 0.9
    assert fitted.encode(FRAME).shape == (COUNT, len(NAMES))


def test_it_is_the_fit_on_the_encoded_numbers(fitted: ebm.FittedEBM) -> None:
    again = ebm.fit(fitted.encode(FRAME[:120]), Y[:120], **QUICK | {"epochs": 60})
    np.testing.assert_array_equal(again.predict(fitted.encode(FRAME)), fitted.predict(FRAME))


def test_a_file_holds_the_encoding(fitted: ebm.FittedEBM, tmp_path: Path) -> None:
    path = tmp_path / "a.pt"
    fitted.save(path)
    again = ebm.load_fitted(path)
    assert again.scaling.x_table == fitted.scaling.x_table
    assert again.scaling.x_names == tuple(FRAME.columns)
    np.testing.assert_array_equal(again.predict(FRAME), fitted.predict(FRAME))
    with pytest.raises(InputError, match="another order"):
        again.predict(FRAME[FRAME.columns[::-1]])
    fields = torch.load(path, weights_only=True)
    fields["x_table"]["columns"][0]["levels"] = ("Bern", "Oslo")
    torch.save(fields, path)
    with pytest.raises(InputError, match="its table has 10 columns of numbers, expected"):
        ebm.load_fitted(path)


def test_what_was_never_seen_is_out_of_range(fitted: ebm.FittedEBM) -> None:
    rows = FRAME[:5].copy()
    rows.loc[1, "city"] = "Paris"
    rows["new"] = rows["new"].astype("boolean").mask([False, False, True, False, False])
    rows.loc[3, "when"] = pd.Timestamp("1990-01-01")
    assert fitted.out_of_range(rows).tolist() == [False, True, True, True, False]
    with (
        pytest.warns(UserWarning, match="'Paris' in 1 rows"),
        pytest.warns(UserWarning, match="column 'new' lacks 1 values"),
    ):
        fitted.predict(rows)
    strict = ebm.fit(FRAME[["city"]], Y, unseen="error", **QUICK)
    with pytest.raises(InputError, match="'Paris'"):
        strict.predict(rows[["city"]])
    assert strict.out_of_range(rows[["city"]]).tolist() == [False, True, False, False, False]


def test_numbers_are_what_they_were_to_the_bit() -> None:
    x = DRAW.normal(size=(40, 3))
    y = x[:, 0] + DRAW.normal(size=40)
    expected = ebm.fit(x, y, encode=False, **QUICK)
    for given in (x, pd.DataFrame(x), x.tolist(), torch.from_numpy(x)):
        plain, imputing = ebm.fit(given, y, **QUICK), ebm.fit(given, y, missing="impute", **QUICK)
        assert plain.scaling.x_table is None
        for one in (plain, imputing):
            np.testing.assert_array_equal(one.predict(x), expected.predict(x))


def test_gaps_of_an_array_are_faults_until_they_are_declared() -> None:
    x = DRAW.normal(size=(40, 2))
    x[::4, 1] = np.nan
    for given in (x, torch.from_numpy(x), x.tolist(), np.ma.masked_invalid(x)):
        with pytest.raises(
            DomainError, match=r'x\[0, 1\] is nan.* Fill in or drop .* fit with missing="impute"'
        ):
            ebm.fit(given, x[:, 0], **QUICK)
        found = ebm.fit(given, x[:, 0], missing="impute", **QUICK)
        assert found.encoded_names == ("0", "1", "1 missing")
        assert np.isfinite(found.predict(x)).all()
    with pytest.raises(DomainError, match=r"column '1'|x\[0, 1\] is inf"):
        ebm.fit(np.where(np.isnan(x), np.inf, x), x[:, 0], missing="impute", **QUICK)


def test_rows_of_no_weight_teach_nothing_and_need_not_be_known() -> None:
    weights = np.r_[np.ones(120), np.zeros(40)]
    frame = FRAME[["city", "size"]].copy()
    frame.loc[120:, "city"] = "Paris"
    frame.loc[120:, "size"] = 1e6
    found = ebm.fit(frame, Y, sample_weight=weights, missing="impute", unseen="error", **QUICK)
    expected = ebm.fit(frame[:120], Y[:120], missing="impute", **QUICK)
    assert found.scaling.x_table is not None
    assert found.scaling.x_table.columns == expected.scaling.x_table.columns  # type: ignore[union-attr]
    np.testing.assert_array_equal(found.predict(frame[:120]), expected.predict(frame[:120]))


def test_base_members_validation_calibration_and_several_targets() -> None:
    forest = pytest.importorskip("sklearn.ensemble").RandomForestRegressor(8, random_state=0)
    two = pd.DataFrame({"u": Y, "v": -Y})
    found = ebm.fit(
        FRAME[:120],
        two[:120],
        base=forest,
        members=2,
        missing="impute",
        validation_data=(FRAME[120:], two[120:]),
        calibrate=True,
        **QUICK,
    )
    assert found.base is not None
    assert found.base.predict(found.encode(FRAME[:3])).shape == (3, 2)
    assert found.predict_interval(FRAME[:3]).shape == (3, 2, 2)
    assert not found.out_of_range(FRAME[:3]).any()
    members = ebm.fit(FRAME, Y, members=2, missing="impute", **QUICK)
    assert members.spread(FRAME[:3]).share.shape == (3,)
    members.calibrate(FRAME, Y)
    assert members.contains(FRAME[:3], Y[:3]).shape == (3,)
    with pytest.raises(InputError, match="x lacks 'new' of the fit"):
        ebm.fit(FRAME, Y, validation_data=(FRAME.drop(columns="new"), Y), missing="impute", **QUICK)


def test_targets_with_a_border_go_with_it(tmp_path: Path) -> None:
    found = ebm.fit(FRAME, Y.abs() + 0.1, support="positive", missing="impute", **QUICK)
    found.save(tmp_path / "a.pt")
    again = ebm.load_fitted(tmp_path / "a.pt")
    np.testing.assert_array_equal(again.predict(FRAME), found.predict(FRAME))
    assert (found.predict_interval(FRAME) >= 0).all()


def test_a_network_of_ones_own_gets_the_numbers() -> None:
    net = torch.nn.Sequential(torch.nn.Linear(3, 4), torch.nn.ReLU())
    found = ebm.fit(FRAME[["city"]], Y, feature_net=net, **QUICK)
    assert found.predict(FRAME[["city"]]).shape == (COUNT,)


def test_rows_mixed_up_are_told_before_they_are_numbers() -> None:
    with pytest.raises(InputError, match="same index in another order"):
        ebm.fit(FRAME, Y.sample(frac=1, random_state=0), missing="impute", **QUICK)


def test_fans_over_rows_and_not_over_medians_of_categories(fitted: ebm.FittedEBM) -> None:
    from ebm.pictures import fan_curves

    assert len(fan_curves(fitted, FRAME[:5])["median"]) == 5
    with pytest.raises(InputError, match="'city=Rome'.*order='given'"):
        fan_curves(fitted, FRAME[:5], feature="city=Rome")


def test_polars_gives_the_same_fit(fitted: ebm.FittedEBM) -> None:
    pl = pytest.importorskip("polars")
    frame = pl.DataFrame(
        {name: [None if v is pd.NaT or v != v else v for v in FRAME[name]] for name in FRAME}
    )
    np.testing.assert_array_equal(fitted.predict(frame), fitted.predict(FRAME))
    again = ebm.fit(frame[:120], Y[:120], missing="impute", **QUICK)
    assert again.scaling.x_table == fitted.scaling.x_table


def test_sparse_gaps_are_imputed() -> None:
    sparse = pytest.importorskip("scipy.sparse")
    x = np.where(DRAW.random((40, 3)) < 0.7, 0, DRAW.normal(size=(40, 3)))
    x[3, 1] = np.nan
    found = ebm.fit(sparse.csr_matrix(x), DRAW.normal(size=40), missing="impute", **QUICK)
    np.testing.assert_array_equal(found.predict(sparse.csc_matrix(x)), found.predict(x))
