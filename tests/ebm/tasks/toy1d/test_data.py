"""The data sets against their closed forms."""

import math

import pytest
import torch

from ebm.exceptions import DomainError
from ebm.tasks.toy1d.data import log_density, make_dataset


@pytest.mark.parametrize("data_set", [1, 2])
def test_the_densities_integrate_to_one(data_set: int) -> None:
    y = torch.linspace(-3, 6, 90001, dtype=torch.float64)
    x = torch.tensor([-3.0, -1.5, -1e-6, 0.0, 1.0, 3.0])
    mass = torch.trapezoid(log_density(data_set, x[:, None], y).exp(), y)
    torch.testing.assert_close(mass, torch.ones(6, dtype=torch.float64), atol=1e-6, rtol=0)


@pytest.mark.parametrize("data_set", [1, 2])
def test_the_moments_are_those_of_paper_and_pencil(data_set: int) -> None:
    y = torch.linspace(-3, 6, 90001, dtype=torch.float64)
    x = torch.tensor([-2.0, 1.0], dtype=torch.float64)
    p = log_density(data_set, x[:, None], y).exp()
    mean = torch.trapezoid(p * y, y)
    variance = torch.trapezoid(p * (y - mean[:, None]).square(), y)
    s = math.sin(-2.0)
    if data_set == 1:  # two branches: mean 0.6 sin x, spread 0.64 sin(x)^2; a log-normal shifted by -1
        variation = math.exp(0.0625)
        expected = [0.6 * s, math.sqrt(variation) - 1], [0.075**2 + 0.64 * s**2, variation * (variation - 1)]
    else:
        stds = [0.15 / (1 + math.exp(-value)) for value in (-2.0, 1.0)]
        expected = [s, math.sin(1.0)], [std**2 for std in stds]
    torch.testing.assert_close(mean, torch.tensor(expected[0], dtype=torch.float64), atol=1e-6, rtol=1e-6)
    torch.testing.assert_close(variance, torch.tensor(expected[1], dtype=torch.float64), atol=1e-6, rtol=1e-6)


@pytest.mark.parametrize("data_set", [1, 2])
def test_the_samples_follow_the_density(data_set: int) -> None:
    data = make_dataset(data_set, n=400_000, seed=3)
    assert (data.x.min() >= -3) & (data.x.max() <= 3)
    assert abs(float(data.x.mean())) < 0.02
    for low in (-2.0, -1.0, 1.0):  # the probability integral transform of samples near x is uniform
        near = (data.x - low).abs() < 0.01
        grid = torch.linspace(-3, 3, 6001, dtype=torch.float64)
        p = log_density(data_set, data.x[near][:, None], grid).exp() * 1e-3
        rank = (p * (grid <= data.y[near][:, None])).sum(1).sort().values
        uniform = torch.linspace(0, 1, len(rank), dtype=torch.float64)
        assert (rank - uniform).abs().max() < 1.95 / math.sqrt(len(rank))  # Kolmogorov-Smirnov, 0.1 %


def test_far_from_the_data_the_log_density_stays_exact() -> None:
    x, y = torch.tensor(-1.0), torch.tensor(40.0)
    expected = math.log(0.2) - 0.5 * ((40 - math.sin(1.0)) / 0.075) ** 2 - math.log(0.075)
    torch.testing.assert_close(
        float(log_density(1, x, y)), expected - 0.5 * math.log(2 * math.pi), rtol=1e-6, atol=0
    )
    assert float(log_density(1, torch.tensor(0.5), torch.tensor(-1.0))) == -math.inf
    assert float(log_density(1, torch.tensor(0.5), torch.tensor(-2.0))) == -math.inf


def test_a_seed_fixes_the_draw() -> None:
    first, again, other = make_dataset(1), make_dataset(1), make_dataset(1, seed=1)
    assert first.x.shape == first.y.shape == (2000,)
    assert first.x.dtype == first.y.dtype == torch.float32
    assert torch.equal(first.y, again.y)
    assert not torch.equal(first.y, other.y)
    assert (make_dataset(1, seed=5).y[make_dataset(1, seed=5).x >= 0] > -1).all()


def test_wrong_arguments_are_refused() -> None:
    with pytest.raises(DomainError, match="1 or 2"):
        make_dataset(3)
    with pytest.raises(DomainError, match="n must be"):
        make_dataset(1, n=0)
    with pytest.raises(DomainError, match="seed"):
        make_dataset(1, seed=-1)
    with pytest.raises(DomainError, match="1 or 2"):
        log_density(0, torch.zeros(1), torch.zeros(1))
