"""Importance-sampled densities against closed forms and against the grid."""

import math
import warnings

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from ebm.density import GridDensity, ImportanceDensity
from ebm.exceptions import DomainError, EffectiveSampleSizeWarning, NumericalError, ShapeError
from ebm.models import FunctionalEnergy
from ebm.proposals import GaussianMixtureProposal, ZeroNoise

M = 20_000
COVARIANCE = torch.tensor(
    [[1.0, 0.6, 0.0, 0.1], [0.6, 0.8, -0.2, 0.0], [0.0, -0.2, 0.5, 0.1], [0.1, 0.0, 0.1, 0.3]]
).double()
MEAN = torch.tensor([0.2, -0.1, 0.4, 3.0]).double()
TRUTH = torch.distributions.MultivariateNormal(MEAN, COVARIANCE)
PROPOSAL = GaussianMixtureProposal([0.5, 1.2], target_dim=4)


def four(y: Tensor) -> Tensor:
    """Score with log Z = 2."""
    return TRUTH.log_prob(y) + 2


@pytest.fixture(scope="module")
def density() -> ImportanceDensity:
    center = torch.stack((MEAN, MEAN + 0.3))
    return ImportanceDensity(four, PROPOSAL, center, M, torch.Generator().manual_seed(0))


def errors(density: ImportanceDensity, values: Tensor, mean: Tensor) -> Tensor:
    """Standard error of weighted means ``(B, ...)`` of `values` ``(B, M, ...)``."""
    weights = density.log_weights.exp()[(..., *[None] * (values.ndim - 2))]
    return (weights * (values - mean[:, None])).square().sum(1).sqrt()


def test_four_dimensions_agree_within_three_standard_errors(density: ImportanceDensity) -> None:
    weights = density.log_weights.exp()
    error = (M * weights.square().sum(1) - 1).sqrt() / math.sqrt(M)  # relative error of Z = error of log Z
    assert (error < 0.03).all()
    assert ((density.log_partition() - 2).abs() < 3 * error).all()
    assert ((density.mean() - MEAN).abs() < 3 * errors(density, density.samples, density.mean())).all()
    outer = (density.samples - MEAN)[..., None] * (density.samples - MEAN)[..., None, :]
    assert (
        (density.covariance() - COVARIANCE).abs() < 3 * errors(density, outer, density.covariance())
    ).all()
    assert ((density.std().square() - density.covariance().diagonal(dim1=1, dim2=2)).abs() < 1e-12).all()
    surprise = 2 - four(density.samples)
    assert (
        (density.entropy() - TRUTH.entropy()).abs() < 4 * errors(density, surprise, density.entropy())
    ).all()
    assert density.mode().shape == (2, 4)
    assert ((density.mode() - MEAN).abs() < 0.5).all()


def test_quantiles_and_intervals_within_their_error(density: ImportanceDensity) -> None:
    normal = torch.distributions.Normal(MEAN[1], COVARIANCE[1, 1].sqrt())
    effective = density.effective_sample_size()
    for p in (0.1, 0.5, 0.9):
        truth = normal.icdf(torch.tensor(p).double())
        error = math.sqrt(p * (1 - p)) / effective.sqrt() / normal.log_prob(truth).exp()
        assert ((density.quantile(p, dim=1) - truth).abs() < 3 * error).all()
        reached = density.cdf(truth.expand(2), dim=1)
        assert ((reached - p).abs() < 3 * math.sqrt(p * (1 - p)) / effective.sqrt()).all()
    interval = density.credible_interval(0.8, dim=1)
    assert interval.shape == (2, 2)
    assert torch.equal(interval, density.quantile((0.1, 0.9), dim=1))
    assert density.cdf(torch.tensor([[-99.0, 99]] * 2), dim=3).tolist() == [[0, pytest.approx(1)]] * 2


def test_highest_density_set_is_the_ellipsoid(density: ImportanceDensity) -> None:
    region = density.credible_set(0.9)
    assert (region.mass >= 0.9).all()
    assert (region.mass < 0.9 + density.log_weights.exp().amax(1)).all()
    # chi-square with four degrees of freedom, 90 %: 7.779
    height = TRUTH.log_prob(MEAN) + 2 - 7.779 / 2
    torch.testing.assert_close(region.threshold, height.expand(2), atol=0.15, rtol=0)
    scale = torch.linalg.cholesky(COVARIANCE)[:, 1]
    at = lambda r: (MEAN + r * scale).expand(2, 4)  # noqa: E731
    assert region.contains(at(2.5)).all()
    assert not region.contains(at(3.1)).any()
    assert region.contains(torch.stack((at(0.0), at(9.0)), 1)).tolist() == [[True, False]] * 2
    # Rank = 1 - P(chi-square > r^2) = 1 - exp(-r^2 / 2)(1 + r^2 / 2).
    rank = density.highest_density_rank(at(2.0))
    torch.testing.assert_close(rank, torch.full((2,), 1 - 3 * math.exp(-2)).double(), atol=0.02, rtol=0)


def test_resampled_draws_have_the_moments(density: ImportanceDensity) -> None:
    drawn = density.sample(20_000, torch.Generator().manual_seed(1))
    assert drawn.shape == (2, 20_000, 4)
    torch.testing.assert_close(drawn.mean(1), density.mean(), atol=0.03, rtol=0)
    torch.testing.assert_close(drawn[1].T.cov(), density.covariance()[1], atol=0.05, rtol=0)
    assert torch.equal(drawn, density.sample(20_000, torch.Generator().manual_seed(1)))


def test_marginals_on_a_grid(density: ImportanceDensity) -> None:
    pair = density.marginal((3, 0))
    assert isinstance(pair, GridDensity)
    assert pair.log_masses.shape == (2, 64, 64)
    torch.testing.assert_close(pair.mean(), density.mean()[:, [3, 0]], atol=2e-3, rtol=0)
    torch.testing.assert_close(
        pair.covariance(), density.covariance()[:, [3, 0]][..., [3, 0]], atol=0.02, rtol=0
    )
    one = density.marginal(2, num_points=32)
    y = torch.linspace(-0.4, 1.2, 9).double()[None, :, None].expand(2, -1, -1)
    truth = torch.distributions.Normal(0.4, math.sqrt(0.5)).log_prob(y[..., 0])
    torch.testing.assert_close(one.log_prob(y), truth, atol=0.25, rtol=0)
    torch.testing.assert_close(one.quantile(0.5), density.quantile(0.5, dim=2), atol=0.03, rtol=0)


def test_one_dimension_agrees_with_the_grid() -> None:
    score = lambda y: (  # noqa: E731
        torch.tensor([0.3, 0.7]).double().log()
        - 0.5 * ((y - torch.tensor([-2.0, 2.0]).double()) / 0.5).square()
    ).logsumexp(-1)
    grid = GridDensity(score, torch.linspace(-8, 8, 3201).double(), batch_size=1)
    proposal = GaussianMixtureProposal([0.5, 2.5])
    samples = ImportanceDensity(
        score, proposal, torch.zeros(1, 1).double(), 50_000, torch.Generator().manual_seed(3)
    )
    weights = samples.log_weights.exp()
    error = (50_000 * weights.square().sum() - 1).sqrt() / math.sqrt(50_000)
    assert (samples.log_partition() - grid.log_partition()).abs() < 3 * error
    assert ((samples.mean() - grid.mean()).abs() < 3 * errors(samples, samples.samples, samples.mean())).all()
    torch.testing.assert_close(samples.variance(), grid.variance(), rtol=0.03, atol=0)
    torch.testing.assert_close(samples.entropy(), grid.entropy(), atol=0.02, rtol=0)
    torch.testing.assert_close(samples.credible_interval(), grid.credible_interval(), atol=0.05, rtol=0)
    y = torch.tensor([[[-2.0], [0.0], [1.3], [2.9]]]).double()
    torch.testing.assert_close(
        samples.credible_set(0.8).threshold, grid.credible_set(0.8).threshold, atol=0.1, rtol=0
    )
    assert torch.equal(samples.credible_set(0.8).contains(y), grid.credible_set(0.8).contains(y))
    torch.testing.assert_close(
        samples.highest_density_rank(y), grid.highest_density_rank(y), atol=0.02, rtol=0
    )
    torch.testing.assert_close(samples.log_prob(y), grid.log_prob(y), atol=3 * error.item(), rtol=0)


@given(seed=st.integers(0, 1000), level=st.floats(0.02, 0.98), shift=st.floats(-500, 500))
@settings(max_examples=40, deadline=None)
def test_properties_of_any_weighted_samples(seed: int, level: float, shift: float) -> None:
    def density(offset: float) -> ImportanceDensity:
        # A crooked energy; equal seeds give equal samples.
        score = lambda y: 3 * (y * 7 + seed).sin().sum(-1) + offset  # noqa: E731
        proposal = GaussianMixtureProposal([0.3, 1.0], target_dim=2)
        center = torch.zeros(2, 2, dtype=torch.float64)
        return ImportanceDensity(score, proposal, center, 200, torch.Generator().manual_seed(seed))

    with warnings.catch_warnings():
        warnings.simplefilter("ignore", EffectiveSampleSizeWarning)
        plain, moved = density(0.0), density(shift)
    torch.testing.assert_close(plain.log_weights.exp().sum(1), torch.ones(2).double())
    torch.testing.assert_close(plain.mean(), moved.mean(), atol=1e-8, rtol=1e-8)
    torch.testing.assert_close(
        moved.log_partition() - plain.log_partition(), torch.full((2,), shift).double()
    )
    assert ((plain.effective_sample_size() >= 1) & (plain.effective_sample_size() <= 200)).all()
    region = plain.credible_set(level)
    inside = region.contains(plain.samples)
    held = (plain.log_weights.exp() * inside).sum(1)
    assert (held >= level - 1e-9).all()
    torch.testing.assert_close(held, region.mass)
    low, high = plain.credible_interval(level, dim=1).unbind(1)
    assert (low <= high).all()
    t = plain.quantile(level, dim=1)
    assert (plain.cdf(t, dim=1) >= level - 1e-9).all()
    assert (plain.cdf(t - 1e-12, dim=1) <= level + 1e-9).all()


def test_a_proposal_that_misses_is_reported() -> None:
    far = lambda y: -0.5 * ((y[..., 0] - 4) / 0.05).square()  # noqa: E731
    narrow = GaussianMixtureProposal([0.5])
    draw = torch.Generator().manual_seed(0)
    with pytest.warns(EffectiveSampleSizeWarning, match=r"1 of 1.*item 0: 1\.\d effective of 500.*widen"):
        missed = ImportanceDensity(far, narrow, torch.zeros(1, 1), 500, draw)
    assert missed.effective_sample_size() < 2
    with pytest.warns(EffectiveSampleSizeWarning, match=r"\d\.\d effective of 9"):
        ImportanceDensity(lambda y: 0 * y[..., 0], narrow, torch.zeros(1, 1), 9, draw)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        ImportanceDensity(lambda y: -0.5 * y[..., 0].square(), narrow.scaled(3), torch.zeros(1, 1), 500, draw)


def test_a_marginal_where_one_sample_has_all_the_weight() -> None:
    far = lambda y: -0.5 * ((y[..., 0] - 9) / 0.01).square()  # noqa: E731
    with pytest.warns(EffectiveSampleSizeWarning):
        density = ImportanceDensity(far, GaussianMixtureProposal([1.0]), torch.zeros(1, 1), 100)
    torch.testing.assert_close(density.marginal(0).mean(), density.mean(), atol=1e-3, rtol=0)
    with pytest.warns(EffectiveSampleSizeWarning):
        density = ImportanceDensity(
            lambda y: 0 * y[..., 0], GaussianMixtureProposal([1.0]), torch.zeros(1, 1), 1
        )
    with pytest.raises(DomainError, match="samples of coordinate 0 are equal"):
        density.marginal(0)


def test_a_model_its_features_and_chunks() -> None:
    calls = []

    def fn(x: Tensor, y: Tensor) -> Tensor:
        calls.append((tuple(y.shape), torch.is_grad_enabled()))
        return -0.5 * (y - x[:, None]).square().sum(-1)

    model, x = FunctionalEnergy(fn, target_dim=2), torch.tensor([[1.0, 2], [0, 0], [-1, 1]])
    proposal = GaussianMixtureProposal([1.5], target_dim=2)
    density = ImportanceDensity.of(
        model, x, proposal, x + 0.2, 1000, torch.Generator().manual_seed(0), chunk=1200
    )
    assert calls == [((3, 400, 2), False)] * 2 + [((3, 200, 2), False)]
    torch.testing.assert_close(density.mean(), x, atol=0.15, rtol=0)
    assert density.mean().dtype == torch.float32
    with pytest.raises(ShapeError, match="D=2, but the proposal D=1"):
        ImportanceDensity.of(model, x, GaussianMixtureProposal([1.0]), x[:, :1], 10)
    with pytest.raises(ShapeError, match="got 2 targets"):
        ImportanceDensity.of(model, x, proposal, x[:2], 10)
    with pytest.raises(TypeError, match=r"center is torch.float64, but the model computes in torch.float32"):
        ImportanceDensity.of(model, x, proposal, x.double(), 10)


def test_samples_that_were_drawn_elsewhere() -> None:
    drawn = PROPOSAL.sample(MEAN.expand(2, 4), 2000, generator=torch.Generator().manual_seed(0))
    given = ImportanceDensity.from_samples(four, drawn.y, drawn.log_q)
    own = ImportanceDensity(four, PROPOSAL, MEAN.expand(2, 4), 2000, torch.Generator().manual_seed(0))
    assert torch.equal(given.log_partition(), own.log_partition())
    assert torch.equal(given.mean(), own.mean())
    with pytest.warns(EffectiveSampleSizeWarning, match="2 of 2"):
        ImportanceDensity.from_samples(four, drawn.y[:, :5], drawn.log_q[:, :5])
    with pytest.raises(ShapeError, match=r"log_q \(B, M\), got \(2, 2000, 4\) and \(2, 5\)"):
        ImportanceDensity.from_samples(four, drawn.y, drawn.log_q[:, :5])
    with pytest.raises(DomainError, match="number of samples"):
        ImportanceDensity.from_samples(four, drawn.y[:, :0], drawn.log_q[:, :0])
    with pytest.raises(DomainError, match="log_q"):
        ImportanceDensity.from_samples(four, drawn.y, drawn.log_q * math.nan)


def test_an_empty_batch_gives_empty_answers() -> None:
    density = ImportanceDensity(four, PROPOSAL, torch.zeros(0, 4), 20)
    assert density.mean().shape == density.mode().shape == (0, 4)
    assert density.covariance().shape == (0, 4, 4)
    assert density.sample(3).shape == (0, 3, 4)
    assert density.credible_interval(dim=2).shape == (0, 2)
    assert density.credible_set().contains(torch.zeros(0, 4)).shape == (0,)
    assert density.marginal((0, 1)).mean().shape == (0, 2)
    assert density.cdf(0.0).shape == density.entropy().shape == (0,)


def test_impossible_input_is_refused() -> None:
    center = torch.zeros(2, 4)
    for count in (0, -1, 2.5):
        with pytest.raises(ValueError, match="num_samples must be an integer >= 1"):
            ImportanceDensity(four, PROPOSAL, center, count)
    with pytest.raises(DomainError, match=r"center\[0, 1\] is nan"):
        ImportanceDensity(four, PROPOSAL, torch.tensor([[0.0, math.nan, 0, 0]]), 10)
    with pytest.raises(ShapeError, match="center of shape"):
        ImportanceDensity(four, PROPOSAL, center[0], 10)
    with pytest.raises(NumericalError, match="score of item 0 .* is nan"):
        ImportanceDensity(lambda y: y[..., 0] * math.nan, PROPOSAL, center, 10)
    with pytest.raises(NumericalError, match="log Z of item 0"):  # the density of a point is infinite
        ImportanceDensity(lambda y: y[..., 0], ZeroNoise(4), center, 10)
    density = ImportanceDensity(four, PROPOSAL.scaled(2), MEAN.expand(2, 4), 500)
    with pytest.raises(DomainError, match="at most 3 dimensions"):
        density.marginal((0, 1, 2, 3))
    with pytest.raises(ValueError, match="level"):
        density.credible_set(1.0)
    with pytest.raises(DomainError, match="dim must be one of 0 to 3"):
        density.cdf(0.0, dim=4)
