"""Densities on a circle against von Mises distributions whose mode crosses the border."""

import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import special, stats
from torch import Tensor

from ebm.calibration import crps
from ebm.crps import circular_crps_from_cells
from ebm.density.circular import Circle, CircularDensity
from ebm.density.regions import intervals_above, least_density
from ebm.exceptions import DomainError, NumericalError, ShapeError
from ebm.fitting.bounds import parse_bounds
from ebm.fitting.circle import supported
from ebm.fitting.data import measure
from ebm.fitting.density import raw_density
from ebm.fitting.support import Support
from ebm.models import FunctionalEnergy
from ebm.wrapped import WrappedMixtureProposal

CENTRES = torch.tensor([355.0, 10.0, 180.0], dtype=torch.float64)  # degrees; kappas beside them
KAPPAS = torch.tensor([4.0, 50.0, 0.3], dtype=torch.float64)
DEGREES = Circle(0.0, 360.0)


def radians(y: Tensor) -> Tensor:
    return y * (math.tau / 360)


def von_mises(rows: Tensor, points: int = 1025) -> CircularDensity:
    """Densities of some of the three rows, with their scores 7 too high."""
    centre, kappa = CENTRES[rows][:, None], KAPPAS[rows][:, None]
    grid = centre + torch.linspace(-180, 180, points, dtype=torch.float64)
    return CircularDensity(lambda y: kappa.to(y) * radians(y[..., 0] - centre.to(y)).cos() + 7, grid, DEGREES)


ALL = von_mises(torch.arange(3))


def test_no_items_and_one_alone() -> None:
    none = von_mises(torch.arange(0))
    shapes = none.mean().shape, none.sample(5).shape, none.credible_interval().shape, none.std().shape
    assert shapes == ((0, 1), (0, 5, 1), (0, 2), (0, 1))
    assert none.credible_set(0.9).intervals == []
    alone = von_mises(torch.arange(1, 2))
    assert torch.equal(alone.quantile([0.1, 0.9]), ALL.quantile([0.1, 0.9])[1:2])
    assert torch.equal(alone.entropy(), ALL.entropy()[1:2])


def test_log_prob_is_that_of_the_closed_form_at_any_turn() -> None:
    y = torch.tensor([[3.0], [725.0], [-200.0]], dtype=torch.float64)
    true = stats.vonmises(KAPPAS.numpy()).logpdf(radians(y[:, 0] - CENTRES).numpy()) + math.log(
        math.tau / 360
    )
    assert ALL.log_prob(y).numpy() == pytest.approx(true, abs=1e-9)
    assert torch.allclose(ALL.log_prob(y + 360), ALL.log_prob(y), atol=1e-9)
    assert torch.allclose(ALL.highest_density_rank(y - 720), ALL.highest_density_rank(y))


def test_mean_mode_median_and_concentration() -> None:
    for found in (ALL.mean()[:, 0], ALL.quantile(0.5)):
        assert torch.allclose(found, CENTRES, atol=1e-6)
    assert (DEGREES.shortest(ALL.mode()[:, 0] - CENTRES).abs() < 0.2).all()
    bessel = torch.special.i1e(KAPPAS) / torch.special.i0e(KAPPAS)
    assert torch.allclose(ALL.resultant_length(), bessel, atol=1e-9)


def test_intervals_and_distribution_function() -> None:
    half = torch.from_numpy(stats.vonmises(KAPPAS.numpy()).ppf(0.95)) * 360 / math.tau
    arcs = ALL.credible_interval(0.9)
    assert torch.allclose(arcs[:, 1] - arcs[:, 0], 2 * half, rtol=1e-3)
    assert torch.allclose(arcs[:, 0], (CENTRES - half) % 360, atol=0.02)
    assert (arcs[:, 0] >= 0).all()
    assert (arcs[:, 0] < 360).all()
    assert arcs[0, 1] > 360
    assert torch.allclose(ALL.cdf(arcs[:, 1] - 360), doubles(0.95, 0.95, 0.95), atol=1e-6)
    inside = DEGREES.within(ALL.sample(4000, torch.Generator().manual_seed(0))[..., 0], arcs[:, None])
    assert torch.allclose(inside.double().mean(1), doubles(0.9, 0.9, 0.9), atol=0.02)


def doubles(*values: float) -> Tensor:
    return torch.tensor(values, dtype=torch.float64)


def test_sets_join_where_the_grid_is_cut() -> None:
    """Two modes, at 0 and 180; the grid begins in the middle of the first."""
    grid = torch.linspace(0, 360, 721, dtype=torch.float64)[None]
    density = CircularDensity(lambda y: 30 * radians(2 * y[..., 0]).cos(), grid, DEGREES)
    (runs,) = density.credible_set(0.9).intervals or []
    assert runs.shape == (2, 2)
    assert runs[:, 0].tolist() == pytest.approx([171.4, 351.4], abs=1)
    assert runs[1, 1] > 360
    assert density.credible_set(0.9).contains(doubles(359.9)[None]).all()
    (shown,) = intervals_above(density, least_density(density, doubles(0.9)))
    joined = density.as_shown(shown, 0)
    assert torch.allclose(joined, runs, atol=1)
    hull = DEGREES.hull(joined)
    assert (hull[1] - hull[0]).item() == pytest.approx(197, abs=2)
    (everything,) = intervals_above(density, least_density(density, doubles(1.0)))
    assert density.as_shown(everything, 0).tolist() == [[0.0, 360.0]]


@pytest.mark.parametrize("kappa", [0.0, 0.5, 40.0, 1e6])
def test_grids_follow_the_mass(kappa: float) -> None:
    """A mode at the border of radians, as narrow as 0.06 degrees."""
    support = Support.of(parse_bounds("degrees", 1) or (), doubles(0.0, 350.0)[:, None])
    y = doubles(0, 90, 350)[:, None]
    scaling = supported(measure(torch.rand(3, 1).double(), y, True), support)
    centre = torch.tensor([3.13, -3.14, 0.2])[:, None]
    model = FunctionalEnergy(lambda rows, z: kappa * (z[..., 0].double() - rows.double()).cos() + 5, 1)
    density, doubtful = raw_density(model, centre, scaling)
    assert isinstance(density, CircularDensity)
    assert not doubtful.any()
    middle = scaling.raw(centre.double())
    true = math.log(math.tau / 360) - math.log(math.tau) - math.log(special.i0e(kappa))
    assert density.log_prob(middle).numpy() == pytest.approx(true, abs=5e-3)
    if kappa:
        assert (DEGREES.shortest(density.mean() - middle).abs() < 1e-3 * 360 / math.sqrt(1 + kappa)).all()


def test_two_narrow_modes_opposite_each_other_are_doubtful() -> None:
    support = Support.of(parse_bounds("degrees", 1) or (), doubles(0.0, 350.0)[:, None])
    scaling = supported(measure(torch.rand(2, 1).double(), doubles(0, 350)[:, None], True), support)
    model = FunctionalEnergy(lambda rows, z: 1e6 * (2 * (z[..., 0] - rows - 0.001)).cos(), 1)
    assert raw_density(model, torch.zeros(2, 1), scaling).doubtful.all()


def test_crps_is_that_of_many_draws() -> None:
    y = doubles(3.0, 40.0, 300.0)
    draws = ALL.sample(3000, torch.Generator().manual_seed(1))[..., 0]
    away = DEGREES.shortest(draws - y[:, None]).abs().mean(1)
    apart = DEGREES.shortest(draws[:, :1500, None] - draws[:, None, 1500:]).abs().mean((1, 2))
    assert torch.allclose(crps(ALL, y[:, None]), away - 0.5 * apart, atol=1.0)


@settings(max_examples=30, deadline=None)
@given(
    st.floats(-700, 700), st.floats(-700, 700), st.floats(0.01, 2), st.sampled_from([360.0, 24.0, math.tau])
)
def test_crps_of_a_point_is_the_shortest_way(at: float, y: float, narrow: float, period: float) -> None:
    edges, below = doubles(at, at + 1e-9 * narrow)[None], doubles(0, 1)[None]
    found = circular_crps_from_cells(edges, below, doubles(y), period)
    assert found.item() == pytest.approx(abs(math.remainder(y - at, period)), abs=1e-6)


@settings(max_examples=50, deadline=None)
@given(st.lists(st.floats(-1e4, 1e4), min_size=2, max_size=2), st.floats(-1e3, 1e3), st.floats(1e-2, 1e3))
def test_arcs_begin_in_the_period_and_keep_their_length(ends: list[float], low: float, period: float) -> None:
    circle, given_ends = Circle(low, period), doubles(*sorted(ends))
    start, end = circle.arcs(given_ends).tolist()
    assert low <= start < low + period
    assert end - start == pytest.approx(min(period, abs(ends[0] - ends[1])), rel=1e-6, abs=1e-6)
    assert low <= circle.wrapped(given_ends).min()
    assert circle.wrapped(given_ends).max() < low + period


def test_hulls_of_arcs() -> None:
    runs = doubles(10, 20, 100, 120, 350, 355).reshape(3, 2)
    assert DEGREES.hull(runs).tolist() == [350, 480]
    assert DEGREES.hull(runs[:1]).tolist() == [10, 20]
    assert DEGREES.hull(doubles(350, 365).reshape(1, 2)).tolist() == [350, 365]
    assert DEGREES.hull(runs[:0]).isnan().all()


def test_refusals() -> None:
    with pytest.raises(DomainError, match="period is 360"):
        CircularDensity(lambda y: y[..., 0], torch.linspace(0, 400, 5)[None], DEGREES)
    with pytest.raises(NumericalError):
        CircularDensity(lambda y: y[..., 0] * math.nan, torch.linspace(0, 360, 5)[None], DEGREES)
    with pytest.raises(ShapeError):
        ALL.highest_density_rank(torch.zeros(3, 2, dtype=torch.float64))
    assert ALL.marginal(0) is ALL
    with pytest.raises(ShapeError):
        circular_crps_from_cells(torch.zeros(2, 3), torch.zeros(2, 3), torch.zeros(3), 1.0)


@settings(max_examples=20, deadline=None)
@given(st.lists(st.floats(0.02, 6), min_size=1, max_size=3))
def test_wrapped_noise_is_a_density_of_the_circle(sigmas: list[float]) -> None:
    noise = WrappedMixtureProposal(sigmas)
    angles = torch.linspace(-math.pi, math.pi, 4097, dtype=torch.float64)[:, None]
    log_q = noise.log_prob_offset(angles)
    assert torch.trapezoid(log_q.exp(), angles[:, 0]).item() == pytest.approx(1, abs=1e-6)
    assert torch.allclose(noise.log_prob_offset(angles + 4 * math.pi), log_q, atol=1e-9)
    assert torch.allclose(noise.log_prob_offset(-angles), log_q, atol=1e-12)
    half = noise.scaled(0.5)
    assert isinstance(half, WrappedMixtureProposal)
    assert half.sigmas.tolist() != noise.sigmas.tolist()


def test_wrapped_noise_of_two_angles_is_a_density_of_the_torus() -> None:
    noise = WrappedMixtureProposal([[20.0, 100.0], [90.0, 5.0]], None, 2, (360.0, 180.0))
    first, second = (torch.linspace(-half, half, 361, dtype=torch.float64) for half in (180.0, 90.0))
    density = noise.log_prob_offset(torch.cartesian_prod(first, second)).exp().reshape(361, 361)
    mass = torch.trapezoid(torch.trapezoid(density, second, dim=1), first)
    assert mass.item() == pytest.approx(1, abs=1e-6)
    e = torch.tensor([[30.0, -20.0]], dtype=torch.float64)
    around = e + torch.tensor([[720.0, -180.0]], dtype=torch.float64)
    torch.testing.assert_close(noise.log_prob_offset(e), noise.log_prob_offset(around))
    with pytest.raises(ShapeError, match="expected 1 period or D=2, got 3"):
        WrappedMixtureProposal([1.0], None, 2, (1.0, 2.0, 3.0))


def test_wrapped_noise_is_the_wrapped_normal() -> None:
    noise, e = WrappedMixtureProposal([1.5]), torch.tensor([[0.3]], dtype=torch.float64)
    turns = torch.arange(-20, 21, dtype=torch.float64) * math.tau
    true = torch.distributions.Normal(*doubles(0.0, 1.5)).log_prob(0.3 + turns).logsumexp(0)
    assert noise.log_prob_offset(e).item() == pytest.approx(true.item(), abs=1e-12)
    with pytest.raises(ShapeError, match="D=1"):
        WrappedMixtureProposal([[1.0, 2.0]])
