"""A density through quantiles: it has them, integrates to 1, and is a Gaussian where they are one's."""

import math

import pytest
import torch
from torch import Tensor

from ebm.baselines.quantile_density import DENSE_LEVELS, QuantileDensity, QuantileDensityHead
from ebm.exceptions import DomainError, ShapeError
from ebm.testing import check_density

LEVELS = torch.tensor(DENSE_LEVELS, dtype=torch.float64)


def skewed(dtype: torch.dtype = torch.float64) -> QuantileDensity:
    """Two items of two coordinates: exponential, logistic, uniform, two clusters."""
    p = LEVELS
    clusters = torch.where(p < 0.4, p - 2, p + 2)
    rows = torch.stack((-torch.log1p(-p), p.logit(), p, clusters)).view(2, 2, -1)
    return QuantileDensity(rows.to(dtype), LEVELS.to(dtype))


def test_a_gaussian_from_its_quantiles_is_exact() -> None:
    mean, scale = torch.tensor([[1.0, -3.0]]).double(), torch.tensor([[2.0, 0.1]]).double()
    normal = torch.distributions.Normal(mean, scale)
    density = QuantileDensity(normal.icdf(LEVELS[:, None, None]).permute(1, 2, 0), LEVELS)
    y = torch.tensor([[[1.7, -3.2], [-9.0, -2.0], [30.0, -3.0]]]).double()
    torch.testing.assert_close(density.log_prob(y), normal.log_prob(y).sum(-1))
    torch.testing.assert_close(density.mean(), mean)
    torch.testing.assert_close(density.variance(), scale.square())
    torch.testing.assert_close(density.mode(), mean, atol=1e-3, rtol=0)
    torch.testing.assert_close(density.cdf(y[..., 0], 0), normal.cdf(y)[..., 0])
    tails = torch.tensor([1e-6, 0.999]).double()
    torch.testing.assert_close(density.quantile(tails, 1), normal.icdf(tails[:, None])[None, :, 1])


def test_it_has_its_quantiles_and_the_moments_of_its_draws() -> None:
    density = skewed()
    for dim in (0, 1):
        torch.testing.assert_close(density.quantile(DENSE_LEVELS, dim), density.knots[:, dim])
        torch.testing.assert_close(density.cdf(density.knots[:, dim], dim), LEVELS.expand(2, -1))
    draws = density.sample(200_000, torch.Generator().manual_seed(0))
    torch.testing.assert_close(density.mean(), draws.mean(1), atol=0.02, rtol=0)
    torch.testing.assert_close(density.variance(), draws.var(1), atol=0.05, rtol=0.02)


def test_it_integrates_to_one_and_its_mode_is_the_highest() -> None:
    density = skewed()
    for dim in (0, 1):
        one = QuantileDensity(density.knots[:, dim : dim + 1], LEVELS)
        places = torch.linspace(-30, 40, 700_001, dtype=torch.float64).expand(2, -1)[..., None]
        log_p = one.log_prob(places)
        torch.testing.assert_close(log_p.exp().sum(1) * 1e-4, torch.ones(2).double(), atol=1e-3, rtol=0)
        assert bool((one.log_prob(one.mode()) >= log_p.amax(1) - 1e-3).all())


def test_it_passes_the_contract_of_densities() -> None:
    knots = skewed().knots.flatten(0, 1)[:, None]
    check_density(lambda rows: QuantileDensity(knots[rows], LEVELS), items=4)


def test_quantiles_that_meet_have_a_finite_density() -> None:
    density = QuantileDensity(torch.zeros(1, 1, 5), torch.tensor([0.1, 0.2, 0.5, 0.8, 0.9]))
    for value in (density.log_prob(torch.zeros(1, 1)), density.mean(), density.variance(), density.mode()):
        assert bool(value.isfinite().all())


def test_gradients_reach_the_quantiles() -> None:
    quantiles = skewed().knots.clone().requires_grad_()
    QuantileDensity(quantiles, LEVELS).log_prob(torch.ones(2, 2).double()).sum().backward()
    assert quantiles.grad is not None
    assert bool(quantiles.grad.isfinite().all())


def test_the_head_learns_quantiles_of_a_skewed_target() -> None:
    generator = torch.Generator().manual_seed(0)
    y = torch.empty(4000, 1).exponential_(generator=generator)
    head, one = QuantileDensityHead(1, 1), torch.ones(4000, 1)
    assert head.scale == "paper"  # its loss is no likelihood
    optimiser = torch.optim.Adam(head.parameters(), lr=0.05)
    for _ in range(400):
        optimiser.zero_grad()
        head.loss(one, y).loss.backward()
        optimiser.step()
    found: Tensor = head.quantile(one[:1], (0.1, 0.5, 0.9))[0]
    expected = torch.tensor([-math.log(1 - p) for p in (0.1, 0.5, 0.9)])
    torch.testing.assert_close(found, expected, atol=0.05, rtol=0.05)
    torch.testing.assert_close(head.predict(one[:1]), torch.ones(1, 1), atol=0.05, rtol=0)


def test_faults() -> None:
    with pytest.raises(ShapeError, match=r"quantiles \(B, D, Q >= 2\)"):
        QuantileDensity(torch.zeros(2, 3), torch.tensor([0.1, 0.5, 0.9]))
    with pytest.raises(ShapeError, match="two levels or more"):
        QuantileDensityHead(1, levels=[0.5])
    with pytest.raises(DomainError):
        QuantileDensityHead(1, levels=[0.5, 0.4])
