"""Densities of targets with borders, and of whole numbers, against closed forms; and fits of such targets."""

import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.base import clone
from torch import Tensor
from torch.distributions import Beta, Distribution, Exponential, Gamma, LogNormal, Poisson, Uniform

import ebm
from ebm.density import GridDensity, ImportanceDensity
from ebm.density.integers import IntegerDensity
from ebm.estimator import EBMRegressor
from ebm.exceptions import DomainError, InputError, ShapeError, UnknownNameError
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


X = np.random.default_rng(0).uniform(size=(400, 1))


@pytest.fixture(scope="module")
def exponential() -> ebm.FittedEBM:
    y = np.random.default_rng(1).exponential(1 + X[:, 0])
    return ebm.fit(X, y, support="positive", epochs=40, progress=False)


@pytest.fixture(scope="module")
def poisson() -> ebm.FittedEBM:
    y = np.random.default_rng(1).poisson(1 + 4 * X[:, 0])
    return ebm.fit(X, y, support="count", epochs=40, members=2, progress=False)


def test_a_fit_of_positive_targets_is_near_the_truth(exponential: ebm.FittedEBM) -> None:
    rng = np.random.default_rng(2)
    x = rng.uniform(size=(500, 1))
    y = rng.exponential(1 + x[:, 0])
    log_prob, truth = exponential.log_prob(x, y), -y / (1 + x[:, 0]) - np.log(1 + x[:, 0])
    assert (truth - log_prob).mean() < 0.08
    low, high = exponential.predict_interval(x, 0.9).T
    assert low.min() > 0
    assert abs(((low <= y) & (y <= high)).mean() - 0.9) < 0.06
    ends = np.concatenate(exponential.predict_set(x[:50]))
    assert ends.min() > 0
    assert (exponential.predict(x, method="mode") >= 0).all()
    assert exponential.sample(x, 50, seed=0).min() > 0
    grid = np.concatenate([np.geomspace(1e-8, 1e-2, 2000), np.linspace(1e-2, 60, 20_000)[1:]])
    density = np.exp(exponential.log_prob(np.full((len(grid), 1), 0.5), grid))
    assert abs(np.trapezoid(density, grid) - 1) < 2e-3
    assert exponential.log_prob(x[:1], [-0.1])[0] == -np.inf


def test_a_fit_of_counts_is_near_the_truth(poisson: ebm.FittedEBM) -> None:
    rng = np.random.default_rng(2)
    x = rng.uniform(size=(400, 1))
    y = rng.poisson(1 + 4 * x[:, 0])
    truth = Poisson(torch.from_numpy(1 + 4 * x[:, 0])).log_prob(torch.from_numpy(y)).numpy()
    assert (truth - poisson.log_prob(x, y)).mean() < 0.08
    for answer in (
        poisson.predict_interval(x),
        poisson.predict(x, method="mode"),
        poisson.predict(x, method="median"),
        poisson.quantile(x, [0.1, 0.6]),
        poisson.sample(x, 5, seed=0),
        np.concatenate(poisson.predict_set(x)),
    ):
        assert (answer == np.round(answer)).all()
        assert answer.min() >= 0
    total = sum(np.exp(poisson.log_prob(x[:20], np.full(20, k))) for k in range(60))
    np.testing.assert_allclose(total, 1, atol=1e-6)


@pytest.mark.parametrize("score", ["rank", "log-density"])
def test_calibrated_sets_of_counts_hold_what_they_promise(poisson: ebm.FittedEBM, score: Any) -> None:
    rng = np.random.default_rng(3)
    x = np.repeat(rng.uniform(size=(8, 1)), 100, 0)  # equal rows: ranks are tied
    y = rng.poisson(1 + 4 * x[:, 0])
    order = rng.permutation(800)
    known_rows, new = order[:400], order[400:]
    poisson.calibrate(x[known_rows], y[known_rows])
    held = poisson.contains(x[new], y[new], 0.9, score=score)
    sets = poisson.predict_set(x[new], 0.9, score=score)
    there = [bool(((runs[:, 0] <= t) & (t <= runs[:, 1])).any()) for runs, t in zip(sets, y[new])]
    assert there == held.tolist()
    assert held.mean() > 0.86
    low, high = poisson.predict_interval(x[new], 0.9).T
    assert np.isfinite(high).all()
    assert ((low <= y[new]) & (y[new] <= high)).mean() > 0.86
    poisson.calibration = None


@pytest.mark.parametrize("name", ["exponential", "poisson"])
def test_a_file_keeps_the_support(name: str, request: pytest.FixtureRequest, tmp_path: Path) -> None:
    fitted: ebm.FittedEBM = request.getfixturevalue(name)
    fitted.save(tmp_path / "a.ebm")
    again = ebm.load_fitted(tmp_path / "a.ebm")
    assert again.scaling.support == fitted.scaling.support
    y = np.arange(1, 6)
    assert (again.log_prob(X[:5], y) == fitted.log_prob(X[:5], y)).all()


@pytest.mark.parametrize("model", ["gaussian", "mdn-2", "mdn-2+energy"])
def test_heads_and_their_corrections_take_a_support(model: str) -> None:
    """A Gaussian of the logarithm is a lognormal target."""
    y = np.exp(3 * np.random.default_rng(1).standard_normal(400))
    fitted = ebm.fit(X, y, support="positive", model=model, epochs=20, progress=False)
    column = fitted.scaling.support.columns[0] if fitted.scaling.support else None
    assert column is not None
    assert column.kind == "log"
    truth = -0.5 * (np.log(y) / 3) ** 2 - np.log(3 * y * math.sqrt(2 * math.pi))
    assert (truth - fitted.log_prob(X, y)).mean() < 0.05


def test_rows_do_not_depend_on_their_neighbours(poisson: ebm.FittedEBM, exponential: ebm.FittedEBM) -> None:
    for fitted in (poisson, exponential):
        np.testing.assert_allclose(fitted.predict(X[:1]), fitted.predict(X[:50])[:1], rtol=1e-5)
        assert fitted.predict(X[:0]).shape == (0,)


def test_far_beyond_the_inputs_densities_stay_inside() -> None:
    y = 1 / (1 + np.exp(-20 * (X[:, 0] - 0.5) + np.random.default_rng(0).standard_normal(400)))
    y = np.clip(y, 1e-12, 1 - 1e-12)
    fitted = ebm.fit(X, y, support=(0, 1), epochs=5, progress=False)
    far = np.array([[-20.0], [30.0]])
    interval = fitted.predict_interval(far)
    assert (interval >= 0).all()
    assert (interval <= 1).all()
    assert np.isfinite(fitted.predict(far)).all()


def test_the_regressor_takes_a_support() -> None:
    y = np.random.default_rng(1).exponential(size=400)
    model = clone(EBMRegressor(support=(0, None), epochs=2, random_state=0)).fit(X, y)
    assert model.predict_interval(X).min() > 0


@pytest.mark.parametrize(
    ("support", "error", "says"),
    [
        ("positve", UnknownNameError, "positive"),
        ((1, 0), DomainError, "empty"),
        ((0, "a"), DomainError, "end of support"),
        ((0, 1, 2), DomainError, "pair"),
        (3, DomainError, "pair"),
        ((1e15, 1e15 + 1), DomainError, "resolve"),
        (["positive", "positive"], ShapeError, "lists 2 targets"),
        (range(0, 10, 2), DomainError, "successive"),
        ("integer", DomainError, "row 0 with"),
        ((0.0, 1.0), DomainError, "half the step"),
        ((0.2, None), DomainError, "must lie inside the support"),
    ],
)
def test_what_cannot_be_is_refused_in_words(support: Any, error: type[Exception], says: str) -> None:
    y = np.linspace(0, 0.9, 10)
    with pytest.raises(error, match=says):
        ebm.fit(X[:10], y + 1e-3 * (support == "integer"), support=support, progress=False)


def test_other_refusals() -> None:
    y = np.random.default_rng(1).exponential(size=40)
    with pytest.raises(DomainError, match="base and a support"):
        ebm.fit(X[:40], y, support="positive", base=object())  # type: ignore[arg-type]
    with pytest.raises(DomainError, match="one target alone"):
        ebm.fit(X[:40], np.ones((40, 2)), support="count")
    with pytest.raises(DomainError, match="the one value 3"):
        ebm.fit(X[:40], np.full(40, 3), support="count")
    with pytest.raises(DomainError, match="row 1 with -1"):
        ebm.fit(X[:40], y, support="positive", validation_data=(X[:2], [1.0, -1.0]))
    weights = np.ones(40)
    weights[0] = 0
    y[5] = -2
    with pytest.raises(DomainError, match="row 5 with -2"):
        ebm.fit(X[:40], y, support="positive", sample_weight=weights)


def test_onnx_refuses_a_support(exponential: ebm.FittedEBM, tmp_path: Path) -> None:
    from ebm.interop.onnx_files import export_onnx

    with pytest.raises(InputError, match="support"):
        export_onnx(exponential, tmp_path / "a.onnx")
