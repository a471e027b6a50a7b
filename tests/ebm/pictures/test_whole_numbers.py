"""Pictures of whole numbers: bars, and a transform that is uniform where probabilities are right."""

import numpy as np
import pytest
import torch

import ebm
from ebm.pictures.densities import density_curves
from ebm.pictures.pit import pit_curves

COUNT = 2000
X = np.random.default_rng(0).uniform(0, 1, (COUNT, 1))


@pytest.fixture(scope="module")
def fitted() -> ebm.FittedEBM:
    y = np.random.default_rng(1).poisson(3, COUNT)
    return ebm.fit(X[:300], y[:300], support="count", epochs=20, hidden=(8,), seed=0)


def test_the_transform_of_draws_of_the_density_itself_is_uniform(fitted: ebm.FittedEBM) -> None:
    drawn = fitted.sample(X, 1, seed=11)[:, 0]  # of other random numbers than those of the transform
    curves = pit_curves(fitted, X, drawn, bins=10)
    assert (abs(curves["density"] - 1) < 4 * curves["standard_error"]).all()
    again = pit_curves(fitted, X, torch.as_tensor(drawn).tolist(), bins=10)
    np.testing.assert_array_equal(again["density"], curves["density"])
    # At most as much, alone, is never below the probability of 0.
    plain = np.histogram(fitted.cdf(X, drawn), 10, (0, 1))[0] / COUNT * 10
    assert abs(plain - 1).max() > 0.3


def test_probabilities_are_bars(fitted: ebm.FittedEBM) -> None:
    pytest.importorskip("matplotlib")
    curves = density_curves(fitted, X[:2], [1, 2])
    assert curves.labels["height"] == "probability"
    np.testing.assert_array_equal(curves["value"] % 1, 0)
    axes = fitted.plot(X[:2], [1, 2])
    assert axes.get_title(loc="left").startswith("Probabilities")
    bars = [patch for patch in axes.patches if patch.get_height() > 0]
    assert {round(bar.get_width(), 6) for bar in bars} == {0.8}
    assert len(bars) > 8
