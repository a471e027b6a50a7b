"""Tables of pandas and polars: names are kept and checked, what is no number is refused by its column."""

import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

import ebm
from ebm.exceptions import DomainError, InputError, ShapeError
from ebm.fitting import tables
from ebm.fitting.data import as_inputs

pd = pytest.importorskip("pandas")

QUICK: dict[str, Any] = {"hidden": (4,), "epochs": 1, "progress": False}
DRAW = np.random.default_rng(0)
X = DRAW.normal(size=(24, 3))
FRAME = pd.DataFrame(X, columns=["a", "b", "c"])
Y = pd.Series(X[:, 0] + 0.1 * DRAW.normal(size=24), name="price")
TWO = pd.DataFrame({"u": Y, "v": X[:, 1]})
SWAPPED = FRAME[["b", "a", "c"]]


@pytest.fixture(scope="module")
def fitted() -> ebm.FittedEBM:
    return ebm.fit(FRAME, Y, **QUICK)


@pytest.fixture(scope="module")
def pair() -> ebm.FittedEBM:
    return ebm.fit(FRAME, TWO, **QUICK)


CALLS: dict[str, Any] = {
    "predict": lambda f, x: f.predict(x),
    "predict_interval": lambda f, x: f.predict_interval(x),
    "density": lambda f, x: f.density(x),
    "log_prob": lambda f, x: f.log_prob(x, Y),
    "sample": lambda f, x: f.sample(x, 2, seed=0),
    "score": lambda f, x: f.score(x, Y),
    "validation data": lambda f, x: ebm.fit(FRAME, Y, validation_data=(x, Y), **QUICK),
}


@pytest.mark.parametrize("call", CALLS)
@pytest.mark.parametrize(
    ("x", "words"),
    [
        (SWAPPED, r"another order: 'b', 'a', 'c', in the fit 'a', 'b', 'c'.*x\[\['a', 'b', 'c'\]\]"),
        (FRAME[["a", "c"]], "x lacks 'b' of the fit"),
        (FRAME.assign(d=1.0), "x has 'd', which the fit never saw"),
        (FRAME.rename(columns={"b": "B"}), "x lacks 'b' of the fit and has 'B'"),
        (FRAME[["a", "a", "b", "c"]], "4 columns where the fit had 3"),
    ],
)
def test_columns_are_those_of_the_fit_in_their_order(
    fitted: ebm.FittedEBM, call: str, x: Any, words: str
) -> None:
    with pytest.raises(InputError, match=words):
        CALLS[call](fitted, x)


def test_names_are_in_the_file(fitted: ebm.FittedEBM, pair: ebm.FittedEBM, tmp_path: Path) -> None:
    for model in (fitted, pair):
        model.save(tmp_path / "model.pt")
        loaded = ebm.load_fitted(tmp_path / "model.pt")
        assert loaded.scaling.x_names == ("a", "b", "c")
        assert loaded.scaling.y_names == model.scaling.y_names
        np.testing.assert_array_equal(loaded.predict(FRAME), model.predict(FRAME))
        with pytest.raises(InputError, match="another order"):
            loaded.predict(SWAPPED)


def test_a_file_without_names_is_read_and_one_with_foreign_names_is_not(
    fitted: ebm.FittedEBM, tmp_path: Path
) -> None:
    path = tmp_path / "model.pt"
    fitted.save(path)
    fields = torch.load(path, weights_only=True)
    for names, words in (("ab", "expected 3 names"), (["a", "b", 3], "expected 3 names")):
        torch.save({**fields, "x_names": names}, path)
        with pytest.raises(InputError, match=words):
            ebm.load_fitted(path)
    torch.save({key: value for key, value in fields.items() if not key.endswith("_names")}, path)
    assert ebm.load_fitted(path).scaling.x_names is None


def test_several_targets_have_an_order_too(pair: ebm.FittedEBM) -> None:
    expected = pair.log_prob(FRAME, TWO)
    np.testing.assert_array_equal(pair.log_prob(FRAME, TWO.to_numpy()), expected)
    for call in (pair.log_prob, pair.score):
        with pytest.raises(InputError, match="y has the columns of the fit in another order: 'v', 'u'"):
            call(FRAME, TWO[["v", "u"]])
    with pytest.raises(InputError, match="y lacks 'v' of the fit and has 'w'"):
        pair.log_prob(FRAME, TWO.rename(columns={"v": "w"}))


def test_one_side_without_names_is_said(fitted: ebm.FittedEBM) -> None:
    with pytest.warns(UserWarning, match="the table of the fit had column names, this one has none"):
        named = fitted.predict(X)
    np.testing.assert_array_equal(named, fitted.predict(FRAME))
    bare = ebm.fit(X, Y.to_numpy(), **QUICK)
    with pytest.warns(UserWarning, match="had no column names, this one has"):
        bare.predict(FRAME)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        np.testing.assert_array_equal(bare.predict(pd.DataFrame(X)), bare.predict(X))


def test_columns_numbered_by_pandas_can_be_swapped_as_well() -> None:
    numbered = pd.DataFrame(X)
    fitted = ebm.fit(numbered, Y, **QUICK)
    with pytest.raises(InputError, match="another order: '1', '0', '2'"):
        fitted.predict(numbered[[1, 0, 2]])


def test_the_index_plays_no_part_unless_it_tells_that_rows_are_mixed_up(fitted: ebm.FittedEBM) -> None:
    there = FRAME.set_index(np.arange(24) * 7 + 3)
    np.testing.assert_array_equal(fitted.predict(there), fitted.predict(FRAME))
    np.testing.assert_array_equal(fitted.log_prob(there, Y), fitted.log_prob(FRAME, Y))
    shuffled = Y.sample(frac=1, random_state=0)
    for call in (fitted.log_prob, fitted.score, lambda x, y: ebm.fit(x, y, **QUICK)):
        with pytest.raises(InputError, match=r"same index in another order.*y\.loc\[x\.index\]"):
            call(FRAME, shuffled)


def test_weights_and_rows_held_out_are_not_mixed_up_either(fitted: ebm.FittedEBM) -> None:
    weights = pd.Series(np.arange(1.0, 25.0))
    shuffled = weights.sample(frac=1, random_state=0)
    for call in (fitted.score, lambda x, y, w: ebm.fit(x, y, sample_weight=w, **QUICK)):
        call(FRAME, Y, weights)
        with pytest.raises(InputError, match=r"x and sample_weight .* sample_weight\.loc\[x\.index\]"):
            call(FRAME, Y, shuffled)
    with pytest.raises(InputError, match="x and y have the same index in another order"):
        ebm.fit(FRAME, Y, validation_data=(FRAME, Y.sample(frac=1, random_state=0)), **QUICK)


def test_a_sparse_matrix_is_made_dense_up_to_a_bound(monkeypatch: pytest.MonkeyPatch) -> None:
    sparse = pytest.importorskip("scipy.sparse")
    thin = np.where(abs(X) > 1, X, 0)
    expected = ebm.fit(thin, Y, **QUICK).predict(thin)
    monkeypatch.setattr(tables, "_DENSE_BLOCK", 3 * 8 * 5)  # five rows at a time, of 24
    for kind in (sparse.csr_matrix, sparse.csc_array, sparse.coo_array):
        fitted = ebm.fit(kind(thin), Y, **QUICK)
        np.testing.assert_array_equal(fitted.predict(kind(thin)), expected)
    monkeypatch.setattr(tables, "MOST_BYTES", 24 * 3 * 8 - 1)
    with pytest.raises(InputError, match=r"sparse matrix of shape \(24, 3\), which takes .* TruncatedSVD"):
        ebm.fit(sparse.csr_matrix(thin), Y, **QUICK)
    assert fitted.predict(sparse.csr_matrix(thin)[:20]).shape == (20,)
    with pytest.raises(InputError, match="real numbers, got a sparse matrix of dtype complex128"):
        fitted.predict(sparse.csr_matrix(thin[:3] * 1j))


@pytest.mark.parametrize("part", [FRAME["a"], FRAME.iloc[0]])
def test_a_single_column_or_row_is_no_table(fitted: ebm.FittedEBM, part: Any) -> None:
    with pytest.raises(ShapeError, match=r"one column is x\.to_frame\(\), one row x\.to_frame\(\)\.T"):
        fitted.predict(part)


COLUMNS = {
    "bool": [True, False] * 12,
    "Int64": pd.array([1, 2] * 12, dtype="Int64"),
    "boolean": pd.array([True, False] * 12, dtype="boolean"),
    "numbers of any type": pd.Series([1, 2.5] * 12, dtype=object),
}


@pytest.mark.parametrize("kind", COLUMNS)
def test_columns_of_numbers_are_taken(kind: str) -> None:
    frame = FRAME.assign(b=COLUMNS[kind])
    expected = np.column_stack([X[:, 0], np.array(list(COLUMNS[kind]), float), X[:, 2]])
    np.testing.assert_array_equal(
        ebm.fit(frame, Y, **QUICK).predict(frame), ebm.fit(expected, Y, **QUICK).predict(expected)
    )


OTHERS: list[tuple[Any, str]] = [
    (pd.Series(["1", "2"] * 12, dtype=object), r"column 'b' \(object\).*pandas\.to_numeric"),
    (["u", "v"] * 12, "column 'b'.*get_dummies"),
    (pd.Categorical([1, 2] * 12), r"column 'b' \(category\).*OneHotEncoder"),
    (pd.date_range("2020-01-01", periods=24), r"column 'b' \(datetime64"),
    (pd.to_timedelta(np.arange(24), unit="s"), r"column 'b' \(timedelta64"),
]


@pytest.mark.parametrize(("column", "words"), OTHERS)
def test_other_columns_are_targets_never_and_inputs_where_they_are_encoded(column: Any, words: str) -> None:
    with pytest.raises(InputError, match=words):
        ebm.fit(FRAME.assign(b=column), Y, encode=False, **QUICK)
    with pytest.raises(InputError, match=words.replace("'b'", "'price'")):
        ebm.fit(FRAME, pd.Series(column, name="price"), **QUICK)


def test_what_nobody_can_encode_is_named() -> None:
    with pytest.raises(InputError, match=r"column 'b' \(complex128\) holds complex; turn it"):
        ebm.fit(FRAME.assign(b=1j * np.ones(24)), Y, **QUICK)


@pytest.mark.parametrize("values", [["1", "2"] * 12, np.array([["1"], [2]] * 12, dtype=object)[:, 0]])
def test_text_that_holds_numbers_is_no_number(values: Any) -> None:
    with pytest.raises(InputError, match="text among|dtype <U1"):
        ebm.fit(X, values, **QUICK)


@pytest.mark.parametrize("kind", ["Int64", "Float64", "boolean"])
def test_missing_values_are_named_by_column(kind: str) -> None:
    column = pd.array([1, None] * 12, dtype=kind)
    with pytest.raises(DomainError, match=r"x\[1, 1\] is nan\. Column 'b': fill in .* missing=\"impute\""):
        ebm.fit(FRAME.assign(b=column), Y, **QUICK)
    with pytest.raises(DomainError, match=r"y\[1\] is nan\. Column 'price'"):
        ebm.fit(FRAME, pd.Series(column, name="price"), **QUICK)


def test_polars() -> None:
    pl = pytest.importorskip("polars")
    frame = pl.from_numpy(X, schema=["a", "b", "c"])
    fitted = ebm.fit(frame, pl.Series("price", Y.to_numpy()), **QUICK)
    np.testing.assert_array_equal(fitted.predict(frame), fitted.predict(FRAME))
    assert fitted.predict(frame[:0]).shape == (0,)
    with pytest.raises(InputError, match="another order: 'b', 'a', 'c'"):
        fitted.predict(frame.select("b", "a", "c"))
    for column, words in ((["1", "2"] * 12, r"'b' \(String\)"), ([1, None] * 12, "Column 'b'")):
        with pytest.raises((InputError, DomainError), match=words):
            ebm.fit(frame.with_columns(pl.Series("b", column)), Y.to_numpy(), encode=False, **QUICK)
    with pytest.raises(InputError, match=r"LazyFrame.* collect\(\)"):
        fitted.predict(frame.lazy())


def test_targets_that_their_numbers_hardly_resolve() -> None:
    with pytest.raises(DomainError, match="varies by .* around 1e\\+15.*subtract a constant"):
        ebm.fit(X, 1e15 + np.random.default_rng(0).normal(size=24), **QUICK)


def test_what_lies_under_a_mask_is_no_value() -> None:
    values = np.ma.masked_equal([[1.0, -9999.0], [2.0, 3.0]], -9999.0)
    with pytest.raises(DomainError, match=r"x must be finite, but x\[0, 1\] is nan"):
        as_inputs(values)
    assert as_inputs(np.ma.masked_array([[1, 2]])).tolist() == [[1.0, 2.0]]
