"""Spec group 10: maximum likelihood with Langevin chains."""

import pytest
import torch
from torch import Tensor, nn

from ebm.exceptions import DomainError, NumericalError, ShapeError
from ebm.losses.functional import ml_mcmc
from ebm.losses.gradient_losses import MLMCMCLoss
from ebm.models import EnergyModel, FunctionalEnergy
from ebm.samplers import langevin


class TwoParameters(EnergyModel):
    """f = -a (y - b x)^2 / 2."""

    target_dim = 1

    def __init__(self) -> None:
        super().__init__()
        self.a = nn.Parameter(torch.tensor(2.0, dtype=torch.float64))
        self.b = nn.Parameter(torch.tensor(0.5, dtype=torch.float64))

    def extract(self, x: Tensor) -> Tensor:
        return self.b * x

    def score(self, features: Tensor, y: Tensor) -> Tensor:
        return -0.5 * self.a * (y - features[:, None])[..., 0].square()


def seeded(seed: int = 3) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def batch() -> tuple[Tensor, Tensor]:
    return torch.tensor([[1.0], [-2.0], [0.3]]).double(), torch.tensor([[0.2], [-0.7], [1.0]]).double()


def chain_ends(model: EnergyModel, x: Tensor, y: Tensor) -> Tensor:
    score = lambda u: model.score(model.extract(x), u)  # noqa: E731
    return langevin(score, y[:, None].expand(-1, 16, -1), 5, 0.2, generator=seeded())


def test_the_gradient_is_that_of_the_scores_at_fixed_samples() -> None:
    model, (x, y) = TwoParameters(), batch()
    out = MLMCMCLoss(1, 16, 5, 0.2)(model, model.extract(x), y, generator=seeded())
    out.loss.backward()
    ends = chain_ends(model, x, y)

    def value(a: float, b: float) -> float:
        """mean f(samples) - f(label) with the samples held still."""
        f = lambda u: -0.5 * a * (u - b * x[:, None])[..., 0].square()  # noqa: E731
        return (f(ends).mean(1) - f(y[:, None])[:, 0]).mean().item()

    h = 1e-5
    assert out.loss.item() == pytest.approx(value(2.0, 0.5), rel=1e-12)
    assert model.a.grad.item() == pytest.approx((value(2 + h, 0.5) - value(2 - h, 0.5)) / (2 * h), rel=1e-7)
    assert model.b.grad.item() == pytest.approx((value(2, 0.5 + h) - value(2, 0.5 - h)) / (2 * h), rel=1e-7)


def test_only_the_two_last_scorings_build_a_graph_through_parameters_and_features() -> None:
    model, (x, y) = TwoParameters(), batch()
    calls: list[tuple[bool, bool, bool]] = []
    plain = model.score

    def spying(features: Tensor, u: Tensor) -> Tensor:
        calls.append((features.requires_grad, model.a.requires_grad, u.requires_grad))
        return plain(features, u)

    model.score = spying
    MLMCMCLoss(1, 4, 7, 0.2)(model, model.extract(x), y)
    assert calls == [(False, False, True)] * 7 + [(True, True, False)] * 2


def test_parameters_come_back_to_life_also_after_a_failure() -> None:
    model, (x, y) = TwoParameters(), batch()
    model.b.requires_grad_(False)
    model.score = lambda features, u: (u * torch.nan).sum(-1)
    with pytest.raises(NumericalError, match="at step 1 of 7 of the Langevin chain"):
        MLMCMCLoss(1, 4, 7, 0.2)(model, model.extract(x), y)
    assert model.a.requires_grad
    assert not model.b.requires_grad


def test_chains_start_at_the_label() -> None:
    seen: list[Tensor] = []
    model = FunctionalEnergy(lambda _, u: (seen.append(u.detach().clone()), -u.square().sum(-1))[1], 2)
    y = torch.tensor([[1.0, 2.0], [3.0, 4.0]])
    MLMCMCLoss(2, 3, 1, (0.1, 0.2))(model, y, y, generator=seeded())
    assert torch.equal(seen[0], y[:, None].expand(2, 3, 2))
    assert not torch.equal(seen[-1][:, 0], seen[-1][:, 1])


def test_diagnostics() -> None:
    model, (x, y) = TwoParameters(), batch()
    aux = MLMCMCLoss(1, 16, 1, 0.2)(model, model.extract(x), y, generator=seeded()).aux
    f_label = model(x, y).detach()
    torch.testing.assert_close(aux["f_label_mean"], f_label.mean())
    assert aux["f_sample_max"].item() <= 0
    # The only gradient of a chain of one step is that at the label, -a (y - b x).
    expected = (-2.0 * (y - 0.5 * x)).abs().mean()
    torch.testing.assert_close(aux["grad_norm"], expected)


def test_training_finds_the_moments_of_the_data() -> None:
    x = torch.ones(128, 1, dtype=torch.float64)
    y = torch.randn(1280, 1, dtype=torch.float64, generator=seeded())
    y = 1.3 + 0.5 * (y - y.mean()) / y.std()
    model, generator = TwoParameters(), seeded(1)
    optimiser = torch.optim.Adam(model.parameters(), lr=0.1)
    # Chains that run long forget that they started at the data: they are samples of the model.
    loss = MLMCMCLoss(1, 2, 10, 0.6, metropolis=True)
    for _ in range(60):
        optimiser.zero_grad()
        loss(model, model.extract(x), y[:128], generator=generator).loss.backward()
        optimiser.step()
        y = y.roll(128, 0)
    assert model.b.item() == pytest.approx(1.3, abs=0.1)
    assert model.a.item() == pytest.approx(1 / 0.25, rel=0.2)


def test_the_function_compares_means() -> None:
    f_label, f_chain = torch.tensor([1.0, 2.0]), torch.tensor([[0.0, 4.0], [1.0, 1.0]])
    torch.testing.assert_close(ml_mcmc(f_label, f_chain, reduction="none"), torch.tensor([1.0, -1.0]))
    with pytest.raises(ShapeError, match="f_label of shape"):
        ml_mcmc(f_chain, f_chain)
    with pytest.raises(ShapeError, match="M must be >= 1"):
        ml_mcmc(f_label, f_chain[:, :0])


@pytest.mark.parametrize(
    "arguments", [{"steps": 0}, {"step_size": 0.0}, {"step_size": -1.0}, {"num_samples": 0}]
)
def test_impossible_settings_are_refused(arguments: dict) -> None:
    with pytest.raises(DomainError):
        MLMCMCLoss(**{"target_dim": 1, "num_samples": 4, "steps": 2, "step_size": 0.1} | arguments)
