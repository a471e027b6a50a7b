"""A density as a distribution of torch: its shapes, its checks, and the answers of the density itself."""

import math
import pickle
from collections.abc import Callable

import pytest
import torch
from torch import Tensor
from torch.distributions import Independent, MixtureSameFamily, Normal, constraints

import ebm
from ebm.baselines.composite import GaussianMixture
from ebm.density import GridDensity, ImportanceDensity
from ebm.interop import DensityDistribution, to_distribution
from ebm.proposals import GaussianMixtureProposal
from tests.ebm.density.scores import GRID, MEANS, STDS, gaussian

TRUTH = Normal(MEANS[:, 0], STDS[:, 0])


def plane(y: Tensor) -> Tensor:
    """Two items, independent coordinates N(1, 1) and N(-1, 0.5^2)."""
    z = (y - torch.tensor([1.0, -1.0]).double()) / torch.tensor([1.0, 0.5]).double()
    return -0.5 * z.square().sum(-1) + 3


def on_line() -> DensityDistribution:
    return to_distribution(GridDensity(gaussian, GRID, batch_size=3))


def on_plane() -> DensityDistribution:
    axis = torch.linspace(-7, 7, 141, dtype=torch.float64)
    return to_distribution(GridDensity(plane, [axis, axis], batch_size=2))


def on_samples() -> DensityDistribution:
    proposal = GaussianMixtureProposal([0.7, 1.2], target_dim=2)
    centre = torch.tensor([[1.0, -1.0]]).double().expand(2, -1)
    return to_distribution(ImportanceDensity(plane, proposal, centre, 4000, torch.Generator().manual_seed(0)))


def seeded() -> torch.Generator:
    return torch.Generator().manual_seed(2)


def test_one_target_answers_as_the_normal_that_it_is() -> None:
    made = on_line()
    assert (made.batch_shape, made.event_shape) == ((3,), ())
    y = TRUTH.sample((5, 2))
    torch.testing.assert_close(made.log_prob(y), TRUTH.log_prob(y), atol=1e-9, rtol=0)
    torch.testing.assert_close(made.cdf(y), TRUTH.cdf(y), atol=1e-4, rtol=0)
    p = torch.linspace(0.01, 0.99, 7, dtype=torch.float64)[:, None].expand(7, 3)
    torch.testing.assert_close(made.icdf(p), TRUTH.icdf(p), atol=1e-3, rtol=0)
    torch.testing.assert_close(made.cdf(made.icdf(p)), p, atol=1e-12, rtol=0)
    for question in ("mean", "stddev", "variance", "mode"):
        torch.testing.assert_close(getattr(made, question), getattr(TRUTH, question), atol=3e-3, rtol=0)
    torch.testing.assert_close(made.entropy(), TRUTH.entropy(), atol=1e-6, rtol=0)
    torch.testing.assert_close(made.perplexity(), TRUTH.perplexity(), atol=1e-5, rtol=0)


@pytest.mark.parametrize("make", [on_plane, on_samples])
def test_several_targets_are_one_event(make: Callable[[], DensityDistribution]) -> None:
    made = make()
    truth = Independent(Normal(torch.tensor([1.0, -1.0]).double(), torch.tensor([1.0, 0.5]).double()), 1)
    truth = truth.expand((2,))
    assert (made.batch_shape, made.event_shape) == ((2,), (2,))
    y = truth.sample((4,))
    torch.testing.assert_close(made.log_prob(y), truth.log_prob(y), atol=0.05, rtol=0)
    for question in ("mean", "stddev", "variance"):
        torch.testing.assert_close(getattr(made, question), getattr(truth, question), atol=0.06, rtol=0)
    torch.testing.assert_close(made.mode, truth.mode, atol=0.25, rtol=0)
    torch.testing.assert_close(made.entropy(), truth.entropy(), atol=0.03, rtol=0)
    wide = made.expand((3, 2))
    assert wide.covariance_matrix.shape == (3, 2, 2, 2)
    expected = torch.diag(torch.tensor([1.0, 0.25])).double().expand(3, 2, 2, 2)
    torch.testing.assert_close(wide.covariance_matrix, expected, atol=0.06, rtol=0)
    drawn = wide.sample((600,), seeded())
    assert drawn.shape == (600, 3, 2, 2)
    torch.testing.assert_close(drawn.mean((0, 1)), truth.mean, atol=0.1, rtol=0)
    for name in ("cdf", "icdf"):
        with pytest.raises(NotImplementedError, match="there are 2; distribution.density"):
            getattr(made, name)(y)


def test_expansion_repeats_without_a_copy() -> None:
    made = on_line()
    wide = made.expand((4, 3))
    assert wide.density is made.density
    y = TRUTH.sample((2, 4))
    torch.testing.assert_close(wide.log_prob(y), TRUTH.log_prob(y), atol=1e-9, rtol=0)
    torch.testing.assert_close(wide.cdf(y), made.cdf(y))
    assert wide.mean.shape == wide.entropy().shape == (4, 3)
    torch.testing.assert_close(wide.mean[2], made.mean)
    assert wide.expand((2, 4, 3)).batch_shape == (2, 4, 3)
    with pytest.raises(ValueError, match=r"\(3,\) cannot be expanded to \(3, 4\)"):
        made.expand((3, 4))
    one = to_distribution(GridDensity(lambda y: -0.5 * y[..., 0].square(), GRID, batch_size=1))
    five = one.expand((5,))
    y = torch.linspace(-1, 1, 10, dtype=torch.float64).reshape(2, 5)
    torch.testing.assert_close(five.log_prob(y), Normal(0.0, 1.0).log_prob(y), atol=1e-9, rtol=0)
    assert one.log_prob(y[0]).shape == (5,)  # values may have the larger shape, too


@pytest.mark.parametrize("shape", [(), (7,), (2, 3)])
def test_draws_have_the_usual_shapes_and_the_right_item(shape: tuple[int, ...]) -> None:
    made = on_line().expand((2, 3))
    drawn = made.sample(shape, seeded())
    assert drawn.shape == made.sample(shape).shape == (*shape, 2, 3)
    assert torch.equal(drawn, made.sample(shape, seeded()))
    assert made.sample((*shape, 0)).shape == (*shape, 0, 2, 3)
    many = on_line().sample((4000,), seeded())
    torch.testing.assert_close(many.mean(0), TRUTH.mean, atol=0.08, rtol=0)
    torch.testing.assert_close(many.std(0), TRUTH.stddev, rtol=0.05, atol=0)


def test_no_items() -> None:
    none = to_distribution(GridDensity(lambda y: -y[..., 0].square(), GRID, batch_size=0))
    assert none.batch_shape == none.mean.shape == (0,)
    assert none.sample((5,)).shape == (5, 0)
    assert none.log_prob(torch.zeros(5, 0)).shape == (5, 0)


def test_the_support_is_the_grid_where_nothing_lies_outside() -> None:
    assert on_line().support is constraints.real
    assert on_plane().support is constraints.real_vector
    bounded = to_distribution(
        GridDensity(lambda y: -y[..., 0], torch.linspace(0, 2, 401), batch_size=2, bounded=True)
    )
    assert bounded.expand((3, 2)).support.check(torch.tensor([0.0, 2.0])).all()
    assert not bounded.support.check(torch.tensor([-0.1, 2.1])).any()
    with pytest.raises(ValueError, match="within the support"):
        bounded.log_prob(torch.tensor([1.0, 2.5]))
    unchecked = to_distribution(bounded.density, validate_args=False)
    assert unchecked.log_prob(torch.tensor([1.0, 2.5]))[1] == -math.inf
    assert unchecked.expand((3, 2)).log_prob(torch.tensor(2.5)).shape == (3, 2)
    margin = to_distribution(on_plane().density.marginal((1, 0)))
    assert margin.support.event_dim == 1
    assert margin.support.check(margin.sample((9,))).shape == (9, 2)


def test_torchs_own_checks_are_made() -> None:
    made = on_line()
    with pytest.raises(ValueError, match="within the support"):
        made.log_prob(torch.full((3,), math.nan))
    with pytest.raises(ValueError, match="broadcast"):
        made.log_prob(torch.zeros(2))
    with pytest.raises(ValueError, match="probabilities must lie in"):
        made.icdf(torch.full((3,), 1.5))
    with pytest.raises(TypeError, match=r"such as fitted\.density\(x\), got Normal"):
        to_distribution(TRUTH)


def test_it_works_where_torch_takes_a_distribution() -> None:
    joint = Independent(on_line(), 1)
    y = TRUTH.sample((2,))
    torch.testing.assert_close(joint.log_prob(y), TRUTH.log_prob(y).sum(-1), atol=1e-9, rtol=0)
    mixed = MixtureSameFamily(torch.distributions.Categorical(torch.ones(3).double()), on_line())
    own = MixtureSameFamily(torch.distributions.Categorical(torch.ones(3).double()), TRUTH)
    torch.testing.assert_close(mixed.log_prob(y), own.log_prob(y), atol=1e-9, rtol=0)
    again = pickle.loads(pickle.dumps(on_line()))
    torch.testing.assert_close(again.log_prob(y), on_line().log_prob(y))


def test_a_baselines_density_answers_what_it_knows() -> None:
    made = to_distribution(GaussianMixture(torch.zeros(3, 1), MEANS[:, None], STDS.log()[:, None] * 2))
    y = TRUTH.sample((4,))
    torch.testing.assert_close(made.log_prob(y), TRUTH.log_prob(y), atol=1e-9, rtol=0)
    torch.testing.assert_close(made.cdf(y), TRUTH.cdf(y), atol=1e-9, rtol=0)
    torch.testing.assert_close(made.icdf(TRUTH.cdf(y)), y, atol=1e-6, rtol=0)
    for ask in (made.entropy, lambda: made.covariance_matrix):
        with pytest.raises(NotImplementedError, match="GaussianMixture has no"):
            ask()


@pytest.mark.parametrize("dim", [1, 2, 4])
def test_a_fit_gives_one(dim: int) -> None:
    x = torch.randn(60, 2, generator=seeded())
    y = (x[:, :1] + 0.3 * torch.randn(60, dim, generator=seeded())).squeeze(-1)
    fitted = ebm.fit(x, y, epochs=3, seed=0)
    made = to_distribution(fitted.density(x[:5]))
    torch.testing.assert_close(made.log_prob(y[:5]), fitted.log_prob(x[:5], y[:5]))
    torch.testing.assert_close(made.mean, fitted.predict(x[:5]), check_dtype=False)
