"""Spec groups 1-3, and 18 for proposals: torch.distributions, published numbers, their own densities."""

import math
import pickle

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor
from torch.distributions import Categorical, Independent, MixtureSameFamily, Normal

from ebm.exceptions import DomainError, ShapeError, UnknownNameError
from ebm.proposals import GaussianMixtureProposal, ZeroNoise, annotation_noise

TRACKING = ((0.05, 0.05), (0.5, 0.5))


def tracking() -> GaussianMixtureProposal:
    return GaussianMixtureProposal(TRACKING, layout="box")


def reference(sigmas: Tensor, weights: Tensor) -> MixtureSameFamily:
    parts = Independent(Normal(torch.zeros_like(sigmas), sigmas), 1)
    return MixtureSameFamily(Categorical(probs=weights), parts)


@pytest.mark.parametrize("components", [1, 2, 3])
@pytest.mark.parametrize("dim", [1, 3, 4])
@pytest.mark.parametrize("isotropic", [True, False])
def test_log_density_equals_torch_distributions(
    components: int, dim: int, isotropic: bool, generator: torch.Generator
) -> None:
    sigmas = 0.05 + torch.rand(components, dim, dtype=torch.float64, generator=generator)
    if isotropic:
        sigmas = sigmas[:, :1].expand(-1, dim)
    weights = torch.rand(components, dtype=torch.float64, generator=generator) + 0.1
    weights = weights / weights.sum()
    given_sigmas = sigmas[:, 0].tolist() if isotropic else sigmas.tolist()
    proposal = GaussianMixtureProposal(given_sigmas, weights.tolist(), target_dim=dim)
    offsets = torch.tensor([0.0, 1, -1, 50]).double()[:, None] * sigmas.amax(0)
    expected = reference(sigmas, weights).log_prob(offsets)
    torch.testing.assert_close(proposal.log_prob_offset(offsets), expected, rtol=1e-12, atol=1e-12)
    assert proposal.log_prob_offset(offsets.float()).isfinite().all()


def test_published_tracking_densities() -> None:
    offsets = torch.tensor([[0.0, 0, 0, 0], [0.1, -0.05, 0.02, 0.2], [0.6, -0.4, 0.3, 0.5]])
    density = tracking().log_prob_offset(offsets).exp()
    torch.testing.assert_close(density, torch.tensor([2026.6266, 0.233808, 0.036286]), rtol=1e-5, atol=1e-6)
    label = GaussianMixtureProposal([(0.05, 0.05)], layout="box").log_prob_offset(offsets[:2]).exp()
    torch.testing.assert_close(label, torch.tensor([4052.8472, 0.103021]), rtol=1e-5, atol=1e-6)
    torch.testing.assert_close(tracking().log_prob_at_center(), torch.tensor(math.log(2026.6266)))


@pytest.mark.parametrize("dim", [1, 2])
def test_density_integrates_to_one(dim: int) -> None:
    proposal = GaussianMixtureProposal([0.2, 0.7], target_dim=dim)
    axis = torch.linspace(-7, 7, 1401, dtype=torch.float64)
    grid = torch.stack(torch.meshgrid(*[axis] * dim, indexing="ij"), -1)
    total = proposal.log_prob_offset(grid).exp().sum() * (axis[1] - axis[0]) ** dim
    assert total.item() == pytest.approx(1, abs=1e-6)


def test_variance_of_a_million_draws(generator: torch.Generator) -> None:
    draws = GaussianMixtureProposal([0.1, 0.8]).sample(torch.zeros(1, 1), 1_000_000, generator=generator)
    assert draws.offsets.var().item() == pytest.approx((0.01 + 0.64) / 2, rel=0.01)
    assert draws.offsets.mean().item() == pytest.approx(0, abs=0.003)


def test_weights_decide_how_often_a_component_is_drawn(generator: torch.Generator) -> None:
    proposal = GaussianMixtureProposal([1e-3, 10.0], weights=[0.8, 0.2])
    offsets = proposal.sample(torch.zeros(1, 1), 100_000, generator=generator).offsets
    assert (offsets.abs() < 0.02).double().mean().item() == pytest.approx(0.8, abs=0.01)


def test_one_component_serves_all_dimensions_of_a_draw(generator: torch.Generator) -> None:
    offsets = tracking().sample(torch.zeros(1, 4), 20_000, generator=generator).offsets[0].abs()
    assert torch.corrcoef(offsets.T)[0, 1].item() > 0.3


@given(
    seed=st.integers(0, 10_000), dim=st.integers(1, 5), components=st.integers(1, 4), batch=st.integers(0, 3)
)
@settings(max_examples=40, deadline=None)
def test_returned_density_is_the_density_of_what_was_drawn(
    seed: int, dim: int, components: int, batch: int
) -> None:
    generator = torch.Generator().manual_seed(seed)
    sigmas = 10 ** (2 * torch.rand(components, dim, generator=generator) - 1)
    center = torch.randn(batch, dim, generator=generator)
    proposal = GaussianMixtureProposal(sigmas)
    draws = proposal.sample(center, 7, generator=generator)
    assert draws.y.shape == (batch, 7, dim)
    assert not draws.y.requires_grad
    assert not draws.log_q.requires_grad
    torch.testing.assert_close(proposal.log_prob_offset(draws.offsets), draws.log_q, atol=1e-5, rtol=1e-5)
    torch.testing.assert_close(proposal.log_prob(draws.y, center), draws.log_q, atol=2e-3, rtol=2e-3)


@pytest.mark.parametrize(
    ("dtype", "expected"),
    [(torch.float64, torch.float64), (torch.bfloat16, torch.float32), (torch.int64, torch.float32)],
)
def test_draws_are_float32_or_wider(dtype: torch.dtype, expected: torch.dtype) -> None:
    draws = tracking().sample(torch.ones(2, 4, dtype=dtype, requires_grad=dtype.is_floating_point), 3)
    assert draws.y.dtype == draws.log_q.dtype == expected
    assert not draws.y.requires_grad


def test_density_is_differentiable_also_after_a_first_use_in_inference_mode() -> None:
    proposal = tracking()
    with torch.inference_mode():
        proposal.log_prob_offset(torch.zeros(4, dtype=torch.float64))
    offsets = torch.full((3, 4), 0.1, dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(proposal.log_prob_offset, offsets)


@pytest.mark.parametrize(
    ("mode", "expected"), [("std", [[0.0025], [0.02]]), ("variance", [[0.0158113883], [0.1264911064]])]
)
def test_both_readings_of_beta(mode: str, expected: list[list[float]]) -> None:
    noise = annotation_noise(GaussianMixtureProposal([0.1, 0.8]), 0.025, mode)
    torch.testing.assert_close(noise.sigmas, torch.tensor(expected))


def test_the_default_reading_of_beta_is_the_authors_code() -> None:
    noise = annotation_noise(tracking(), 0.1)
    torch.testing.assert_close(noise.sigmas, torch.tensor([[0.005] * 4, [0.05] * 4]))


def test_noise_keeps_the_mixture_weights() -> None:
    noise = annotation_noise(GaussianMixtureProposal([0.1, 0.8], weights=[0.25, 0.75]), 0.5)
    torch.testing.assert_close(noise.weights, torch.tensor([0.25, 0.75]))


def test_beta_zero_is_no_noise() -> None:
    noise = annotation_noise(tracking(), 0)
    assert isinstance(noise, ZeroNoise)
    center = torch.tensor([[1.0, 2, 3, 4]])
    draws = noise.sample(center, 5)
    assert torch.equal(draws.y, center[:, None].expand(1, 5, 4))
    assert draws.offsets.count_nonzero() == 0
    assert torch.equal(
        noise.log_prob_offset(torch.tensor([[0.0] * 4, [0, 0, 1e-9, 0]])), torch.tensor([math.inf, -math.inf])
    )


def test_unusual_and_impossible_beta() -> None:
    with pytest.warns(UserWarning, match="wider than the proposal"):
        annotation_noise(tracking(), 2.0)
    for beta in (-0.1, math.nan, math.inf):
        with pytest.raises(DomainError, match="beta"):
            annotation_noise(tracking(), beta)
    with pytest.raises(UnknownNameError, match="did you mean 'variance'"):
        annotation_noise(tracking(), 0.1, "varianz")


@pytest.mark.parametrize(
    ("sigmas", "arguments", "error"),
    [
        ([], {}, DomainError),
        ([[]], {}, DomainError),
        ([0.1, 0.0], {}, DomainError),
        ([0.1, -1.0], {}, DomainError),
        ([0.1, math.nan], {}, DomainError),
        ([0.1, math.inf], {}, DomainError),
        ([[0.1, 0.2], [0.3]], {}, ShapeError),
        ([[0.1, 0.2]], {"target_dim": 3}, ShapeError),
        ([[0.1, 0.2, 0.3]], {"layout": "box"}, ShapeError),
        ([0.1, 0.2], {"layout": "box"}, ShapeError),
        ([[0.1, 0.2]], {"layout": "boxes"}, UnknownNameError),
        ([0.1, 0.2], {"weights": [1.0]}, ShapeError),
        ([0.1, 0.2], {"weights": [0.5, 0.4]}, DomainError),
        ([0.1, 0.2], {"weights": [1.0, 0.0]}, DomainError),
    ],
)
def test_impossible_mixtures_are_refused(sigmas: list, arguments: dict, error: type[ValueError]) -> None:
    with pytest.raises(error) as caught:
        GaussianMixtureProposal(sigmas, **arguments)
    assert isinstance(caught.value, ValueError)


def test_impossible_draws_are_refused() -> None:
    proposal = tracking()
    for count in (0, -1, 2.0, True):
        with pytest.raises(ValueError, match="num_samples must be an integer >= 1"):
            proposal.sample(torch.zeros(1, 4), count)
    with pytest.raises(ShapeError, match=r"center of shape \(B, D=4\), got \(4,\)"):
        proposal.sample(torch.zeros(4), 3)
    with pytest.raises(DomainError, match=r"center\[1, 2\] is nan"):
        proposal.sample(torch.tensor([[0.0] * 4, [0, 0, math.nan, 0]]), 3)
    with pytest.raises(TypeError, match="bool"):
        proposal.sample(torch.zeros(1, 4, dtype=torch.bool), 3)
    with pytest.raises(TypeError, match="generator is for cpu, but center is on meta"):
        proposal.sample(torch.zeros(1, 4, device="meta"), 3, generator=torch.Generator())
    with pytest.raises(ShapeError, match="y of shape"):
        proposal.log_prob(torch.zeros(2, 3, 3), torch.zeros(2, 4))
    with pytest.raises(ShapeError, match=r"got \(3, 2, 4\)"):
        proposal.log_prob(torch.zeros(3, 2, 4), torch.zeros(2, 4))


def test_the_first_bad_sigma_is_named() -> None:
    with pytest.raises(DomainError, match=r"sigmas\[1\] must be finite and > 0, got nan"):
        GaussianMixtureProposal([0.1, math.nan, -1.0])
    with pytest.raises(DomainError, match=r"sigmas\[1\]\[0\] must be finite and > 0, got -0.3"):
        GaussianMixtureProposal([[0.1, 0.2], [-0.3, 0.0]])
    with pytest.raises(DomainError, match=r"weights\[1\] must be finite and > 0, got -0.5"):
        GaussianMixtureProposal([0.1, 0.2], weights=[1.5, -0.5])


def test_densities_do_not_mix_devices_or_precisions() -> None:
    y, center = torch.zeros(2, 3, 4), torch.zeros(2, 4)
    with pytest.raises(TypeError, match="y on cpu, center on meta"):
        tracking().log_prob(y, center.to("meta"))
    with pytest.raises(TypeError, match=r"y torch.float32, center torch.float64"):
        tracking().log_prob(y, center.double())
    y[1, 0, 3] = math.inf
    with pytest.raises(DomainError, match=r"y\[1, 0, 3\] is inf"):
        tracking().log_prob(y, center)
    with pytest.raises(DomainError, match=r"center\[0, 0\] is nan"):
        tracking().log_prob(torch.zeros(2, 4), center / 0)
    assert tracking().log_prob(y, center, validate=False)[1, 0] == -math.inf
    assert tracking().log_prob(torch.zeros(2, 4, dtype=torch.long), center).dtype == torch.float32


@pytest.mark.parametrize("rows", [1, 3])
@pytest.mark.parametrize("share", [False, True])
def test_a_candidate_of_ones_own_stands_in_front_with_its_own_density(rows: int, share: bool) -> None:
    center = torch.tensor([[1.0, 2, 3, 4], [50, 60, 4, 5], [0, 0, 0, 0]])
    lead = torch.linspace(-0.3, 0.3, 4 * rows).reshape(rows, 4)
    seeds = [torch.Generator().manual_seed(3) for _ in range(2)]
    plain = tracking().sample(center, 5, generator=seeds[0], share_across_batch=share)
    led = tracking().sample(center, 5, generator=seeds[1], share_across_batch=share, lead=lead)
    assert torch.equal(led.y[:, 1:], plain.y)
    assert torch.equal(led.log_q[:, 1:], plain.log_q)
    assert torch.equal(led.offsets, plain.offsets)
    torch.testing.assert_close(led.y[:, 0], center + lead)
    torch.testing.assert_close(led.log_q[:, 0], tracking().log_prob_offset(lead).expand(3))


def test_a_candidate_in_front_must_fit() -> None:
    center = torch.zeros(3, 4)
    with pytest.raises(ShapeError, match="lead of 1 or B = 3 rows, got 2"):
        tracking().sample(center, 5, lead=torch.zeros(2, 4))
    with pytest.raises(ShapeError, match="lead of shape"):
        tracking().sample(center, 5, lead=torch.zeros(3, 3))
    with pytest.raises(TypeError, match="lead on meta"):
        tracking().sample(center, 5, lead=torch.zeros(1, 4, device="meta"))
    assert tracking().sample(center[:0], 5, lead=torch.zeros(1, 4)).y.shape == (0, 6, 4)


def test_proposals_travel_to_worker_processes() -> None:
    proposal = tracking()
    proposal.log_prob_at_center()
    copy = pickle.loads(pickle.dumps(proposal))
    torch.testing.assert_close(copy.log_prob_at_center(), proposal.log_prob_at_center())
    assert proposal.state_dict() == {}
