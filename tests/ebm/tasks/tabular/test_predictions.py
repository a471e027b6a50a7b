"""Scores of predictions that are known."""

import math

import pytest
import torch

from ebm.baselines.location_scale import DiagonalGaussian
from ebm.crps import crps_from_gaussian
from ebm.exceptions import ShapeError
from ebm.tasks.tabular.predictions import TAILS, Predictions, crps_of_quantiles, of_density, score

Y = torch.linspace(-3, 3, 13, dtype=torch.float64)


def standard_normal(count: int) -> DiagonalGaussian:
    zeros = torch.zeros(count, 1, dtype=torch.float64)
    return DiagonalGaussian(zeros, zeros)


def test_a_gaussian_has_its_own_likelihood_and_crps() -> None:
    columns = of_density(standard_normal(len(Y)), Y)
    torch.testing.assert_close(columns["log_prob"], -0.5 * Y.square() - 0.5 * math.log(2 * math.pi))
    zero, one = torch.zeros_like(Y), torch.ones_like(Y)
    torch.testing.assert_close(columns["crps"], crps_from_gaussian(zero, one, Y), atol=2e-4, rtol=0)
    normal = torch.distributions.Normal(0.0, 1.0)
    expected = normal.icdf(torch.tensor(TAILS, dtype=torch.float64)).expand(len(Y), -1)
    torch.testing.assert_close(columns["ends"], expected, atol=1e-5, rtol=0)


def test_scores_of_honest_predictions() -> None:
    y = standard_normal(1).sample(3000, torch.Generator().manual_seed(0))[0, :, 0]
    columns = of_density(standard_normal(len(y)), y)
    found = score(Predictions(**columns, parameters=2, epochs=3, seconds=0.5), y)
    assert found.nll == pytest.approx(0.5 * math.log(2 * math.pi * math.e), abs=0.04)
    assert found.crps == pytest.approx(1 / math.sqrt(math.pi), abs=0.03)
    assert (found.coverage_50, found.coverage_90, found.coverage_95) == pytest.approx(
        (0.5, 0.9, 0.95), abs=0.02
    )
    assert found.width_90 == pytest.approx(2 * 1.6449, abs=1e-3)
    assert found.rmse == pytest.approx(1.0, abs=0.04)
    assert (found.parameters, found.epochs, found.seconds) == (2, 3, 0.5)


def test_a_single_quantile_is_a_point_mass() -> None:
    crps = crps_of_quantiles(torch.zeros(3, 1), torch.tensor([0.5]), torch.tensor([-2.0, 0.0, 1.5]))
    torch.testing.assert_close(crps, torch.tensor([2.0, 0.0, 1.5], dtype=torch.float64))


def test_quantiles_of_a_uniform_have_its_crps() -> None:
    levels = torch.linspace(0.001, 0.999, 999, dtype=torch.float64)
    y = torch.tensor([0.0, 0.5, 1.0, 2.0], dtype=torch.float64)
    # Integral of (F - 1[t >= y])^2 over [0, 1]: (y^3 + (1 - y)^3) / 3, and y - 1 beyond the end.
    expected = torch.tensor([1 / 3, 1 / 12, 1 / 3, 4 / 3], dtype=torch.float64)
    torch.testing.assert_close(
        crps_of_quantiles(levels.expand(4, -1), levels, y), expected, atol=2e-3, rtol=0
    )


def test_labels_must_fit() -> None:
    columns = of_density(standard_normal(len(Y)), Y)
    with pytest.raises(ShapeError, match="labels"):
        score(Predictions(**columns, parameters=1, epochs=1, seconds=0.0), Y[1:])
