"""Conditional NCE: what it draws, and that its minimiser is the density for any number of samples."""

import math
from collections.abc import Callable
from dataclasses import replace

import pytest
import torch
from torch import Tensor

from ebm.losses.conditional import CNCELoss, box_log_back
from ebm.losses.functional import cnce, nce
from ebm.proposals import GaussianMixtureProposal, Proposal

PROPOSAL = GaussianMixtureProposal([0.1, 0.8], target_dim=2)


def seeded(seed: int = 5) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


@pytest.mark.parametrize("sigma", [0.4, 1.0, 3.0])
def test_one_sample_finds_the_density_with_conditional_nce_but_not_with_nce(sigma: float) -> None:
    """Both expectations at M = 1 as double integrals; their gradient at the true f of every grid point."""
    y = torch.linspace(-6, 6, 121, dtype=torch.float64)
    p = (0.7 * torch.exp(-2 * (y + 2).square()) + 0.3 * torch.exp(-2 * (y - 2).square())).clamp(min=1e-300)
    log_q = GaussianMixtureProposal([sigma]).log_prob_offset((y[None] - y[:, None])[..., None])
    weight = (p[:, None] * log_q.exp() / (p.sum() * log_q.exp().sum(1).max())).flatten()
    at_label = torch.full_like(log_q, log_q.max())

    def pull(loss: Callable[[Tensor], Tensor]) -> float:
        f = p.log().requires_grad_()
        pairs = torch.stack((f[:, None].expand(121, 121), f[None].expand(121, 121)), -1).flatten(0, 1)
        (gradient,) = torch.autograd.grad((weight * loss(pairs)).sum(), f)
        return gradient.abs().sum().item()

    logs = torch.stack((at_label, log_q), -1).flatten(0, 1)
    assert pull(lambda f: cnce(f, reduction="none")) < 1e-12
    assert pull(lambda f: nce(f, logs, reduction="none")) > 5e-3


@pytest.mark.parametrize("count", [1, 4])
def test_small_m_narrows_nce_and_not_conditional_nce(count: int) -> None:
    """The deviation of the best zero-mean Gaussian for labels from N(0, 1): published in the guide."""
    best, generator = {}, torch.Generator().manual_seed(0)
    labels = torch.randn(40_000, 1, dtype=torch.float64, generator=generator)
    proposal = GaussianMixtureProposal([0.05, 0.3, 1.5])
    drawn = proposal.sample(labels, count, generator=generator, lead=torch.zeros_like(labels))
    sigmas = torch.arange(0.3, 1.3, 0.02)
    for name, loss in {"nce": lambda f: nce(f, drawn.log_q), "cnce": cnce}.items():
        values = [loss(-0.5 * (drawn.y[..., 0] / s).square()).item() for s in sigmas.tolist()]
        best[name] = sigmas[int(torch.tensor(values).argmin())].item()
    assert best["nce"] == pytest.approx({1: 0.517, 4: 0.746}[count], abs=0.04)
    assert best["cnce"] == pytest.approx(1, abs=0.06)


def test_conditional_nce_draws_around_the_moved_label() -> None:
    loss, y = CNCELoss(PROPOSAL, 3, beta=0.5), torch.full((4000, 2), 7.0)
    drawn = loss.sample(y, generator=seeded())
    nu = drawn.y[:, 0] - y
    assert nu.std().item() == pytest.approx(0.5 * math.sqrt((0.1**2 + 0.8**2) / 2), rel=0.15)
    away = drawn.y[:, 1:] - drawn.y[:, :1]
    torch.testing.assert_close(drawn.log_q[:, 1:], loss.proposal.log_prob_offset(away), atol=1e-4, rtol=1e-4)
    assert drawn.log_back is None  # symmetric: the way back is as likely
    plain = CNCELoss(PROPOSAL, 3).sample(y, generator=seeded())
    torch.testing.assert_close(plain.y[:, 0], y, rtol=0, atol=0)


class Skewed(Proposal):
    """Offsets of a Gaussian with mean 0.6 and deviation 0.8: forward is likelier than back."""

    target_dim = 1
    density = torch.distributions.Normal(0.6, 0.8)

    def sample_offsets(self, count: int, like: Tensor, *, generator: torch.Generator | None = None) -> Tensor:
        return 0.6 + 0.8 * torch.randn(count, 1, generator=generator, dtype=like.dtype)

    def log_prob_offset(self, e: Tensor) -> Tensor:
        return self.density.log_prob(e[..., 0])


def test_conditional_nce_corrects_for_noise_that_is_not_symmetric() -> None:
    y = torch.randn(200_000, 1, generator=seeded(1))
    loss = CNCELoss(Skewed(), 1)
    drawn = loss.sample(y, generator=seeded())
    torch.testing.assert_close(
        drawn.log_back[:, 1:], Skewed().log_prob_offset(drawn.y[:, :1] - drawn.y[:, 1:]), atol=1e-4, rtol=1e-4
    )
    mean, log_sigma = torch.zeros((), requires_grad=True), torch.zeros((), requires_grad=True)
    f = -0.5 * (drawn.y[..., 0] - mean).square() * (-2 * log_sigma).exp()
    # N(0, 1), which the labels follow, is where the gradient vanishes; without the correction it does not.
    for candidates, still in ((drawn, True), (replace(drawn, log_back=None), False)):
        value = loss.per_item(f, candidates).mean()
        gradient = torch.stack(torch.autograd.grad(value, (mean, log_sigma), retain_graph=True))
        assert (gradient.abs().max() < 3e-3) == still
    with pytest.raises(TypeError, match="beta narrows a GaussianMixtureProposal; got Skewed"):
        CNCELoss(Skewed(), 1, beta=0.1)


@pytest.mark.parametrize("sigmas", [[(0.2, 0.4)], [(0.05, 0.05), (0.5, 0.5)]])
def test_noise_in_units_of_a_box_is_made_up_for_by_its_way_back(sigmas: list[tuple[float, float]]) -> None:
    """Boxes with centres of N(0, 1) and log sizes of N(log 5, 0.4^2): the gradient there is 0."""
    generator, rows = seeded(), 200_000
    scale = torch.tensor([1.0, 1.0, 0.4, 0.4])
    label = scale * torch.randn(rows, 4, generator=generator)
    label[:, 2:] += math.log(5)
    noise = GaussianMixtureProposal(sigmas, layout="box")
    e = noise.sample_offsets(rows, label, generator=generator)
    sample = torch.cat((label[:, :2] + label[:, 2:].exp() * e[:, :2], label[:, 2:] + e[:, 2:]), 1)
    y, theta = torch.stack((label, sample), 1), torch.zeros(4, requires_grad=True)
    mean = torch.stack((theta[0], theta[0], theta[1] + math.log(5), theta[1] + math.log(5)))
    width = scale * torch.stack((theta[2], theta[2], theta[3], theta[3])).exp()
    f = -0.5 * ((y - mean) / width).square().sum(-1)
    log_ratio = (box_log_back(noise, e) - noise.log_prob_offset(e))[:, None]
    pulls = [
        torch.autograd.grad(cnce(f, ratio), theta, retain_graph=True)[0].abs() for ratio in (log_ratio, None)
    ]
    assert pulls[0].max() < 4e-3
    assert pulls[1].max() > 2e-2
