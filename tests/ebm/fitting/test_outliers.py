"""Rows that are far from all others: what they may change, and that they are named."""

import math
import warnings
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

import ebm
from ebm.exceptions import OutlierWarning
from ebm.fitting.anchored import FAR
from ebm.fitting.criterion import BACKGROUND, held_out_nll
from ebm.fitting.data import measure
from ebm.fitting.moments import moments
from ebm.fitting.network import build_model
from ebm.fitting.rows import Rows, prepare_rows
from ebm.fitting.splits import split_rows
from ebm.gradients import ScoreWithGradient
from ebm.models import FunctionalEnergy


def waves(n: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    draw = np.random.default_rng(seed)
    x = draw.standard_normal((n, 3))
    return x, np.sin(2 * x[:, 0]) + 0.3 * draw.standard_normal(n)


@given(seed=st.integers(0, 1000), count=st.integers(2, 400), unit=st.sampled_from([1e-200, 1.0, 1e200]))
@settings(max_examples=40, deadline=None)
def test_without_outliers_moments_are_those_of_all_rows(seed: int, count: int, unit: float) -> None:
    values = unit * (torch.randn(count, 2, generator=torch.Generator().manual_seed(seed)).double() + 3)
    found = moments(values)
    assert not found.outlying.any()
    torch.testing.assert_close(found.mean, values.mean(0))
    torch.testing.assert_close(found.scale / unit, (values / unit).std(0, correction=0))
    assert torch.equal(found.low, values.amin(0))
    assert torch.equal(found.high, values.amax(0))


@pytest.mark.parametrize("wrong", [30.0, -1e4, 1e200])
def test_one_wrong_entry_leaves_the_moments_of_its_column_alone(wrong: float) -> None:
    values = torch.randn(200, 2, generator=torch.Generator().manual_seed(0)).double()
    without = moments(values[1:])
    values[0, 1] = wrong
    found = moments(values)
    assert found.outlying.nonzero().tolist() == [[0, 1]]
    torch.testing.assert_close(found.mean[1], without.mean[1])
    torch.testing.assert_close(found.scale[1], without.scale[1])


def test_columns_that_are_mostly_one_value_have_no_outliers_for_that() -> None:
    rare = torch.zeros(1000, 2).double()
    rare[:80, 0] = 1.0
    rare[:3, 1] = 1.0
    assert not moments(rare).outlying.any()


def test_outlying_rows_are_named_by_their_place_in_the_data() -> None:
    x, y = waves(100, 0)
    y[7], x[41, 2] = 300.0, -1e9
    weights = np.ones(100)
    weights[:5] = 0  # rows without weight are not there, but the others keep their numbers
    with pytest.warns(OutlierWarning) as caught:
        prepare_rows(x, y, weights, None, share=0.15, seed=0)
    told = [str(w.message) for w in caught]
    assert "1 of 95 rows have a value of x" in told[0]
    assert "(row 41)" in told[0]
    assert "value of y" in told[1]
    assert "(row 7)" in told[1]


def test_a_row_named_has_no_say_in_the_scale_of_however_few_rows_are_trained_on() -> None:
    x, y = waves(22, 0)
    train, _ = split_rows(22, 0.15, 0)  # fewer than tell an outlier by themselves
    y[int(train[3])] = 1e6
    with pytest.warns(OutlierWarning, match="have no say in the scale"):
        kept, _, scaling = prepare_rows(x, y, None, None, share=0.15, seed=0)
    assert kept.y.max() == 1e6
    assert scaling.y_scale.item() < 2


def test_a_column_of_nothing_but_outliers_is_taken_as_it_is() -> None:
    values = torch.tensor([[1e6, 0.0], [2e6, 1.0]], dtype=torch.float64)
    wrong = torch.tensor([[True, False], [True, False]])
    found = moments(values, wrong)
    assert found.mean.tolist() == [1.5e6, 0.5]
    assert found.scale.tolist() == [0.5e6, 0.5]


def test_ordinary_rows_are_not_named() -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        prepare_rows(*waves(400, 3), None, None, share=0.15, seed=0)


@pytest.mark.parametrize(("held_out", "value"), [(True, 20.0), (True, 100.0), (False, 1000.0)])
def test_one_wrong_row_does_not_decide_the_fit(held_out: bool, value: float) -> None:
    x, y = waves(400, 0)
    train, held = split_rows(len(x), 0.15, 0)
    y[int((held if held_out else train)[3])] = value
    with pytest.warns(OutlierWarning, match="1 of 400 rows") as caught:
        fitted = ebm.fit(x, y, progress=False, epochs=20, batch_size=32)
    assert caught[0].filename == __file__  # where the user is told to look
    assert fitted.score(*waves(1000, 1)) > 0.75  # 0.82 without the row; it was 0.20, 0.01 and -564


def test_the_criterion_charges_a_wrong_row_its_background_alone() -> None:
    z = torch.tensor([[0.0], [50.0]])
    x = torch.zeros(2, 1)
    model = FunctionalEnergy(lambda x, y: -0.5 * y[..., 0].square(), target_dim=1)
    one = torch.ones(2)
    measured = held_out_nll(model, Rows(x, z, one), measure(x.double(), torch.randn(200, 1).double(), True))()
    inside = math.log(0.99 / math.sqrt(2 * math.pi) + 0.01 / math.pi)
    outside = math.log(BACKGROUND / math.pi / (1 + 50**2))
    offset = measured.nll - (0.5 * math.log(2 * math.pi) + 0.25 * 50**2)  # the log of the targets' deviation
    assert measured.criterion == pytest.approx(-0.5 * (inside + outside) + offset, abs=1e-3)
    assert abs(offset) < 0.2


def test_the_head_sees_targets_as_they_are_up_to_far_and_their_logarithm_from_there() -> None:
    model = build_model(2, 1, (4,), anchor=2.0)
    end = FAR * model.anchor
    y = torch.tensor([0.3, -end, end + 1, -end - math.e**3 + 1], requires_grad=True)
    seen = model.near(y)
    expected = torch.tensor([0.3, -end, end + math.log(2), -end - 3])
    torch.testing.assert_close(seen, expected)
    (slope,) = torch.autograd.grad(seen.sum(), y)
    torch.testing.assert_close(slope, torch.tensor([1.0, 1.0, 0.5, math.e**-3]))


@pytest.mark.parametrize("dim", [1, 2])
def test_the_slope_of_the_score_is_known_also_where_the_head_sees_logarithms(dim: int) -> None:
    model = build_model(2, dim, (8,), anchor=2.0)
    y = 2 * FAR * torch.randn(5, 3, dim, generator=torch.Generator().manual_seed(0))
    score_fn = model.score_function(model.extract(torch.ones(5, 2)).detach())
    assert isinstance(score_fn, ScoreWithGradient)
    assert (y.abs() > FAR * model.anchor).any()
    y.requires_grad_(True)
    score = score_fn(y)
    value, slope = score_fn.value_and_gradient(y.detach())
    torch.testing.assert_close(value, score)
    torch.testing.assert_close(slope, *torch.autograd.grad(score.sum(), y))
    around = build_model(2, 1, (8,), anchor=2.0, circular=True)
    assert not isinstance(around.score_function(torch.ones(5, 8)), ScoreWithGradient)


def test_a_constant_column_says_nothing_at_another_value_either() -> None:
    x, y = waves(200, 0)
    fitted = ebm.fit(np.c_[x, np.full(200, 2020.0)], y, progress=False, epochs=2, hidden=(8,))
    then, later = (fitted.predict(np.c_[x[:5], np.full(5, year)]) for year in (2020.0, 2025.0))
    np.testing.assert_array_equal(then, later)


def test_inputs_far_from_all_that_were_seen_change_nothing_more(tmp_path: Path) -> None:
    x, y = waves(200, 0)
    fitted = ebm.fit(x, y, progress=False, epochs=2, hidden=(8,))
    far = np.repeat(x[:1], 3, 0)
    far[:, 0] = 1e9, 1e18, 1e300
    mean, interval = fitted.predict(far), fitted.predict_interval(far)
    assert mean[0] == mean[1] == mean[2]
    assert ((interval[:, 0] < mean) & (mean < interval[:, 1])).all()
    fitted.save(tmp_path / "fitted.ebm")
    np.testing.assert_array_equal(ebm.load_fitted(tmp_path / "fitted.ebm").predict(far), mean)
