"""Densities in closed form, fitted and asked as the energy is."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

import ebm
from ebm.baselines.base import BaselineEnergy
from ebm.exceptions import UnknownNameError
from ebm.fitting.config import MODEL_NAMES

CLOSED = [name for name in MODEL_NAMES if "energy" not in name and name != "auto"]


def rows(count: int, seed: int, dim: int = 1) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    x = rng.uniform(-1, 1, (count, 2))
    y = np.stack([x[:, 0] * (d + 1) + 0.3 * rng.standard_normal(count) for d in range(dim)], 1)
    return x, y[:, 0] if dim == 1 else y


@pytest.mark.parametrize("name", CLOSED)
def test_answers_are_those_of_the_closed_form(name: str, tmp_path: Path) -> None:
    x, y = rows(150, 0)
    fitted = ebm.fit(x, y, model=name, epochs=20, hidden=(8,), progress=False)
    assert isinstance(fitted.model, BaselineEnergy)
    x, y = rows(20, 1)
    exact = fitted.model.head.density(
        fitted.model.extract(fitted.scaling.inputs(torch.as_tensor(x), fitted.device))
    )
    z = fitted.scaling.standardised(torch.as_tensor(y)[:, None]).float()
    unit = fitted.scaling.y_scale.log().item()
    steps = 1e-2 if name == "quantile" else 2e-3  # of the density, which a grid meets less well
    np.testing.assert_allclose(fitted.log_prob(x, y), (exact.log_prob(z) - unit).detach(), atol=steps)
    mean = fitted.scaling.raw(exact.mean().double())[:, 0].detach()
    np.testing.assert_allclose(fitted.predict(x), mean, atol=2e-3)
    np.testing.assert_allclose(fitted.cdf(x, y), exact.cdf(z[:, 0]).detach(), atol=3e-3)
    fitted.calibrate(*rows(50, 2)).save(tmp_path / "a.pt")
    again = ebm.load_fitted(tmp_path / "a.pt")
    np.testing.assert_array_equal(again.predict_interval(x), fitted.predict_interval(x))
    assert name in repr(again)


def test_a_gaussian_is_recovered_alone_and_by_members() -> None:
    for members in (1, 3):
        fitted = ebm.fit(*rows(400, 0), model="gaussian", members=members, progress=False)
        x, y = rows(1000, 1)
        truth = 0.5 * np.log(2 * np.pi * np.e * 0.09)
        assert -fitted.log_prob(x, y).mean() == pytest.approx(truth, abs=0.1)


@pytest.mark.parametrize("dim", [2, 4])
def test_several_targets(dim: int) -> None:
    x, y = rows(120, 0, dim)
    fitted = ebm.fit(x, y, model="MDN-2", epochs=10, hidden=(8,), progress=False)
    assert np.isfinite(fitted.log_prob(x[:5], y[:5])).all()
    assert fitted.predict(x[:5]).shape == (5, dim)


@pytest.mark.parametrize(
    ("options", "message"),
    [({"model": "mdn"}, "model 'mdn'"), ({"model": "gaussian", "num_samples": 9}, "model='energy' alone")],
)
def test_faults(options: dict[str, Any], message: str) -> None:
    with pytest.raises(UnknownNameError, match=message):
        ebm.fit(*rows(20, 0), **options)


def test_quantiles_are_learned_where_likelihoods_are_not(tmp_path: Path) -> None:
    """The pinball loss decides, of members too, and every question has an answer."""

    def skewed(count: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
        rng = np.random.default_rng(seed)
        x = rng.uniform(-1, 1, (count, 1))
        return x, x[:, 0] + (1.2 + x[:, 0]) * rng.exponential(size=count)

    fitted = ebm.fit(*skewed(800, 0), model="quantile", members=2, progress=False)
    x, y = skewed(1000, 1)
    truth = x[:, 0] - (1.2 + x[:, 0]) * np.log(0.5)
    assert np.abs(fitted.quantile(x, 0.5) - truth).mean() < 0.1
    low, high = fitted.predict_interval(x, level=0.9).T
    assert 0.85 < ((y >= low) & (y <= high)).mean() < 0.95
    gaussian = ebm.fit(*skewed(800, 0), model="gaussian", progress=False)
    assert fitted.crps(x, y).mean() < 0.98 * gaussian.crps(x, y).mean()
    assert fitted.sample(x[:3], n=5, seed=0).shape == (3, 5)
    fitted.calibrate(x, y).save(tmp_path / "a")
    again = ebm.load_fitted(tmp_path / "a")
    np.testing.assert_array_equal(again.predict_interval(x[:9]), fitted.predict_interval(x[:9]))
    several = ebm.fit(x[:60], np.stack((y, -y), 1)[:60], model="quantile", epochs=3, progress=False)
    assert several.predict_interval(x[:4]).shape == (4, 2, 2)


def test_what_quantiles_are_stopped_by() -> None:
    from ebm.fitting.criterion import held_out_nll
    from ebm.fitting.rows import prepare_rows

    fitted = ebm.fit(*rows(60, 0), model="quantile", epochs=2, progress=False)
    _, held, scaling = prepare_rows(*rows(60, 0), None, None, share=0.15, seed=0)
    measured = held_out_nll(fitted.model, held.scaled(scaling, fitted.device), scaling)()
    z = held.scaled(scaling, fitted.device)
    pinball = fitted.model.head.loss(fitted.model.extract(z.x), z.y).loss
    offset = scaling.y_scale.log().item()
    assert float(measured.criterion) == pytest.approx(pinball.item() + offset, abs=1e-5)
    assert float(measured.nll) == pytest.approx(
        -fitted.log_prob(held.x, held.y[:, 0]).mean().item(), abs=2e-2
    )
