"""Spec groups 8 and 9, and 18: losses with a proposal, what they draw, hand to the model and report."""

import math
import warnings

import pytest
import torch
from torch import Tensor, nn

from ebm.exceptions import DomainError, NumericalError, UnknownNameError
from ebm.losses.conditional import CNCELoss
from ebm.losses.functional import cnce, kld_is, ml_is, nce
from ebm.losses.modules import (
    EnergyLoss,
    KLDISLoss,
    MLISLoss,
    NCELoss,
    NCEPlusLoss,
    build_loss,
)
from ebm.models import EnergyModel, FunctionalEnergy
from ebm.presets import presets
from ebm.proposals import GaussianMixtureProposal

ARGUMENTS = {
    "ml-is": {},
    "kld-is": {"label_sigma": 0.1},
    "nce": {},
    "nce+": {"beta": 0.1},
    "cnce": {"beta": 0.1},
}


def proposal() -> GaussianMixtureProposal:
    return GaussianMixtureProposal([0.1, 0.8], target_dim=2)


def make(name: str, num_samples: int = 32, **options: object) -> EnergyLoss:
    return build_loss(name, proposal=proposal(), num_samples=num_samples, **ARGUMENTS[name], **options)


class Bump(EnergyModel):
    """f = -|y - W x|^2 / 2 with a learned W."""

    target_dim = 2

    def __init__(self) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.eye(2))

    def extract(self, x: Tensor) -> dict[str, Tensor]:
        return {"mean": x @ self.weight}

    def score(self, features: dict[str, Tensor], y: Tensor) -> Tensor:
        return -0.5 * (y - features["mean"][:, None]).square().sum(-1)


def seeded(seed: int = 5) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


@pytest.mark.parametrize("name", ARGUMENTS)
def test_the_module_is_the_function_of_its_own_draws(name: str) -> None:
    loss, model = make(name), Bump()
    x = torch.tensor([[0.3, 0.1], [1.0, -1.0], [0.0, 0.2]])
    features, y = model.extract(x), x + 0.05
    out = loss(model, features, y, generator=seeded())
    drawn = loss.sample(y, generator=seeded())
    f = model.score(features, drawn.y)
    expected = {
        "ml-is": lambda: ml_is(f[:, 0], f[:, 1:], drawn.log_q[:, 1:]),
        "kld-is": lambda: kld_is(f, drawn.log_q, drawn.log_p),
        "nce": lambda: nce(f, drawn.log_q),
        "nce+": lambda: nce(f, drawn.log_q),
        "cnce": lambda: cnce(f),
    }[name]()
    torch.testing.assert_close(out.loss, expected)
    torch.testing.assert_close(out.per_item.mean(), out.loss)
    assert drawn.y.shape == (3, 32 if name == "kld-is" else 33, 2)


@pytest.mark.parametrize("name", ARGUMENTS)
def test_shared_offsets(name: str) -> None:
    y = torch.tensor([[0.0, 0.0], [10.0, 20.0]])
    drawn = make(name, share_across_batch=True).sample(y, generator=seeded())
    torch.testing.assert_close(drawn.y[0], drawn.y[1] - y[1], atol=1e-5, rtol=0)
    torch.testing.assert_close(drawn.log_q[0], drawn.log_q[1])
    apart = make(name).sample(y, generator=seeded())
    assert not torch.allclose(apart.y[0, 1:], apart.y[1, 1:] - y[1], atol=1e-3)


@pytest.mark.parametrize("name", ARGUMENTS)
def test_diagnostics(name: str) -> None:
    model = Bump()
    x = torch.zeros(5, 2)
    aux = make(name, num_samples=4096)(model, model.extract(x), x, generator=seeded()).aux
    # Z of this model is 2 pi, whatever x.
    assert aux["log_z_mean"].item() == pytest.approx(math.log(2 * math.pi), abs=0.15)
    assert 1 <= aux["ess_mean"].item() <= 4096
    assert aux["f_sample_max"].item() <= 0
    assert ("f_label_mean" in aux) == (name != "kld-is")
    assert ("label_rank_acc" in aux) == ("label_auc" in aux) == name.startswith("nce")
    assert not any(value.requires_grad for value in aux.values())
    assert not make(name, num_samples=32, diagnostics=False)(model, model.extract(x), x).aux


def test_rank_accuracy_counts_labels_with_the_largest_ratio() -> None:
    sharp = FunctionalEnergy(lambda mean, y: -1e4 * (y - mean[:, None]).square().sum(-1), target_dim=2)
    means, labels = torch.tensor([[0.0, 0.0], [50.0, 0.0]]), torch.zeros(2, 2)
    out = NCELoss(proposal(), 64)(sharp, means, labels, generator=seeded())
    assert out.aux["label_rank_acc"].item() == 0.5


@pytest.mark.parametrize("loss", ["nce", "nce+"])
def test_a_label_outranks_samples_long_before_it_outranks_them_all(loss: str) -> None:
    """The label is where the noise is densest: of a flat f it comes last, of a sharp one first."""
    method = presets[f"detection/{loss}"]
    ranks = []
    for width in (1e3, 0.1, 0.05):
        energy = FunctionalEnergy(
            lambda mean, y, width=width: -0.5 * ((y - mean[:, None]) / width).square().sum(-1), target_dim=4
        )
        centre, drawn = torch.zeros(400, 4), seeded()
        labels = min(width, 1.0) * torch.randn(400, 4, generator=drawn)  # of the density of f
        aux = method.build_loss()(energy, centre, labels, generator=drawn).aux
        ranks.append((aux["label_rank_acc"].item(), aux["label_auc"].item()))
    assert ranks[0][0] == 0
    assert ranks[0][1] < 0.05
    assert ranks[1][0] < 0.05
    assert 0.5 < ranks[1][1] < ranks[2][1] < 1


def test_nce_plus_gives_the_perturbed_label_the_density_of_the_plain_noise() -> None:
    loss = NCEPlusLoss(proposal(), 8, beta=0.1)
    y = torch.zeros(200, 2)
    drawn = loss.sample(y, generator=seeded())
    nu = drawn.y[:, 0]
    torch.testing.assert_close(drawn.log_q[:, 0], loss.proposal.log_prob_offset(nu))
    narrowed = loss.noise.log_prob_offset(nu)
    assert ((narrowed - drawn.log_q[:, 0]) > 1).double().mean() > 0.4
    expected = math.sqrt((0.01**2 + 0.08**2) / 2)
    assert nu.std().item() == pytest.approx(expected, rel=0.15)


@pytest.mark.parametrize("mode", ["std", "variance"])
def test_nce_plus_without_noise_is_nce(mode: str) -> None:
    model, x = Bump(), torch.randn(6, 2, generator=seeded(1))
    plain = NCELoss(proposal(), 16)(model, model.extract(x), x, generator=seeded())
    plus = NCEPlusLoss(proposal(), 16, beta=0, beta_mode=mode)(model, model.extract(x), x, generator=seeded())
    torch.testing.assert_close(plus.per_item, plain.per_item, rtol=0, atol=0)


def test_annotation_noise_is_drawn_per_label() -> None:
    drawn = NCEPlusLoss(proposal(), 2, beta=0.5).sample(torch.zeros(4, 2), generator=seeded())
    assert drawn.y[:, 0].unique(dim=0).shape[0] == 4


def test_kld_constant_makes_the_value_a_divergence(generator: torch.Generator) -> None:
    density = GaussianMixtureProposal([0.1], target_dim=2)
    truth = FunctionalEnergy(lambda mean, y: density.log_prob_offset(y - mean[:, None]), target_dim=2)
    y = torch.zeros(1, 2)
    loss = KLDISLoss(proposal(), 300_000, label_sigma=0.1, add_constant=True)
    assert loss(truth, y, y, generator=generator).loss.item() == pytest.approx(0, abs=1e-2)


def test_unusual_settings_warn_once() -> None:
    model, y = Bump(), torch.zeros(2, 2)
    for build in (lambda: MLISLoss(proposal(), 15), lambda: KLDISLoss(proposal(), 8, label_sigma=0.1)):
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            loss = build()
            for _ in range(3):
                loss(model, model.extract(y), y)
        assert len(caught) == 1
        assert "unbounded below; prefer CNCE" in str(caught[0].message)
        assert caught[0].filename == __file__
    with pytest.warns(UserWarning, match="label_sigma exceeds"):
        KLDISLoss(proposal(), 64, label_sigma=(0.1, 0.9))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        NCELoss(proposal(), 1)
        CNCELoss(proposal(), 1)
        MLISLoss(proposal(), 16)
        KLDISLoss(proposal(), 16, label_sigma=0.8)


def test_impossible_settings_are_refused() -> None:
    for name in ARGUMENTS:
        for count in (0, 2.5):
            with pytest.raises(ValueError, match="num_samples"):
                make(name, num_samples=count)
    with pytest.raises(DomainError, match="beta"):
        NCEPlusLoss(proposal(), 4, beta=-0.1)
    with pytest.raises(UnknownNameError, match="beta mode"):
        NCEPlusLoss(proposal(), 4, beta=0.1, beta_mode="sd")
    with pytest.raises(DomainError, match="sigma"):
        KLDISLoss(proposal(), 16, label_sigma=0.0)


def test_the_report_says_whether_the_label_or_the_samples_broke() -> None:
    away = FunctionalEnergy(lambda _, y: torch.where(y.abs().sum(-1) == 0, 1.5, torch.inf), target_dim=2)
    label = FunctionalEnergy(lambda _, y: torch.where(y.abs().sum(-1) == 0, torch.inf, 1.5), target_dim=2)
    with pytest.raises(NumericalError, match="at the samples: 8 of 9; finite ones: 1.5 to 1.5"):
        NCELoss(proposal(), 8)(away, torch.zeros(1, 1), torch.zeros(1, 2))
    with pytest.raises(NumericalError, match="at the label: 1 of 9"):
        NCELoss(proposal(), 8)(label, torch.zeros(1, 1), torch.zeros(1, 2))
