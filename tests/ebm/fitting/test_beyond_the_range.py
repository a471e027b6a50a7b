"""Densities of a fit beyond the range of its training targets: they go on, and integrate to one."""

import math

import numpy as np
import pytest
import torch
from torch import Tensor

import ebm
from ebm.fitting.criterion import held_out_nll
from ebm.fitting.data import Scaling
from ebm.fitting.density import raw_density
from ebm.fitting.rows import Rows
from ebm.models import FunctionalEnergy

LINE = torch.linspace(-200, 200, 400_001, dtype=torch.float64)


def drifting_line() -> tuple[np.ndarray, np.ndarray]:
    """y = 5 x with noise of 0.1, in order of x."""
    x = np.linspace(0, 1, 300)[:, None]
    return x, 5 * x[:, 0] + 0.1 * np.random.default_rng(0).standard_normal(300)


@pytest.fixture(scope="module")
def fitted() -> ebm.FittedEBM:
    return ebm.fit(*drifting_line(), progress=False)


def mass(density: ebm.GridDensity) -> Tensor:
    y = LINE[None, :, None].expand(density.batch_size, -1, -1)
    return density.log_prob(y).exp().sum(1) * (LINE[1] - LINE[0])


def test_densities_integrate_to_one_wherever_the_target_drifts(fitted: ebm.FittedEBM) -> None:
    density = fitted.density(np.array([[-1.0], [0.5], [1.8], [3.0]]))
    torch.testing.assert_close(mass(density), torch.ones(4).double(), atol=1e-3, rtol=0)


def test_intervals_follow_the_target_beyond_its_range(fitted: ebm.FittedEBM) -> None:
    (low, high), (low_far, high_far) = fitted.predict_interval([[1.8], [3.0]])
    assert high > 8.3  # the range that was searched ended at 8.0
    assert low_far > 12
    assert fitted.log_prob([[1.8]], [9.0])[0] < math.log(1 / (0.1 * math.sqrt(2 * math.pi))) + 0.5
    assert high - low < 4
    assert high_far - low_far < 8


def test_rows_of_a_later_time_are_measured_by_a_density(fitted: ebm.FittedEBM) -> None:
    x, y = drifting_line()
    early = x[:, 0] < 0.7
    later = (x[~early], y[~early])
    drifted = ebm.fit(x[early], y[early], validation_data=later, progress=False, epochs=30)
    reported = drifted.history.held_out_nll[drifted.history.best_epoch]
    assert reported == pytest.approx(-drifted.log_prob(*later).mean(), abs=0.02)
    assert reported > -0.8837 - 0.1  # -log of the truth's own density, on average, is -0.884


def shifted_gaussians(means: Tensor) -> FunctionalEnergy:
    return FunctionalEnergy(lambda x, y: -0.5 * ((y[..., 0] - x) / 0.05).square(), target_dim=1)


def unit_scaling() -> Scaling:
    one, zero = torch.ones(1).double(), torch.zeros(1).double()
    return Scaling((1,), None, None, zero, one, zero - 3, zero + 3, True)


def test_every_item_has_its_own_range_and_no_influence_on_the_others() -> None:
    means = torch.tensor([[0.0], [5.0], [-40.0]])
    model = shifted_gaussians(means)
    together = raw_density(model, means, unit_scaling()).density
    torch.testing.assert_close(together.mean(), means.double(), atol=1e-4, rtol=0)
    torch.testing.assert_close(together.std(), torch.full((3, 1), 0.05).double(), atol=1e-4, rtol=0)
    alone = [raw_density(model, means[i : i + 1], unit_scaling()).density.log_partition() for i in range(3)]
    torch.testing.assert_close(torch.cat(alone), together.log_partition(), atol=0, rtol=0)


def test_the_criterion_of_early_stopping_is_the_true_one_beyond_the_range() -> None:
    x = torch.tensor([[10.0], [0.0]])
    measure = held_out_nll(shifted_gaussians(x), Rows(x, x, torch.ones(2)), unit_scaling())
    assert measure().nll == pytest.approx(math.log(0.05 * math.sqrt(2 * math.pi)), abs=1e-3)
