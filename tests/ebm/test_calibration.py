"""Calibration of densities that are honest, overconfident or shifted by a known amount."""

import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from ebm.baselines.location_scale import DiagonalGaussian
from ebm.calibration import (
    coverage,
    crps,
    expected_calibration_error,
    pit,
    ranks,
    reliability,
    reliability_of_ranks,
)
from ebm.crps import crps_from_cells, crps_from_gaussian, crps_from_samples
from ebm.density import GridDensity, ImportanceDensity
from ebm.exceptions import DomainError, ShapeError, UnknownNameError
from ebm.proposals import GaussianMixtureProposal

B = 2000
LEVELS = (0.1, 0.5, 0.9)


def labels_and_means() -> tuple[Tensor, Tensor]:
    draw = torch.Generator().manual_seed(0)
    mean = torch.rand(B, 1, dtype=torch.float64, generator=draw)
    return mean + torch.randn(B, 1, dtype=torch.float64, generator=draw), mean


Y, MEAN = labels_and_means()


def believed(std: float, rows: slice = slice(None)) -> GridDensity:
    """Densities N(mean, std^2); the truth has standard deviation 1."""
    mean = MEAN[rows]
    grid = mean + std * torch.linspace(-7, 7, 301, dtype=torch.float64)
    return GridDensity(lambda y: -0.5 * ((y[..., 0] - mean) / std).square(), grid, batch_size=len(mean))


def held(std: float, levels: tuple[float, ...]) -> Tensor:
    """What central intervals of N(0, std^2) hold of N(0, 1)."""
    half = torch.distributions.Normal(0, 1).icdf(0.5 + torch.tensor(levels, dtype=torch.float64) / 2) * std
    return torch.erf(half / math.sqrt(2))


@pytest.mark.parametrize("std", [1.0, 0.5, 2.0])
@pytest.mark.parametrize("region", ["highest-density", "equal-tailed"])
def test_coverage_is_what_the_width_implies(std: float, region: str) -> None:
    expected = held(std, LEVELS)
    error = (expected * (1 - expected) / B).sqrt()
    found = coverage(believed(std), Y, LEVELS, region=region)
    assert ((found - expected).abs() < 3 * error + 0.01).all()  # 0.01 for the width of a cell


def test_several_densities_count_as_one() -> None:
    parts = [believed(1.0, slice(0, 300)), believed(1.0, slice(300, 300)), believed(1.0, slice(300, None))]
    torch.testing.assert_close(coverage(parts, Y, LEVELS), coverage(believed(1.0), Y, LEVELS))
    torch.testing.assert_close(pit(parts, Y), pit(believed(1.0), Y))
    torch.testing.assert_close(crps(parts, Y), crps(believed(1.0), Y))


def test_transform_of_an_honest_density_is_uniform() -> None:
    u = pit(believed(1.0), Y)
    torch.testing.assert_close(u, torch.distributions.Normal(MEAN, 1).cdf(Y)[:, 0], atol=1e-4, rtol=0)
    worst = (u.sort().values - (torch.arange(B) + 0.5) / B).abs().max()
    assert worst < 1.63 / math.sqrt(B)  # Kolmogorov's bound at 1 %
    assert (pit(believed(1.0), Y + 1) - 0.5).mean() > 0.2


def test_reliability_and_its_error() -> None:
    honest = reliability(believed(1.0), Y)
    assert honest.levels.tolist() == pytest.approx([0.05 * k for k in range(1, 20)])
    assert honest.count == B
    assert ((honest.observed - honest.levels).abs() < 3.5 * honest.standard_error + 0.01).all()
    assert honest.expected_calibration_error < 0.02
    narrow = expected_calibration_error(believed(0.5), Y, region="equal-tailed")
    levels = tuple(0.05 * k for k in range(1, 20))
    expected = (torch.tensor(levels) - held(0.5, levels)).abs().mean()
    assert abs(narrow - expected) < 0.02
    # By hand: 1 of 4 ranks below 0.3, 3 of 4 below 0.7.
    by_hand = reliability_of_ranks(torch.tensor([0.1, 0.5, 0.6, 0.9]), (0.3, 0.7))
    assert by_hand.observed.tolist() == [0.25, 0.75]
    assert by_hand.expected_calibration_error.item() == pytest.approx(0.05)
    assert by_hand.standard_error.tolist() == pytest.approx([math.sqrt(0.21 / 4)] * 2)


def test_coverage_agrees_with_the_sets_themselves() -> None:
    density = believed(0.7)
    inside = density.credible_set(0.6).contains(Y).double().mean()
    torch.testing.assert_close(coverage(density, Y, [0.6])[0], inside)
    interval = density.credible_interval(0.6)
    between = ((Y[:, 0] > interval[:, 0]) & (Y[:, 0] < interval[:, 1])).double().mean()
    torch.testing.assert_close(coverage(density, Y, [0.6], region="equal-tailed")[0], between)


def test_one_coordinate_of_several() -> None:
    score = lambda y: -0.5 * (y[..., 0].square() + (y[..., 1] / 0.5).square())  # noqa: E731
    axes = [torch.linspace(-7, 7, 141, dtype=torch.float64)] * 2
    y = torch.cat((Y, Y), 1)[:50] - MEAN[:50]
    density = GridDensity(score, axes, batch_size=50)
    expected = crps_from_gaussian(torch.zeros(50), torch.full((50,), 0.5), y[:, 1])
    torch.testing.assert_close(crps(density, y, dim=1), expected.double(), atol=2e-3, rtol=0)
    torch.testing.assert_close(
        pit(density, y, dim=1), torch.distributions.Normal(0, 0.5).cdf(y[:, 1]), atol=5e-3, rtol=0
    )
    assert coverage(density, y, [0.9], region="equal-tailed", dim=1).shape == (1,)


def test_scores_of_a_gaussian() -> None:
    expected = crps_from_gaussian(MEAN[:, 0], torch.ones(B), Y[:, 0])
    torch.testing.assert_close(crps(believed(1.0), Y), expected, atol=2e-4, rtol=0)
    assert crps(believed(1.0), Y).mean() < crps(believed(0.5), Y).mean()
    assert crps(believed(1.0), Y).mean() < crps(believed(2.0), Y).mean()
    mean = MEAN[:100]
    sampled = ImportanceDensity(
        lambda y: -0.5 * (y[..., 0] - mean).square(),
        GaussianMixtureProposal([1.5]),
        mean,
        20_000,
        torch.Generator().manual_seed(0),
    )
    torch.testing.assert_close(crps(sampled, Y[:100]), expected[:100], atol=0.05, rtol=0)
    assert (
        coverage(sampled, Y[:100], [0.5]) - coverage(believed(1.0, slice(0, 100)), Y[:100], [0.5])
    ).abs() <= 0.03


def test_score_of_a_uniform_is_its_integral() -> None:
    # F = t on [0, 1]: at y inside, y^3 / 3 + (1 - y)^3 / 3; outside, 1/3 plus the distance.
    y = torch.tensor([0.0, 0.3, 1.0, -2.0, 3.0]).double()
    expected = torch.tensor([1 / 3, (0.027 + 0.343) / 3, 1 / 3, 2 + 1 / 3, 2 + 1 / 3]).double()
    edges = torch.tensor([0.0, 0.2, 0.2, 0.7, 1.0]).double().expand(5, -1)
    torch.testing.assert_close(crps_from_cells(edges, edges, y), expected)


@given(
    samples=st.lists(st.floats(-50, 50), min_size=1, max_size=12),
    y=st.floats(-60, 60),
    seed=st.integers(0, 99),
)
@settings(max_examples=60, deadline=None)
def test_score_of_samples_is_the_mean_distance(samples: list[float], y: float, seed: int) -> None:
    x, at = torch.tensor(samples).double()[None], torch.tensor([y]).double()
    weights = torch.rand(x.shape, dtype=torch.float64, generator=torch.Generator().manual_seed(seed)) + 0.01
    weights = weights / weights.sum()
    plain = (weights * (x - at).abs()).sum()
    pairs = (weights[0, :, None] * weights[0] * (x[0, :, None] - x[0]).abs()).sum()
    expected = (plain - pairs / 2).reshape(1)
    torch.testing.assert_close(crps_from_samples(x, at, weights), expected, atol=1e-9, rtol=1e-9)
    assert crps_from_samples(x, at, weights) >= -1e-9
    equal = torch.full_like(x, 1 / x.shape[1])
    torch.testing.assert_close(crps_from_samples(x, at), crps_from_samples(x, at, equal))


def test_no_labels_give_no_ranks() -> None:
    empty = believed(1.0, slice(0, 0))
    assert ranks(empty, Y[:0]).shape == crps(empty, Y[:0]).shape == (0,)
    assert coverage(empty, Y[:0], LEVELS).isnan().all()


def test_densities_in_closed_form_have_transforms_and_intervals() -> None:
    closed = DiagonalGaussian(MEAN, torch.zeros(B, 1, dtype=torch.float64))
    torch.testing.assert_close(pit(closed, Y), pit(believed(1.0), Y), atol=1e-4, rtol=0)
    found = coverage([closed], Y, LEVELS, region="equal-tailed")
    torch.testing.assert_close(
        found, coverage(believed(1.0), Y, LEVELS, region="equal-tailed"), atol=2e-3, rtol=0
    )
    for question in (crps, ranks):
        with pytest.raises(
            TypeError, match=r"got DiagonalGaussian; make it one with GridDensity\(density.log_prob"
        ):
            question(closed, Y)
    grid = torch.linspace(-8, 9, 2001, dtype=torch.float64)
    on_grid = GridDensity(closed.log_prob, grid, batch_size=closed.batch_size)
    torch.testing.assert_close(crps(on_grid, Y), crps(believed(1.0), Y), atol=1e-3, rtol=0)


def test_impossible_questions_are_refused() -> None:
    density = believed(1.0, slice(0, 3))
    with pytest.raises(ShapeError, match=r"\(B=3, D=1\), got \(2000, 1\)"):
        coverage(density, Y, LEVELS)
    with pytest.raises(ShapeError, match="at least one density"):
        pit([], Y)
    for level in (0.0, 1.0, 2.0, math.nan):
        with pytest.raises(ValueError, match=r"level must lie in \(0, 1\)"):
            coverage(density, Y[:3], [0.5, level])
    with pytest.raises(DomainError, match="at least one number"):
        coverage(density, Y[:3], [])
    with pytest.raises(UnknownNameError, match="did you mean 'equal-tailed'"):
        ranks(density, Y[:3], region="equal-tail")
    with pytest.raises(DomainError, match="dim must be one of"):
        crps(density, Y[:3].expand(3, 1), dim=1)
    with pytest.raises(ShapeError, match=r"ranks of shape \(B,\)"):
        reliability_of_ranks(Y, LEVELS)
    with pytest.raises(ShapeError, match=r"\(B, M >= 1\)"):
        crps_from_samples(torch.zeros(2, 0), torch.zeros(2))
    with pytest.raises(ShapeError, match=r"\(B, K\)"):
        crps_from_cells(torch.zeros(2, 3), torch.zeros(2, 4), torch.zeros(2))
