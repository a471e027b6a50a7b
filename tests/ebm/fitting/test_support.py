"""Densities of targets with borders, and of whole numbers, against closed forms; and fits of such targets."""

import math
from collections.abc import Callable
from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor
from torch.distributions import Beta, Distribution, Exponential, Gamma, LogNormal, Poisson, Uniform

import ebm
from ebm.density import GridDensity, ImportanceDensity
from ebm.density.integers import IntegerDensity
from ebm.fitting.bounds import Bounds, parse_bounds
from ebm.fitting.data import Scaling, measure
from ebm.fitting.density import raw_density
from ebm.fitting.support import Column, Support, dequantised
from ebm.models import FunctionalEnergy
from ebm.testing import check_density

LINE = torch.linspace(0, 1, 3)[:, None]  # features that no truth looks at


def scaled(support: Any, y: Tensor) -> Scaling:
    """Scaling of raw targets ``(N, D)``."""
    bounds = parse_bounds(support, y.shape[1])
    assert bounds is not None
    whole = dequantised(y, torch.Generator().manual_seed(0)) if bounds[0].whole else y
    way = Support.of(bounds, whole)
    scaling = measure(torch.rand(len(y), 1).double(), y, flat=False, line=way.to_line(whole))
    return Scaling(**{**vars(scaling), "support": way})


def energy(scaling: Scaling, log_prob: Callable[[Tensor], Tensor], dim: int = 1) -> FunctionalEnergy:
    """The true log-density ``(..., D) -> (...)`` of raw targets in the place of a network, plus 3."""

    def score(features: Tensor, z: Tensor) -> Tensor:
        places = z.double()
        raw = scaling.raw(places)
        return (log_prob(raw) + scaling.log_bend(places) + 3 + 0 * features[:, :1]).to(z.dtype)

    return FunctionalEnergy(score, dim)


def known(truth: Distribution, support: Any, rows: int = 2000) -> GridDensity:
    """Densities of three rows, all the truth's."""
    torch.manual_seed(0)
    y = truth.sample((rows, 1)).double()
    scaling = scaled(support, y)
    model = energy(scaling, lambda raw: truth.log_prob(raw)[..., 0])
    density = raw_density(model, LINE, scaling).density
    assert isinstance(density, GridDensity)
    return density


def doubles(*values: float) -> Tensor:
    return torch.tensor(values, dtype=torch.float64)


class Arcsine(Beta):
    """Infinite at its borders, which rounding reaches."""

    def log_prob(self, value: Tensor) -> Tensor:
        return super().log_prob(value.clamp(1e-300, 1 - 1e-16))


TRUTHS = {
    "exponential": (Exponential(doubles(0.25)[0], validate_args=False), "positive"),
    "lognormal": (LogNormal(doubles(1.0)[0], doubles(0.7)[0], validate_args=False), (0, None)),
    "wide lognormal": (LogNormal(doubles(0.0)[0], doubles(3.0)[0], validate_args=False), "positive"),
    "gamma": (Gamma(doubles(0.5)[0], doubles(2.0)[0], validate_args=False), (0, None)),
    "beta": (Beta(doubles(2.0)[0], doubles(5.0)[0], validate_args=False), (0, 1)),
    "arcsine": (Arcsine(doubles(0.5)[0], doubles(0.5)[0], validate_args=False), (0, 1)),
    "uniform": (Uniform(doubles(-3.0)[0], doubles(5.0)[0], validate_args=False), (-3, 5)),
}


@pytest.mark.parametrize("name", TRUTHS)
def test_a_known_energy_gives_the_closed_form(name: str) -> None:
    truth, support = TRUTHS[name]
    density = known(truth, support)
    torch.manual_seed(1)
    y = truth.sample((50,)).expand(3, -1)
    torch.testing.assert_close(density.log_prob(y[..., None]), truth.log_prob(y), atol=2e-3, rtol=2e-3)
    low, high = (end if math.isfinite(end) else 0.0 for end in ends(support))
    torch.testing.assert_close(density.cdf(y), cdf(truth, y), atol=2e-3, rtol=0)
    assert (density.log_prob(doubles(low - 1).expand(3, 1)) == -math.inf).all()
    assert (density.log_prob(doubles(low).expand(3, 1)) == -math.inf).all()
    if math.isfinite(ends(support)[1]):
        assert (density.log_prob(doubles(high).expand(3, 1)) == -math.inf).all()
    if name != "wide lognormal":  # a hundredth of its mean lies beyond any grid
        torch.testing.assert_close(density.mean(), truth.mean.expand(3, 1), rtol=5e-3, atol=0)
        torch.testing.assert_close(density.std(), truth.stddev.expand(3, 1), rtol=2e-2, atol=0)


def ends(support: Any) -> tuple[float, float]:
    bounds = parse_bounds(support, 1)
    assert bounds is not None
    return bounds[0].low, bounds[0].high


def cdf(truth: Distribution, y: Tensor) -> Tensor:
    """The distribution function; torch has none of some."""
    if isinstance(truth, Gamma):  # of shape 1/2: a square of a Gaussian
        return torch.erf((2 * y).sqrt())
    if isinstance(truth, Beta):
        if truth.concentration1 == 0.5:
            return 2 / math.pi * y.sqrt().asin()
        return 1 - (1 - y) ** 6 - 6 * y * (1 - y) ** 5  # a and b are 2 and 5
    return truth.cdf(y)


@pytest.mark.parametrize("name", ["exponential", "beta", "wide lognormal"])
def test_quantiles_and_crps_are_on_the_raw_scale(name: str) -> None:
    truth, support = TRUTHS[name]
    density = known(truth, support)
    shares = doubles(0.05, 0.25, 0.5, 0.75, 0.95)
    found = density.quantile(shares)
    torch.testing.assert_close(cdf(truth, found), shares.expand(3, -1), atol=2e-3, rtol=0)
    assert ((found > 0) & density.sample(20)[..., 0].gt(0).all(1, keepdim=True)).all()
    if name == "exponential":  # y + 2 exp(-y/s) s - 3 s / 2, s = 4
        y, s = doubles(6.0), 4.0
        crps = ebm.calibration.crps(density, y.expand(3, 1))
        expected = y + 2 * s * (-y / s).exp() - 1.5 * s
        torch.testing.assert_close(crps, expected.expand(3), atol=5e-3, rtol=0)


def test_a_uniform_density_stays_up_to_its_borders() -> None:
    density = known(*TRUTHS["uniform"])
    y = doubles(-3 + 1e-8, -3 + 1e-5, -2.9, 4.9, 5 - 1e-5, 5 - 1e-8).expand(3, -1)[..., None]
    torch.testing.assert_close(
        density.log_prob(y).exp(), torch.full((3, 6), 1 / 8).double(), rtol=1e-3, atol=0
    )


def test_the_contract_of_densities_holds() -> None:
    torch.manual_seed(0)
    scaling = scaled((0, None), Exponential(1.0).sample((500, 1)).double())
    model = FunctionalEnergy(
        lambda rate, z: rate.log() - rate * scaling.raw(z)[..., 0] + scaling.log_bend(z), 1
    )
    rates = torch.tensor([[0.7], [1.0], [2.0]])
    check_density(lambda rows: raw_density(model, rates[rows], scaling).density)


@pytest.mark.parametrize("dim", [2, 3, 4])
def test_several_targets_carry_the_volume(dim: int) -> None:
    supports = [(0, None), (0, 1), None, (None, 2)][:dim]
    torch.manual_seed(0)
    parts: list[Distribution] = [
        TRUTHS["exponential"][0],
        TRUTHS["beta"][0],
        torch.distributions.Normal(1.0, 2.0),
    ]
    parts = [*parts, TRUTHS["exponential"][0]][:dim]
    signs, shifts = doubles(1, 1, 1, -1)[:dim], doubles(0, 0, 0, 2)[:dim]
    y = torch.stack([part.sample((2000,)).double() for part in parts], 1) * signs + shifts
    scaling = scaled(supports, y)

    def truth(raw: Tensor) -> Tensor:
        places = (raw - shifts) * signs
        return sum((part.log_prob(places[..., d]) for d, part in enumerate(parts)), torch.zeros(()))

    density = raw_density(energy(scaling, truth, dim), LINE, scaling).density
    assert isinstance(density, GridDensity if dim < 4 else ImportanceDensity)
    few = y[:3]
    atol = 0.01 if dim < 4 else 0.03
    torch.testing.assert_close(density.log_prob(few), truth(few).double(), atol=atol, rtol=0)
    means = doubles(*(float(part.mean) for part in parts)) * signs + shifts
    torch.testing.assert_close(density.mean(), means.expand(3, -1), atol=0.15, rtol=0)
    outside = few.clone()
    outside[:, 0] = -1
    assert (density.log_prob(outside) == -math.inf).all()
    # A tenth of a standard deviation is what 29 points on an axis can tell.
    assert (density.quantile(0.5) - 4 * math.log(2)).abs().max() < 0.4


@pytest.mark.parametrize("rate", [0.3, 4.0, 60.0])
def test_whole_numbers_get_their_probabilities(rate: float) -> None:
    truth = Poisson(doubles(rate)[0], validate_args=False)
    torch.manual_seed(0)
    scaling = scaled("count", truth.sample((1000, 1)).double())
    model = energy(scaling, lambda raw: truth.log_prob(raw.round().clamp(min=0))[..., 0])
    density = raw_density(model, LINE, scaling).density
    assert isinstance(density, IntegerDensity)
    k = torch.arange(-3, 200).double()
    log_prob = density.log_prob(k.expand(3, -1)[..., None])
    assert (log_prob[:, :3] == -math.inf).all()
    torch.testing.assert_close(log_prob[0, 3:60], truth.log_prob(k[3:60]), atol=1e-5, rtol=1e-5)
    torch.testing.assert_close(log_prob.exp().sum(1), torch.ones(3).double(), atol=1e-6, rtol=0)
    assert (density.log_prob(doubles(1.5).expand(3, 1)) == -math.inf).all()
    below = truth.log_prob(k[3:]).exp().cumsum(0)
    torch.testing.assert_close(density.cdf(k[3:].expand(3, -1))[0], below, atol=1e-6, rtol=0)
    for p in (0.05, 0.5, 0.9):
        assert density.quantile(p)[0] == int((below < p).sum())
    torch.testing.assert_close(density.mean()[0, 0], doubles(rate)[0], rtol=1e-5, atol=0)
    torch.testing.assert_close(density.variance()[0, 0], doubles(rate)[0], rtol=1e-4, atol=0)
    assert density.mode()[0, 0] in (math.floor(rate), math.ceil(rate) - 1)
    drawn = density.sample(200, torch.Generator().manual_seed(0))
    assert (drawn == drawn.round()).all()
    assert (drawn >= 0).all()
    label = round(rate)
    crps = ((below - (k[3:] >= label).double()) ** 2).sum()
    torch.testing.assert_close(
        ebm.calibration.crps(density, doubles(label).expand(3, 1))[0], crps, atol=1e-5, rtol=0
    )


def test_more_whole_numbers_than_points_share_them() -> None:
    places = torch.distributions.Normal(doubles(5e5)[0], 2e4)
    density = IntegerDensity(
        lambda y: places.log_prob(y)[..., 0], doubles(350_000, 350_000), doubles(650_000, 650_000)
    )
    assert density.step[0] > 1
    assert density.step[0] % 2 == 1
    k = torch.arange(350_000, 650_000).double()
    assert abs(density.log_prob(k.expand(2, -1)[..., None])[0].exp().sum() - 1) < 1e-6
    for p in (0.1, 0.5, 0.9):
        found = density.quantile(p)[0]
        assert found == found.round()
        assert abs(found - places.icdf(doubles(p)[0])) < 5
    torch.testing.assert_close(density.cdf(5.1e5)[0], places.cdf(doubles(510_000.5)[0]), atol=1e-4, rtol=0)


@settings(max_examples=60, deadline=None)
@given(
    kind=st.sampled_from(["log", "softplus", "logit", "line"]),
    low=st.floats(-1e3, 1e3),
    width=st.floats(1e-2, 1e3),
    mirrored=st.booleans(),
    share=st.floats(1e-3, 0.999),
)
def test_the_way_to_the_line_has_an_inverse_and_the_slope_that_it_says(
    kind: Any, low: float, width: float, mirrored: bool, share: float
) -> None:
    bounds = {"logit": (low, low + width), "line": (-math.inf, math.inf)}.get(kind, (low, math.inf))
    if mirrored:
        bounds = (-bounds[1], -bounds[0])
    column = Column(*bounds, kind=kind, unit=width if kind == "softplus" else 1.0)
    y = doubles(-(low + share * width) if mirrored else low + share * width)
    u = column.to_line(y).requires_grad_()
    torch.testing.assert_close(column.to_raw(u), y, rtol=1e-9, atol=1e-9 * width)
    (slope,) = torch.autograd.grad(column.to_raw(u).sum(), u)
    torch.testing.assert_close(column.log_slope(u).exp(), slope, rtol=1e-9, atol=0)
    assert (slope > 0).all()


def test_the_way_is_chosen_by_the_scale_of_the_targets() -> None:
    torch.manual_seed(0)
    assert Column.of(Bounds(0.0), Gamma(3.0, 1.0).sample((500,)).double()).kind == "softplus"
    assert Column.of(Bounds(0.0), LogNormal(0.0, 1.0).sample((500,)).double()).kind == "log"
    assert Column.of(Bounds(0.0, 1.0), torch.rand(500).double()).kind == "logit"
    assert Column.of(Bounds(whole=True), torch.rand(500).double()).kind == "line"
