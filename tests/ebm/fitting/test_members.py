"""Several members: the mean of densities that each were fitted with other rows held out."""

import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

import ebm
from ebm.exceptions import DomainError, InputError
from ebm.fitting.members import MemberMixture
from ebm.fitting.rows import prepare_rows


def data(count: int = 240, dim: int = 1, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    x = rng.uniform(-2, 2, (count, 2))
    y = np.stack([np.sin(x[:, 0] + d) + 0.3 * rng.standard_normal(count) for d in range(dim)], 1)
    return x, y[:, 0] if dim == 1 else y


@pytest.fixture(scope="module", params=[1, 2, 4])
def fitted(request: Any) -> ebm.FittedEBM:
    return ebm.fit(*data(dim=request.param), members=3, epochs=6, hidden=(8,), progress=False)


def test_the_density_is_the_mean_of_the_members_densities(fitted: ebm.FittedEBM) -> None:
    model = fitted.model
    assert isinstance(model, MemberMixture)
    x, y = data(5, fitted.target_dim, seed=1)
    rows = fitted.scaling.inputs(torch.as_tensor(x), fitted.device)
    alone = model.of_members([model.member(k).extract(rows) for k in range(3)])
    targets = torch.as_tensor(y).reshape(5, -1)
    mean = torch.stack([density.log_prob(targets) for density, _ in alone]).logsumexp(0) - math.log(3)
    # Above three targets log Z is an estimate, of the mixture another one.
    torch.testing.assert_close(
        torch.as_tensor(fitted.log_prob(x, y)), mean, atol=1e-3 if fitted.target_dim < 4 else 0.1, rtol=0
    )


def test_every_member_holds_out_its_own_rows() -> None:
    x, y = data(100)
    train, held, scaling = prepare_rows(x, y, None, None, share=0.2, seed=3, members=4)
    assert train.x.shape == (320, 2)
    assert held.x.shape == (80, 2)
    everything = {tuple(row) for row in x.tolist()}
    chosen = []
    for k in range(4):
        mine = {tuple(row) for row in train.x[80 * k : 80 * (k + 1)].tolist()}
        others = {tuple(row) for row in held.x[20 * k : 20 * (k + 1)].tolist()}
        assert mine | others == everything
        assert not mine & others
        chosen.append(frozenset(others))
    assert len(set(chosen)) == 4
    assert scaling.y_mean.item() == pytest.approx(y.mean())


def test_a_saved_one_answers_alike(fitted: ebm.FittedEBM, tmp_path: Path) -> None:
    fitted.save(tmp_path / "a.pt")
    x, y = data(4, fitted.target_dim, seed=2)
    again = ebm.load_fitted(tmp_path / "a.pt")
    np.testing.assert_array_equal(again.log_prob(x, y), fitted.log_prob(x, y))
    for method in ("mean", "mode", "median"):
        np.testing.assert_array_equal(again.predict(x, method=method), fitted.predict(x, method=method))
    assert again.config.members == 3


def test_the_same_seed_gives_the_same_members_and_one_is_as_it_was() -> None:
    x, y = data()
    options = {"epochs": 3, "hidden": (8,), "progress": False}
    one, two = (ebm.fit(x, y, members=2, **options) for _ in range(2))
    np.testing.assert_array_equal(one.log_prob(x, y), two.log_prob(x, y))
    alone = ebm.fit(x, y, members=1, **options)
    assert not isinstance(alone.model, MemberMixture)


def test_a_network_of_ones_own_is_copied_for_every_member(tmp_path: Path) -> None:
    x, y = data()
    net = nn.Sequential(nn.Linear(2, 4), nn.LayerNorm(4), nn.Tanh())
    fitted = ebm.fit(x, y, members=2, epochs=3, feature_net=net, progress=False)
    first, second = (fitted.model.member(k).feature_net[0].weight for k in range(2))
    assert not torch.equal(first, second)
    fitted.save(tmp_path / "a.pt")
    again = ebm.load_fitted(tmp_path / "a.pt", feature_net=net)
    np.testing.assert_array_equal(again.predict(x[:3]), fitted.predict(x[:3]))


def test_rows_of_ones_own_are_held_out_by_all() -> None:
    x, y = data()
    fitted = ebm.fit(
        x[:200], y[:200], members=2, epochs=2, hidden=(8,), validation_data=(x[200:], y[200:]), progress=False
    )
    assert np.isfinite(fitted.log_prob(x, y)).all()
    assert len(fitted.predict(x[:0])) == 0


def test_faults(tmp_path: Path) -> None:
    with pytest.raises(DomainError, match="members"):
        ebm.fit(*data(), members=0)
    fitted = ebm.fit(*data(), members=2, epochs=1, hidden=(4,), progress=False)
    object.__setattr__(fitted.config, "members", 10**9)
    fitted.save(tmp_path / "many.pt")
    with pytest.raises(InputError, match="not those of 1000000000 networks"):
        ebm.load_fitted(tmp_path / "many.pt")
