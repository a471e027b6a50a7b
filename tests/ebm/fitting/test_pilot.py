"""Energies that correct a density in closed form."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

import ebm
from ebm.baselines.base import BaselineEnergy
from ebm.baselines.heads import GaussianHead
from ebm.exceptions import DomainError, UnknownNameError
from ebm.fitting.network import PilotedEBM, build_piloted
from ebm.fitting.pilot import PilotedCriterion, PilotLoss


def skewed(count: int, seed: int, dim: int = 1) -> tuple[np.ndarray, np.ndarray]:
    """Exponential noise: no Gaussian."""
    rng = np.random.default_rng(seed)
    x = rng.uniform(-1, 1, (count, 2))
    y = np.stack([x[:, 0] * (d + 1) + rng.exponential(0.5, count) for d in range(dim)], 1)
    return x, y[:, 0] if dim == 1 else y


def piloted(dim: int = 1) -> PilotedEBM:
    torch.manual_seed(0)
    pilot = BaselineEnergy(nn.Linear(2, 4), GaussianHead(4, dim))
    return build_piloted(pilot, 2, (8,), 2.0)


def test_without_a_correction_it_is_the_pilot() -> None:
    model, x, y = piloted(2), torch.randn(5, 2), torch.randn(5, 7, 2)
    features = model.extract(x)
    torch.testing.assert_close(model.score(features, y), model.pilot(x, y))
    loss = PilotLoss(9)(model, features, y[:, 0], generator=torch.Generator().manual_seed(0))
    assert loss.loss.item() == pytest.approx(np.log(10))
    assert all(not parameter.requires_grad for parameter in model.pilot.parameters())


def test_the_loss_is_least_at_the_true_ratio() -> None:
    """Truth N(1, 0.5^2), pilot N(0, 1): log of their ratio as correction has gradient 0, at M = 2."""

    class Known(PilotedEBM):
        shift = nn.Parameter(torch.zeros(()))

        def correction(self, features: Any, y: torch.Tensor) -> torch.Tensor:
            z = y[..., 0]
            return -0.5 * ((z - 1) / 0.5).square() + 0.5 * z.square() + self.shift * z

    pilot = BaselineEnergy(nn.Linear(2, 4), GaussianHead(4))
    for parameter in pilot.parameters():
        nn.init.zeros_(parameter)  # mean 0, log variance 0
    model = Known(pilot, nn.Identity(), piloted().head, 2.0)
    x = torch.zeros(200_000, 2)
    generator = torch.Generator().manual_seed(0)
    y = 1 + 0.5 * torch.randn(200_000, 1, generator=generator)
    features = (pilot.extract(x), None)
    PilotLoss(2)(model, features, y, generator=generator).loss.backward()
    assert abs(model.shift.grad.item()) < 3e-3


def test_the_criterion_is_that_of_a_grid() -> None:
    fitted = ebm.fit(*skewed(200, 0), model="gaussian+energy", epochs=15, hidden=(8,), progress=False)
    model = fitted.model
    assert isinstance(model, PilotedEBM)
    x, y = skewed(50, 1)
    features = model.extract(fitted.scaling.inputs(torch.as_tensor(x), fitted.device))
    z = fitted.scaling.standardised(torch.as_tensor(y)[:, None]).float()
    found = PilotedCriterion(model)(features, z) - fitted.scaling.y_scale.log().item()
    assert np.abs(found.numpy() - fitted.log_prob(x, y)).max() < 0.15  # 256 draws


def test_a_correction_is_better_than_its_pilot_and_never_worse() -> None:
    x, y = skewed(600, 0)
    pilot = ebm.fit(x, y, model="gaussian", progress=False)
    fitted = ebm.fit(x, y, model="gaussian+energy", progress=False)
    test = skewed(1000, 1)
    assert fitted.log_prob(*test).mean() > pilot.log_prob(*test).mean() + 0.1
    history = fitted.history
    assert min(history.held_out_nll) <= history.held_out_nll[0]
    assert history.held_out_nll[0] == pytest.approx(
        pilot.history.held_out_nll[pilot.history.best_epoch], abs=1e-4
    )


@pytest.mark.parametrize(("dim", "members"), [(1, 3), (2, 1), (4, 2)])
def test_targets_members_and_files(dim: int, members: int, tmp_path: Path) -> None:
    x, y = skewed(120, 0, dim)
    fitted = ebm.fit(
        *(x, y), model="mdn-2+energy", members=members, epochs=6, hidden=(8,), num_samples=8, progress=False
    )
    fitted.save(tmp_path / "a.pt")
    again = ebm.load_fitted(tmp_path / "a.pt")
    np.testing.assert_array_equal(again.log_prob(x[:5], y[:5]), fitted.log_prob(x[:5], y[:5]))
    assert again.loss_options == {"num_samples": 8}
    assert fitted.predict(x[:5], method="mode").shape == y[:5].shape


def test_a_network_of_ones_own(tmp_path: Path) -> None:
    net = nn.Sequential(nn.Linear(2, 4), nn.LayerNorm(4), nn.Tanh())
    x, y = skewed(100, 0)
    for members in (1, 2):
        options = {"feature_net": net, "members": members, "epochs": 3, "progress": False}
        fitted = ebm.fit(x, y, model="gaussian+energy", **options)
        fitted.save(tmp_path / "a.pt")
        again = ebm.load_fitted(tmp_path / "a.pt", feature_net=net)
        np.testing.assert_array_equal(again.predict(x[:3]), fitted.predict(x[:3]))


def test_sets_of_several_targets_hold_what_they_promise() -> None:
    rng = np.random.default_rng(0)

    def rows(count: int) -> tuple[np.ndarray, np.ndarray]:
        x = rng.standard_normal((count, 2))
        noise = rng.standard_normal((count, 4)) @ np.linalg.cholesky(0.5 + 0.5 * np.eye(4)).T
        return x, x @ np.array([[1, 0, 1, -1], [0, 1, 1, 1.0]]) + 0.5 * noise

    fitted = ebm.fit(*rows(600), model="mdn-4+energy", progress=False)
    x, y = rows(150)
    ends = fitted.predict_interval(x, 0.9)
    assert ((y >= ends[..., 0]) & (y <= ends[..., 1])).mean() == pytest.approx(0.9, abs=0.05)


def test_faults() -> None:
    with pytest.raises(UnknownNameError, match="model='energy' alone"):
        ebm.fit(*skewed(20, 0), model="mdn-4+energy", beta=0.1)
    with pytest.raises(DomainError, match="num_samples"):
        ebm.fit(*skewed(20, 0), model="mdn-4+energy", num_samples=0)
