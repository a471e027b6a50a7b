"""Censored targets: likelihoods in closed form, bounds that are none, and what does not go together."""

import math
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from scipy import stats

import ebm
from ebm.density import GridDensity
from ebm.density.masses import log_mass_between
from ebm.exceptions import DomainError, InputError, ShapeError, UnknownNameError
from ebm.fitting.censored import bounded
from ebm.fitting.data import measure
from ebm.fitting.likelihood import GridLikelihood, log_likelihood
from ebm.fitting.rows import prepare_rows
from ebm.models import FunctionalEnergy

Array = NDArray[np.float64]
INF = math.inf
MEAN, SPREAD = 0.3, 0.4
SCALING = measure(torch.rand(200, 1).double(), torch.linspace(-1.7, 1.7, 200)[:, None].double(), True)
GAUSSIAN = FunctionalEnergy(
    lambda features, y: 3 - 0.5 * ((y[..., 0] - MEAN) / SPREAD) ** 2 + 0 * features[:, :1], 1
)
TRUTH = stats.norm(MEAN, SPREAD)
X = np.linspace(0, 1, 12)[:, None]
Y = np.linspace(1, 3, 12)


def log_mass(low: float, high: float) -> float:
    """log P(low < y < high) of the truth, exact in both tails."""
    ends = (low, high) if low + high < 2 * MEAN else (2 * MEAN - high, 2 * MEAN - low)
    upper, lower = TRUTH.logcdf(ends[1]), TRUTH.logcdf(ends[0])
    return float(upper + np.log1p(-np.exp(lower - upper)))


bounds = st.tuples(st.floats(-2.5, 3), st.floats(0.01, 3), st.sampled_from(["within", "left", "right"]))


@settings(max_examples=60, deadline=None)
@given(bounds)
def test_likelihood_of_bounds_is_that_of_the_closed_form(given_bounds: tuple[float, float, str]) -> None:
    start, length, kind = given_bounds
    low = -INF if kind == "left" else float(np.float32(start))
    high = INF if kind == "right" else float(np.float32(start + length))
    found = log_likelihood(GAUSSIAN, torch.zeros(1, 1), SCALING, torch.tensor([[low, high]]))
    assert found.item() == pytest.approx(log_mass(low, high), abs=2e-3, rel=2e-3)
    density = GridDensity(
        lambda y: 7 - 0.5 * ((y[..., 0] - MEAN) / SPREAD) ** 2,
        torch.linspace(MEAN - 2.6, MEAN + 2.6, 1024, dtype=torch.float64),
        batch_size=1,
    )
    ends = (torch.tensor([end], dtype=torch.float64) for end in (low, high))
    assert log_mass_between(density, *ends).item() == pytest.approx(log_mass(low, high), abs=2e-3, rel=3e-3)


def test_known_targets_and_their_gradient() -> None:
    y = torch.tensor([[0.1], [0.9], [-1.0]])
    features = torch.zeros(3, 1)
    found = log_likelihood(GAUSSIAN, features, SCALING, y)
    assert found.numpy() == pytest.approx(TRUTH.logpdf(y[:, 0].numpy()), abs=1e-4)
    both = log_likelihood(GAUSSIAN, features, SCALING, y.expand(-1, 2))
    assert torch.equal(both, found)
    shift = torch.zeros((), requires_grad=True)
    moved = FunctionalEnergy(
        lambda features, y: -0.5 * ((y[..., 0] - MEAN - shift) / SPREAD) ** 2 + 0 * features[:, :1], 1
    )
    rows = torch.tensor([[0.1, 0.1], [0.5, INF], [-INF, 0.0]])
    GridLikelihood(SCALING)(moved, features, rows).loss.backward()
    z = (0.5 - MEAN) / SPREAD, (0.0 - MEAN) / SPREAD
    slopes = (
        (0.1 - MEAN) / SPREAD**2,
        stats.norm.pdf(z[0]) / stats.norm.sf(z[0]) / SPREAD,
        -stats.norm.pdf(z[1]) / stats.norm.cdf(z[1]) / SPREAD,
    )
    assert shift.grad is not None
    assert shift.grad.item() == pytest.approx(-np.mean(slopes), abs=1e-4)


def censored_rows(count: int, seed: int) -> tuple[Array, Array, Array, Any]:
    """Inputs, true targets, what is seen of them, and whether that is the target: 40 % are censored."""
    rng = np.random.default_rng(seed)
    x = rng.uniform(-1, 1, (count, 1))
    y = 3 + 2 * x[:, 0] + rng.standard_normal(count)
    limit = rng.normal(3.4, 1.2, count) + 1.6 * x[:, 0]
    return x, y, np.minimum(y, limit), y <= limit


@pytest.mark.parametrize("model", ["energy", "gaussian"])
def test_a_gaussian_is_recovered_from_censored_rows(model: str) -> None:
    x, _, seen, observed = censored_rows(700, 0)
    new_x, new_y, new_seen, new_observed = censored_rows(600, 1)
    assert 1 - observed.mean() == pytest.approx(0.4, abs=0.04)
    truth = stats.norm(3 + 2 * new_x[:, 0], 1.0)
    target = ebm.Censored.right(seen, observed)
    fitted = ebm.fit(x, target, model=model, epochs=30, seed=0, progress=False)
    assert fitted.config.loss == ("ml-grid" if model == "energy" else "nce+")
    bias = (fitted.predict(new_x) - truth.mean()).mean()
    spread = fitted.density(new_x).std().mean().item()
    assert abs(bias) < 0.12
    assert spread == pytest.approx(1, abs=0.1)
    assert (truth.logpdf(new_y) - fitted.log_prob(new_x, new_y)).mean() < 0.04
    told = fitted.log_prob(new_x, ebm.Censored.right(new_seen, new_observed))
    wanted = np.where(new_observed, truth.logpdf(new_seen), truth.logsf(new_seen))
    assert (wanted - told).mean() < 0.04
    assert min(fitted.history.held_out_nll) == pytest.approx(-wanted.mean(), abs=0.2)
    if model == "gaussian":  # the cheaper one shows what is lost without
        naive = ebm.fit(x, seen, model=model, epochs=30, seed=0, progress=False)
        assert (naive.predict(new_x) - truth.mean()).mean() < -0.3
        assert (truth.logpdf(new_y) - naive.log_prob(new_x, new_y)).mean() > 0.06


def test_survival_times_with_members_weights_and_a_file(tmp_path: Any) -> None:
    rng = np.random.default_rng(0)
    x = rng.uniform(-1, 1, (400, 1))
    time, limit = np.exp(0.5 * x[:, 0]) * rng.exponential(2, 400), rng.exponential(5, 400)
    y = ebm.Censored.right(np.minimum(time, limit), time <= limit)
    options: dict[str, Any] = {"support": "positive", "members": 2, "epochs": 12, "hidden": (16,)}
    fitted = ebm.fit(x, y, sample_weight=np.arange(400) > 20, progress=False, **options)
    survival = 1 - fitted.cdf(x, np.full(400, 2.0))
    assert np.abs(survival - np.exp(-2 / (2 * np.exp(0.5 * x[:, 0])))).mean() < 0.12
    fitted.save(tmp_path / "times.ebm")
    again = ebm.load_fitted(tmp_path / "times.ebm")
    assert (again.log_prob(x, y) == fitted.log_prob(x, y)).all()
    # The mass between all bounds that part the line is 1.
    cuts = [0.0, 0.5, 2.0, 7.0, INF]
    parts = [ebm.Censored(np.full(5, a), np.full(5, b)) for a, b in zip(cuts, cuts[1:])]
    total = sum(np.exp(fitted.log_prob(x[:5], part)) for part in parts)
    assert total == pytest.approx(1, abs=1e-6)
    outside, far = fitted.log_prob(x[:2], ebm.Censored([-3.0, 1e4], [-1.0, INF]))
    assert outside == -INF  # no time is negative
    assert -INF < far < -10


def test_structured_arrays_as_survival_packages_have_them() -> None:
    y = np.array([(True, 3.0), (False, 5.0)], dtype=[("event", bool), ("time", float)])
    made = ebm.Censored.right(y["time"], y["event"])
    assert made.observed.tolist() == [True, False]
    assert made.upper.tolist() == [3, INF]


def test_rows_of_a_fit() -> None:
    lower, upper = np.array([-INF, 1, 2, 3, -1, 2.5]), np.array([2, 1, INF, 4, 3, 2.5])
    places, ends = bounded(ebm.Censored(lower, upper), (0, None))
    assert places[:, 0].tolist() == [2, 1, 2, 3.5, 3, 2.5]
    assert ends[:, 0].tolist() == [0, 1, 2, 3, 0, 2.5]
    rows = prepare_rows(X[:6], ebm.Censored(lower, upper), None, (X, Y), share=0.2, seed=0, support=(0, None))
    train, held, scaling = rows
    assert train.known.tolist() == [False, True, False, False, False, True]
    assert held.known.all()
    scaled = train.scaled(scaling, torch.device("cpu"))
    assert scaled.bounds is not None
    assert scaled.bounds[0, 0] == -INF
    assert scaled.bounds[2, 1] == INF
    assert torch.equal(scaled.known, train.known)
    assert (scaled.bounds[:, 0] <= scaled.y[:, 0]).all()
    assert (scaled.y[:, 0] <= scaled.bounds[:, 1]).all()


def test_kinds_of_input() -> None:
    pd = pytest.importorskip("pandas")
    frame = pd.DataFrame({"t": Y, "seen": [1, 0] * 6}, index=range(3, 15))
    made = ebm.Censored.right(frame["t"], frame["seen"])
    assert repr(made) == "Censored(6 known, 6 right, 0 left, 0 interval)"
    assert made[made.observed].lower.tolist() == Y[::2].tolist()
    assert len(made[2:4]) == 2
    assert (
        repr(ebm.Censored.left(Y, torch.arange(12) > 2)) == "Censored(9 known, 0 right, 3 left, 0 interval)"
    )
    assert repr(ebm.Censored(Y, (Y + 1).tolist())) == "Censored(0 known, 0 right, 0 left, 12 interval)"
    assert repr(ebm.Censored(upper=Y[:, None])) == "Censored(0 known, 0 right, 12 left, 0 interval)"
    table = pd.DataFrame({"x": X[:, 0]}, index=range(3, 15))
    for rows in (slice(None), slice(2, 9), made.observed, [5, 3, 1, 7]):
        assert list(made[rows].index) == list(frame["t"].iloc[rows].index)
        with pytest.raises(InputError, match="another order"):
            ebm.fit(table.iloc[rows][::-1], made[rows])
    assert list(made[3].index) == [6]
    with pytest.raises(InputError, match="another order"):
        ebm.fit(table[::-1], made)
    with pytest.raises(InputError, match="another order"):
        ebm.Censored(frame["t"], frame["t"][::-1])


BAD_BOUNDS: list[tuple[type[Exception], str, dict[str, Any]]] = [
    (
        DomainError,
        r"row 1 with \(nan, 2\), are NaN; say -inf or inf",
        {"lower": [0, math.nan], "upper": [1, 2]},
    ),
    (DomainError, "row 0 with .*cross; exchange", {"lower": [2, 0], "upper": [1, 2]}),
    (DomainError, "say nothing; leave such rows out", {"lower": [-INF, 0], "upper": [INF, 2]}),
    (DomainError, "leave no room", {"lower": [INF, 0], "upper": [INF, 2]}),
    (ShapeError, "2 lower bounds and 3 upper", {"lower": [0, 0], "upper": [1, 2, 3]}),
    (ShapeError, "one target alone can be censored", {"lower": np.zeros((3, 2))}),
    (InputError, "lower, upper or both", {}),
    (InputError, "lower must", {"lower": ["a", "b"]}),
]


@pytest.mark.parametrize(("kind", "words", "given_bounds"), BAD_BOUNDS)
def test_bounds_that_are_none(kind: type[Exception], words: str, given_bounds: dict[str, Any]) -> None:
    with pytest.raises(kind, match=words):
        ebm.Censored(**given_bounds)


def test_flags_that_are_none() -> None:
    for observed in ([0, 1, 2], [True]):
        with pytest.raises(DomainError, match="true or false"):
            ebm.Censored.right([1.0, 2.0, 3.0], observed)
    with pytest.raises(DomainError, match="row 1 has inf"):
        ebm.Censored.left([1.0, INF, 3.0], [1, 1, 0])


RIGHT = ebm.Censored.right(Y, np.arange(12) % 2)
NOT_TOGETHER: list[tuple[type[Exception], str, dict[str, Any]]] = [
    (InputError, "loss='nce' compares", {"loss": "nce"}),
    (InputError, r"mdn-4\+energy' corrects", {"model": "mdn-4+energy"}),
    (InputError, "calibrate=True counts", {"calibrate": True}),
    (InputError, "a base predicts", {"base": object()}),
    (DomainError, "half a unit", {"support": "count"}),
    (DomainError, "which way round", {"support": "degrees"}),
    (DomainError, "outside the support", {"support": (0, 2)}),
    (
        DomainError,
        "row 0 say no more",
        {"y": ebm.Censored.right(np.r_[0, Y[1:]], Y > 2), "support": "positive"},
    ),
    (DomainError, "bounded from above", {"y": ebm.Censored(lower=Y)}),
    (DomainError, "bounded from below", {"y": ebm.Censored(upper=Y)}),
    (ShapeError, "each of the 12 rows", {"y": RIGHT[:5]}),
    (ShapeError, "one target alone", {"y": np.stack((Y, Y), 1), "validation_data": (X, RIGHT)}),
    (UnknownNameError, "sigmas", {"sigmas": (1.0,)}),
]


@pytest.mark.parametrize(("kind", "words", "options"), NOT_TOGETHER)
def test_what_does_not_go_together(kind: type[Exception], words: str, options: dict[str, Any]) -> None:
    with pytest.raises(kind, match=words):
        ebm.fit(X, **({"y": RIGHT, "epochs": 1} | options))


def test_grid_likelihood_is_for_one_target() -> None:
    with pytest.raises(DomainError, match="one target"):
        ebm.fit(X, np.stack((Y, Y**2), 1), loss="ml-grid", epochs=1)
    with pytest.raises(DomainError, match="no angle"):
        ebm.fit(X, Y, loss="ml-grid", support="radians", epochs=1)
    with pytest.raises(InputError, match="not joined"):
        ebm.fit([(X, RIGHT)])


def test_questions_that_take_known_targets(tmp_path: Any) -> None:
    fitted = ebm.fit(X, Y, loss="ml-grid", epochs=1, hidden=(4,), progress=False)
    for ask in (fitted.crps, fitted.cdf, fitted.score, fitted.calibrate, fitted.contains, fitted.evaluate):
        with pytest.raises(InputError, match=r"y is censored.*x\[y.observed\]"):
            ask(X, RIGHT)
    with pytest.raises(InputError, match="y is censored"):
        fitted.report(X, RIGHT, tmp_path / "page.html")
    with pytest.raises(ShapeError, match="each of the 12 rows"):
        fitted.log_prob(X, RIGHT[:3])
    assert len(fitted.log_prob(X[:0], ebm.Censored(Y)[:1][np.zeros(1, bool)])) == 0
    several = ebm.fit(X, np.stack((Y, Y**2), 1), epochs=1, hidden=(4,), progress=False)
    with pytest.raises(DomainError, match="one target"):
        several.log_prob(X, RIGHT)
    from ebm.estimator import EBMRegressor

    with pytest.raises(InputError, match=r"ebm.fit"):
        EBMRegressor().fit(X, RIGHT)
