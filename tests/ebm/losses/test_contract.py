"""What all eight loss modules promise alike; a new one joins by being listed (spec 8.4 and 8.8)."""

import warnings

import pytest
import torch
from torch import Tensor, nn

import ebm
from ebm.exceptions import DomainError, NumericalError, ShapeError, UnknownNameError
from ebm.losses.modules import LOSSES, EnergyLoss, build_loss
from ebm.models import EnergyModel, FunctionalEnergy
from ebm.proposals import GaussianMixtureProposal, ZeroNoise

WITH_PROPOSAL = {"ml-is": {}, "kld-is": {"label_sigma": 0.1}, "nce": {}, "nce+": {"beta": 0.1}, "cnce": {}}
WITH_GRADIENT = {
    "ml-mcmc": {"num_samples": 8, "steps": 2, "step_size": 0.1},
    "sm": {},
    "dsm": {"num_samples": 8, "sigma": 0.2},
}


def make(name: str, dim: int = 2, **options: object) -> EnergyLoss:
    if name in WITH_GRADIENT:
        return build_loss(name, target_dim=dim, **WITH_GRADIENT[name] | options)
    arguments = {"num_samples": 32, "proposal": GaussianMixtureProposal([0.1, 0.8], target_dim=dim)}
    return build_loss(name, **arguments | WITH_PROPOSAL[name] | options)


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


def refuses() -> FunctionalEnergy:
    return FunctionalEnergy(lambda *_: pytest.fail("scored a misfit"), target_dim=2)


def test_exactly_eight_names_in_any_case() -> None:
    assert list(LOSSES) == [*WITH_PROPOSAL, *WITH_GRADIENT]
    for name, cls in LOSSES.items():
        assert type(make(name)) is cls
        assert getattr(ebm, cls.__name__) is cls
    assert type(build_loss("SM", target_dim=1)) is LOSSES["sm"]
    with pytest.raises(
        UnknownNameError, match=r"did you mean 'nce'.*'ml-is', 'kld-is', 'nce', 'nce\+', 'cnce', 'ml"
    ):
        build_loss("nces")
    with pytest.raises(ValueError, match="'dsm'"):
        build_loss("mse")


def test_foreign_and_missing_arguments_are_named_with_those_that_exist() -> None:
    with pytest.raises(TypeError, match="loss 'sm' got 'beta'; it takes target_dim, check"):
        build_loss("sm", target_dim=1, beta=0.1)
    with pytest.raises(TypeError, match="loss 'dsm' needs 'num_samples', 'sigma'; it takes"):
        build_loss("dsm", target_dim=1)


@pytest.mark.parametrize("name", LOSSES)
def test_gradients_reach_features_and_parameters(name: str) -> None:
    model = Bump()
    x = torch.ones(4, 2, requires_grad=True)
    out = make(name)(model, model.extract(x), torch.full((4, 2), 1.2), generator=seeded())
    out.loss.backward()
    assert x.grad.abs().sum() > 0
    assert model.weight.grad.abs().sum() > 0
    assert model.weight.requires_grad
    assert out.per_item.shape == (4,)
    torch.testing.assert_close(out.loss, out.per_item.mean())
    assert out.aux
    assert not any(value.requires_grad for value in out.aux.values())


@pytest.mark.parametrize("name", LOSSES)
@pytest.mark.parametrize("energy", [1e4, -1e4])
def test_every_loss_has_finite_gradients_at_large_energies(name: str, energy: float) -> None:
    scale = torch.tensor(energy, requires_grad=True)
    model = FunctionalEnergy(lambda _, y: scale * y.sin().mean(-1), target_dim=2)
    out = make(name)(model, torch.zeros(8, 1), torch.randn(8, 2, generator=seeded()), generator=seeded())
    out.loss.backward()
    assert out.loss.isfinite()
    assert scale.grad.isfinite()


@pytest.mark.parametrize("name", LOSSES)
def test_an_empty_batch_is_a_zero_connected_to_features_and_parameters(name: str) -> None:
    features = (torch.zeros(0, 3, requires_grad=True), {"ids": torch.zeros(0, dtype=torch.long)})
    model = Bump()
    model.score = refuses().score
    out = make(name)(model, features, torch.zeros(0, 2), weights=torch.zeros(0))
    out.loss.backward()
    assert out.loss.item() == 0
    assert out.per_item.shape == (0,)
    assert out.aux == {"empty": True}
    assert features[0].grad.shape == (0, 3)
    assert model.weight.grad.count_nonzero() == 0


@pytest.mark.parametrize("name", LOSSES)
def test_weights_choose_the_items_that_count(name: str) -> None:
    model, x = Bump(), torch.tensor([[0.0, 0.0], [1.0, 1.0]])
    weights = torch.tensor([0.0, 2.0])
    out = make(name)(model, model.extract(x), x, weights=weights, generator=seeded())
    torch.testing.assert_close(out.loss, out.per_item[1])
    for bad, error in (([1.0, -1.0], DomainError), ([0.0, 0.0], DomainError), ([1.0], ShapeError)):
        with pytest.raises(error, match="weights"):
            make(name)(refuses(), x, x, weights=torch.tensor(bad))
    with pytest.raises(TypeError, match="weights on meta"):
        make(name)(refuses(), x, x, weights=torch.ones(2, device="meta"))


@pytest.mark.parametrize("name", LOSSES)
def test_misfits_are_refused_before_scoring(name: str) -> None:
    loss, y = make(name), torch.zeros(3, 2)
    with pytest.raises(ShapeError, match=r"y of shape \(B, D=2\), got \(3, 1\)"):
        loss(refuses(), torch.zeros(3, 1), y[:, :1])
    with pytest.raises(ShapeError, match="3 targets, but a feature tensor of shape"):
        loss(refuses(), [torch.zeros(3, 1), torch.zeros(2, 1)], y)
    with pytest.raises(DomainError, match=r"y\[0, 0\] is nan"):
        loss(refuses(), torch.zeros(3, 1), y / 0)
    with pytest.raises(TypeError, match="bool"):
        loss(refuses(), torch.zeros(3, 1), y.bool())
    with pytest.raises(TypeError, match="features on meta, y on cpu"):
        loss(refuses(), torch.zeros(3, 1, device="meta"), y)
    with pytest.raises(TypeError, match="generator is for cpu, but y is on meta"):
        loss(refuses(), torch.zeros(3, 1, device="meta"), y.to("meta"), generator=seeded())
    with pytest.raises(TypeError, match="model on meta, y on cpu"):
        loss(Bump().to("meta"), None, y)
    with pytest.raises(ShapeError, match=r"\(3, \d+\)"):
        loss(FunctionalEnergy(lambda _, c: c, target_dim=2), torch.zeros(3, 1), y)


@pytest.mark.parametrize("name", LOSSES)
def test_precision_is_not_changed_silently(name: str) -> None:
    model, y = Bump(), torch.full((3, 2), 0.1, dtype=torch.float64)
    with pytest.raises(TypeError, match=r"labels are torch.float64, but the model computes in torch.float32"):
        make(name)(refuses(), torch.zeros(3, 1), y)
    with pytest.raises(TypeError, match="strict_dtype=False"):
        make(name)(model, (), y)  # no features: the parameters tell
    features = {"mean": torch.zeros(3, 2)}
    out = make(name, strict_dtype=False)(model, features, y, generator=seeded())
    torch.testing.assert_close(out.loss, make(name)(model, features, y.float(), generator=seeded()).loss)
    wide = make(name)(Bump().double(), {"mean": torch.zeros(3, 2).double()}, y, generator=seeded())
    assert wide.loss.dtype == torch.float64


@pytest.mark.parametrize("name", LOSSES)
@pytest.mark.parametrize("dtype", [torch.int64, torch.uint8])
def test_integer_labels_are_numbers(name: str, dtype: torch.dtype) -> None:
    model = Bump()
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        out = make(name)(model, model.extract(torch.zeros(2, 2)), torch.ones(2, 2, dtype=dtype))
    assert out.loss.dtype == torch.float32


@pytest.mark.parametrize("name", LOSSES)
def test_features_in_half_precision_give_a_loss_in_single(name: str) -> None:
    model = FunctionalEnergy(lambda x, y: (y.to(x.dtype) * x[:, None]).sin().sum(-1), target_dim=2)
    out = make(name)(model, torch.ones(3, 2, dtype=torch.bfloat16), torch.ones(3, 2), generator=seeded())
    assert out.loss.dtype == torch.float32
    assert out.loss.isfinite()


@pytest.mark.parametrize("name", LOSSES)
def test_scores_that_are_not_numbers_are_reported_or_shown(name: str) -> None:
    broken = FunctionalEnergy(lambda _, y: y[..., 0] * torch.nan, target_dim=2)
    with pytest.raises(NumericalError, match=r"non-finite (scores at the|gradient of the score).* none"):
        make(name)(broken, torch.zeros(2, 1), torch.zeros(2, 2))
    assert make(name, check_finite=False)(broken, torch.zeros(2, 1), torch.zeros(2, 2)).loss.isnan()


@pytest.mark.parametrize("name", sorted(set(LOSSES) - {"sm"}))
@pytest.mark.parametrize("count", [0, -1, 2.5, True])
def test_at_least_one_sample(name: str, count: object) -> None:
    with pytest.raises(ValueError, match="num_samples must be an integer >= 1"):
        make(name, num_samples=count)


@pytest.mark.parametrize("name", sorted(set(LOSSES) - {"sm", "dsm", "kld-is"}))
@pytest.mark.parametrize("shift", [3.0, -50.0])
def test_a_constant_added_to_the_score_changes_nothing(name: str, shift: float) -> None:
    model, x = Bump(), torch.ones(4, 2)
    moved = FunctionalEnergy(lambda m, y: model.score(m, y) + shift * (1 + m["mean"][:, :1]), target_dim=2)
    values = [
        make(name, num_samples=64)(m, model.extract(x), x, generator=seeded()).loss for m in (model, moved)
    ]
    torch.testing.assert_close(*values, atol=1e-4, rtol=1e-4)


def test_the_loss_is_checked_too() -> None:
    flat = FunctionalEnergy(lambda _, y: torch.zeros_like(y[..., 0]), target_dim=2)
    with pytest.raises(NumericalError, match="though all scores are finite: check log-densities"):
        make("nce", proposal=ZeroNoise(2))(flat, torch.zeros(2, 1), torch.zeros(2, 2))
