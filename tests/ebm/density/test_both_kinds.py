"""What every density promises, whichever places carry it; a new kind joins by being listed."""

import inspect
import math
from collections.abc import Callable

import pytest
import torch
from torch import Tensor, nn

from ebm.density import CredibleSet, Density, GridDensity, ImportanceDensity
from ebm.exceptions import ShapeError
from ebm.models import EnergyModel
from ebm.proposals import GaussianMixtureProposal

B, D = 3, 2
QUESTIONS = {
    "log_partition": (B,),
    "mean": (B, D),
    "covariance": (B, D, D),
    "variance": (B, D),
    "std": (B, D),
    "mode": (B, D),
    "entropy": (B,),
    "credible_interval": (B, 2),
    "effective_sample_size": (B,),
}


class Slopes(EnergyModel):
    """f = -|y - W x|^2, with parameters that must not be touched."""

    target_dim = D

    def __init__(self) -> None:
        super().__init__()
        self.map = nn.Linear(1, D, bias=False)
        nn.init.constant_(self.map.weight, 0.5)

    def extract(self, x: Tensor) -> Tensor:
        return self.map(x)

    def score(self, features: Tensor, y: Tensor) -> Tensor:
        return -(y - features[:, None]).square().sum(-1)


MODEL = Slopes()
X = torch.tensor([[1.0], [0.0], [-2.0]])


def on_grid(features: Tensor) -> Density:
    return GridDensity.of(MODEL, features, [torch.linspace(-7, 7, 61)] * D)


def on_samples(features: Tensor) -> Density:
    generator = torch.Generator().manual_seed(0)
    proposal = GaussianMixtureProposal([0.5, 1.0], target_dim=D)
    return ImportanceDensity.of(MODEL, features, proposal, features, 4000, generator)


@pytest.fixture(params=[on_grid, on_samples], ids=["grid", "importance"])
def make(request: pytest.FixtureRequest) -> Callable[[Tensor], Density]:
    return request.param


@pytest.fixture
def density(make: Callable[[Tensor], Density]) -> Density:
    return make(MODEL.extract(X))


@pytest.mark.parametrize("question", QUESTIONS)
def test_answers_have_their_shape_dtype_and_no_graph(density: Density, question: str) -> None:
    answer = getattr(density, question)()
    assert answer.shape == QUESTIONS[question]
    assert answer.dtype == torch.float32
    assert answer.isfinite().all()
    assert not answer.requires_grad
    assert torch.equal(answer, getattr(density, question)())


def test_answers_are_the_gaussians(density: Density) -> None:
    centre = MODEL.extract(X).detach()
    torch.testing.assert_close(density.mean(), centre, atol=0.05, rtol=0)
    torch.testing.assert_close(density.variance(), torch.full((B, D), 0.5), atol=0.05, rtol=0)
    torch.testing.assert_close(
        density.log_partition(), torch.full((B,), math.log(math.pi)), atol=0.05, rtol=0
    )
    torch.testing.assert_close(
        density.entropy(), torch.full((B,), math.log(math.pi * math.e)), atol=0.05, rtol=0
    )
    y = centre[:, None] + torch.tensor([[0.0, 0.0], [1.0, -0.5]])
    expected = torch.tensor([0.0, -1.25]).expand(B, -1) - math.log(math.pi)
    torch.testing.assert_close(density.log_prob(y), expected, atol=0.05, rtol=0)
    torch.testing.assert_close(density.log_prob(y[:, 0]), expected[:, 0], atol=0.05, rtol=0)
    half = torch.full((B,), 0.5)
    for dim in range(D):
        torch.testing.assert_close(density.cdf(centre[:, dim], dim), half, atol=0.03, rtol=0)
        torch.testing.assert_close(density.quantile(0.5, dim), centre[:, dim], atol=0.05, rtol=0)
        assert density.quantile((0.1, 0.2, 0.3), dim).shape == (B, 3)
        each = torch.tensor([[0.1], [0.5], [0.9]])
        torch.testing.assert_close(
            density.quantile(each, dim)[:, 0], density.quantile(each[:, 0], dim).diagonal()
        )
        marginal = density.marginal(dim)
        assert isinstance(marginal, GridDensity)
        torch.testing.assert_close(marginal.mean(), density.mean()[:, dim, None], atol=0.01, rtol=0)
    assert density.marginal((1, 0)).target_dim == 2
    drawn = density.sample(2000, torch.Generator().manual_seed(1))
    torch.testing.assert_close(drawn.mean(1), centre, atol=0.1, rtol=0)
    region = density.credible_set(0.8)
    assert isinstance(region, CredibleSet)
    assert region.threshold.shape == (B,)
    # |y - m|^2 is exponential with mean 1: the set of 0.8 reaches to ln 5 = 1.61.
    at = lambda r: centre + torch.tensor([r, 0.0])  # noqa: E731
    assert region.contains(at(1.2)).all()
    assert not region.contains(at(1.34)).any()
    torch.testing.assert_close(
        density.highest_density_rank(at(1.0)), torch.full((B,), 1 - math.exp(-1)), atol=0.03, rtol=0
    )


def test_no_inputs_give_no_answers(make: Callable[[Tensor], Density]) -> None:
    density = make(torch.zeros(0, D))
    for question, shape in QUESTIONS.items():
        assert getattr(density, question)().shape == (0, *shape[1:])
    assert density.sample(5).shape == (0, 5, D)


def test_works_where_gradients_are_off_and_leaves_the_model_alone(make: Callable[[Tensor], Density]) -> None:
    expected = make(MODEL.extract(X)).mean()
    with torch.no_grad():
        torch.testing.assert_close(make(MODEL.extract(X)).mean(), expected)
    with torch.inference_mode():
        density = make(MODEL.extract(X))
        torch.testing.assert_close(density.mean(), expected)
        density.log_prob(torch.zeros(B, D))
    assert MODEL.map.weight.grad is None
    assert MODEL.map.weight.requires_grad


def test_targets_of_another_kind_are_refused_before_they_are_scored(density: Density) -> None:
    with pytest.raises(TypeError, match=r"y is torch.float64, but the density was made in torch.float32"):
        density.log_prob(torch.zeros(B, D).double())
    with pytest.raises(TypeError, match="one device"):
        density.log_prob(torch.zeros(B, D, device="meta"))
    with pytest.raises(TypeError, match="bool"):
        density.log_prob(torch.zeros(B, D, dtype=torch.bool))
    whole = torch.ones(B, D, dtype=torch.long)
    assert torch.equal(density.log_prob(whole), density.log_prob(whole.float()))
    with pytest.raises(ShapeError, match=r"probabilities of shape \(\), \(P,\) or \(B=3, P\), got \(2, 1\)"):
        density.quantile(torch.full((2, 1), 0.5))
    with pytest.raises(ValueError, match="must be an integer >= 1, got 0"):
        density.sample(0)
    with pytest.raises(ValueError, match=r"level must lie in \(0, 1\), got 1"):
        density.credible_set(1)


def test_every_question_of_one_kind_can_be_asked_of_the_other() -> None:
    for name, member in inspect.getmembers(Density, inspect.isfunction):
        if name.startswith("_"):
            continue
        wanted = list(inspect.signature(member).parameters)
        for kind in (GridDensity, ImportanceDensity):
            has = list(inspect.signature(getattr(kind, name)).parameters)
            assert has[: len(wanted)] == wanted, f"{kind.__name__}.{name}"
            assert inspect.getdoc(getattr(kind, name))
