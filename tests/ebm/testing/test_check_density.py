"""Every density of ours keeps the contract, and the check finds each planted fault."""

import math
from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor

import ebm
from ebm.density import GridDensity, ImportanceDensity
from ebm.proposals import GaussianMixtureProposal
from ebm.testing import check_density
from tests.ebm.baselines.test_family import BASELINES, make_density
from tests.ebm.density.scores import GRID, MEANS, STDS, two_modes

# The density of a cVAE is itself made of draws: an item's depends on the generator, and so on its place.
PARAMETRIC = sorted({"gaussian", "laplace", "laplace-multivariate", "mdn-4", "softmax"} & set(BASELINES))
Make = Callable[[Tensor], Any]


def scores(rows: Tensor, dim: int, dtype: torch.dtype = torch.float64) -> Callable[[Tensor], Tensor]:
    """Gaussians of different means and widths, one per item, with correlated coordinates."""
    mean, std = MEANS[rows][:, None].to(dtype), STDS[rows][:, None].to(dtype).clamp(min=0.8)

    def score(y: Tensor) -> Tensor:
        z = (y - mean) / std
        return 9 - 0.5 * z.square().sum(-1) - (0.2 * z[..., 0] * z[..., 1] if dim > 1 else 0)

    return score


def on_grid(dim: int, points: int, dtype: torch.dtype = torch.float64) -> Make:
    axis = torch.linspace(-9, 11, points, dtype=dtype)
    grid = axis if dim == 1 else [axis] * dim
    return lambda rows: GridDensity(scores(rows, dim, dtype), grid, batch_size=len(rows))


def bounded(rows: Tensor) -> GridDensity:
    rate = 1 + rows[:, None].double()
    grid = torch.linspace(0, 2, 401, dtype=torch.float64)
    return GridDensity(lambda y: -y[..., 0] * rate, grid, batch_size=len(rows), bounded=True)


def on_samples(dim: int) -> Make:
    source = torch.Generator().manual_seed(0)
    wide = GaussianMixtureProposal([1.0, 2.0], target_dim=dim)
    drawn = wide.sample(MEANS.expand(-1, dim).contiguous(), 20_000, generator=source)
    return lambda rows: ImportanceDensity.from_samples(scores(rows, dim), drawn.y[rows], drawn.log_q[rows])


OURS: dict[str, tuple[Make, dict[str, Any]]] = {
    "a grid": (on_grid(1, 1001), {}),
    "a grid in float32": (on_grid(1, 1001, torch.float32), {}),
    "a grid of two dimensions": (on_grid(2, 201), {"draws": 2000}),
    "a grid of three dimensions": (on_grid(3, 61), {"draws": 2000, "items": 2}),
    "two modes": (lambda rows: GridDensity(two_modes, GRID, batch_size=len(rows)), {}),
    "a bounded grid": (bounded, {}),
    "a margin": (lambda rows: on_grid(2, 201)(rows).marginal(1), {}),
    "samples": (on_samples(1), {"tolerance": 0.04}),
    "samples of two dimensions": (on_samples(2), {"tolerance": 0.04, "draws": 2000}),
    "samples of four dimensions": (on_samples(4), {"tolerance": 0.1}),
}


@pytest.mark.parametrize("name", OURS)
def test_every_density_keeps_the_contract(name: str) -> None:
    make, options = OURS[name]
    check_density(make, **options)


@pytest.mark.parametrize("name", PARAMETRIC)
def test_every_density_in_closed_form_keeps_the_contract(name: str) -> None:
    head, x = make_density(name), torch.randn(3, 3, generator=torch.Generator().manual_seed(1))
    check_density(lambda rows: head.density(x[rows]))


@pytest.mark.filterwarnings("ignore:the densities of")
@pytest.mark.parametrize(
    ("dim", "members", "tolerance"), [(1, 1, 0.02), (1, 2, 0.02), (2, 1, 0.03), (4, 1, 0.15)]
)
def test_the_density_of_a_fit_keeps_the_contract(dim: int, members: int, tolerance: float) -> None:
    source = torch.Generator().manual_seed(0)
    x = torch.randn(200, 2, generator=source)
    y = (x[:, :1] + 0.5 * torch.randn(200, dim, generator=source)).squeeze(-1)
    fitted = ebm.fit(x, y, epochs=15, members=members, seed=0)
    check_density(lambda rows: fitted.density(x[rows]), tolerance=tolerance, draws=2000)


class Planted(GridDensity):
    """Gaussians on a grid with one fault."""

    @classmethod
    def make(cls, rows: Tensor) -> "Planted":
        return cls(scores(rows, 1), GRID, batch_size=len(rows))


class OffByConstant(Planted):
    def log_prob(self, y: Any) -> Tensor:
        return super().log_prob(y) + 0.1


class NoNormaliser(Planted):
    def log_prob(self, y: Any) -> Tensor:
        return super().log_prob(y) + self.log_partition()[(...,) + (None,) * (y.ndim - 2)]


class MeanIsMode(Planted):
    def mean(self) -> Tensor:
        return self.mode() + 0.1


class StdForVariance(Planted):
    def variance(self) -> Tensor:
        return super().variance().sqrt()


class EntropyInBits(Planted):
    def entropy(self) -> Tensor:
        return super().entropy() / math.log(2)


class ModeIsMean(Planted):
    def mode(self) -> Tensor:
        return super().mode() + 3


class CdfTurns(Planted):
    def cdf(self, t: Any, dim: int = 0) -> Tensor:
        return 1 - super().cdf(t, dim)


class CdfOfAnother(Planted):
    def cdf(self, t: Any, dim: int = 0) -> Tensor:
        return super().cdf(t + 0.2, dim)


class QuantileOfAnother(Planted):
    def quantile(self, p: Any, dim: int = 0) -> Tensor:
        return super().quantile(p, dim) + 0.2


class DrawsWider(Planted):
    def sample(self, n: int, generator: torch.Generator | None = None) -> Tensor:
        return 1.2 * super().sample(n, generator)


class DrawsGlobally(Planted):
    def sample(self, n: int, generator: torch.Generator | None = None) -> Tensor:
        return super().sample(n)


class IgnoresGenerator(Planted):
    def sample(self, n: int, generator: torch.Generator | None = None) -> Tensor:
        return super().sample(n, torch.Generator().manual_seed(0))


class MixesItems(Planted):
    def mean(self) -> Tensor:
        found = super().mean()
        return found + 1e-2 * found.sum(0)


class Narrows(Planted):
    def entropy(self) -> Tensor:
        return super().entropy().float()


class KeepsGraph(Planted):
    def mean(self) -> Tensor:
        return super().mean().requires_grad_()


class NoEmptyBatch(Planted):
    def mean(self) -> Tensor:
        found = super().mean()
        return found if len(found) else torch.zeros(1, 1, dtype=found.dtype)


class OneRank(Planted):
    def highest_density_rank(self, y: Any) -> Tensor:
        return super().highest_density_rank(y).square()


class Flattens(Planted):
    def log_prob(self, y: Any) -> Tensor:
        return super().log_prob(y).flatten()


FAULTS: dict[type[Planted], str] = {
    OffByConstant: r"does not integrate to 1: the integral of its exponential is 1\.10",
    NoNormaliser: "does not integrate to 1",
    MeanIsMode: r"mean\(\) is .*, by quadrature of log_prob",
    StdForVariance: r"variance\(\) is .*, by quadrature of log_prob",
    EntropyInBits: r"entropy\(\) is .*, by quadrature of log_prob",
    ModeIsMean: r"mode\(\) is less likely than a draw",
    CdfTurns: "cdf is up to .* off the integral|cdf must never decrease",
    CdfOfAnother: "cdf is up to .* off the integral",
    QuantileOfAnother: "cdf and quantile are no inverses",
    DrawsWider: "its draws do not follow its cdf",
    DrawsGlobally: "global randomness of torch although",
    IgnoresGenerator: "it ignores the generator",
    MixesItems: "of an item must not depend on the items beside it",
    Narrows: r"entropy\(\) must be torch.float64 where the input is, got torch.float32",
    KeepsGraph: r"mean\(\) must carry no graph",
    NoEmptyBatch: r"for 0 items: mean\(\) must have the shape \(0, 1\), got \(1, 1\)",
    OneRank: "highest_density_rank of its draws is not uniform",
    Flattens: r"log_prob of \(3, 6, 1\) must have the shape \(3, 6\), got \(18,\)",
}


@pytest.mark.parametrize("fault", FAULTS, ids=lambda fault: fault.__name__)
def test_a_planted_fault_is_found_and_named(fault: type[Planted]) -> None:
    with pytest.raises(AssertionError, match=FAULTS[fault]) as caught:
        check_density(fault.make)
    assert f"the density {fault.__name__}" in str(caught.value)


def test_the_planted_ones_are_honest_but_for_their_fault() -> None:
    check_density(Planted.make)


def test_draws_that_are_another_densitys_are_found_in_three_dimensions_too() -> None:
    class Wider(GridDensity):
        def log_prob(self, y: Any) -> Tensor:
            return super().log_prob(y) - 0.3

    axis = torch.linspace(-9, 11, 41, dtype=torch.float64)
    with pytest.raises(AssertionError, match="its draws and its log_prob disagree"):
        check_density(lambda rows: Wider(scores(rows, 3), [axis] * 3, batch_size=len(rows)), 2)
