"""What single heads and densities have of their own."""

import math

import pytest
import torch
from torch import Tensor, nn
from torch.distributions import Laplace, Normal

from ebm.baselines.binned import QuantileHead, SoftmaxHead
from ebm.baselines.composite import GaussianMixture, HistogramDensity
from ebm.baselines.cvae import CVAEHead
from ebm.baselines.heads import DirectHead, GaussianHead, LaplaceMultivariateHead, MixtureDensityHead
from ebm.baselines.location_scale import DiagonalGaussian, DiagonalLaplace, EllipticalLaplace
from ebm.calibration import crps, crps_from_gaussian
from ebm.density.grid import GridDensity
from ebm.exceptions import DomainError, ShapeError, UnknownNameError


def identity_outputs(head: nn.Module) -> None:
    """Let every linear layer of a head without hidden layers output its bias alone."""
    for layer in head.modules():
        if isinstance(layer, nn.Linear):
            nn.init.zeros_(layer.weight)


@pytest.mark.parametrize(("density", "theirs"), [(DiagonalGaussian, Normal), (DiagonalLaplace, Laplace)])
def test_distribution_functions_are_those_of_torch(
    density: type[DiagonalGaussian], theirs: type[Normal], generator: torch.Generator
) -> None:
    location, s = torch.randn(2, 5, 2, dtype=torch.float64, generator=generator)
    ours = density(location, s)
    other = theirs(location[:, 1], ((0.5 if density is DiagonalGaussian else 1.0) * s[:, 1]).exp())
    t = torch.linspace(-6, 6, 25, dtype=torch.float64).expand(5, -1)
    torch.testing.assert_close(ours.cdf(t, dim=1), other.cdf(t.T).T)
    p = torch.linspace(0.01, 0.99, 25, dtype=torch.float64)
    torch.testing.assert_close(ours.quantile(p, dim=1), other.icdf(p[:, None]).T)
    torch.testing.assert_close(ours.variance()[:, 1], other.variance)


def test_laplace_tails_keep_their_digits_in_float32() -> None:
    density = DiagonalLaplace(torch.zeros(1, 1), torch.zeros(1, 1))
    assert density.cdf(-60.0).item() == pytest.approx(0.5 * math.exp(-60), rel=1e-4)
    assert density.quantile(1e-30).item() == pytest.approx(math.log(2e-30), rel=1e-4)
    assert density.quantile(0.5).item() == 0.0


def test_the_elliptical_laplace_has_marginals_in_one_dimension_alone() -> None:
    two = EllipticalLaplace(torch.zeros(3, 2), torch.zeros(3, 2))
    for call in (lambda: two.cdf(0.0), lambda: two.quantile(0.3), lambda: two.credible_interval(0.9, dim=1)):
        with pytest.raises(DomainError, match="D=1 only, here D=2"):
            call()


def test_elliptical_laplace_draws_are_uncorrelated_but_dependent(generator: torch.Generator) -> None:
    draws = EllipticalLaplace(torch.zeros(1, 2), torch.zeros(1, 2)).sample(100_000, generator)[0].T
    assert draws.corrcoef()[0, 1].abs() < 0.02
    assert draws.abs().corrcoef()[0, 1] > 0.1
    # The radius over two is a Gamma(2): its mean is 2, its variance 2.
    radius = draws.norm(dim=0) / 2
    torch.testing.assert_close(radius.mean(), torch.tensor(2.0), atol=0.02, rtol=0)
    torch.testing.assert_close(radius.var(), torch.tensor(2.0), atol=0.06, rtol=0)


def two_bumps() -> GaussianMixture:
    logits = torch.tensor([[math.log(3.0), 0.0]])
    return GaussianMixture(logits, torch.tensor([[[-1.0], [3.0]]]), torch.tensor([[[0.0], [-2.0]]]))


def test_moments_of_a_mixture_worked_by_hand() -> None:
    mixture = two_bumps()
    assert mixture.mean().item() == pytest.approx(0.0, abs=1e-6)
    assert mixture.mode().item() == -1.0
    assert mixture.variance().item() == pytest.approx(0.75 * (1 + 1) + 0.25 * (math.exp(-2) + 9))
    assert mixture.std().item() == pytest.approx(mixture.variance().item() ** 0.5)


def test_mixture_quantiles_far_apart_components() -> None:
    logits = torch.zeros(1, 2, dtype=torch.float64)
    means = torch.tensor([[[-1e6], [1e6]]], dtype=torch.float64)
    mixture = GaussianMixture(logits, means, torch.zeros(1, 2, 1, dtype=torch.float64))
    p = torch.tensor([0.25, 0.75], dtype=torch.float64)
    torch.testing.assert_close(mixture.quantile(p), torch.tensor([[-1e6, 1e6]], dtype=torch.float64))


def test_mixture_prediction_is_the_mean_or_the_heaviest() -> None:
    for mode, wanted in (("mean", 0.0), ("heaviest", -1.0)):
        head = MixtureDensityHead(2, num_components=2, mode=mode)  # type: ignore[arg-type]
        identity_outputs(head)
        with torch.no_grad():
            head.logits[0].bias.copy_(torch.tensor([math.log(3.0), 0.0]))
            head.means[0].bias.copy_(torch.tensor([-1.0, 3.0]))
        torch.testing.assert_close(head.predict(torch.randn(4, 2)), torch.full((4, 1), wanted))
    with pytest.raises(UnknownNameError, match="mode"):
        MixtureDensityHead(2, mode="median")  # type: ignore[arg-type]
    with pytest.raises(DomainError, match="num_components"):
        MixtureDensityHead(2, num_components=0)


def test_histogram_worked_by_hand() -> None:
    logits = torch.tensor([[[0.25, 0.5, 0.25]]]).log()
    density = HistogramDensity(logits, torch.tensor([0.0, 2.0, 4.0]))  # cells of width 2 from -1 to 5
    y = torch.tensor([[-1.5], [-0.5], [1.5], [5.0], [5.1]])[None]
    wanted = torch.tensor([[-math.inf, math.log(0.125), math.log(0.25), math.log(0.125), -math.inf]])
    torch.testing.assert_close(density.log_prob(y), wanted)
    torch.testing.assert_close(
        density.cdf(torch.tensor([[-2.0, 0.0, 2.0, 9.0]])), torch.tensor([[0, 0.125, 0.5, 1]])
    )
    torch.testing.assert_close(density.quantile([0.125, 0.5]), torch.tensor([[0.0, 2.0]]))
    assert density.mode().item() == 2.0
    assert density.variance().item() == pytest.approx(2 + 4 / 12)


def test_histogram_quantiles_survive_empty_cells() -> None:
    logits = torch.tensor([[[0.0, -1e4, 0.0, -1e4]]])
    density = HistogramDensity(logits, torch.arange(4.0))
    p = (1e-6, 0.25, 0.75, 1 - 1e-7)
    torch.testing.assert_close(density.quantile(p), torch.tensor([[-0.5, 0.0, 2.0, 2.5]]), atol=1e-5, rtol=0)


def test_softmax_prediction_is_the_expected_bin_whatever_the_unit_option() -> None:
    plain = SoftmaxHead(2, 2, bins=[0.0, 1.0, 2.0])
    scaled = SoftmaxHead(2, 2, bins=[0.0, 1.0, 2.0], y_scale=7.0, y_shift=3.0)
    scaled.load_state_dict(plain.state_dict())
    x, y = torch.randn(4, 2), torch.rand(4, 2) * 2
    torch.testing.assert_close(plain.predict(x), (plain.logits(x).softmax(-1) * plain.bins).sum(-1))
    torch.testing.assert_close(scaled.loss(x, y).loss, plain.loss(x, y).loss)


@pytest.mark.parametrize("bins", [[1.0, 0.0], [0.0, 1.0, 3.0], [0.0, math.nan]])
def test_uneven_bins_are_refused(bins: list[float]) -> None:
    with pytest.raises(DomainError, match="equal steps"):
        SoftmaxHead(2, bins=bins)


def test_other_settings_of_the_softmax_head_are_refused() -> None:
    with pytest.raises(ShapeError, match="at least 2 bins"):
        SoftmaxHead(2, bins=[0.0])
    with pytest.raises(DomainError, match="weights must be >= 0"):
        SoftmaxHead(2, bins=[0.0, 1.0], l2_weight=-0.1)
    with pytest.raises(ShapeError, match="expected logits"):
        HistogramDensity(torch.zeros(2, 3), torch.zeros(3))


@pytest.mark.parametrize("non_crossing", ["sort", "softplus"])
def test_quantiles_never_cross(non_crossing: str, generator: torch.Generator) -> None:
    head = QuantileHead(4, 2, levels=(0.1, 0.5, 0.6, 0.9), non_crossing=non_crossing, y_scale=[1.0, 3.0])  # type: ignore[arg-type]
    quantiles = head.quantiles(10 * torch.randn(200, 4, generator=generator))
    assert quantiles.shape == (200, 2, 4)
    assert (quantiles.diff(dim=-1) >= 0).all()


@pytest.mark.parametrize("non_crossing", ["sort", "softplus"])
def test_quantiles_are_learned(non_crossing: str, generator: torch.Generator) -> None:
    torch.manual_seed(0)
    head = QuantileHead(1, levels=(0.1, 0.5, 0.9), non_crossing=non_crossing)  # type: ignore[arg-type]
    y = 2.0 + torch.randn(2000, 1, generator=generator)
    features = torch.zeros(2000, 1)
    optimizer = torch.optim.Adam(head.parameters(), lr=0.05)
    for _ in range(250):
        optimizer.zero_grad()
        head.loss(features, y).loss.backward()
        optimizer.step()
    wanted = y[:, 0].quantile(torch.tensor([0.1, 0.5, 0.9]))
    torch.testing.assert_close(head.quantiles(features[:1])[0, 0], wanted, atol=0.06, rtol=0)


def test_quantiles_between_the_levels_are_linear_and_beyond_them_refused() -> None:
    head = QuantileHead(1, levels=(0.1, 0.5, 0.9), y_scale=10.0, y_shift=5.0)
    identity_outputs(head)
    with torch.no_grad():
        head.outputs[0].bias.copy_(torch.tensor([-1.0, 0.0, 2.0]))
    x = torch.zeros(2, 1)
    p = torch.tensor([0.1, 0.3, 0.5, 0.7, 0.9])
    wanted = torch.tensor([-5.0, 0.0, 5.0, 15.0, 25.0])
    torch.testing.assert_close(head.quantile(x, p), wanted.expand(2, -1))
    torch.testing.assert_close(head.quantile(x, 0.7), torch.full((2,), 15.0))
    torch.testing.assert_close(head.predict(x), torch.full((2, 1), 5.0))
    with pytest.raises(DomainError, match=r"from 0.1 to 0.9, asked for 0.95"):
        head.quantile(x, 0.95)
    with pytest.raises(DomainError, match="dim must be"):
        head.quantile(x, 0.5, dim=1)
    with pytest.raises(DomainError, match="levels"):
        QuantileHead(1, levels=(0.5, 0.1))
    with pytest.raises(UnknownNameError, match="non_crossing"):
        QuantileHead(1, non_crossing="hope")  # type: ignore[arg-type]


def test_a_single_level_is_predicted_as_it_is() -> None:
    head = QuantileHead(1, levels=(0.8,))
    x = torch.randn(3, 1)
    torch.testing.assert_close(head.predict(x), head.quantiles(x)[..., 0])
    torch.testing.assert_close(head.quantile(x, 0.8), head.quantiles(x)[:, 0, 0])


def test_a_cvae_whose_posterior_is_its_prior_has_no_divergence() -> None:
    x, y = torch.randn(5, 3), torch.randn(5, 1)
    own, shared = CVAEHead(3), CVAEHead(3, posterior="prior")
    assert own.loss(x, y).aux["kl_mean"] > 0
    out = shared.loss(x, y)
    assert out.aux["kl_mean"] == 0
    torch.testing.assert_close(out.loss, -out.aux["log_likelihood_mean"])
    assert shared.recognition is None
    assert sum(p.numel() for p in own.parameters()) - sum(p.numel() for p in shared.parameters()) == 2 * (
        4 * 10 + 10
    )


def test_cvae_sizes_and_prediction_are_the_papers(generator: torch.Generator) -> None:
    head = CVAEHead(3, 2)
    assert (head.latent_dim, head.num_samples) == (10, 128)
    x = torch.randn(4, 3)
    z = head.draw(head.prior(x), torch.Generator().manual_seed(3))
    assert z.shape == (4, 128, 10)
    means, _ = head.decoder(x, z)
    torch.testing.assert_close(head.predict(x, torch.Generator().manual_seed(3)), means.mean(1))


@pytest.mark.parametrize("bound", ["elbo", "iwae"])
@pytest.mark.parametrize("posterior", ["recognition", "prior"])
def test_a_cvae_learns_noise_in_every_reading(posterior: str, bound: str, generator: torch.Generator) -> None:
    torch.manual_seed(0)
    head = CVAEHead(1, num_samples=16, latent_dim=2, posterior=posterior, bound=bound)  # type: ignore[arg-type]
    y = 3.0 + 0.5 * torch.randn(256, 1, generator=generator)
    x = torch.zeros(256, 1)
    optimizer = torch.optim.Adam(head.parameters(), lr=0.05)
    for _ in range(200):
        optimizer.zero_grad()
        head.loss(x, y, generator).loss.backward()
        optimizer.step()
    entropy = 0.5 * math.log(2 * math.pi * math.e * 0.25)
    assert -head.log_prob(x, y, generator).mean().item() == pytest.approx(entropy, abs=0.1)


def test_wrong_settings_of_the_cvae_are_refused() -> None:
    with pytest.raises(UnknownNameError, match="posterior"):
        CVAEHead(3, posterior="guess")  # type: ignore[arg-type]
    with pytest.raises(UnknownNameError, match="bound"):
        CVAEHead(3, bound="vae")  # type: ignore[arg-type]
    with pytest.raises(DomainError, match="latent_dim"):
        CVAEHead(3, latent_dim=0)


def test_direct_criteria_and_scales_by_name() -> None:
    with pytest.raises(UnknownNameError, match="did you mean 'huber'"):
        DirectHead(3, criterion="hubr")
    with pytest.raises(UnknownNameError, match="scale"):
        GaussianHead(3, scale="printed")  # type: ignore[arg-type]
    x, y = torch.randn(4, 3), torch.randn(4, 1)
    exact, paper = (DirectHead(3, scale=scale) for scale in ("exact", "paper"))  # type: ignore[arg-type]
    paper.load_state_dict(exact.state_dict())
    torch.testing.assert_close(
        exact.loss(x, y).loss, 0.5 * paper.loss(x, y).loss + 0.5 * math.log(2 * math.pi)
    )


def test_a_standardised_gaussian_finds_mean_and_variance_in_the_unit_of_y(generator: torch.Generator) -> None:
    y = 1000.0 + 50.0 * torch.randn(500, 1, generator=generator)
    head = GaussianHead(1, y_scale=y.std(), y_shift=y.mean(), init="paper")
    density = head.density(torch.zeros(1, 1))
    torch.testing.assert_close(density.mean(), y.mean(0, keepdim=True))
    torch.testing.assert_close(density.std(), y.std(0, keepdim=True))
    low, high = density.credible_interval(0.95)[0].tolist()
    assert (low, high) == pytest.approx(
        (y.mean().item() - 1.96 * y.std().item(), y.mean().item() + 1.96 * y.std().item()), rel=1e-4
    )


def test_heads_refuse_parameters_that_do_not_fit() -> None:
    with pytest.raises(ShapeError, match=r"location of shape \(B, D\)"):
        DiagonalGaussian(torch.zeros(3), torch.zeros(3))
    with pytest.raises(ShapeError, match="one shape"):
        DiagonalGaussian(torch.zeros(3, 1), torch.zeros(3, 2))
    with pytest.raises(ShapeError, match=r"logits \(B, K\)"):
        GaussianMixture(torch.zeros(3, 2), torch.zeros(3, 4, 1), torch.zeros(3, 4, 1))


def test_half_precision_features_give_float32_losses() -> None:
    head = LaplaceMultivariateHead(3, 2)
    x, y = torch.randn(4, 3), torch.randn(4, 2)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        low = head.loss(x, y).loss
    assert low.dtype == torch.float32
    torch.testing.assert_close(low, head.loss(x, y).loss, atol=0.05, rtol=0.05)


def test_double_heads_take_double_targets(generator: torch.Generator) -> None:
    x = torch.randn(4, 3, dtype=torch.float64, generator=generator)
    y: Tensor = torch.randn(4, 2, dtype=torch.float64, generator=generator)
    assert CVAEHead(3, 2).double().loss(x, y).loss.dtype == torch.float64


def test_a_predicted_density_goes_onto_a_grid_and_into_the_calibration_measures() -> None:
    head, x, y = GaussianHead(3, y_scale=2.0), torch.randn(6, 3), torch.randn(6, 1)
    density = head.density(x)
    grid = GridDensity(density.log_prob, torch.linspace(-30, 30, 6001), batch_size=density.batch_size)
    torch.testing.assert_close(grid.log_partition(), torch.zeros(6), atol=1e-4, rtol=0)
    torch.testing.assert_close(grid.quantile((0.1, 0.9)), density.quantile((0.1, 0.9)), atol=1e-2, rtol=0)
    closed = crps_from_gaussian(density.mean()[:, 0], density.std()[:, 0], y[:, 0])
    torch.testing.assert_close(crps(grid, y), closed, atol=1e-3, rtol=1e-3)
