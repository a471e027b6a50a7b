"""Fits of angles: a von Mises truth whose mode crosses the border of the period."""

import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy import special

import ebm
from ebm import scores
from ebm.exceptions import DomainError, InputError, ShapeError, UnknownNameError

Array = NDArray[np.float64]
COUNT = 400


def rows(count: int, seed: int) -> tuple[Array, Array, Array]:
    """Inputs, angles in degrees around 330 to 20, and their true log-densities."""
    rng = np.random.default_rng(seed)
    x = rng.uniform(-2, 2, (count, 1))
    centre, kappa = np.deg2rad(355 + 12.5 * x[:, 0]), np.exp(1.5 + 0.4 * x[:, 0])
    y = rng.vonmises(centre, kappa)
    true = (
        kappa * (np.cos(y - centre) - 1) - np.log(2 * np.pi * special.i0e(kappa)) + math.log(math.tau / 360)
    )
    return x, np.rad2deg(y) % 360, true


X, Y, _ = rows(COUNT, 0)
NEW_X, NEW_Y, TRUE = rows(500, 1)


def turns_apart(a: Any, b: Any, period: float = 360.0) -> Array:
    return np.abs((np.asarray(a) - b + period / 2) % period - period / 2)


def inside(y: Array, arcs: Array, period: float = 360.0) -> Array:
    return np.asarray((y - arcs[:, 0]) % period <= arcs[:, 1] - arcs[:, 0])


@pytest.fixture(scope="module")
def fitted() -> ebm.FittedEBM:
    return ebm.fit(X, Y, support="degrees", epochs=30, seed=0, progress=False)


def test_likelihood_and_coverage_are_near_the_truths(fitted: ebm.FittedEBM) -> None:
    excess = TRUE - fitted.log_prob(NEW_X, NEW_Y)
    assert excess.mean() < 0.06
    for kind in ("equal-tailed", "highest-density"):
        arcs = fitted.predict_interval(NEW_X, 0.9, kind=kind)
        assert inside(NEW_Y, arcs).mean() == pytest.approx(0.9, abs=0.04)
        assert (arcs[:, 0] >= 0).all()
        assert (arcs[:, 0] < 360).all()
        assert (arcs[:, 1] > 360).mean() > 0.2
    assert fitted.contains(NEW_X, NEW_Y, 0.9).mean() == pytest.approx(0.9, abs=0.04)


def test_predictions_are_directions(fitted: ebm.FittedEBM) -> None:
    centre = 355 + 12.5 * NEW_X[:, 0]
    for method, error in (("mean", 6), ("median", 6), ("mode", 9)):
        found = fitted.predict(NEW_X, method=method)
        assert found.min() >= 0
        assert found.max() < 360
        assert turns_apart(found, centre).mean() < error
    assert fitted.score(NEW_X, NEW_Y) > 0.1
    drawn = fitted.sample(NEW_X[:5], 2000, seed=0)
    assert (
        turns_apart(
            np.rad2deg(np.angle(np.exp(1j * np.deg2rad(drawn)).mean(1))), fitted.predict(NEW_X[:5])
        ).max()
        < 5
    )


def test_targets_count_by_where_they_are(fitted: ebm.FittedEBM) -> None:
    x, y = NEW_X[:20], NEW_Y[:20]
    for ask in (fitted.log_prob, fitted.cdf, fitted.crps, fitted.contains):
        assert ask(x, y - 720) == pytest.approx(ask(x, y), abs=1e-4)
    places = np.arange(360.0) + 0.5
    total = np.exp(fitted.log_prob(np.repeat(x[:1], 360, 0), places)).sum()
    assert total == pytest.approx(1, abs=1e-3)
    assert fitted.cdf(x, fitted.quantile(x, 0.3)) == pytest.approx(0.3, abs=1e-6)


def test_the_unit_changes_nothing_but_the_unit() -> None:
    short: dict[str, Any] = {"epochs": 6, "hidden": (8,), "progress": False}
    degrees = ebm.fit(X, Y, support="degrees", **short)
    hours = ebm.fit(X, Y / 15, support=("circular", 24.0), **short)
    assert turns_apart(hours.predict(NEW_X) * 15, degrees.predict(NEW_X)).max() < 0.5
    shift = hours.log_prob(NEW_X, NEW_Y / 15) - degrees.log_prob(NEW_X, NEW_Y)
    assert shift == pytest.approx(math.log(15), abs=0.02)
    assert hours.crps(NEW_X, NEW_Y / 15) * 15 == pytest.approx(degrees.crps(NEW_X, NEW_Y), abs=0.5)


@pytest.mark.parametrize(
    ("support", "y", "ends"),
    [
        ("circular", np.deg2rad(Y), (0, math.tau)),
        ("radians", np.deg2rad(Y) - math.pi, (-math.pi, math.pi)),
        (("circular", -180, 180.0), Y, (-180, 180)),
        ("degrees", Y - 360, (-180, 180)),
    ],
)
def test_answers_lie_in_the_period_of_the_labels(support: Any, y: Array, ends: tuple[float, float]) -> None:
    short = ebm.fit(X, y, support=support, epochs=2, hidden=(8,), progress=False)
    drawn = short.sample(NEW_X, 5, seed=0)
    assert ends[0] <= drawn.min() < ends[0] + 0.2 * (ends[1] - ends[0])
    assert drawn.max() < ends[1]


@pytest.mark.parametrize("score", ["rank", "quantile"])
def test_calibrated_arcs(fitted: ebm.FittedEBM, score: Any) -> None:
    other = ebm.FittedEBM(fitted.model, fitted.scaling, fitted.config, {}, fitted.history)
    other.calibrate(NEW_X[:300], NEW_Y[:300])
    arcs = other.predict_interval(NEW_X[300:], [0.5, 0.9], score=score)
    for place, level in enumerate((0.5, 0.9)):
        assert inside(NEW_Y[300:], arcs[:, place]).mean() == pytest.approx(level, abs=0.09)
    sets = other.predict_set(NEW_X[300:], 0.9)
    held = [any(inside(y[None], run[None])[0] for run in own) for y, own in zip(NEW_Y[300:], sets)]
    assert np.mean(held) == pytest.approx(other.contains(NEW_X[300:], NEW_Y[300:], 0.9).mean(), abs=0.02)


@pytest.mark.parametrize("loss", ["nce", "cnce", "ml-is", "kld-is", "ml-mcmc", "dsm", "sm"])
def test_every_loss(loss: str) -> None:
    options: dict[str, Any] = {"epochs": 12, "hidden": (16,), "progress": False}
    short = ebm.fit(X[:200], Y[:200], support="degrees", loss=loss, **options)
    even = math.log(1 / 360)
    assert short.log_prob(NEW_X, NEW_Y).mean() > even + 0.3


def test_members_and_files(tmp_path: Path) -> None:
    members = ebm.fit(X, Y, support="degrees", members=2, epochs=5, hidden=(8,), progress=False)
    members.calibrate(NEW_X, NEW_Y)
    members.save(tmp_path / "two.ebm")
    again = ebm.load_fitted(tmp_path / "two.ebm")
    for ask in ("predict", "predict_interval", "quantile"):
        args = (0.5,) if ask == "quantile" else ()
        assert (getattr(again, ask)(NEW_X[:9], *args) == getattr(members, ask)(NEW_X[:9], *args)).all()
    assert len(again.predict(NEW_X[:0])) == 0
    assert again.predict_interval(NEW_X[:0]).shape == (0, 2)
    share = members.spread(NEW_X).share
    assert (share >= 0).all()
    assert (share < 1).all()


def test_scores_are_those_of_a_circle(fitted: ebm.FittedEBM) -> None:
    found = fitted.evaluate(NEW_X, NEW_Y, marginal=Y)
    assert [score.name for score in found.scores] == [
        "log score", "CRPS", "width 90 %", "sharpness", "coverage 90 %"
    ]  # fmt: skip
    assert found["log score"].skill > 0
    assert found["CRPS"].skill > 0
    # Turned by half a turn, where all labels lie inside the period, everything is the same.
    turned = scores.evaluate(fitted.density(NEW_X), (NEW_Y + 180) % 360 + 180, marginal=(Y + 180) % 360 + 180)
    for name in ("log score", "CRPS", "width 90 %"):
        assert turned[name].mean == pytest.approx(found[name].mean, abs=1e-4)
        assert turned[name].skill == pytest.approx(found[name].skill, abs=1e-4)
    density = fitted.density(NEW_X[:3])
    for refused in (scores.pinball_loss, scores.winkler_score):
        with pytest.raises(DomainError, match="circle is cut open"):
            refused(density, NEW_Y[:3, None])
    with pytest.raises(DomainError, match="circle is cut open"):
        scores.threshold_crps(density, NEW_Y[:3, None], low=0)


def test_scorers_see_circles() -> None:
    from sklearn.compose import TransformedTargetRegressor

    from ebm.estimator import EBMRegressor
    from ebm.scores.sklearn_scorers import coverage_90, neg_crps, predicted, winkler_scorer

    model = EBMRegressor(support="degrees", epochs=4, random_state=0).fit(X, Y)
    assert coverage_90(model, NEW_X, NEW_Y) == pytest.approx(0.9, abs=0.08)
    assert neg_crps(model, NEW_X, NEW_Y) == pytest.approx(-model.fitted_.crps(NEW_X, NEW_Y).mean())
    with pytest.raises(DomainError, match="circle"):
        winkler_scorer(0.9)(model, NEW_X, NEW_Y)
    whole = TransformedTargetRegressor(
        EBMRegressor(support=("circular", 1.0), epochs=2),
        func=lambda y: y / 360,
        inverse_func=lambda z: z * 360,
    )
    with pytest.raises(DomainError, match="cannot be brought back"):
        predicted(whole.fit(X, Y), NEW_X)


def test_pictures_and_report(fitted: ebm.FittedEBM, tmp_path: Path) -> None:
    pytest.importorskip("matplotlib")
    from ebm.pictures import density_curves, fan_curves

    curves = density_curves(fitted, NEW_X, NEW_Y - 360, rows=[0, 1])
    assert np.nanmin(curves["label"]) >= 0
    assert curves["value"].min() == 0
    assert curves["value"].max() == 360
    one = curves["row"] == 0
    step = np.diff(curves["value"][one])
    held = (curves["density"][one][1:] * curves["inside"][one][1:] * step).sum()
    assert held == pytest.approx(0.9, abs=0.05)
    fan = fan_curves(fitted, NEW_X, NEW_Y, feature=0)
    assert (fan["low_50"] <= fan["median"]).all()
    assert (fan["median"] <= fan["high_50"]).all()
    assert (fan["low_95"] <= fan["low_50"] + 1e-6).all()
    assert np.abs(fan["label"] - fan["median"]).max() <= 180
    report = fitted.report(NEW_X[:120], NEW_Y[:120], tmp_path / "page.html", marginal=Y)
    assert "hold" in " ".join(report.verdict)


def test_torch_distribution(fitted: ebm.FittedEBM) -> None:
    made = fitted.distribution(NEW_X[:3])
    drawn = made.sample((7,))
    assert made.log_prob(drawn).shape == (7, 3)
    assert made.support.check(drawn).all()
    with pytest.raises(NotImplementedError, match="circle"):
        made.cdf(drawn)


def test_what_does_not_go_together() -> None:
    two = np.stack((Y, Y), 1)
    cases: list[tuple[type[Exception], str, dict[str, Any]]] = [
        (DomainError, "radians, but y goes to 3", {"support": "circular"}),
        (DomainError, "one target alone", {"y": two, "support": ["degrees", None]}),
        (DomainError, "periodic", {"support": "degrees", "model": "mdn-4"}),
        (DomainError, "period > 0", {"support": ("circular", -1.0)}),
        (DomainError, "period > 0", {"support": ("circular", 10, 5)}),
        (DomainError, "period > 0", {"support": ("circular", math.inf)}),
        (DomainError, "a circle as support", {"support": ("circle", 3.0)}),
        (DomainError, "a circle as support", {"support": ("circular",)}),
        (DomainError, "one value", {"y": np.tile([0.0, 360.0], COUNT // 2), "support": "degrees"}),
        (UnknownNameError, "support", {"support": "angle"}),
        (DomainError, "base and a support", {"support": "degrees", "base": object()}),
    ]
    for kind, words, options in cases:
        with pytest.raises(kind, match=words):
            ebm.fit(X, **({"y": Y, "epochs": 1} | options))


def test_files_for_others_refuse(fitted: ebm.FittedEBM, tmp_path: Path) -> None:
    from ebm.interop import export_onnx

    with pytest.raises(InputError, match="no place for a circle"):
        export_onnx(fitted, tmp_path / "model.onnx")
    pytest.importorskip("skpro")
    from ebm.interop.skpro import GridDistribution

    with pytest.raises((DomainError, ShapeError), match="no circles"):
        GridDistribution.of(fitted.density(NEW_X[:3]))
