"""Settings and labels in NumPy's and torch's numbers are those numbers; text is refused by name."""

from typing import Any

import numpy as np
import pytest
import torch

import ebm
from ebm.calibration import crps
from ebm.exceptions import DomainError, InputError, UnknownNameError

RNG = np.random.default_rng(0)
X = RNG.normal(size=(60, 2))
Y = X[:, 0] + 0.1 * RNG.normal(size=60)
PLAIN: dict[str, Any] = {
    "epochs": 2,
    "hidden": (8,),
    "seed": 3,
    "batch_size": 16,
    "sigmas": 0.5,
    "beta": 0.25,
}


@pytest.fixture(scope="module")
def fitted() -> ebm.FittedEBM:
    return ebm.fit(X, Y, **PLAIN)


@pytest.mark.parametrize(
    "kind", [np.float64, np.array, torch.tensor], ids=["scalar", "0-d array", "0-d tensor"]
)
def test_numbers_of_every_kind_give_the_same_fit(fitted: ebm.FittedEBM, kind: Any) -> None:
    whole = np.int64 if kind is np.float64 else kind
    given = {name: whole(PLAIN[name]) for name in ("epochs", "seed", "batch_size")}
    given |= {"hidden": [whole(8)], "sigmas": kind(0.5), "beta": kind(0.25)}
    np.testing.assert_array_equal(ebm.fit(X, Y, **given).predict(X), fitted.predict(X))
    assert ebm.fit(X, Y, **given).loss_options == fitted.loss_options


def test_labels_of_numpy_are_those_of_torch(fitted: ebm.FittedEBM) -> None:
    density, y = fitted.density(X), torch.from_numpy(Y)[:, None]
    assert torch.equal(density.log_prob(Y[:, None]), density.log_prob(y))
    assert torch.equal(crps(density, Y[:, None]), crps(density, y))
    np.testing.assert_array_equal(fitted.log_prob(X, Y), fitted.log_prob(X, torch.from_numpy(Y)))


def test_draws_by_seeds_of_numpy(fitted: ebm.FittedEBM) -> None:
    expected = fitted.sample(X, 2, seed=1)
    np.testing.assert_array_equal(fitted.sample(X, np.int64(2), seed=np.int64(1)), expected)
    np.testing.assert_array_equal(fitted.sample(X, torch.tensor(2), seed=torch.tensor(1)), expected)
    with pytest.raises(DomainError, match="seed must be an integer >= 0, got '1'"):
        fitted.sample(X, seed="1")  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("options", "kind", "message"),
    [
        ({"sigmas": "0.1"}, DomainError, "without quotes it is one: sigmas=0.1"),
        ({"epochs": "3"}, DomainError, "without quotes it is one: epochs=3"),
        ({"calibrate": "yes"}, DomainError, "calibrate must be True or False, got 'yes'"),
        ({"encode": 1}, DomainError, "encode must be True or False, got 1"),
        ({"groups": "house"}, InputError, "one group per row, 60 texts or whole numbers; got 'house'"),
        ({"groups": 3}, InputError, "one group per row, 60 texts or whole numbers; got 3"),
        ({"prediction": "map"}, UnknownNameError, "Unknown option of ebm.fit 'prediction'"),
    ],
)
def test_what_is_none_is_refused_by_its_name(options: dict[str, Any], kind: type, message: str) -> None:
    with pytest.raises(kind, match=message):
        ebm.fit(X, Y, **{**PLAIN, **options})


def test_numbers_that_float64_hardly_tells_apart_are_not_called_constant() -> None:
    with pytest.raises(DomainError, match="hardly resolve; subtract a constant first"):
        ebm.fit(X, 1e15 + RNG.normal(size=60), **PLAIN)
