"""A fit that goes on from an earlier density: better or as good, on its scaling, or refused in words."""

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch

import ebm
from ebm.exceptions import DomainError, EBMError, InputError, ShapeError
from tests.ebm.fitting.long_fits import KINDS, QUICK, fit, interrupted_at, rows, same


@pytest.fixture(scope="module")
def earlier() -> ebm.FittedEBM:
    return fit("one", learning_rate=0.005)


@pytest.mark.parametrize("kind", KINDS)
def test_it_starts_where_the_earlier_one_ended(kind: str) -> None:
    first = fit(kind)
    before = {name: tensor.clone() for name, tensor in first.model.state_dict().items()}
    x, y = rows(first.target_dim)
    again = ebm.fit(x, y, warm_start=first, epochs=3, progress=False, seed=0)
    assert again.history.held_out_nll[0] == pytest.approx(
        first.history.held_out_nll[first.history.best_epoch], abs=1e-3
    ) or ("corrected" in kind or kind == "several targets")  # of another pilot, or of draws placed anew
    assert min(again.history.held_out_nll) <= again.history.held_out_nll[0]
    assert (again.config.model, again.config.hidden, again.config.members) == (
        first.config.model,
        first.config.hidden,
        first.config.members,
    )
    assert again.loss_options == first.loss_options
    for name, tensor in first.model.state_dict().items():  # the earlier one stays as it is
        assert torch.equal(tensor, before[name])
    np.testing.assert_allclose(again.scaling.y_mean, first.scaling.y_mean)


def test_it_learns_what_came_later_and_knows_its_range(earlier: ebm.FittedEBM, tmp_path: Path) -> None:
    rng = np.random.default_rng(1)
    x = rng.standard_normal((200, 2)) + [4.0, 0.0]
    y = x[:, 0] + 0.3 * rng.standard_normal(200)
    assert earlier.out_of_range(x).any()
    again = ebm.fit(x, y, warm_start=earlier, epochs=40, progress=False)
    assert np.abs(again.predict(x) - y).mean() < 0.5 < np.abs(earlier.predict(x) - y).mean()
    assert again.out_of_range(x).mean() < 0.1  # of the rows held out
    assert not again.out_of_range(rows()[0]).any()
    again.save(tmp_path / "a")
    np.testing.assert_array_equal(ebm.load_fitted(tmp_path / "a").predict(x), again.predict(x))


def test_a_checkpoint_of_it_goes_on_to_the_bit(earlier: ebm.FittedEBM, tmp_path: Path) -> None:
    x, y = rows(1, 60)

    def go_on(**options: Any) -> ebm.FittedEBM:
        return ebm.fit(x, y, warm_start=earlier, epochs=4, progress=False, **options)

    with interrupted_at(2), pytest.raises(ebm.FitInterrupted):
        go_on(checkpoint=tmp_path / "a")
    same(go_on(checkpoint=tmp_path / "a"), go_on())
    with pytest.raises(InputError, match="first weights are others"):
        ebm.fit(x, y, warm_start=go_on(), epochs=4, progress=False, checkpoint=tmp_path / "a")


def test_another_loss_and_its_numbers(earlier: ebm.FittedEBM) -> None:
    x, y = rows()
    other = ebm.fit(x, y, warm_start=earlier, loss="cnce", epochs=1, progress=False)
    assert (other.config.loss, other.loss_options["num_samples"]) == ("cnce", 64)
    kept = ebm.fit(x, y, warm_start=earlier, beta=0.5, epochs=1, progress=False)
    assert (kept.config.loss, kept.loss_options["beta"], kept.loss_options["num_samples"]) == ("nce+", 0.5, 8)


def test_columns_categories_and_supports_are_those_of_the_earlier_fit() -> None:
    rng = np.random.default_rng(0)
    table = pd.DataFrame({"city": rng.choice(["Bern", "Rome"], 60), "year": 2020.0})
    y = rng.exponential(size=60)
    first = ebm.fit(table, y, support="positive", **QUICK)
    again = ebm.fit(table, y, warm_start=first, epochs=1, support="positive", progress=False)
    assert again.encoded_names == first.encoded_names
    assert again.scaling.support == first.scaling.support
    with pytest.raises(InputError, match="keeps the support of the earlier fit"):
        ebm.fit(table, y, warm_start=first, support=(0, 100), progress=False)
    with pytest.raises(DomainError, match="row 3"):
        ebm.fit(table, np.where(np.arange(60) == 3, -1.0, y), warm_start=first, progress=False)
    with pytest.raises(InputError, match="columns"):
        ebm.fit(table[["year", "city"]], y, warm_start=first, progress=False)
    with pytest.raises(InputError, match="keeps the encoding of the earlier fit; leave out missing"):
        ebm.fit(table, y, warm_start=first, missing="impute", progress=False)
    with pytest.warns(UserWarning, match="column 'year' was constant in the earlier fit"):
        ebm.fit(table.assign(year=2025.0), y, warm_start=first, epochs=1, progress=False)


@pytest.mark.parametrize("scale", [1.0, 20.0, 0.1])
def test_targets_of_another_size_are_told(earlier: ebm.FittedEBM, scale: float) -> None:
    x, y = rows()
    shift = 30.0 * (scale == 1.0)
    with pytest.warns(UserWarning, match="hardly follow. Fit anew without warm_start"):
        ebm.fit(x, shift + scale * y, warm_start=earlier, epochs=1, progress=False)


@pytest.mark.parametrize(
    ("options", "kind", "message"),
    [
        ({"model": "gaussian"}, InputError, "goes on with model='energy', got model='gaussian'"),
        ({"hidden": (5,)}, InputError, r"goes on with hidden=\(4,\), got hidden=\(5,\)"),
        ({"members": 2}, InputError, "goes on with members=1, got members=2"),
        ({"feature_net": torch.nn.Linear(2, 4)}, InputError, "leave out feature_net"),
        ({"base": object()}, InputError, "a base do not go together"),
        ({"warm_start": "a.ebm"}, InputError, "got str 'a.ebm'"),
        ({"warm_start": True}, InputError, "must be a density that ebm.fit returned; got bool True"),
        ({"x": np.zeros((40, 3))}, ShapeError, r"fitted on rows of shape \(2,\)"),
        ({"y": np.zeros((40, 2))}, ShapeError, "fitted on D=1 target columns, got 2"),
        ({"validation_data": (np.zeros((4, 3)), np.zeros(4))}, ShapeError, r"rows of shape \(2,\)"),
    ],
)
def test_what_does_not_fit(
    earlier: ebm.FittedEBM, options: dict[str, Any], kind: type[EBMError], message: str
) -> None:
    x, y = rows()
    with pytest.raises(kind, match=message):
        ebm.fit(**{"x": x, "y": y, "warm_start": earlier, "progress": False, **options})


def test_the_same_structure_may_be_said_again(earlier: ebm.FittedEBM) -> None:
    x, y = rows()
    for model in ("Energy", "auto"):
        ebm.fit(x, y, warm_start=earlier, hidden=4, model=model, members=1, epochs=1, progress=False)


def test_censored_targets_and_angles_are_refused(earlier: ebm.FittedEBM) -> None:
    x, y = rows(1)
    with pytest.raises(InputError, match="these are censored: leave warm_start out"):
        ebm.fit(x, ebm.Censored.right(y, y < 0.5), warm_start=earlier, progress=False)
    turned = ebm.fit(x, 10 * y, support="degrees", epochs=1, hidden=(4,), progress=False)
    with pytest.raises(InputError, match="these are angles: leave warm_start out"):
        ebm.fit(x, 10 * y, warm_start=turned, progress=False)
    with pytest.raises(InputError, match="'quantile' is fitted to targets that are known"):
        ebm.fit(x, ebm.Censored.right(y, y < 0.5), model="quantile", progress=False)
