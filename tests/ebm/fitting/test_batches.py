"""Fits on rows that come in batches."""

import itertools
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
import torch
from torch.utils.data import DataLoader, TensorDataset

import ebm
from ebm.exceptions import InputError, ShapeError
from ebm.fitting import tables
from ebm.fitting.batches import gathered

QUICK: dict[str, Any] = {"hidden": (4,), "epochs": 1, "progress": False}
DRAW = np.random.default_rng(0)
X = DRAW.normal(size=(25, 2))
Y = X[:, 0] + DRAW.normal(size=25)
CUTS = [7, 14, 21]


def pairs(x: Any = X, y: Any = Y) -> Iterator[tuple[Any, Any]]:
    edges = [0, *CUTS, len(x)]
    return ((x[a:b], y[a:b]) for a, b in itertools.pairwise(edges))


def test_batches_are_the_rows_that_they_hold() -> None:
    expected = ebm.fit(X, Y, **QUICK).predict(X)
    loader = DataLoader(TensorDataset(torch.from_numpy(X), torch.from_numpy(Y)), batch_size=7)
    for batches in (loader, list(pairs()), pairs(), pairs(X.tolist(), Y.tolist())):
        np.testing.assert_array_equal(ebm.fit(batches, **QUICK).predict(X), expected)
    held = ebm.fit(X, Y, validation_data=(X[:9], Y[:9]), **QUICK)
    given = ebm.fit(loader, validation_data=pairs(X[:9], Y[:9]), **QUICK)
    np.testing.assert_array_equal(given.predict(X), held.predict(X))


def test_data_frames_keep_their_names_and_categories() -> None:
    pd = pytest.importorskip("pandas")
    frame = pd.DataFrame({"a": X[:, 0], "city": ["Oslo", "Rome", "Bern", "Rome", "Rome"] * 5})
    target = pd.Series(Y, name="y")
    frame["city"] = frame["city"].astype("category")
    found = ebm.fit(pairs(frame, target), **QUICK)
    np.testing.assert_array_equal(found.predict(frame), ebm.fit(frame, target, **QUICK).predict(frame))
    assert found.scaling.x_names == ("a", "city")
    with pytest.raises(InputError, match=r"batch 1 of x .* with columns \('city', 'a'\)"):
        ebm.fit([(frame, target), (frame[["city", "a"]], target)], **QUICK)
    pl = pytest.importorskip("polars")
    polar = pl.DataFrame({name: frame[name].tolist() for name in frame})
    again = ebm.fit(pairs(polar, pl.Series("y", Y)), **QUICK)
    np.testing.assert_array_equal(again.predict(polar), found.predict(frame))


def test_what_does_not_end_is_ended(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tables, "MOST_BYTES", 8 * 3 * 60)
    asked = []

    def forever() -> Iterator[tuple[Any, Any]]:
        while True:
            asked.append(0)
            yield X[:20], Y[:20]

    with pytest.raises(InputError, match="by batch 3, 240 numbers of 8 bytes"):
        ebm.fit(forever(), **QUICK)
    assert len(asked) == 4


@pytest.mark.parametrize(
    ("batches", "error", "words"),
    [
        (X, InputError, "x is a ndarray without y; give x and y, or an iterable of batches"),
        ("xy", InputError, "x is a str without y"),
        ([], InputError, "gave no batch"),
        ([X, X], InputError, "batch 0 of x is no pair"),
        ([(X, Y, Y)], InputError, "batch 0 of x is no pair"),
        ([[1.0, 2.0]], ShapeError, "batch 0 of x holds single values"),
        ([([[1.0], [1.0, 2.0]], [1.0, 2.0])], ShapeError, "batch 0 of x is ragged"),
        ([(X, Y[:3])], ShapeError, "25 inputs and 3 targets"),
        (
            [(X, Y), (X[:, :1], Y)],
            ShapeError,
            r"batch 1 of x has rows of shape \(1,\), the first one of \(2,\)",
        ),
        (
            [(X, Y), (torch.from_numpy(X), Y)],
            InputError,
            "batch 1 of x is a Tensor .* the first one a ndarray",
        ),
    ],
)
def test_no_batches(batches: Any, error: type[Exception], words: str) -> None:
    with pytest.raises(error, match=words):
        ebm.fit(batches, **QUICK)


def test_weights_need_an_order_and_gradients_are_left_behind() -> None:
    with pytest.raises(InputError, match="sample_weight belongs to rows in a known order"):
        ebm.fit(pairs(), sample_weight=np.ones(25), **QUICK)
    x, y = gathered("x", [(torch.zeros(2, 3, requires_grad=True), torch.zeros(2))])
    assert not x.requires_grad
    assert y.shape == (2,)
