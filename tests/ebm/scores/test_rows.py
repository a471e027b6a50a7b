"""Scores of densities: on grids, on samples, in closed form and of the marginal."""

import math

import numpy as np
import pytest
import torch

from ebm.baselines.location_scale import DiagonalGaussian
from ebm.crps import crps_from_gaussian, crps_from_samples
from ebm.exceptions import DomainError, ShapeError
from ebm.scores import (
    Marginal,
    crps,
    energy_score,
    energy_score_from_samples,
    log_score,
    pinball_loss,
    sharpness,
    threshold_crps,
    threshold_crps_from_samples,
    width,
    winkler_score,
)
from tests.ebm.scores.densities import gaussian, labels_and_means, round_gaussian, sampled_gaussian

Y, MEAN = labels_and_means(50)
GRID, SAMPLED = gaussian(MEAN), sampled_gaussian(MEAN)
CLOSED = DiagonalGaussian(MEAN, torch.zeros_like(MEAN))
DENSITIES = {"grid": (GRID, 1e-3), "samples": (SAMPLED, 0.05), "closed": (CLOSED, 2e-3)}
NORMAL = torch.distributions.Normal(MEAN[:, 0], 1.0)


@pytest.mark.parametrize("kind", DENSITIES)
def test_every_score_of_a_gaussian(kind: str) -> None:
    density, tolerance = DENSITIES[kind]
    close = {"atol": tolerance, "rtol": tolerance}
    y = Y[:, 0]
    torch.testing.assert_close(log_score(density, Y), -NORMAL.log_prob(y), **close)
    torch.testing.assert_close(crps(density, Y), crps_from_gaussian(MEAN[:, 0], torch.ones(50), y), **close)
    right = 1.6448536269514722
    outside = ((y - MEAN[:, 0]).abs() - right).clamp(min=0)
    torch.testing.assert_close(
        winkler_score(density, Y, 0.9), 2 * right + 20 * outside, atol=15 * tolerance, rtol=0.01
    )
    torch.testing.assert_close(width(density, 0.9), torch.full((50,), 2 * right).double(), **close)
    torch.testing.assert_close(sharpness(density), torch.ones(50).double(), **close)
    torch.testing.assert_close(pinball_loss(density, Y), (y - MEAN[:, 0]).abs() / 2, **close)
    several = pinball_loss(density, Y, (0.5, 0.9))
    assert several.shape == (50, 2)
    torch.testing.assert_close(several[:, 0], pinball_loss(density, Y))
    torch.testing.assert_close(energy_score(density, Y), crps(density, Y), **close)


@pytest.mark.parametrize("kind", DENSITIES)
def test_threshold_crps_is_the_crps_without_thresholds_and_its_parts_add_up(kind: str) -> None:
    density, _ = DENSITIES[kind]
    torch.testing.assert_close(threshold_crps(density, Y), crps(density, Y))
    parts = threshold_crps(density, Y, high=0.3) + threshold_crps(density, Y, low=0.3)
    torch.testing.assert_close(parts, crps(density, Y))
    quantiles = NORMAL.icdf((torch.arange(4000, dtype=torch.float64)[:, None] + 0.5) / 4000).T
    expected = threshold_crps_from_samples(quantiles, Y[:, 0], 1.0, 3.0)
    torch.testing.assert_close(threshold_crps(density, Y, 1.0, 3.0), expected, atol=0.02, rtol=0)


def test_energy_score_in_two_and_four_dimensions() -> None:
    # At its centre N(0, I) has E|X| (1 - sqrt(1/2)), with E|X| = sqrt(2) gamma((D + 1) / 2) / gamma(D / 2).
    for dim, density in ((2, round_gaussian), (4, sampled_gaussian)):
        _, mean = labels_and_means(3, dim)
        away = math.sqrt(2) * math.gamma((dim + 1) / 2) / math.gamma(dim / 2)
        expected = torch.full((3,), away * (1 - math.sqrt(0.5)), dtype=torch.float64)
        torch.testing.assert_close(energy_score(density(mean), mean), expected, atol=0.03, rtol=0)
        closed = DiagonalGaussian(mean, torch.zeros_like(mean))
        torch.testing.assert_close(energy_score(closed, mean), expected, atol=0.06, rtol=0)
        one = energy_score(density(mean[1:2]), mean[1:2])
        torch.testing.assert_close(one, energy_score(density(mean), mean)[1:2])  # no row depends on others
        scaled = energy_score(density(mean), mean, scale=[2.0] * dim)
        torch.testing.assert_close(2 * scaled, energy_score(density(mean), mean))


def test_labels_of_any_kind_and_densities_in_parts() -> None:
    parts = [gaussian(MEAN[:20]), gaussian(MEAN[20:])]
    for score in (log_score, crps, winkler_score, pinball_loss, energy_score):
        torch.testing.assert_close(score(parts, Y), score(GRID, Y))
        torch.testing.assert_close(
            score(GRID, Y.numpy().astype(np.float32)), score(GRID, Y), atol=1e-4, rtol=1e-5
        )
    torch.testing.assert_close(width(parts), width(GRID))
    with pytest.raises(ShapeError, match="expected y of shape"):
        crps(GRID, Y[:10])
    with pytest.raises(ShapeError, match="at least one density"):
        sharpness([])
    with pytest.raises(DomainError, match="dim must be"):
        crps(GRID, Y, dim=1)
    with pytest.raises(DomainError, match="scale"):
        energy_score(GRID, Y, scale=[0.0])
    with pytest.raises(ShapeError, match="scale"):
        energy_score(GRID, Y, scale=[1.0, 1.0])


def test_a_density_without_what_a_score_needs_is_named() -> None:
    class Bare:
        batch_size, target_dim = 50, 1

        def cdf(self, t: torch.Tensor, dim: int = 0) -> torch.Tensor:
            return t

    with pytest.raises(TypeError, match="Bare has no log_prob"):
        log_score(Bare(), Y)
    Bare.target_dim = 2
    with pytest.raises(TypeError, match="neither quantiles nor draws"):
        energy_score(Bare(), Y.expand(-1, 2))


def test_the_marginal_scores_like_its_samples() -> None:
    targets = labels_and_means(300, 2, seed=1)[0]
    marginal = Marginal(targets, 40)
    y = labels_and_means(40, 2)[0]
    samples = targets.expand(40, -1, -1)
    for d in range(2):
        torch.testing.assert_close(crps(marginal, y, dim=d), crps_from_samples(samples[..., d], y[:, d]))
        found = threshold_crps(marginal, y, 0.5, 2.0, dim=d)
        torch.testing.assert_close(found, threshold_crps_from_samples(samples[..., d], y[:, d], 0.5, 2.0))
    torch.testing.assert_close(energy_score(marginal, y), energy_score_from_samples(samples, y))
    torch.testing.assert_close(sharpness(marginal), samples.std(1, correction=0)[:, 0])
    ordered = targets[:, 0].sort().values
    torch.testing.assert_close(marginal.quantile((0.0, 0.1, 1.0))[0], ordered[[0, 29, 299]])
    torch.testing.assert_close(
        marginal.cdf(ordered[29].expand(40)), torch.full((40,), 0.1, dtype=torch.float64)
    )


def test_the_kernels_of_the_marginal_integrate_to_one_and_bear_a_far_label() -> None:
    targets = labels_and_means(3000, seed=2)[0]
    at = torch.linspace(-400, 400, 4001, dtype=torch.float64)
    log_p = Marginal(targets, len(at)).log_prob(at[:, None])
    assert log_p.exp().sum().item() * 0.2 == pytest.approx(1, abs=1e-3)
    # The truth is N(0, 5): its mean log score is its entropy.
    fresh = labels_and_means(2000, seed=3)[0]
    found = log_score(Marginal(targets, 2000), fresh).mean().item()
    assert found == pytest.approx(0.5 * math.log(2 * math.pi * math.e * 5), abs=0.05)
    assert 10 < log_score(Marginal(targets), torch.tensor([[1000.0]])).item() < 40


def test_a_marginal_of_nothing_is_refused() -> None:
    with pytest.raises(ShapeError, match="at least two"):
        Marginal([1.0])
    with pytest.raises(DomainError, match="target 1 is constant"):
        Marginal([[1.0, 2.0], [2.0, 2.0]])
    with pytest.raises(DomainError, match=r"targets\[1, 0\] is nan|targets\[1\] is nan"):
        Marginal([1.0, math.nan])
    with pytest.raises(DomainError, match=r"\[0, 1\]"):
        Marginal([1.0, 2.0]).quantile(2.0)
