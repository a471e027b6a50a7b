"""Objectives without one closed density: the cVAE's bounds, bins, quantile levels."""

import math

import pytest
import torch
from torch import Tensor
from torch.distributions import Independent, Normal, kl_divergence

from ebm.baselines.objectives import (
    Moments,
    cvae_elbo,
    expected_bin,
    gaussian_kl,
    nearest_bin,
    quantile_loss,
    require_levels,
    softmax_regression,
)
from ebm.exceptions import DomainError, ShapeError, UnknownNameError


def moments(generator: torch.Generator, *shape: int) -> Moments:
    mean, log_var = torch.randn(2, *shape, dtype=torch.float64, generator=generator)
    return mean, log_var


def normal(of: Moments) -> Independent:
    return Independent(Normal(of[0], (0.5 * of[1]).exp()), 1)


def test_kl_of_gaussians_is_that_of_torch(generator: torch.Generator) -> None:
    q, p = moments(generator, 6, 4), moments(generator, 6, 4)
    torch.testing.assert_close(gaussian_kl(q, p), kl_divergence(normal(q), normal(p)))
    assert gaussian_kl(q, q).abs().max() == 0.0


def test_kl_of_nearly_equal_gaussians_keeps_its_digits() -> None:
    zero = torch.zeros(1, 1)
    kl = gaussian_kl((zero, torch.full((1, 1), 1e-4)), (zero, zero))
    assert kl.item() == pytest.approx(2.5e-9, rel=1e-2)


def test_elbo_is_likelihood_minus_divergence(generator: torch.Generator) -> None:
    q, p = moments(generator, 3, 4), moments(generator, 3, 4)
    log_p = torch.randn(3, 7, dtype=torch.float64, generator=generator)
    ours = cvae_elbo(log_p, p, q, reduction="none")
    torch.testing.assert_close(ours, gaussian_kl(q, p) - log_p.mean(-1))


def test_prior_as_posterior_has_no_divergence(generator: torch.Generator) -> None:
    p = moments(generator, 3, 4)
    log_p = torch.randn(3, 7, dtype=torch.float64, generator=generator)
    torch.testing.assert_close(cvae_elbo(log_p, p), -log_p.mean())
    torch.testing.assert_close(cvae_elbo(log_p, p, p), cvae_elbo(log_p, p))


def linear_gaussian(posterior: Moments, count: int) -> tuple[Tensor, Tensor]:
    """log p(y|z) = log N(y; z, 1) at y = 1 of draws z from the posterior, and z; the prior is N(0, 1)."""
    torch.manual_seed(0)
    z = normal(posterior).sample(torch.Size((count,))).transpose(0, 1)
    return Normal(z, 1.0).log_prob(torch.ones_like(z)).sum(-1), z


ZERO = torch.zeros(1, 1, dtype=torch.float64)
EVIDENCE = Normal(0.0, math.sqrt(2.0)).log_prob(torch.tensor(1.0, dtype=torch.float64))
EXACT = (ZERO + 0.5, ZERO - math.log(2.0))  # p(z | y = 1)


def test_both_bounds_are_the_evidence_where_the_posterior_is_exact() -> None:
    few, z = linear_gaussian(EXACT, 5)
    torch.testing.assert_close(-cvae_elbo(few, (ZERO, ZERO), EXACT, z, objective="iwae"), EVIDENCE)
    many, z = linear_gaussian(EXACT, 200_000)
    torch.testing.assert_close(-cvae_elbo(many, (ZERO, ZERO), EXACT, z), EVIDENCE, atol=5e-3, rtol=0)


def test_iwae_from_the_prior_is_tighter_than_elbo_and_meets_the_evidence() -> None:
    log_p, _ = linear_gaussian((ZERO, ZERO), 100_000)
    elbo, iwae = (-cvae_elbo(log_p, (ZERO, ZERO), objective=name) for name in ("elbo", "iwae"))
    assert elbo < iwae - 0.1
    torch.testing.assert_close(iwae, EVIDENCE, atol=1e-2, rtol=0)


def test_a_one_hot_logit_is_expected_at_its_bin_and_costs_nothing_else(generator: torch.Generator) -> None:
    bins = torch.arange(0.0, 101.0)
    logits = torch.zeros(2, 1, 101)
    logits[0, 0, 37] = logits[1, 0, 99] = 1e4
    torch.testing.assert_close(expected_bin(logits, bins), torch.tensor([[37.0], [99.0]]))
    loss = softmax_regression(logits, torch.tensor([[37.2], [99.0]]), bins, var_weight=0.05, reduction="none")
    torch.testing.assert_close(loss, torch.tensor([0.1 * 0.04, 0.0]), atol=1e-6, rtol=1e-3)


def test_two_equal_bins_worked_by_hand() -> None:
    logits = torch.tensor([[[0.0, 0.0, -1e4]]], requires_grad=True)
    bins, y = torch.tensor([0.0, 1.0, 2.0]), torch.tensor([[1.0]])
    loss = softmax_regression(logits, y, bins, l2_weight=0.1, var_weight=0.05)
    assert loss.item() == pytest.approx(math.log(2) + 0.1 * 0.25 + 0.05 * 0.25)
    loss.backward()
    assert logits.grad is not None
    assert logits.grad.isfinite().all()


def test_targets_go_to_the_nearest_bin_and_beyond_the_ends_to_the_last() -> None:
    bins = torch.tensor([-1.0, 0.0, 1.0])
    y = torch.tensor([-7.0, -0.6, -0.4, 0.3, 0.9, 55.0])
    assert nearest_bin(y, bins).tolist() == [0, 0, 1, 1, 2, 2]


def test_coordinates_add_up(generator: torch.Generator) -> None:
    logits = torch.randn(4, 3, 5, generator=generator)
    y = torch.randn(4, 3, generator=generator)
    bins = torch.linspace(-2, 2, 5)
    parts = [softmax_regression(logits[:, d : d + 1], y[:, d : d + 1], bins) for d in range(3)]
    torch.testing.assert_close(softmax_regression(logits, y, bins), torch.stack(parts).sum())


def test_pinball_loss_is_least_at_the_empirical_quantile(generator: torch.Generator) -> None:
    y = torch.randn(999, 1, generator=generator)
    level = torch.tensor([0.8])
    grid = torch.linspace(-3, 3, 601)
    losses = [quantile_loss(torch.full((999, 1, 1), q.item()), y, level).item() for q in grid]
    best = grid[int(torch.tensor(losses).argmin())]
    assert best.item() == pytest.approx(y.quantile(0.8).item(), abs=0.02)


def test_pinball_loss_worked_by_hand() -> None:
    quantiles, y = torch.tensor([[[0.0, 2.0]]]), torch.tensor([[1.0]])
    loss = quantile_loss(quantiles, y, torch.tensor([0.1, 0.7]))
    assert loss.item() == pytest.approx((0.1 * 1 + 0.3 * 1) / 2)


def test_gradients_are_those_of_finite_differences(generator: torch.Generator) -> None:
    bins = torch.linspace(-2, 2, 5, dtype=torch.float64)
    logits = torch.randn(3, 2, 5, dtype=torch.float64, generator=generator, requires_grad=True)
    y = torch.randn(3, 2, dtype=torch.float64, generator=generator)
    assert torch.autograd.gradcheck(lambda a: softmax_regression(a, y, bins, var_weight=0.05), (logits,))
    q, p = moments(generator, 3, 2), moments(generator, 3, 2)
    z = torch.randn(3, 4, 2, dtype=torch.float64, generator=generator)
    log_p = torch.randn(3, 4, dtype=torch.float64, generator=generator)
    for objective in ("elbo", "iwae"):
        leaves = [t.clone().requires_grad_() for t in (log_p, *p, *q)]
        assert torch.autograd.gradcheck(
            lambda a, b, c, d, e, o=objective: cvae_elbo(a, (b, c), (d, e), z, objective=o), leaves
        )


def test_errors_name_what_is_wrong() -> None:
    zero = torch.zeros(2, 3)
    with pytest.raises(UnknownNameError, match="did you mean 'elbo'"):
        cvae_elbo(zero, (zero, zero), objective="elbos")  # type: ignore[arg-type]
    with pytest.raises(ShapeError, match="needs its draws z"):
        cvae_elbo(zero, (zero, zero), (zero, zero), objective="iwae")
    with pytest.raises(ShapeError, match=r"log_likelihood \(B, S"):
        cvae_elbo(torch.zeros(2), (zero, zero))
    with pytest.raises(ShapeError, match="expected logits"):
        softmax_regression(torch.zeros(2, 5), torch.zeros(2, 1), torch.zeros(5))
    with pytest.raises(ShapeError, match="expected quantiles"):
        quantile_loss(torch.zeros(2, 1, 3), torch.zeros(2, 1), torch.zeros(2))
    for levels in ([], [0.0, 0.5], [0.5, 1.0], [0.5, 0.5], [0.6, 0.4], [math.nan]):
        with pytest.raises(DomainError, match="levels"):
            require_levels(levels)
