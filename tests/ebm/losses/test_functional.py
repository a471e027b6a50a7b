"""Spec groups 4-7 and 9: loss functions against published numbers, identities and integrals by hand."""

import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from ebm.exceptions import DomainError, ShapeError, UnknownNameError
from ebm.losses.functional import cnce, kld_is, ml_is, nce, reduce
from ebm.proposals import GaussianMixtureProposal


def pattern(shape: tuple[int, ...], a: float, b: float = 0.0) -> Tensor:
    """sin(a n + b) at element n, the generator of the published anchors."""
    return torch.arange(math.prod(shape)).double().mul(a).add(b).sin().float().reshape(shape)


def random_pair(generator: torch.Generator, batch: int = 3, count: int = 6) -> tuple[Tensor, Tensor]:
    f = 3 * torch.randn(batch, count, dtype=torch.float64, generator=generator)
    return f, torch.randn(batch, count, dtype=torch.float64, generator=generator)


def test_published_kl_and_ml_values() -> None:
    s, log_q, log_p = pattern((2, 5), 0.8), pattern((2, 5), 0.3), pattern((2, 5), 0.5, 1.0)
    torch.testing.assert_close(kld_is(s, log_q, log_p), torch.tensor(-0.623535), atol=1e-6, rtol=0)
    value = ml_is(s[:, 0], s[:, 1:], log_q[:, 1:])
    torch.testing.assert_close(value, torch.tensor(0.159039), atol=1e-6, rtol=0)


def test_ml_is_of_a_quadratic_energy_is_the_gaussian_nll(generator: torch.Generator) -> None:
    mean, sigma, label = 0.3, 0.5, torch.tensor([[0.9]], dtype=torch.float64)
    energy = lambda y: -(y[..., 0] - mean).square() / (2 * sigma**2) + 7.0  # noqa: E731
    draws = GaussianMixtureProposal([0.3, 1.5]).sample(label, 1_000_000, generator=generator)
    value = ml_is(energy(label), energy(draws.y), draws.log_q)
    exact = 0.5 * ((0.9 - mean) / sigma) ** 2 + math.log(sigma * math.sqrt(2 * math.pi))
    assert value.item() == pytest.approx(exact, abs=1e-2)


def test_kld_is_with_the_entropy_vanishes_where_the_model_is_the_label_density(
    generator: torch.Generator,
) -> None:
    label_density = GaussianMixtureProposal([0.2])
    draws = GaussianMixtureProposal([0.2, 0.8]).sample(
        torch.zeros(1, 1, dtype=torch.float64), 1_000_000, generator=generator
    )
    log_p = label_density.log_prob_offset(draws.offsets)
    minus_entropy = -0.5 * math.log(2 * math.pi * math.e * 0.04)
    value = kld_is(log_p + 2.0, draws.log_q, log_p, constant=minus_entropy, self_normalize=True)
    assert value.item() == pytest.approx(0, abs=1e-2)
    assert kld_is(log_p, draws.log_q, log_p, constant=minus_entropy).item() == pytest.approx(0, abs=1e-2)
    # A model twice as wide: KL = log 2 + 1/8 - 1/2.
    wide = GaussianMixtureProposal([0.4]).log_prob_offset(draws.offsets)
    exact = math.log(2) + 0.125 - 0.5
    assert kld_is(wide, draws.log_q, log_p, constant=minus_entropy).item() == pytest.approx(exact, abs=1e-2)


@given(seed=st.integers(0, 10_000), batch=st.integers(1, 4), count=st.integers(2, 30))
@settings(deadline=None)
def test_group_5_nce_is_ml_is_over_all_candidates_with_the_label_among_them(
    seed: int, batch: int, count: int
) -> None:
    f, log_q = random_pair(torch.Generator().manual_seed(seed), batch, count)
    f.requires_grad_()
    left = nce(f, log_q)
    right = ml_is(f[:, 0], f, log_q) + math.log(count) + log_q[:, 0].mean()
    torch.testing.assert_close(left, right, atol=1e-12, rtol=1e-12)
    gradients = [torch.autograd.grad(side, f)[0] for side in (left, right)]
    torch.testing.assert_close(*gradients, atol=1e-12, rtol=1e-12)


def test_nce_of_the_noise_itself_is_log_of_the_candidate_count(generator: torch.Generator) -> None:
    _, log_q = random_pair(generator, 8, 16)
    torch.testing.assert_close(nce(log_q + 3.0, log_q), torch.tensor(math.log(16)).double())


def test_nce_of_a_perfectly_separated_label_is_zero() -> None:
    f = torch.tensor([[400.0, 0, 0], [300, -5, 5]])
    assert nce(f, torch.zeros(2, 3)).item() == 0


@given(
    seed=st.integers(0, 10_000), batch=st.integers(1, 4), count=st.integers(2, 20), scale=st.floats(0.01, 1e4)
)
def test_nce_is_never_negative_and_ignores_constants(seed: int, batch: int, count: int, scale: float) -> None:
    generator = torch.Generator().manual_seed(seed)
    f = scale * torch.randn(batch, count, generator=generator)
    log_q = torch.randn(batch, count, generator=generator)
    per_item = nce(f, log_q, reduction="none")
    assert (per_item >= 0).all()
    shift = scale * torch.randn(batch, 1, generator=generator)
    torch.testing.assert_close(
        nce(f + shift, log_q, reduction="none"), per_item, atol=2e-6 * scale + 1e-5, rtol=1e-4
    )


def test_conditional_nce_by_hand() -> None:
    f = torch.tensor([[1.0, 1.0, 1.0 - math.log(3)]], dtype=torch.float64, requires_grad=True)
    loss = cnce(f)
    torch.testing.assert_close(loss.item(), (math.log(2) + math.log(4 / 3)) / 2)
    loss.backward()
    torch.testing.assert_close(f.grad, torch.tensor([[-0.375, 0.25, 0.125]], dtype=torch.float64))
    back_is_likelier = torch.tensor([[math.log(3), math.log(3)]], dtype=torch.float64)
    torch.testing.assert_close(cnce(f, back_is_likelier).item(), (math.log(4) + math.log(2)) / 2)
    # Beyond 20, where softplus goes over to a straight line, the value is still exact in double precision.
    high = cnce(torch.tensor([[0.0, 25.0]], dtype=torch.float64)).item() - 25
    assert high == pytest.approx(math.exp(-25), rel=1e-3)


@given(seed=st.integers(0, 10_000), c=st.floats(-100, 100))
@settings(deadline=None)
def test_group_9_constants_added_to_the_score(seed: int, c: float) -> None:
    generator = torch.Generator().manual_seed(seed)
    f, log_q = random_pair(generator)
    log_p = torch.randn(3, 6, dtype=torch.float64, generator=generator)
    torch.testing.assert_close(ml_is(f[:, 0] + c, f + c, log_q), ml_is(f[:, 0], f, log_q))
    mean_weight = (log_p - log_q).exp().mean(-1)
    change = kld_is(f + c, log_q, log_p, reduction="none") - kld_is(f, log_q, log_p, reduction="none")
    torch.testing.assert_close(change, c * (1 - mean_weight))
    normalized = [kld_is(g, log_q, log_p, self_normalize=True) for g in (f, f + c)]
    torch.testing.assert_close(*normalized)


def test_gradients_are_those_of_finite_differences(generator: torch.Generator) -> None:
    f, log_q = random_pair(generator)
    f.requires_grad_()
    log_p = 0.5 * log_q.flip(1)
    assert torch.autograd.gradcheck(lambda g: nce(g, log_q), f)
    assert torch.autograd.gradcheck(cnce, f)
    assert torch.autograd.gradcheck(lambda g: cnce(g, log_q[:, 1:]), f)
    assert torch.autograd.gradcheck(lambda g: ml_is(g[:, 0], g[:, 1:], log_q[:, 1:]), f)
    for normalize in (False, True):
        assert torch.autograd.gradcheck(lambda g, n=normalize: kld_is(g, log_q, log_p, self_normalize=n), f)


# Every loss of the family as a function of (B, C) scores and log-densities; a new one joins by being listed.
FAMILY = {
    "ml-is": lambda f, q, **kw: ml_is(f[:, 0], f[:, 1:], q[:, 1:], **kw),
    "kld-is": lambda f, q, **kw: kld_is(f, q, q - 0.1, **kw),
    "kld-is normalized": lambda f, q, **kw: kld_is(f, q, q - 0.1, self_normalize=True, **kw),
    "nce": nce,
    "cnce": lambda f, q, **kw: cnce(f, **kw),
    "cnce of skewed noise": lambda f, q, **kw: cnce(f, q[:, :-1] - q[:, 1:], **kw),
}


@pytest.mark.parametrize("name", FAMILY)
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16, torch.float16])
@pytest.mark.parametrize("energies", ["high", "low", "label high", "label low"])
def test_huge_energies_give_finite_losses_and_gradients(name: str, dtype: torch.dtype, energies: str) -> None:
    f = torch.full((2, 9), -1e4 if energies == "low" else 1e4, dtype=dtype)
    if energies.startswith("label"):
        f[:, 1 if energies == "label high" else 0 :] = -1e4
        f[:, 0] = 1e4 if energies == "label high" else -1e4
        f[:, 1:] = -f[:, :1]
    f.requires_grad_()
    loss = FAMILY[name](f, torch.linspace(-20, 5, 9).expand(2, 9))
    loss.backward()
    assert loss.isfinite()
    assert f.grad.isfinite().all()


@pytest.mark.parametrize("name", FAMILY)
def test_the_family_widens_to_float32_also_under_autocast(name: str, generator: torch.Generator) -> None:
    log_q = torch.randn(4, 9, generator=generator)
    weight = torch.randn(9, 5, generator=generator)
    with torch.autocast("cpu", torch.bfloat16):
        f = torch.nn.functional.linear(torch.ones(4, 5), weight) + torch.arange(4.0)[:, None].bfloat16()
        inside = FAMILY[name](f, log_q)
    assert f.dtype == torch.bfloat16
    assert inside.dtype == torch.float32
    torch.testing.assert_close(inside, FAMILY[name](f.float(), log_q), rtol=0, atol=0)


@pytest.mark.parametrize("name", FAMILY)
def test_reductions_of_the_family(name: str, generator: torch.Generator) -> None:
    f, log_q = random_pair(generator)
    per_item = FAMILY[name](f, log_q, reduction="none")
    assert per_item.shape == (3,)
    torch.testing.assert_close(FAMILY[name](f, log_q), per_item.mean())
    torch.testing.assert_close(FAMILY[name](f, log_q, reduction="sum"), per_item.sum())
    with pytest.raises(UnknownNameError, match="did you mean 'mean'"):
        FAMILY[name](f, log_q, reduction="means")


@pytest.mark.parametrize("name", FAMILY)
def test_an_empty_batch_gives_a_zero_that_backpropagates(name: str) -> None:
    f = torch.zeros(0, 5, requires_grad=True)
    loss = FAMILY[name](f, torch.zeros(0, 5))
    loss.backward()
    assert loss.item() == 0


def test_one_noise_sample_is_enough_and_none_is_refused() -> None:
    assert nce(torch.zeros(1, 2), torch.zeros(1, 2)).item() == pytest.approx(math.log(2))
    with pytest.raises(ShapeError, match="M must be >= 1"):
        nce(torch.zeros(1, 1), torch.zeros(1, 1))
    with pytest.raises(ShapeError, match="M must be >= 1"):
        cnce(torch.zeros(1, 1))
    with pytest.raises(ShapeError, match="M must be >= 1"):
        ml_is(torch.zeros(1), torch.zeros(1, 0), torch.zeros(1, 0))


def test_devices_and_precisions_are_not_mixed() -> None:
    f = torch.zeros(2, 3)
    with pytest.raises(TypeError, match="f on cpu, log_q on meta"):
        nce(f, f.to("meta"))
    with pytest.raises(TypeError, match="f torch.float32, log_q torch.float64"):
        nce(f, f.double())
    with pytest.raises(TypeError, match="one dtype"):
        ml_is(f[:, 0].double(), f, f)
    with pytest.raises(TypeError, match="one dtype"):
        kld_is(f, f, f.double())
    with pytest.raises(TypeError, match="bool"):
        nce(f, f.bool())
    assert nce(f.half(), f).dtype == torch.float32  # both are computed in float32


def test_shapes_are_named() -> None:
    with pytest.raises(ShapeError, match=r"got f \(2, 3\), log_q \(2, 4\)"):
        nce(torch.zeros(2, 3), torch.zeros(2, 4))
    with pytest.raises(ShapeError, match=r"f_label of shape \(2,\), got \(2, 1\)"):
        ml_is(torch.zeros(2, 1), torch.zeros(2, 4), torch.zeros(2, 4))
    with pytest.raises(ShapeError, match=r"log_ratio of shape \(2, 3\), got \(2, 4\)"):
        cnce(torch.zeros(2, 4), torch.zeros(2, 4))
    with pytest.raises(ShapeError, match=r"log_p \(4,\)"):
        kld_is(torch.zeros(4), torch.zeros(4), torch.zeros(4))


def test_item_weights() -> None:
    per_item = torch.tensor([1.0, 5.0, math.inf], requires_grad=True)
    weighted = reduce(per_item, "mean", torch.tensor([3.0, 1.0, 0.0]))
    weighted.backward()
    assert weighted.item() == 2
    torch.testing.assert_close(per_item.grad, torch.tensor([0.75, 0.25, 0.0]))
    for bad in ([1.0, -1.0, 0.0], [0.0, 0.0, 0.0], [math.nan, 1.0, 1.0]):
        with pytest.raises(DomainError, match="weights"):
            reduce(torch.ones(3), "mean", torch.tensor(bad))
    with pytest.raises(ShapeError, match="weights of shape"):
        reduce(torch.ones(3), "mean", torch.ones(2))
    assert reduce(torch.ones(0), "mean", torch.ones(0)).item() == 0
