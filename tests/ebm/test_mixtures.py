"""Mixture arithmetic without a component dimension against torch.distributions (spec group 1)."""

import math

import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from ebm.proposals import GaussianMixtureProposal
from tests.ebm.test_proposals import reference


@given(
    seed=st.integers(0, 10_000), dim=st.integers(1, 5), components=st.integers(1, 4), kind=st.integers(0, 2)
)
@settings(max_examples=40, deadline=None)
def test_shortcuts_for_equal_and_proportional_sigmas_are_exact(
    seed: int, dim: int, components: int, kind: int
) -> None:
    generator = torch.Generator().manual_seed(seed)
    sigmas = 10 ** (2 * torch.rand(components, dim, generator=generator, dtype=torch.float64) - 1)
    if kind == 0:
        sigmas = sigmas[:, :1].expand(-1, dim)
    elif kind == 1:
        sigmas = sigmas[:1] * 2.0 ** torch.arange(components)[:, None]
    offsets = 3 * torch.randn(6, dim, generator=generator, dtype=torch.float64, requires_grad=True)
    proposal = GaussianMixtureProposal(sigmas)
    uniform = torch.full((components,), 1 / components, dtype=torch.float64)
    expected = reference(sigmas, uniform).log_prob(offsets)
    log_q = proposal.log_prob_offset(offsets)
    torch.testing.assert_close(log_q, expected, rtol=1e-10, atol=1e-10)
    slopes = [torch.autograd.grad(value.sum(), offsets)[0] for value in (log_q, expected)]
    torch.testing.assert_close(*slopes, rtol=1e-9, atol=1e-9)
    draws = proposal.sample_offsets(20_000, offsets, generator=generator)
    spread = draws.square().mean(0) / sigmas.square().mean(0)
    torch.testing.assert_close(spread, torch.ones(dim, dtype=torch.float64), rtol=0, atol=0.15)


def test_densities_have_second_derivatives() -> None:
    for sigmas in ([0.1, 0.8], [[0.1, 0.3], [0.8, 0.2]]):
        proposal = GaussianMixtureProposal(sigmas, target_dim=2)
        offsets = torch.tensor([[0.0, 0.0], [0.1, -0.3]], dtype=torch.float64, requires_grad=True)
        assert torch.autograd.gradgradcheck(proposal.log_prob_offset, offsets)


def test_tiny_and_huge_units_neither_underflow_nor_overflow() -> None:
    for unit in (1e-18, 1e18):
        proposal = GaussianMixtureProposal([0.1 * unit, 0.8 * unit], target_dim=2)
        plain = GaussianMixtureProposal([0.1, 0.8], target_dim=2)
        e = torch.tensor([[0.03, -0.1], [1.0, 2.0]])
        expected = plain.log_prob_offset(e) - 2 * math.log(unit)
        torch.testing.assert_close(proposal.log_prob_offset(unit * e), expected, rtol=1e-5, atol=1e-4)
