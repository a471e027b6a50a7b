"""Densities of several targets against closed forms: log Z, intervals, rows on their own, doubts."""

import math
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

import ebm
from ebm.density import GridDensity, ImportanceDensity
from ebm.exceptions import EffectiveSampleSizeWarning, ResolutionWarning
from ebm.fitting.criterion import held_out_nll
from ebm.fitting.data import Scaling
from ebm.fitting.density import Found, raw_density, warn_doubtful
from ebm.fitting.modes import find_modes
from ebm.fitting.rows import Rows
from ebm.fitting.student import StudentMixture, standard_draws
from ebm.models import EnergyModel, FunctionalEnergy

CPU = torch.device("cpu")
DIMS = (2, 3, 4, 6, 8)


def means_of(dim: int, count: int = 6) -> Tensor:
    """Features ``(count, dim)``: where each row's density lies."""
    return torch.randn(count, dim, generator=torch.Generator().manual_seed(dim))


def oblique(dim: int, wide: float = 0.5, narrow: float = 0.1) -> Tensor:
    """A covariance matrix whose axes are those of no target."""
    generator = torch.Generator().manual_seed(10 + dim)
    axes, _ = torch.linalg.qr(torch.randn(dim, dim, generator=generator).double())
    return (axes * torch.linspace(narrow, wide, dim).double() ** 2) @ axes.T


def gaussians(covariance: Tensor) -> FunctionalEnergy:
    """Score with log Z = 3 at every row, around the features."""
    noise = torch.distributions.MultivariateNormal(torch.zeros(len(covariance)), covariance.float())
    return FunctionalEnergy(lambda mean, y: noise.log_prob(y - mean[:, None]) + 3, len(covariance))


def branches(dim: int, apart: float = 0.9, sigma: float = 0.25) -> FunctionalEnergy:
    """Two Gaussians of weights 0.7 and 0.3 on either side of half the features; log Z = 3."""

    def score(mean: Tensor, y: Tensor) -> Tensor:
        away = [(y - 0.5 * mean[:, None] - side) / sigma for side in (apart, -apart)]
        each = [math.log(w) - 0.5 * a.square().sum(-1) for w, a in zip((0.7, 0.3), away)]
        return torch.logaddexp(*each) - dim * math.log(sigma * math.sqrt(2 * math.pi)) + 3

    return FunctionalEnergy(score, dim)


def unit_scaling(dim: int, scale: float = 1.0) -> Scaling:
    zero, one = torch.zeros(dim).double(), torch.ones(dim).double()
    return Scaling((dim,), None, None, zero, scale * one, zero - 4, zero + 4, False)


def found(model: EnergyModel, features: Tensor, scale: float = 1.0) -> Found:
    return raw_density(model, features, unit_scaling(model.target_dim, scale))


@pytest.mark.parametrize("dim", DIMS)
@pytest.mark.parametrize("make", [lambda dim: gaussians(oblique(dim)), branches], ids=["oblique", "bimodal"])
def test_log_z_is_the_closed_form(make: Callable[[int], EnergyModel], dim: int) -> None:
    density, doubtful = found(make(dim), means_of(dim))
    assert isinstance(density, GridDensity if dim < 4 else ImportanceDensity)
    assert not doubtful.any()
    atol = 1e-3 if dim < 4 else 0.02
    torch.testing.assert_close(density.log_partition(), torch.full((6,), 3.0).double(), atol=atol, rtol=0)


@pytest.mark.parametrize("dim", DIMS)
def test_moments_and_intervals_are_those_of_the_gaussian(dim: int) -> None:
    covariance, mean = oblique(dim), means_of(dim).double()
    density = found(gaussians(covariance), means_of(dim)).density
    torch.testing.assert_close(density.mean(), mean, atol=0.02, rtol=0)
    scale = covariance.diagonal().sqrt()
    for d in range(dim):
        expected = torch.stack((mean[:, d] - 1.6449 * scale[d], mean[:, d] + 1.6449 * scale[d]), 1)
        torch.testing.assert_close(density.credible_interval(0.9, d), expected, atol=0.1 * scale[d], rtol=0)
    torch.testing.assert_close(
        density.covariance(), covariance.expand(6, -1, -1), atol=0.05 * float(scale.max()) ** 2, rtol=0
    )


@pytest.mark.parametrize("dim", [2, 4])
def test_the_unit_of_the_targets_moves_the_density_with_them(dim: int) -> None:
    density = found(gaussians(oblique(dim)), means_of(dim), scale=1000.0).density
    expected = torch.full((6,), 3 + dim * math.log(1000)).double()
    torch.testing.assert_close(density.log_partition(), expected, atol=0.02, rtol=0)


@pytest.mark.parametrize("dim", [2, 3, 4])
def test_mass_beyond_the_range_of_the_targets_is_found(dim: int) -> None:
    far = torch.full((1, dim), 9.0)
    density = found(gaussians(oblique(dim)), far).density
    torch.testing.assert_close(density.mean(), far.double(), atol=0.02, rtol=0)


@pytest.mark.parametrize("dim", [2, 4])
def test_a_row_has_its_density_whatever_rows_are_beside_it(dim: int) -> None:
    features = means_of(dim, 300)
    together, alone = found(branches(dim), features).density, found(branches(dim), features[200:201]).density
    torch.testing.assert_close(together.mean()[200:201], alone.mean(), atol=1e-3, rtol=0)
    torch.testing.assert_close(together.log_partition()[200:201], alone.log_partition(), atol=1e-3, rtol=0)


@pytest.mark.parametrize("dim", DIMS)
def test_the_criterion_is_the_likelihood_of_the_labels(dim: int) -> None:
    model, features = branches(dim), means_of(dim, 40)
    far_labels = 0.5 * features - 0.9  # all in the smaller branch: samples around them would miss the other
    measure = held_out_nll(model, Rows(features, far_labels, torch.ones(40)), unit_scaling(dim))
    expected = -(model.score(features, far_labels[:, None])[:, 0] - 3).mean().item()
    for _ in range(3):
        assert measure().nll == pytest.approx(expected, abs=0.02)


def test_a_density_too_narrow_for_its_grid_is_doubted() -> None:
    ridge = oblique(2, wide=1.0, narrow=0.002)
    density, doubtful = found(gaussians(ridge), means_of(2))
    assert isinstance(density, GridDensity)
    assert doubtful.all()


def test_a_density_that_no_mixture_covers_is_doubted() -> None:
    """A thin shell around the features of one row, a Gaussian around those of the others."""

    def score(mean: Tensor, y: Tensor) -> Tensor:
        away = (y - mean[:, None]).norm(dim=-1)
        shell = -0.5 * ((away - 2) / 0.001).square()
        return torch.where(mean[:, :1] > 5, shell, -0.5 * (away / 0.3).square())

    features = torch.zeros(3, 6)
    features[1] = 6.0
    assert found(FunctionalEnergy(score, 6), features).doubtful.tolist() == [False, True, False]


def test_doubtful_rows_are_named() -> None:
    doubtful = torch.zeros(600, dtype=torch.bool)
    doubtful[[7, 555]] = True
    with pytest.warns(ResolutionWarning, match=r"2 of 600 rows .* \(row 7, 555\)"):
        warn_doubtful(doubtful, 3)
    with pytest.warns(EffectiveSampleSizeWarning, match=r"\(row 7, 555\)"):
        warn_doubtful(doubtful, 4)


def test_every_mode_is_found_once() -> None:
    model, features = branches(5), means_of(5)
    starts = 2 * torch.randn(6, 12, 5, generator=torch.Generator().manual_seed(0))
    modes = find_modes(
        lambda y: model.score(features, y), starts, torch.zeros(1, 5), stages=(12, 12), count=2
    )
    sides = (modes.places - 0.5 * features[:, None]).sort(1).values
    expected = torch.tensor([[-0.9], [0.9]]).expand(6, 2, 5)
    torch.testing.assert_close(sides, expected, atol=1e-2, rtol=0)
    torch.testing.assert_close(
        modes.covariances, (0.0625 * torch.eye(5)).expand(6, 2, 5, 5), atol=2e-3, rtol=0
    )


def test_a_mixture_of_students_is_a_density_and_draws_from_it() -> None:
    means = torch.tensor([[[-1.0], [1.5]]])
    mixture = StudentMixture.of(torch.tensor([[0.3, 0.7]]), means, torch.full((1, 2, 1, 1), 0.04))
    line = torch.linspace(-60, 60, 120_001)[None, :, None]
    density = mixture.log_prob(line)[0].double().exp()
    assert density.sum() * 1e-3 == pytest.approx(1, abs=2e-4)
    drawn = mixture.draw(standard_draws(4096, 1, 0, CPU))[0, :, 0]
    for at in (-2.0, -0.9, 0.5, 1.6, 4.0):
        below = density[line[0, :, 0] <= at].sum() * 1e-3
        assert (drawn <= at).double().mean() == pytest.approx(below.item(), abs=0.01)


@pytest.fixture(scope="module", params=[2, 4])
def plane(request: pytest.FixtureRequest) -> tuple[ebm.FittedEBM, np.ndarray, np.ndarray]:
    """A fit of linear targets, its inputs and its targets' standard deviations."""
    dim, draw = request.param, np.random.default_rng(0)
    x = draw.normal(size=(100, 3))
    y = x @ draw.normal(size=(3, dim)) + 0.5 * draw.normal(size=(100, dim))
    return ebm.fit(x, y, epochs=3, hidden=8, progress=False), x, y.std(0)


def test_fitted_rows_do_not_depend_on_their_place(
    plane: tuple[ebm.FittedEBM, np.ndarray, np.ndarray],
) -> None:
    fitted, x, scale = plane
    alone, among = fitted.predict(x[70:71])[0], fitted.predict(x)[70]
    np.testing.assert_allclose(alone / scale, among / scale, atol=2e-3)
    alone, among = (fitted.predict_interval(rows)[-1] / scale[:, None] for rows in (x[70:71], x[:71]))
    np.testing.assert_allclose(alone, among, atol=0.02)
    with torch.inference_mode():
        inside = fitted.predict(x[70:71])[0]
    np.testing.assert_allclose(inside / scale, fitted.predict(x)[70] / scale, atol=2e-3)


def test_the_mode_is_the_summit(plane: tuple[ebm.FittedEBM, np.ndarray, np.ndarray]) -> None:
    fitted, x, scale = plane
    mode = fitted.predict(x[:5], method="mode")
    at_mode = fitted.log_prob(x[:5], mode)
    for step in 0.02 * np.concatenate((np.diag(scale), -np.diag(scale))):
        assert (fitted.log_prob(x[:5], mode + step) < at_mode + 1e-4).all()


def test_doubts_of_all_blocks_are_told_once_by_row(
    plane: tuple[ebm.FittedEBM, np.ndarray, np.ndarray], monkeypatch: pytest.MonkeyPatch
) -> None:
    fitted, x, _ = plane

    def doubting(*args: Any) -> Found:
        density, doubtful = raw_density(*args)
        doubtful[-1] = True
        return Found(density, doubtful)

    monkeypatch.setattr("ebm.fitting.fitted.raw_density", doubting)
    monkeypatch.setattr("ebm.fitting.fitted.rows_at_a_time", lambda dim: 2)
    with pytest.warns(UserWarning, match=r"3 of 5 rows .*\(row 1, 3, 4\)") as caught:
        fitted.predict(x[:5])
    assert len(caught) == 1


@pytest.mark.parametrize("dim", [2, 3, 4])
def test_no_rows_have_no_predictions(dim: int) -> None:
    density, doubtful = found(branches(dim), torch.zeros(0, dim))
    assert density.mean().shape == (0, dim)
    assert doubtful.shape == (0,)
