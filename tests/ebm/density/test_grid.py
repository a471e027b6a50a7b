"""Densities on a grid against closed forms."""

import math
import warnings

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from ebm.density import GridDensity
from ebm.exceptions import ShapeError, TruncationWarning
from ebm.models import FunctionalEnergy
from tests.ebm.density.scores import GRID, MEANS, STDS, gaussian, two_modes


@pytest.fixture
def density() -> GridDensity:
    return GridDensity(gaussian, GRID, batch_size=3)


def test_moments_of_a_gaussian(density: GridDensity) -> None:
    log_z = 7 + (STDS * math.sqrt(2 * math.pi)).log()[:, 0]
    torch.testing.assert_close(density.log_partition(), log_z)
    torch.testing.assert_close(density.mean(), MEANS)
    torch.testing.assert_close(density.std(), STDS)
    torch.testing.assert_close(density.covariance(), STDS.square()[..., None])
    torch.testing.assert_close(density.mode(), MEANS, atol=1e-9, rtol=0)
    torch.testing.assert_close(density.entropy(), (STDS * math.sqrt(2 * math.pi * math.e)).log()[:, 0])
    # Perplexity of the cells is the exponential of the entropy in units of the cell.
    cells = STDS[:, 0] * math.sqrt(2 * math.pi * math.e) / 0.005
    torch.testing.assert_close(density.effective_sample_size(), cells)


def test_log_density_is_that_of_the_gaussian_also_off_the_grid(density: GridDensity) -> None:
    y = torch.tensor([[[0.1234], [20.0]]]).double().expand(3, -1, -1)
    expected = torch.distributions.Normal(MEANS, STDS).log_prob(y[..., 0])
    torch.testing.assert_close(density.log_prob(y), expected)
    torch.testing.assert_close(density.log_prob(y[:, 0]), expected[:, 0])


def test_quantiles_and_intervals_of_a_gaussian(density: GridDensity) -> None:
    normal = torch.distributions.Normal(MEANS, STDS)
    p = torch.tensor([0.001, 0.25, 0.5, 0.9]).double()
    torch.testing.assert_close(density.quantile(p), normal.icdf(p), atol=2e-5, rtol=0)
    torch.testing.assert_close(density.quantile(0.25), normal.icdf(p)[:, 1], atol=2e-5, rtol=0)
    torch.testing.assert_close(
        density.credible_interval(0.95), MEANS + 1.959964 * STDS * torch.tensor([-1, 1]), atol=2e-5, rtol=0
    )
    t = torch.tensor([[-1.5, 0.0, 1.0]]).double().expand(3, -1)
    torch.testing.assert_close(density.cdf(t), normal.cdf(t), atol=1e-5, rtol=0)
    torch.testing.assert_close(density.cdf(0.3), normal.cdf(torch.tensor(0.3))[:, 0], atol=1e-5, rtol=0)
    torch.testing.assert_close(density.cdf(MEANS[:, 0]), torch.full((3,), 0.5).double(), atol=1e-6, rtol=0)
    assert density.cdf(torch.tensor([[-99.0, 99]] * 3)).tolist() == [[0, 1]] * 3


def test_highest_density_set_of_a_gaussian_is_its_central_interval(density: GridDensity) -> None:
    region = density.credible_set(0.95)
    assert [len(runs) for runs in region.intervals] == [1, 1, 1]
    ends = torch.cat(region.intervals)
    expected = MEANS + 1.959964 * STDS * torch.tensor([-1, 1])
    torch.testing.assert_close(ends, expected, atol=0.006, rtol=0)
    assert ((region.mass >= 0.95) & (region.mass < 0.955)).all()
    assert region.mask.shape == (3, 4801)
    inside = torch.stack([MEANS, MEANS + 1.95 * STDS, MEANS + 1.97 * STDS, MEANS - 30], 1)
    assert region.contains(inside).tolist() == [[True, True, False, False]] * 3
    assert density.credible_set(0.5).contains(MEANS).all()


def test_rank_of_a_point_is_the_mass_that_scores_higher(density: GridDensity) -> None:
    rank = density.highest_density_rank(MEANS + STDS * 1.3)
    torch.testing.assert_close(
        rank, torch.full((3,), math.erf(1.3 / math.sqrt(2))).double(), atol=5e-3, rtol=0
    )
    assert density.highest_density_rank(MEANS.expand(3, 1) - 100).tolist() == [1, 1, 1]


def test_two_modes_give_two_intervals() -> None:
    density = GridDensity(two_modes, GRID, batch_size=1)
    torch.testing.assert_close(density.log_partition(), torch.zeros(1).double(), atol=1e-9, rtol=0)
    torch.testing.assert_close(density.mean(), torch.tensor([[0.4 * 3]]).double())
    torch.testing.assert_close(density.variance(), torch.tensor([[0.25 + 9 - 1.2**2]]).double())
    assert density.mode().item() == pytest.approx(3)
    region = density.credible_set(0.9)
    (left, right), mass = region.intervals[0].tolist(), region.mass.item()
    assert left[0] < -3 < left[1] < 0 < right[0] < 3 < right[1]
    assert 0.9 <= mass < 0.905
    # Both intervals end where the density is the same.
    ends = torch.tensor([[[*left, *right]]]).double().transpose(1, 2)
    heights = density.log_prob(ends).exp()[0]
    assert (heights.max() - heights.min()) < 0.01
    assert not region.contains(torch.zeros(1, 1)).item()
    # The heavier mode alone holds 0.7: a set of 0.5 needs nothing of the other.
    assert len(density.credible_set(0.5).intervals[0]) == 1


def test_samples_follow_the_density(density: GridDensity, generator: torch.Generator) -> None:
    drawn = density.sample(40_000, generator)
    assert drawn.shape == (3, 40_000, 1)
    standard_error = STDS / 200
    assert ((drawn.mean(1) - MEANS).abs() < 4 * standard_error).all()
    torch.testing.assert_close(drawn.std(1), STDS, rtol=0.02, atol=0)
    again = density.sample(40_000, torch.Generator().manual_seed(0))
    assert torch.equal(drawn, again)
    coarse = GridDensity(gaussian, GRID[::200], batch_size=3).sample(1000, generator)
    assert len(coarse.unique()) > 2900  # spread within cells, not on their points


def test_unequal_spacing_weighs_cells_by_their_width() -> None:
    u = torch.linspace(-1, 1, 3001).double()
    stretched = 12 * (0.2 * u + 0.8 * u**3)
    density = GridDensity(gaussian, stretched, batch_size=3)
    torch.testing.assert_close(density.mean(), MEANS, atol=1e-6, rtol=0)
    torch.testing.assert_close(density.std(), STDS, atol=1e-5, rtol=0)
    torch.testing.assert_close(
        density.log_partition(), 7 + (STDS * math.sqrt(2 * math.pi)).log()[:, 0], atol=1e-5, rtol=0
    )
    drawn = density.sample(20_000, torch.Generator().manual_seed(1))
    assert ((drawn.mean(1) - MEANS).abs() < 4 * STDS / math.sqrt(20_000)).all()


def test_every_item_may_have_a_grid_of_its_own() -> None:
    own = MEANS + STDS * torch.linspace(-8, 8, 801).double()
    density = GridDensity(gaussian, own, batch_size=3)
    torch.testing.assert_close(density.mean(), MEANS)
    torch.testing.assert_close(density.std(), STDS)
    torch.testing.assert_close(density.mode(), MEANS, atol=1e-6, rtol=0)
    torch.testing.assert_close(density.quantile(0.5), MEANS[:, 0], atol=1e-5, rtol=0)
    assert density.sample(3).shape == (3, 3, 1)


def test_a_correlated_gaussian_in_three_dimensions() -> None:
    covariance = torch.tensor([[1.0, 0.6, 0.0], [0.6, 0.8, -0.2], [0.0, -0.2, 0.5]]).double()
    mean = torch.tensor([0.2, -0.1, 0.4]).double()
    truth = torch.distributions.MultivariateNormal(mean, covariance)
    axes = [torch.linspace(-6, 6, n).double() for n in (61, 73, 97)]
    density = GridDensity(truth.log_prob, axes, batch_size=2, chunk=50_000)
    torch.testing.assert_close(density.log_partition(), torch.zeros(2).double(), atol=1e-6, rtol=0)
    torch.testing.assert_close(density.mean(), mean.expand(2, 3), atol=1e-6, rtol=0)
    torch.testing.assert_close(density.covariance(), covariance.expand(2, 3, 3), atol=1e-6, rtol=0)
    torch.testing.assert_close(density.entropy(), truth.entropy().expand(2), atol=1e-6, rtol=0)
    assert density.log_masses.shape == (2, 61, 73, 97)
    torch.testing.assert_close(
        density.mode(), torch.tensor([[0.2, -0.1, 0.4]] * 2).double(), atol=0.11, rtol=0
    )
    pair = density.marginal((2, 0))
    torch.testing.assert_close(pair.mean(), mean[[2, 0]].expand(2, 2), atol=1e-6, rtol=0)
    torch.testing.assert_close(pair.covariance()[0], covariance[[2, 0]][:, [2, 0]], atol=1e-6, rtol=0)
    region = density.credible_set(0.5)
    assert region.intervals is None
    assert region.mask.shape == (2, 61, 73, 97)
    # Squared Mahalanobis distance of the median of chi-square with three degrees of freedom: 2.366.
    edge = (mean + torch.linalg.cholesky(covariance)[:, 0] * torch.tensor([[1.4], [1.65]]).double()).expand(
        2, 2, 3
    )
    assert region.contains(edge).tolist() == [[True, False]] * 2
    drawn = density.sample(20_000, torch.Generator().manual_seed(2))
    torch.testing.assert_close(drawn[0].T.cov(), covariance, atol=0.03, rtol=0)
    one = density.marginal(1)
    torch.testing.assert_close(one.std(), torch.full((2, 1), math.sqrt(0.8)).double(), atol=1e-6, rtol=0)
    y = torch.tensor([[0.31], [-0.77]]).double()
    expected = torch.distributions.Normal(-0.1, math.sqrt(0.8)).log_prob(y[:, 0])
    torch.testing.assert_close(one.log_prob(y), expected, atol=0.006, rtol=0)
    assert one.log_prob(y * 100).tolist() == [-math.inf, -math.inf]
    torch.testing.assert_close(density.quantile(0.5, dim=1), one.quantile(0.5))


@given(
    logits=st.lists(st.floats(-30, 30), min_size=5, max_size=40),
    shift=st.floats(-1000, 1000),
    level=st.floats(0.01, 0.99),
    seed=st.integers(0, 100),
)
@settings(max_examples=60, deadline=None)
def test_properties_of_any_density(logits: list[float], shift: float, level: float, seed: int) -> None:
    steps = torch.rand(len(logits), dtype=torch.float64, generator=torch.Generator().manual_seed(seed)) + 0.01
    grid = steps.cumsum(0)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", TruncationWarning)
        scores = torch.tensor(logits, dtype=torch.float64)
        density = GridDensity.from_log_masses(grid, scores[None])
        moved = GridDensity.from_log_masses(grid, scores[None] + shift)
    torch.testing.assert_close(density.log_masses.exp().sum(), torch.ones(()).double())
    torch.testing.assert_close(density.mean(), moved.mean())
    region = density.credible_set(level)
    masses = density.log_masses.exp()
    assert region.mass.item() >= level - 1e-12
    torch.testing.assert_close(masses[region.mask].sum(), region.mass[0])
    # Without its thinnest cell the set would be too small, and no cell outside is denser than one inside.
    heights = density.log_masses - density.axes[0].widths.log()
    inside, outside = heights[region.mask], heights[~region.mask]
    thinnest = masses[region.mask][inside.argmin()]
    assert region.mass.item() - thinnest.item() < level + 1e-12
    assert outside.numel() == 0 or outside.max() <= inside.min()
    low, high = density.credible_interval(level)[0].tolist()
    assert grid[0] <= low <= high <= grid[-1]
    assert density.cdf(density.quantile(level)).item() == pytest.approx(level, abs=1e-9)
    assert 1 - 1e-9 <= density.effective_sample_size().item() <= len(logits) + 1e-9


def test_the_interpolated_density_of_a_marginal_integrates_to_one() -> None:
    draw = torch.Generator().manual_seed(0)
    masses = torch.rand(2, 7, 5, dtype=torch.float64, generator=draw).log()
    axes = [(torch.rand(n, dtype=torch.float64, generator=draw) + 0.1).cumsum(0) for n in (7, 5)]
    density = GridDensity.from_log_masses(axes, masses)
    fine = [torch.linspace(a[0].item(), a[-1].item(), 601, dtype=torch.float64) for a in axes]
    again = GridDensity(density.log_prob, fine, batch_size=2)
    torch.testing.assert_close(again.log_partition(), torch.zeros(2).double(), atol=1e-3, rtol=0)


def test_scores_are_asked_for_once_in_chunks_and_without_a_graph() -> None:
    calls = []
    weight = torch.nn.Parameter(torch.ones(()))

    def score(y: Tensor) -> Tensor:
        calls.append((tuple(y.shape), torch.is_grad_enabled(), y.is_contiguous()))
        return weight * gaussian(y)

    density = GridDensity(score, GRID, batch_size=3, chunk=3600)
    shapes = [shape for shape, _, _ in calls]
    assert shapes == [(3, 1200, 1)] * 4 + [(3, 1, 1)]
    assert {(grad, whole) for _, grad, whole in calls} == {(False, True)}
    for name in (
        "mean",
        "covariance",
        "std",
        "mode",
        "entropy",
        "sample",
        "credible_set",
        "credible_interval",
    ):
        getattr(density, name)(*((5,) if name == "sample" else ()))
    assert len(calls) == 5
    assert not density.log_partition().requires_grad
    density.log_prob(torch.zeros(3, 2000, 1).double())
    assert [shape for shape, _, _ in calls[5:]] == [(3, 1200, 1), (3, 800, 1)]


def test_a_model_and_its_features() -> None:
    model = FunctionalEnergy(lambda x, y: -0.5 * (y[..., 0] - x).square(), target_dim=1)
    density = GridDensity.of(model, torch.tensor([[1.0], [-1.0]]), torch.linspace(-8, 8, 401))
    torch.testing.assert_close(density.mean(), torch.tensor([[1.0], [-1.0]]))
    assert density.mean().dtype == torch.float32
    free = FunctionalEnergy(lambda x, y: -0.5 * y[..., 0].square(), target_dim=1)
    assert GridDensity.of(free, None, GRID, batch_size=4).mean().shape == (4, 1)
    with pytest.raises(ShapeError, match="pass batch_size"):
        GridDensity.of(free, None, GRID)
    with pytest.raises(ShapeError, match=r"one batch size, got \[2, 3\]"):
        GridDensity.of(model, (torch.ones(2, 1), torch.ones(3, 1)), GRID.float())
    with pytest.raises(TypeError, match=r"grid dimension 0 is torch.float64, but the model computes"):
        GridDensity.of(model, torch.ones(2, 1), GRID)
    with pytest.raises(ShapeError, match="D=1 dimensions, got 2"):
        GridDensity.of(model, torch.ones(2, 1), [GRID, GRID])


def test_a_support_with_a_border() -> None:
    half = lambda y: torch.where(y[..., 0] >= 0, -y[..., 0], -math.inf)  # noqa: E731
    density = GridDensity(half, torch.linspace(-1, 40, 41_001).double(), batch_size=1)
    torch.testing.assert_close(density.mean(), torch.ones(1, 1).double(), atol=1e-3, rtol=0)
    torch.testing.assert_close(density.entropy(), torch.ones(1).double(), atol=1e-3, rtol=0)
    assert (density.sample(5000) >= -1e-3).all()


def test_a_grid_that_is_too_narrow_is_reported() -> None:
    with pytest.warns(TruncationWarning, match=r"2 of 3 densities.*item 2: [1-9].*widen the grid"):
        GridDensity(gaussian, torch.linspace(-4, 1, 51).double(), batch_size=3)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        GridDensity(gaussian, GRID, batch_size=3)


def test_an_empty_batch_gives_empty_answers() -> None:
    density = GridDensity(gaussian, GRID, batch_size=0)
    assert density.mean().shape == (0, 1)
    assert density.covariance().shape == (0, 1, 1)
    assert density.credible_interval().shape == (0, 2)
    assert density.sample(4).shape == (0, 4, 1)
    assert density.log_prob(torch.zeros(0, 1)).shape == (0,)
    assert density.credible_set().intervals == []
    assert density.marginal(0).entropy().shape == (0,)
    assert density.mode().shape == (0, 1)
    assert density.cdf(0.0).shape == density.quantile(0.5).shape == (0,)
