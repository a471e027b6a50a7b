"""Baselines, energies and Algorithm S2 on features whose right answer is known."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from torch import Tensor

from ebm.fitting import FittedEBM
from ebm.fitting.members import MemberMixture
from ebm.presets import refinement
from ebm.tasks.images import methods
from ebm.tasks.images.age import TASK as AGE
from ebm.tasks.images.methods import (
    BASELINES,
    Data,
    energy_network,
    fit_baseline,
    fit_energy,
    prepare,
    refined,
)
from ebm.tasks.images.pose import TASK as POSE
from ebm.tasks.images.study import errors

RECIPE = replace(
    AGE.recipe,
    hidden=32,
    dropout=0.0,
    batch_size=64,
    epochs=60,
    patience=15,
    learning_rate=1e-2,
    weight_decay=0.0,
)


def rows(count: int, seed: int) -> tuple[Tensor, np.ndarray]:
    """Eight features, the first of which tells an age of 40 ± 15 but for 3 years."""
    generator = torch.Generator().manual_seed(seed)
    x = torch.randn(count, 8, generator=generator, dtype=torch.float64)
    noise = torch.randn(count, generator=generator, dtype=torch.float64)
    return x, (40 + 15 * torch.tanh(x[:, 0]) + 3 * noise).numpy()


@pytest.fixture(scope="module")
def data() -> Data:
    return prepare(rows(600, 0), rows(150, 1))


@pytest.fixture(scope="module")
def test_rows(data: Data) -> tuple[Tensor, Tensor]:
    x, y = rows(300, 2)
    return data.scaling.inputs(x, torch.device("cpu")), torch.from_numpy(y)[:, None]


@pytest.fixture(scope="module")
def energy(data: Data) -> FittedEBM:
    return fit_energy("nce+", RECIPE, data, 0)


@pytest.mark.parametrize("name", BASELINES)
def test_a_baseline_comes_near_the_noise(name: str, data: Data, test_rows: tuple[Tensor, Tensor]) -> None:
    x, y = test_rows
    point = fit_baseline(name, AGE, RECIPE, data, 0)
    floor = 3 * (2 / np.pi) ** 0.5
    assert errors(point.predict(x), y, AGE)["MAE"] < 1.6 * floor


def test_the_same_seed_gives_the_same_baseline(data: Data, test_rows: tuple[Tensor, Tensor]) -> None:
    recipe = replace(RECIPE, epochs=2, dropout=0.5)
    guesses = [fit_baseline("Laplace", AGE, recipe, data, seed).predict(test_rows[0]) for seed in (0, 0, 1)]
    assert torch.equal(guesses[0], guesses[1])
    assert not torch.equal(guesses[0], guesses[2])


def test_an_energy_is_honest_and_refines_a_poor_start(
    energy: FittedEBM, data: Data, test_rows: tuple[Tensor, Tensor]
) -> None:
    x, y = test_rows
    start = y + 6 * torch.randn(y.shape, generator=torch.Generator().manual_seed(0), dtype=y.dtype)
    before, after = (errors(guess, y, AGE)["MAE"] for guess in (start, refined(energy, x, start, AGE)))
    assert after < 0.85 * before


def test_a_step_is_the_papers_in_the_unit_of_the_targets(
    energy: FittedEBM, data: Data, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Years move by 3 times the slope of f per year, though the network sees standardised ones."""
    monkeypatch.setattr(methods, "refinement", lambda name: replace(refinement(name), steps=1))
    x, start = data.held.x[:20], data.raw[1].y[:20] + 2.0
    years, model = start.clone().requires_grad_(True), energy.model
    assert not isinstance(model, MemberMixture)
    score = model.score(model.extract(x), energy.scaling.standardised(years).float()[:, None])
    (slope,) = torch.autograd.grad(score.sum(), years)
    torch.testing.assert_close(refined(energy, x, start, AGE), start + 3.0 * slope, atol=1e-3, rtol=1e-3)


def test_the_pictures_share_is_computed_once(data: Data, monkeypatch: pytest.MonkeyPatch) -> None:
    net = energy_network(data, RECIPE)
    calls = []
    project = type(net.head).project
    monkeypatch.setattr(
        type(net.head), "project", lambda head, f: (calls.append(f.shape), project(head, f))[1]
    )
    net(data.held.x[:4], torch.zeros(4, 1024, 1))
    assert calls == [(4, 8)]


@pytest.mark.parametrize("loss", ["nce", "cnce", "kld-is", "dsm", "sm", "ml-mcmc"])
def test_every_loss_trains(loss: str, data: Data) -> None:
    fitted = fit_energy(loss, replace(RECIPE, epochs=1, num_samples=16, batch_size=256), data, 0)
    assert all(bool(p.isfinite().all()) for p in fitted.model.parameters())


def test_heads_go_around_the_circle() -> None:
    """Yaw around 180 degrees: 179 and -179 are near, and the wrapped energy gives them one density."""
    generator = torch.Generator().manual_seed(0)
    x = torch.randn(200, 4, generator=generator, dtype=torch.float64)
    y = (20 * x[:, :3] + 3 * torch.randn(200, 3, generator=generator, dtype=torch.float64)).numpy()
    data = prepare((x[:160], y[:160]), (x[160:], y[160:]))
    recipe = replace(POSE.recipe, hidden=16, epochs=2, num_samples=16)
    fitted = fit_energy("nce+", recipe, data, 0, period=360.0)
    features = fitted.model.extract(data.held.x[:5])
    z = data.held.y[:5, None]
    turn = (360.0 / data.scaling.y_scale).float()
    torch.testing.assert_close(
        fitted.model.score(features, z),  # type: ignore[union-attr]
        fitted.model.score(features, z + turn),  # type: ignore[union-attr]
        atol=1e-3,
        rtol=1e-3,
    )
    near = errors(torch.tensor([[179.0, 0, 0]]), torch.tensor([[-179.0, 0, 0]]), POSE)
    assert near["each"] == {"yaw": 2.0, "pitch": 0.0, "roll": 0.0}
