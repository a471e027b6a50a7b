"""Scores in closed form, by numpy and in parts: the same numbers as the plain network and autograd give."""

from dataclasses import fields
from functools import partial
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor, nn

from ebm.fitting.anchored import FAR, AnchoredEBM
from ebm.gradients import score_and_gradient
from ebm.nn import ConditionalEBM, MLPEnergyHead, energy, parts
from ebm.nn.arrays import LARGEST
from ebm.nn.scores import HeadScore
from ebm.predict import METHODS, refine

ACTIVATIONS = [nn.ReLU, nn.SiLU]


def model_of(
    dim: int = 1, activation: type[nn.Module] = nn.SiLU, y_dims: tuple[int, ...] = (4, 6), anchor: float = 0
) -> ConditionalEBM:
    """An energy on 5 features, with an anchor unless that is 0."""
    torch.manual_seed(0)
    head = MLPEnergyHead(5, y_dims, (16, 8), activation, target_dim=dim)
    if anchor:
        return AnchoredEBM(nn.Identity(), head, dim, anchor)
    return ConditionalEBM(nn.Identity(), head, dim, y_scale=2.0, y_shift=0.5)


def score_of(model: ConditionalEBM, batch: int = 1, seed: int = 0) -> HeadScore:
    x = torch.randn(batch, 5, generator=torch.Generator().manual_seed(seed))
    x = x.to(next(model.parameters()).dtype)
    score = model.score_function(model.extract(x).detach())
    assert isinstance(score, HeadScore)
    return score


@settings(max_examples=25, deadline=None)
@given(
    st.integers(1, 3),
    st.sampled_from(ACTIVATIONS),
    st.sampled_from([(), (4, 6)]),
    st.sampled_from([0.0, 1.5]),
    st.sampled_from([torch.float32, torch.float64]),
    st.integers(0, 9),
    st.sampled_from([0.1, 1.0, 40.0]),
)
def test_numpy_gives_the_score_and_the_slope_of_autograd(dim, activation, y_dims, anchor, dtype, seed, size):
    model = model_of(dim, activation, y_dims, anchor).to(dtype)
    score = score_of(model, seed=seed)
    y = size * torch.randn(1, 1, dim, generator=torch.Generator().manual_seed(seed), dtype=dtype)
    found = score.on_arrays(y)
    assert found is not None
    wanted = score_and_gradient(partial(model.score, score.features), y)
    value, slope = found.value_and_gradient(y.numpy())
    assert (value.dtype, slope.dtype) == (y.numpy().dtype,) * 2
    tight: dict[str, Any] = {"rtol": 1e-4, "atol": 1e-5} if dtype == torch.float32 else {}
    torch.testing.assert_close(torch.from_numpy(value), wanted.score, **tight)
    torch.testing.assert_close(torch.from_numpy(slope), wanted.gradient, **tight)
    torch.testing.assert_close(torch.from_numpy(found(y.numpy())), wanted.score, **tight)
    torch.testing.assert_close(score.value_and_gradient(y), (wanted.score, wanted.gradient), **tight)


def test_the_slope_is_finite_where_an_exponential_overflows() -> None:
    score = score_of(model_of(y_dims=()))
    for place in (-1e5, 1e5):
        y = torch.full((1, 1, 1), place)
        found = score.on_arrays(y)
        assert found is not None
        with np.errstate(all="ignore"):
            value, slope = found.value_and_gradient(y.numpy())
        wanted = score_and_gradient(partial(score.model.score, score.features), y)
        torch.testing.assert_close(torch.from_numpy(value), wanted.score, rtol=1e-5, atol=0)
        torch.testing.assert_close(torch.from_numpy(slope), wanted.gradient, rtol=1e-5, atol=0)


class Plain(nn.Module):
    """A head that nothing is known of, with the scores of one that knows its slope."""

    def __init__(self, head: Any) -> None:
        super().__init__()
        self.inner = head

    def forward(self, features: Tensor, y: Tensor) -> Tensor:
        scores: Tensor = self.inner(self.inner.project(features), y)
        return scores


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("anchor", [0.0, 1.5])
@pytest.mark.parametrize("length", [0.05, 3.0, 1e38])
def test_an_ascent_by_numpy_goes_where_one_through_autograd_goes(
    method: Any, anchor: float, length: float
) -> None:
    model = model_of(2, anchor=anchor).double()
    other = model_of(2, anchor=anchor).double()
    other.head = Plain(other.head)
    x, start = torch.randn(1, 5).double(), torch.full((1, 2), 2 * FAR, dtype=torch.float64)
    assert score_of(model).on_arrays(start[None]) is not None
    for init in (start, start[:, None] / 20):
        ours, theirs = (refine(one, x, init, method=method, step_length=length) for one in (model, other))
        for field in fields(ours):
            torch.testing.assert_close(getattr(ours, field.name), getattr(theirs, field.name))


def test_numpy_is_left_alone_where_it_gains_nothing_or_cannot() -> None:
    model = model_of()
    one = torch.zeros(1, 1, 1)
    assert score_of(model).on_arrays(torch.zeros(1, 2, 1)) is None
    assert score_of(model, batch=2).on_arrays(torch.zeros(2, 1, 1)) is None
    assert score_of(model_of().bfloat16()).on_arrays(one) is None
    with torch.autocast("cpu"):
        assert score_of(model).on_arrays(one) is None
    wide = ConditionalEBM(nn.Identity(), MLPEnergyHead(5, (64,), (LARGEST // 64 + 1,)), 1)
    assert score_of(wide).on_arrays(one) is None


@pytest.mark.parametrize(("batch", "count"), [(1, 100), (3, 17), (40, 3), (2, 1)])
@pytest.mark.parametrize("shared", [False, True])
@pytest.mark.parametrize("activation", ACTIVATIONS)
@pytest.mark.parametrize("y_dims", [(), (4, 6)])
def test_parts_have_the_scores_of_the_whole(
    batch: int, count: int, shared: bool, activation: type[nn.Module], y_dims: tuple[int, ...], monkeypatch
) -> None:
    model = model_of(2, activation, y_dims).double()
    features = score_of(model, batch).features
    y = torch.randn(1 if shared else batch, count, 2).double().expand(batch, -1, -1).contiguous()
    wanted = model.score(features, y)
    assert wanted.requires_grad  # a graph is recorded: all at once
    small = 16 * 5
    for module in (energy, parts):
        monkeypatch.setattr(module, "PART", small if batch * count > 5 else 1)
    took: list[tuple[int, ...]] = []

    def noted(layers: Any, activate: Any, projected: Tensor, y: Tensor) -> Tensor:
        took.append(tuple(y.shape))
        return parts.scores_in_parts(layers, activate, projected, y)

    monkeypatch.setattr(energy, "scores_in_parts", noted)
    model.score(features, y)
    assert not took
    with torch.no_grad():
        torch.testing.assert_close(model.score(features, y), wanted.detach())
    model.requires_grad_(False)
    torch.testing.assert_close(model.score(features, y), wanted.detach())
    assert took == [(batch, count, 2)] * 2


def test_parts_keep_a_target_that_is_no_number_to_itself(monkeypatch: pytest.MonkeyPatch) -> None:
    for module in (energy, parts):
        monkeypatch.setattr(module, "PART", 64)
    model = model_of().requires_grad_(False)
    y = torch.randn(3, 40, 1)
    y[1, 7] = torch.nan
    scores = model.score(score_of(model, 3).features, y)
    assert (~scores.isfinite()).nonzero().tolist() == [[1, 7]]


def test_parts_step_aside_for_transformed_functions(monkeypatch: pytest.MonkeyPatch) -> None:
    model = model_of().double().requires_grad_(False)
    features, y = score_of(model, 3).features, torch.randn(4, 3, 40, 1).double()
    wanted = torch.stack([model.score(features, one) for one in y])
    point = score_and_gradient(partial(model.score, features), y[0])
    for module in (energy, parts):
        monkeypatch.setattr(module, "PART", 64)
    torch.testing.assert_close(torch.vmap(partial(model.score, features))(y), wanted)
    with torch.no_grad():
        _, slope = torch.func.jvp(partial(model.score, features), (y[0],), (torch.ones_like(y[0]),))
        with torch.autograd.forward_ad.dual_level():
            dual = torch.autograd.forward_ad.make_dual(y[0], torch.ones_like(y[0]))
            old = torch.autograd.forward_ad.unpack_dual(model.score(features, dual)).tangent
    torch.testing.assert_close(slope, point.gradient[..., 0])
    torch.testing.assert_close(old, point.gradient[..., 0])
