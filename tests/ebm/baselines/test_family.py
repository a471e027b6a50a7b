"""What every baseline promises: it learns, it says what is wrong, and its density is one."""

import math
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from ebm.baselines.base import Baseline, BaselineEnergy, DensityBaseline
from ebm.baselines.binned import integer_bins
from ebm.baselines.build import BASELINES, build_baseline
from ebm.exceptions import DomainError, NumericalError, ShapeError, UnknownNameError

NEEDS: dict[str, dict[str, Any]] = {
    "softmax": {"bins": torch.linspace(-6, 6, 49)},
    "cvae": {"num_samples": 16, "latent_dim": 3},
}
DENSITIES = sorted(set(BASELINES) - {"l1", "l2", "huber", "quantile"})
CLOSED = sorted(set(DENSITIES) - {"cvae"})


def make(name: str, feature_dim: int = 3, target_dim: int = 1, **cfg: Any) -> Baseline:
    torch.manual_seed(0)
    return build_baseline(name, feature_dim, target_dim, **NEEDS.get(name, {}), **cfg)


def make_density(name: str, *sizes: int, **cfg: Any) -> DensityBaseline:
    head = make(name, *sizes, **cfg)
    assert isinstance(head, DensityBaseline)
    return head


def problem(count: int, target_dim: int = 1) -> tuple[Tensor, Tensor]:
    """A linear-Gaussian problem: y = W x + 0.3 n."""
    generator = torch.Generator().manual_seed(1)
    x = torch.randn(count, 3, generator=generator)
    weight = torch.tensor([[1.0, -0.5], [0.5, 0.5], [0.0, 1.0]])[:, :target_dim]
    return x, x @ weight + 0.3 * torch.randn(count, target_dim, generator=generator)


def test_the_family_is_complete() -> None:
    direct, mixtures = {"l1", "l2", "huber"}, {"mdn-2", "mdn-4", "mdn-8"}
    others = {"gaussian", "laplace", "laplace-multivariate", "cvae", "softmax"}
    others |= {"quantile", "quantile-density"}
    assert set(BASELINES) == direct | mixtures | others
    assert [name for name in sorted(BASELINES) if isinstance(make(name), DensityBaseline)] == DENSITIES


@pytest.mark.parametrize("target_dim", [1, 2])
@pytest.mark.parametrize("init", ["torch", "paper"])
@pytest.mark.parametrize("name", BASELINES)
def test_every_baseline_learns_a_linear_problem(name: str, init: str, target_dim: int) -> None:
    head = make(name, 3, target_dim, init=init)
    x, y = problem(256, target_dim)
    generator = torch.Generator().manual_seed(0)
    optimizer = torch.optim.Adam(head.parameters(), lr=0.05)
    before = head.loss(x, y, generator).loss.item()
    for _ in range(120):
        optimizer.zero_grad()
        head.loss(x, y, generator).loss.backward()
        optimizer.step()
    assert head.loss(x, y, generator).loss.item() < before
    error = (head.predict(x, generator) - y).square().mean().sqrt().item()
    assert error < 0.5 * y.std().item()


@pytest.mark.parametrize("name", BASELINES)
def test_one_value_per_item_and_gradients_into_everything(name: str) -> None:
    head = make(name, 3, 2, hidden=(5,))
    features = torch.randn(6, 3, requires_grad=True)
    out = head.loss(features, torch.randn(6, 2))
    assert out.per_item.shape == (6,)
    torch.testing.assert_close(out.loss, out.per_item.mean())
    assert all(not value.requires_grad for value in out.aux.values())
    out.loss.backward()
    assert features.grad is not None
    assert features.grad.isfinite().all()
    for parameter in head.parameters():
        assert parameter.grad is not None
        assert parameter.grad.isfinite().all()
    assert head.predict(features).shape == (6, 2)


@pytest.mark.parametrize("name", BASELINES)
def test_extreme_targets_and_features_keep_gradients_finite(name: str) -> None:
    head = make(name, 3, 2)
    features = 10 * torch.randn(4, 3)
    y = torch.tensor([[1e4, -1e4], [0.0, 0.0], [-1e4, 0.0], [1e-20, 1e4]])
    head.loss(features, y).loss.backward()
    assert all(p.grad is not None and p.grad.isfinite().all() for p in head.parameters())


@pytest.mark.parametrize("name", BASELINES)
def test_an_empty_batch_gives_a_zero_that_backward_accepts(name: str) -> None:
    head = make(name)
    features = torch.zeros(0, 3, requires_grad=True)
    out = head.loss(features, torch.zeros(0, 1))
    out.loss.backward()
    assert out.loss.item() == 0.0
    assert out.aux == {"empty": True}
    assert head.predict(features).shape == (0, 1)


@pytest.mark.parametrize("name", BASELINES)
def test_weights_choose_items(name: str) -> None:
    head = make(name)
    x, y = torch.randn(3, 3), torch.randn(3, 1)
    picked = head.loss(x, y, torch.Generator().manual_seed(0), weights=torch.tensor([0.0, 2.0, 0.0]))
    full = head.loss(x, y, torch.Generator().manual_seed(0))
    torch.testing.assert_close(picked.loss, full.per_item[1])


@pytest.mark.parametrize("name", BASELINES)
def test_the_same_seed_gives_the_same_numbers(name: str) -> None:
    head = make(name)
    x, y = torch.randn(3, 3), torch.randn(3, 1)
    first, second = (head.loss(x, y, torch.Generator().manual_seed(7)).loss for _ in range(2))
    assert first.item() == second.item()


@pytest.mark.parametrize("name", BASELINES)
def test_a_saved_head_comes_back(name: str) -> None:
    head, other = make(name, y_scale=2.0), make(name, init="paper")
    other.load_state_dict(head.state_dict())
    x = torch.randn(3, 3)
    seeds = [torch.Generator().manual_seed(7) for _ in range(2)]
    torch.testing.assert_close(head.predict(x, seeds[0]), other.predict(x, seeds[1]))


@pytest.mark.parametrize("name", DENSITIES)
def test_every_density_integrates_to_one_and_matches_its_own_moments(name: str) -> None:
    head = make_density(name, y_scale=1.5, y_shift=0.5)
    x = torch.randn(4, 3)
    density = head.density(x, torch.Generator().manual_seed(3))
    grid = torch.linspace(-40, 40, 32_001)
    log_p = density.log_prob(grid[None, :, None].expand(4, -1, 1))
    mass = (log_p + math.log(80 / 32_000)).exp()
    torch.testing.assert_close(mass.sum(-1), torch.ones(4), atol=2e-4, rtol=0)
    mean = (mass * grid).sum(-1, keepdim=True)
    torch.testing.assert_close(density.mean(), mean, atol=2e-3, rtol=2e-3)
    variance = (mass[..., None] * (grid[None, :, None] - mean[:, None]).square()).sum(1)
    torch.testing.assert_close(density.variance(), variance, atol=1e-2, rtol=1e-2)
    below = (mass * (grid <= 1.25)).sum(-1)
    torch.testing.assert_close(density.cdf(1.25), below, atol=2e-3, rtol=0)


@pytest.mark.parametrize("name", DENSITIES)
def test_quantiles_undo_the_cumulative_distribution(name: str) -> None:
    density = make_density(name, y_scale=2.0).density(torch.randn(5, 3))
    p = torch.tensor([1e-4, 0.05, 0.3, 0.5, 0.7, 0.999])
    t = density.quantile(p)
    torch.testing.assert_close(density.cdf(t), p.expand(5, -1), atol=2e-5, rtol=1e-3)
    assert (t.diff(dim=-1) > 0).all()
    torch.testing.assert_close(density.quantile(0.3), t[:, 2])
    ends = density.quantile([0.0, 1.0])
    assert (ends[:, 0] < t[:, 0]).all()
    assert (ends[:, 1] > t[:, -1]).all()
    interval = density.credible_interval(0.9)
    torch.testing.assert_close(density.cdf(interval), torch.tensor([0.05, 0.95]).expand(5, 2))


@pytest.mark.parametrize("target_dim", [1, 2])
@pytest.mark.parametrize("name", DENSITIES)
def test_samples_have_the_moments_of_the_density(name: str, target_dim: int) -> None:
    head = make_density(name, 3, target_dim, y_scale=2.0, y_shift=-1.0)
    density = head.density(torch.randn(2, 3), torch.Generator().manual_seed(5))
    draws = density.sample(100_000, torch.Generator().manual_seed(4))
    assert draws.shape == (2, 100_000, target_dim)
    assert not draws.requires_grad
    scale = density.std() / math.sqrt(100_000)
    assert ((draws.mean(1) - density.mean()).abs() < 5 * scale).all()
    torch.testing.assert_close(draws.var(1), density.variance(), atol=0, rtol=0.04)


@pytest.mark.parametrize("name", sorted(set(CLOSED) - {"softmax", "quantile-density"}))
def test_the_exact_loss_is_minus_the_log_density_in_any_unit(name: str) -> None:
    head = make_density(name, 3, 2, y_scale=[10.0, 0.1], y_shift=[5.0, 0.0])
    x, y = torch.randn(4, 3), torch.tensor([5.0, 0.0]) + torch.randn(4, 2) * torch.tensor([10.0, 0.1])
    torch.testing.assert_close(head.loss(x, y).per_item, -head.log_prob(x, y))


@pytest.mark.parametrize("name", CLOSED)
def test_methods_of_the_head_are_those_of_its_density(name: str) -> None:
    head, x = make_density(name), torch.randn(4, 3)
    density = head.density(x)
    y = torch.randn(4, 7, 1)
    torch.testing.assert_close(head.log_prob(x, y), density.log_prob(y))
    torch.testing.assert_close(head.log_prob(x, y[:, 0]), density.log_prob(y)[:, 0])
    torch.testing.assert_close(head.cdf(x, 0.2), density.cdf(0.2))
    torch.testing.assert_close(head.quantile(x, 0.2), density.quantile(0.2))
    torch.testing.assert_close(head.predict(x), density.mean())
    seeds = [torch.Generator().manual_seed(2) for _ in range(2)]
    torch.testing.assert_close(head.sample(x, 9, seeds[0]), density.sample(9, seeds[1]))
    model = BaselineEnergy(nn.Identity(), head)
    torch.testing.assert_close(model(x, y), density.log_prob(y))


@pytest.mark.parametrize("name", BASELINES)
def test_wrong_shapes_and_values_are_refused(name: str) -> None:
    head = make(name, 3, 2)
    x, y = torch.randn(4, 3), torch.randn(4, 2)
    for wrong in (y[:, 0], y[:, :1], y[:, None]):
        with pytest.raises(ShapeError, match=r"y of shape \(B, D=2\)"):
            head.loss(x, wrong)
    for call in (lambda: head.loss(x[:, :2], y), lambda: head.predict(x[0])):
        with pytest.raises(ShapeError, match=r"features of shape \(B, 3\)"):
            call()
    with pytest.raises(ShapeError, match="first dimension must be the batch"):
        head.loss(x[:3], y)
    with pytest.raises(DomainError, match=r"y\[1, 0\] is nan"):
        head.loss(x, y.index_fill(0, torch.tensor([1]), math.nan))
    with pytest.raises(TypeError, match=r"features torch.float32, y torch.float64"):
        head.loss(x, y.double())
    with pytest.raises(TypeError, match="real numbers"):
        head.loss(x, y > 0)
    with pytest.raises(NumericalError, match=type(head).__name__):
        head.loss(torch.full_like(x, math.nan), y)
    with pytest.raises(DomainError, match="weights"):
        head.loss(x, y, weights=-torch.ones(4))
    assert head.loss(x, torch.ones(4, 2, dtype=torch.int64)).loss.isfinite()


@pytest.mark.parametrize("name", DENSITIES)
def test_questions_to_a_density_are_checked(name: str) -> None:
    density = make_density(name).density(torch.randn(4, 3))
    for y in (torch.randn(4), torch.randn(4, 2), torch.randn(3, 1), torch.randn(3, 5, 1)):
        with pytest.raises(ShapeError, match="expected y"):
            density.log_prob(y)
    for p in (-0.1, 1.1, math.nan, [0.5, 2.0]):
        with pytest.raises(DomainError, match=r"in \[0, 1\]"):
            density.quantile(p)
    with pytest.raises(ShapeError, match="expected probabilities"):
        density.quantile(torch.full((3, 2), 0.5))
    each = torch.tensor([[0.1], [0.3], [0.5], [0.9]])
    torch.testing.assert_close(density.quantile(each)[:, 0], density.quantile(each[:, 0]).diagonal())
    with pytest.raises(DomainError, match="level"):
        density.credible_interval(1.0)
    with pytest.raises(DomainError, match="dim must be"):
        density.cdf(0.0, dim=1)
    with pytest.raises(ShapeError, match="expected t"):
        density.cdf(torch.zeros(3))
    with pytest.raises(DomainError, match="n must be"):
        density.sample(0)


@pytest.mark.parametrize("name", BASELINES)
def test_wrong_settings_are_refused(name: str) -> None:
    with pytest.raises(DomainError, match="feature_dim"):
        make(name, 0)
    with pytest.raises(DomainError, match="target_dim"):
        make(name, 3, 0)
    with pytest.raises(DomainError, match="layer size"):
        make(name, hidden=(0,))
    with pytest.raises(UnknownNameError, match="did you mean 'paper'"):
        make(name, init="papers")
    with pytest.raises(TypeError, match="colour"):
        make(name, colour="red")
    if name != "softmax":
        with pytest.raises(DomainError, match="y_scale"):
            make(name, y_scale=-1.0)


def test_names_are_looked_up_in_any_case() -> None:
    assert type(build_baseline("Gaussian", 3)).__name__ == "GaussianHead"
    with pytest.raises(UnknownNameError, match="did you mean 'gaussian'"):
        build_baseline("gausian", 3)


@pytest.mark.parametrize("name", BASELINES)
def test_paper_start_is_narrow_in_the_last_layers_alone(name: str) -> None:
    head = make(name, 40, 2, hidden=(30,), init="paper")
    for layer in head.modules():
        if isinstance(layer, nn.Linear):
            narrow = layer.out_features != 30
            assert (layer.weight.std().item() == pytest.approx(0.001, rel=0.4)) is narrow
            assert bool((layer.bias == 0).all()) is narrow
    assert head.predict(torch.randn(2, 40)).abs().max() < 0.1


def test_integer_bins_are_the_papers() -> None:
    assert len(integer_bins(0, 100)) == 101
    assert len(integer_bins(-75, 75)) == 151
    with pytest.raises(DomainError, match="low < high"):
        integer_bins(3, 3)
