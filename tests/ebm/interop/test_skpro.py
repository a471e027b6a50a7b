"""The adapter to skpro: skpro's own checks, and a distribution whose answers are those of the grid."""

import subprocess
import sys

import numpy as np
import pytest
import torch

from ebm.exceptions import DomainError, InputError, ShapeError

pytest.importorskip("skpro", reason="not installed: pip install -e '.[skpro]' brings it")
pd = pytest.importorskip("pandas")

from sklearn.model_selection import KFold  # noqa: E402
from skpro.metrics import CRPS, LogLoss  # noqa: E402
from skpro.model_selection import GridSearchCV  # noqa: E402
from skpro.utils import check_estimator  # noqa: E402

from ebm.density import GridDensity  # noqa: E402
from ebm.estimator import EBMRegressor  # noqa: E402
from ebm.interop.skpro import EBMProbaRegressor, GridDistribution  # noqa: E402
from tests.ebm.density.scores import GRID, MEANS, STDS, gaussian  # noqa: E402

ROWS = pd.Index(["a", "b", "c"])


def normals() -> GridDistribution:
    """N(-1, 0.5^2), N(0, 1), N(2.5, 1.5^2)."""
    return GridDistribution.of(GridDensity(gaussian, GRID, batch_size=3), ROWS, ["y"])


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("kind", [EBMProbaRegressor, GridDistribution])
def test_it_passes_the_checks_of_skpro(kind: type) -> None:
    results = check_estimator(kind, verbose=False)
    assert len(results) > 50
    assert {name: found for name, found in results.items() if found != "PASSED"} == {}


def test_the_distribution_answers_as_the_normals_that_it_is() -> None:
    made, truth = normals(), torch.distributions.Normal(MEANS, STDS)
    y = MEANS + STDS * torch.tensor([[0.3], [-1.2], [2.0]])
    frame = pd.DataFrame(y.numpy(), index=ROWS, columns=["y"])
    close = lambda found, wanted: np.testing.assert_allclose(found, wanted, atol=2e-4)  # noqa: E731
    close(made.mean(), truth.mean)
    close(made.var(), truth.variance)
    close(made.log_pdf(frame), truth.log_prob(y))
    close(made.pdf(frame), truth.log_prob(y).exp())
    close(made.cdf(frame), truth.cdf(y))
    close(made.ppf(made.cdf(frame)), frame)
    close(made.pdfnorm(), 1 / (2 * np.sqrt(np.pi) * STDS))
    close(made.pdfnorm(1.0), np.ones((3, 1)))
    close(made.energy(), 2 * STDS / np.sqrt(np.pi))  # E|X - X'| of a normal
    z = (y - truth.mean) / STDS
    phi = torch.distributions.Normal(0.0, 1.0)
    close(made.energy(frame), STDS * (z * (2 * phi.cdf(z) - 1) + 2 * phi.log_prob(z).exp()))
    assert made.loc[["c", "a"]].mean().index.tolist() == ["c", "a"]
    close(made.loc[["c", "a"]].mean()["y"], [2.5, -1.0])
    one = made.iloc[2, 0]
    assert one.shape == ()
    assert one.mean() == pytest.approx(2.5, abs=1e-4)
    assert one.pdfnorm() == pytest.approx(1 / (2 * np.sqrt(np.pi) * 1.5), abs=1e-4)


def test_misfits_are_refused() -> None:
    points = np.linspace(0, 1, 5)
    with pytest.raises(ShapeError, match=r"points and log_masses \(N, G\), got \(5,\), \(4,\)"):
        GridDistribution(points, points[:4])
    with pytest.raises(ShapeError, match="expected 1 rows and 1 column, got 2, 1"):
        GridDistribution(points[None], points[None], index=[0, 1])
    axis = torch.linspace(-4, 4, 9)
    plane = GridDensity(lambda y: -y.square().sum(-1), [axis, axis], batch_size=1)
    with pytest.raises(ShapeError, match="a grid of one target, got D=2"):
        GridDistribution.of(plane)
    x = pd.DataFrame({"x": np.arange(6.0)})
    with pytest.raises(ShapeError, match="one target, got 2 columns of y"):
        EBMProbaRegressor().fit(x, pd.concat((x, x), axis=1))


def test_a_fit_is_that_of_the_estimator_and_scored_and_searched_by_others() -> None:
    rng = np.random.default_rng(0)
    x = pd.DataFrame({"x": rng.uniform(-1, 1, 120)}, index=rng.permutation(120))
    y = x.rename(columns={"x": "y"}) + 0.2 * rng.standard_normal((120, 1))
    own = EBMRegressor(epochs=8, random_state=0, prediction="median")
    model = EBMProbaRegressor(own).fit(x[:90], y[:90])
    assert not hasattr(own, "fitted_")
    plain = own.fit(x[:90], y["y"][:90])
    np.testing.assert_array_equal(model.predict(x[90:])["y"], plain.predict(x[90:]))
    made = model.predict_proba(x[90:])
    np.testing.assert_allclose(made.mean()["y"], plain.predict_density(x[90:]).mean()[:, 0], rtol=1e-9)
    np.testing.assert_allclose(
        made.log_pdf(y[90:])["y"], plain.log_prob(x[90:], y["y"][90:]), atol=0.01
    )  # linear between 1024 points
    nll = -plain.log_prob(x[90:], y["y"][90:]).mean()
    assert LogLoss()(y[90:], made) == pytest.approx(nll, abs=0.01)
    assert 0 < CRPS()(y[90:], made) < 0.3
    search = GridSearchCV(model, KFold(2), {"estimator__epochs": [1, 20]}, CRPS())
    assert search.fit(x[:80], y[:80]).best_params_ == {"estimator__epochs": 20}


def test_intervals_are_calibrated_where_the_fit_is() -> None:
    rng = np.random.default_rng(0)
    x = pd.DataFrame({"x": rng.uniform(-1, 1, 160)})
    y = x.rename(columns={"x": "y"}) + 0.2 * rng.standard_normal((160, 1))
    model = EBMProbaRegressor(EBMRegressor(epochs=3, random_state=0)).fit(x[:60], y[:60])
    before = model.predict_interval(x[:5], coverage=[0.5, 0.9])
    inner = model.estimator_
    np.testing.assert_allclose(before.to_numpy()[:, 2:], inner.predict_interval(x[:5], 0.9), rtol=1e-9)
    inner.fitted_.calibrate(x[60:].to_numpy(), y["y"][60:].to_numpy())
    after = model.predict_interval(x[:5], coverage=[0.5, 0.9])
    assert list(after.columns) == list(before.columns)
    np.testing.assert_array_equal(after.to_numpy()[:, 2:], inner.predict_interval(x[:5], 0.9))
    assert not np.allclose(before, after)
    ends = model.predict_quantiles(x[:5], alpha=[0.05, 0.5, 0.95]).to_numpy()
    np.testing.assert_allclose(ends[:, [0, 2]], after.to_numpy()[:, 2:], rtol=1e-12)
    np.testing.assert_array_equal(ends[:, 1], inner.predict_quantile(x[:5], 0.5))
    inner.fitted_.calibrate(x[60:].to_numpy(), y["y"][60:].to_numpy(), within=np.arange(100) % 2)
    with pytest.raises(InputError, match="within groups, which intervals of skpro"):
        model.predict_interval(x[:5], coverage=0.9)


def test_angles_are_refused_by_all_questions_of_distributions() -> None:
    x = pd.DataFrame({"x": np.linspace(-1, 1, 40)})
    model = EBMProbaRegressor(EBMRegressor(epochs=1, support="degrees", random_state=0))
    model.fit(x, 350 + 20 * x)
    for ask in (model.predict_proba, model.predict_interval, model.predict_var):
        with pytest.raises(DomainError, match="knows no circles"):
            ask(x[:2])


def test_without_skpro_the_extra_is_named() -> None:
    code = "import sys; sys.modules['skpro'] = None; import ebm.interop; import ebm.interop.skpro"
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert "skpro is needed for the skpro adapter" in result.stderr
    assert "pip install 'ebmtrack[skpro]'" in result.stderr
