"""`ebm.fit` recovers densities that are known, and says what is wrong with data that it cannot use."""

import math
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

import ebm
from ebm.exceptions import DomainError, InputError, NumericalError, ShapeError, UnknownNameError

QUICK = {"progress": False, "hidden": (16,), "epochs": 3}


def line(n: int, seed: int = 0, noise: float = 0.5) -> tuple[np.ndarray, np.ndarray]:
    """y = 3 x_0 + 100 with Gaussian noise; x_1 says nothing."""
    draw = np.random.default_rng(seed)
    x = draw.normal(size=(n, 2))
    return x, 3 * x[:, 0] + 100 + noise * draw.normal(size=n)


@pytest.fixture(scope="module")
def fitted_line() -> ebm.FittedEBM:
    return ebm.fit(*line(400), progress=False, epochs=40)


def test_a_linear_gaussian_is_recovered(fitted_line: ebm.FittedEBM) -> None:
    x, y = line(300, seed=1)
    entropy = 0.5 * math.log(2 * math.pi * math.e * 0.25)
    assert -fitted_line.log_prob(x, y).mean() < entropy + 0.15
    assert np.abs(fitted_line.predict(x) - (3 * x[:, 0] + 100)).mean() < 0.2
    assert fitted_line.score(x, y) > 0.95
    inside = fitted_line.predict_interval(x, level=0.9)
    share = ((inside[:, 0] <= y) & (y <= inside[:, 1])).mean()
    assert 0.8 < share < 0.98


def test_four_samples_are_enough_for_conditional_nce() -> None:
    fitted = ebm.fit(*line(400), loss="cnce", num_samples=4, progress=False, epochs=40)
    x, y = line(300, seed=1)
    entropy = 0.5 * math.log(2 * math.pi * math.e * 0.25)
    assert -fitted.log_prob(x, y).mean() < entropy + 0.15
    inside = fitted.predict_interval(x, level=0.9)
    assert 0.84 < ((inside[:, 0] <= y) & (y <= inside[:, 1])).mean() < 0.98


def test_mean_median_and_mode_of_a_symmetric_density_agree(fitted_line: ebm.FittedEBM) -> None:
    x, _ = line(50, seed=2)
    mean, mode, median = (fitted_line.predict(x, method=m) for m in ("mean", "mode", "median"))
    np.testing.assert_allclose(mode, mean, atol=0.3)
    np.testing.assert_allclose(median, mean, atol=0.15)


def test_the_mode_is_at_least_as_likely_as_the_mean(fitted_line: ebm.FittedEBM) -> None:
    x, _ = line(50, seed=2)
    at_mode = fitted_line.log_prob(x, fitted_line.predict(x, method="mode"))
    assert (at_mode >= fitted_line.log_prob(x, fitted_line.predict(x)) - 1e-5).all()


def test_the_density_integrates_to_one_and_its_draws_have_its_mean(fitted_line: ebm.FittedEBM) -> None:
    x, _ = line(3, seed=3)
    grid = torch.linspace(80, 120, 4001, dtype=torch.float64)
    density = fitted_line.density(x)
    mass = density.log_prob(grid[None, :, None].expand(3, -1, 1)).exp().sum(1) * 0.01
    torch.testing.assert_close(mass, torch.ones_like(mass), atol=1e-3, rtol=0)
    draws = fitted_line.sample(x, 4000, seed=0)
    assert draws.shape == (3, 4000)
    np.testing.assert_allclose(draws.mean(1), fitted_line.predict(x), atol=0.06)
    np.testing.assert_array_equal(draws, fitted_line.sample(x, 4000, seed=0))


def test_two_branches_are_seen_where_a_mean_sees_none() -> None:
    draw = np.random.default_rng(0)
    x = draw.uniform(-1, 1, (800, 1))
    y = np.where(draw.random(800) < 0.5, 1.0, -1.0) + 0.1 * draw.normal(size=800)
    fitted = ebm.fit(x, y, progress=False, epochs=15)
    at = np.zeros((1, 1))
    near = [float(fitted.log_prob(at, [v])[0]) for v in (-1.0, 0.0, 1.0)]
    assert min(near[0], near[2]) > near[1] + 2
    assert abs(abs(fitted.predict(at, method="mode")[0]) - 1) < 0.15
    assert len(fitted.density(at).credible_set(0.8).intervals[0]) == 2


def test_two_targets_have_a_density_of_both() -> None:
    x, y = line(300)
    both = np.stack([y, -0.01 * x[:, 1] + 0.001 * np.random.default_rng(5).normal(size=300)], 1)
    fitted = ebm.fit(x, both, progress=False, epochs=30, hidden=(16, 16))
    assert fitted.density(x[:2]).log_masses.shape == (2, 65, 65)
    assert fitted.predict(x).shape == (300, 2)
    assert fitted.predict(x, method="mode").shape == (300, 2)
    assert fitted.predict_interval(x).shape == (300, 2, 2)
    assert fitted.sample(x[:5], 7).shape == (5, 7, 2)
    assert fitted.score(x, both) > 0.9
    assert fitted.log_prob(x, both).shape == (300,)


def test_results_have_the_kind_and_shape_of_the_data(fitted_line: ebm.FittedEBM) -> None:
    x, y = line(20)
    assert isinstance(fitted_line.predict(x.tolist()), np.ndarray)
    assert isinstance(fitted_line.predict(torch.from_numpy(x)), torch.Tensor)
    assert fitted_line.predict_interval(x).shape == (20, 2)
    column = ebm.fit(x, y[:, None], **QUICK)
    assert column.predict(x).shape == (20, 1)
    assert column.predict_interval(x).shape == (20, 1, 2)


def test_the_same_seed_gives_the_same_density_and_touches_no_global_randomness() -> None:
    x, y = line(60)
    state = torch.get_rng_state()
    one, two, other = (ebm.fit(x, y, seed=seed, **QUICK).predict(x) for seed in (0, 0, 1))
    np.testing.assert_array_equal(one, two)
    assert not np.array_equal(one, other)
    assert torch.equal(state, torch.get_rng_state())


def test_units_of_the_data_do_not_matter() -> None:
    x, y = line(60)
    plain = ebm.fit(x, y, **QUICK)
    scaled = ebm.fit(1000 * x + 7, 1e6 * y - 3e8, **QUICK)
    np.testing.assert_allclose(scaled.predict(1000 * x + 7), 1e6 * plain.predict(x) - 3e8, rtol=1e-4)
    shift = math.log(1e6)
    np.testing.assert_allclose(
        scaled.log_prob(1000 * x + 7, 1e6 * y - 3e8), plain.log_prob(x, y) - shift, atol=1e-2
    )


@pytest.mark.parametrize("unit", [1e-200, 1e200])
def test_extreme_units_do_not_leave_the_numbers(unit: float) -> None:
    x, y = line(60)
    plain = ebm.fit(x, y, **QUICK).predict(x)
    np.testing.assert_allclose(ebm.fit(unit * x, y, **QUICK).predict(unit * x), plain, rtol=1e-5)


def test_a_constant_column_is_harmless_and_a_row_of_weight_zero_is_not_there() -> None:
    x, y = line(60)
    with_constant = np.concatenate((x, np.full((60, 1), 1e9)), 1)
    assert np.isfinite(ebm.fit(with_constant, y, **QUICK).predict(with_constant)).all()
    wrong = np.concatenate((y, [1e9]))
    more = np.concatenate((x, x[:1]))
    weights = np.concatenate((np.ones(60), [0.0]))
    np.testing.assert_array_equal(
        ebm.fit(more, wrong, sample_weight=weights, **QUICK).predict(x), ebm.fit(x, y, **QUICK).predict(x)
    )


def test_weights_pull_the_density_towards_heavy_rows() -> None:
    x = np.zeros((400, 1))
    y = np.tile([-1.0, 1.0], 200) + 0.1 * np.random.default_rng(0).normal(size=400)
    weights = np.where(y > 0, 9.0, 1.0)
    fitted = ebm.fit(x, y, sample_weight=weights, progress=False, epochs=15)
    assert fitted.predict(x[:1])[0] == pytest.approx(0.8, abs=0.2)


def test_held_out_rows_can_be_given() -> None:
    x, y = line(60)
    fitted = ebm.fit(x, y, validation_data=line(30, seed=1), **QUICK)
    assert len(fitted.history.held_out_nll) == 3
    held_x, held_y = line(30, seed=1)
    last = fitted.history.held_out_nll[fitted.history.best_epoch]
    assert -fitted.log_prob(held_x, held_y).mean() == pytest.approx(last, abs=1e-3)


def test_training_stops_early_and_keeps_the_best_weights() -> None:
    draw = np.random.default_rng(0)
    x, y = draw.normal(size=(40, 5)), draw.normal(size=40)  # nothing to learn but the noise
    fitted = ebm.fit(x, y, progress=False, epochs=200, patience=5)
    values = fitted.history.held_out_nll
    assert len(values) < 100
    assert fitted.history.best_epoch == int(np.argmin(values))


def test_a_network_of_your_own_makes_the_features() -> None:
    draw = np.random.default_rng(0)
    images = draw.normal(size=(60, 1, 6, 6))
    y = images.mean((1, 2, 3))
    net = nn.Sequential(nn.Conv2d(1, 4, 3), nn.ReLU(), nn.Flatten())
    before = {name: tensor.clone() for name, tensor in net.state_dict().items()}
    fitted = ebm.fit(images, y, feature_net=net, **QUICK)
    assert fitted.predict(images).shape == (60,)
    assert all(torch.equal(before[name], tensor) for name, tensor in net.state_dict().items())
    with pytest.raises(InputError, match="feature_net cannot take"):
        ebm.fit(images[:, 0, 0], y, feature_net=net, **QUICK)
    with pytest.raises(ShapeError, match="feature_net must return"):
        ebm.fit(images, y, feature_net=nn.Identity(), **QUICK)
    with pytest.raises(ShapeError, match="pass a feature_net"):
        ebm.fit(images, y, **QUICK)


X, Y = line(20)
NAN = np.where(np.arange(20) == 3, np.nan, Y)


@pytest.mark.parametrize(
    ("x", "y", "options", "error", "words"),
    [
        (np.where(X[2, 1] == X, np.inf, X), Y, {}, DomainError, r"x\[2, 1\] is inf"),
        (X, NAN, {}, DomainError, r"y\[3\] is nan"),
        (X[:, 0], Y, {}, ShapeError, r"\(N, F\), got \(20,\).*reshape"),
        (X[:, :0], Y, {}, ShapeError, "at least one row and one column"),
        (X[:0], Y[:0], {}, ShapeError, "at least one row"),
        (X, Y[:-1], {}, ShapeError, r"y of shape \(N=20,\)"),
        (X, Y[:, None, None], {}, ShapeError, r"got \(20, 1, 1\)"),
        (X[:3], Y[:3], {}, DomainError, "n_samples = 3"),
        (X, np.full(20, 7.0), {}, DomainError, "one value 7 in all"),
        (X, np.stack((Y, np.ones(20)), 1), {}, DomainError, r"y\[:, 1\]"),
        ([["a", "b"]] * 20, Y, {}, InputError, "encode categories"),
        (X + 1j, Y, {}, InputError, "real numbers"),
        ([[1.0], [1.0, 2.0]] * 10, Y, {}, InputError, "regular array"),
        (X, Y, {"loss": "nce++"}, UnknownNameError, "did you mean 'nce"),
        (X, Y, {"epoch": 3}, UnknownNameError, "did you mean 'epochs'"),
        (X, Y, {"loss": "nce", "beta": 0.1}, UnknownNameError, r"option of loss cnce, nce\+"),
        (X, Y, {"device": "cuda:99"}, InputError, "Device 'cuda:99' was asked for, but torch sees"),
        (X, Y, {"device": "gpu"}, InputError, "Unknown device 'gpu'"),
        (X, Y, {"validation_data": (X,)}, InputError, r"pair \(x, y\), got a tuple of 1"),
        (X, Y, {"validation_data": X}, InputError, r"pair \(x, y\), got a ndarray"),
        (X, Y, {"validation": 1.0}, DomainError, "share of the rows"),
        (X, Y, {"epochs": 0}, DomainError, "epochs must be an integer >= 1"),
        (X, Y, {"hidden": ()}, DomainError, "at least one layer"),
        (X, Y, {"learning_rate": 0.0}, DomainError, "learning_rate"),
        (X, Y, {"weight_decay": -1.0}, DomainError, "weight_decay"),
        (X, Y, {"sigmas": (0.0,)}, DomainError, "sigma"),
        (X, Y, {"sample_weight": -np.ones(20)}, DomainError, "sample_weight must be >= 0"),
        (X, Y, {"sample_weight": np.ones(19)}, ShapeError, r"sample_weight of shape \(N=20,\)"),
        (X, Y, {"validation_data": (X[:, :1], Y)}, ShapeError, "fitted on rows of shape"),
    ],
)
def test_what_cannot_be_fitted_is_named(x: Any, y: Any, options: Any, error: type, words: str) -> None:
    with pytest.raises(error, match=words):
        ebm.fit(x, y, **{**QUICK, **options})


@pytest.mark.parametrize(
    ("call", "error", "words"),
    [
        (lambda f: f.predict(X[:, :1]), ShapeError, r"must be \(N, 2\); got \(20, 1\)"),
        (lambda f: f.predict(np.full((2, 2), np.nan)), DomainError, "x must be finite"),
        (lambda f: f.predict(X, method="max"), UnknownNameError, "method"),
        (lambda f: f.predict_interval(X, level=1.0), DomainError, "level"),
        (lambda f: f.log_prob(X, Y[:-1]), ShapeError, "N=20"),
        (lambda f: f.log_prob(X, np.stack((Y, Y), 1)), ShapeError, "D=1 target"),
        (lambda f: f.score(X[:1], Y[:1]), ShapeError, "two rows"),
        (lambda f: f.sample(X, 0), DomainError, "n must be"),
    ],
)
def test_what_cannot_be_predicted_is_named(
    fitted_line: ebm.FittedEBM, call: Any, error: type, words: str
) -> None:
    with pytest.raises(error, match=words):
        call(fitted_line)


def test_the_score_is_that_of_scikit_learn(fitted_line: ebm.FittedEBM) -> None:
    metrics = pytest.importorskip("sklearn.metrics")
    x, y = line(50, seed=4)
    weights = np.random.default_rng(0).random(50)
    expected = metrics.r2_score(y, fitted_line.predict(x), sample_weight=weights)
    assert fitted_line.score(x, y, weights) == pytest.approx(expected, abs=1e-9)


def test_a_learning_rate_that_explodes_is_told() -> None:
    x, y = line(60)
    with pytest.raises(NumericalError, match="learning_rate"):
        ebm.fit(x, y, **{**QUICK, "learning_rate": 1e30})


def test_torch_and_numpy_are_all_it_needs(tmp_path: Path) -> None:
    code = f"""
import sys

class Hiding:
    def __init__(self, finder):
        self.finder = finder

    def find_spec(self, name, path=None, target=None):
        return None if name.partition(".")[0] in ABSENT else self.finder.find_spec(name, path, target)

ABSENT = "cv2 pandas torchvision sklearn scipy tqdm matplotlib safetensors PIL platformdirs".split()
sys.meta_path[:] = [Hiding(finder) for finder in sys.meta_path]
import numpy as np
import ebm
draw = np.random.default_rng(0)
x = draw.normal(size=(40, 2))
fitted = ebm.fit(x, x[:, 0] + draw.normal(size=40), epochs=2, hidden=8)
fitted.save({str(tmp_path / "f.pt")!r})
fitted = ebm.load_fitted({str(tmp_path / "f.pt")!r})
fitted.predict_interval(x), fitted.predict(x, method="mode"), fitted.sample(x), fitted.score(x, x[:, 0])
assert not set(ABSENT) & set(sys.modules)
print("fitted", *fitted.predict(x).shape)
"""
    done = subprocess.run([sys.executable, "-W", "error", "-c", code], capture_output=True, text=True)
    assert (done.stdout, done.stderr) == ("fitted 40\n", "")
