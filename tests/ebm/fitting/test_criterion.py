"""What early stopping is told of one target: the same as by a fine grid, whatever the density's width."""

import math
from dataclasses import replace
from typing import Any

import pytest
import torch
from torch import Tensor

from ebm.fitting.bounds import parse_bounds
from ebm.fitting.circle import supported
from ebm.fitting.criterion import _log_integral, held_out_nll
from ebm.fitting.data import Scaling
from ebm.fitting.rows import Rows
from ebm.fitting.support import Support
from ebm.models import FunctionalEnergy

WIDTHS = torch.tensor([2.0, 0.5, 0.1, 0.05, 0.01, 0.002])
PLACES = torch.tensor([0.3, -3.9, 0.77, 1.234, 7.5, -0.401])  # beyond the range of the targets, too
LABELS = PLACES + WIDTHS * torch.tensor([0.1, -1.0, 2.0, 0.5, -0.3, 1.5])


def scaling(**changes: Any) -> Scaling:
    one = torch.ones(1, dtype=torch.float64)
    ends = {"z_low": -4 * one, "z_high": 4 * one, "y_mean": 0 * one, "y_scale": one}
    return replace(Scaling(x_shape=(2,), x_mean=None, x_scale=None, flat=True, **ends), **changes)


def held(x: Tensor, z: Tensor) -> Rows:
    return Rows(x, z[:, None], torch.ones(len(z)))


def gaussian(x: Tensor, y: Tensor) -> Tensor:
    """Two modes of mass 2 to 1, unnormalised; rows are (place, width)."""
    at = (y[..., 0] - x[:, :1]) / x[:, 1:]
    return torch.logaddexp(-0.5 * at.square(), -0.5 * (at + 4).square() - math.log(2)) + 7.0


def test_wide_and_narrow_rows_are_told_alike() -> None:
    x = torch.stack((PLACES, WIDTHS), 1)
    at = (LABELS - PLACES) / WIDTHS
    norm = 1.5 * WIDTHS * math.sqrt(2 * math.pi)
    truth = torch.logaddexp(-0.5 * at.square(), -0.5 * (at + 4).square() - math.log(2)) - norm.log()
    model = FunctionalEnergy(gaussian, 1)
    for row in range(len(x)):
        found = held_out_nll(model, held(x[row : row + 1], LABELS[row : row + 1]), scaling())()
        assert float(found.nll) == pytest.approx(-float(truth[row]), abs=2e-3), WIDTHS[row]
    together = held_out_nll(model, held(x, LABELS), scaling())()
    assert float(together.nll) == pytest.approx(-float(truth.mean()), abs=1e-3)


def test_few_places_do_for_wide_rows() -> None:
    asked = []

    def counted(x: Tensor, y: Tensor) -> Tensor:
        asked.append(y.shape[0] * y.shape[1])
        return gaussian(x, y)

    x = torch.stack((torch.zeros(50), torch.full((50,), 0.3)), 1)
    held_out_nll(FunctionalEnergy(counted, 1), held(x, torch.zeros(50)), scaling())()
    assert sum(asked) == 50 * 65


def test_no_density_escapes_between_the_places() -> None:
    """Of modes at any place and width, those that the places are too far apart for are seen as such."""
    generator = torch.Generator().manual_seed(0)
    places = torch.linspace(-3, 3, 64, dtype=torch.float64)
    spacing = float(places[1] - places[0])
    for modes in (1, 2):
        share = torch.rand(20_000, modes, generator=generator, dtype=torch.float64) + 0.05
        width = spacing * (0.25 + 1.2 * torch.rand(20_000, 1, generator=generator, dtype=torch.float64))
        middle = spacing * (8 * torch.rand(20_000, modes, generator=generator, dtype=torch.float64) - 4)
        factor = share / share.sum(1, keepdim=True) / width / math.sqrt(math.tau)
        at = (places - middle[..., None]) / width[..., None]
        log_z, rough = _log_integral(places, (factor.log()[..., None] - 0.5 * at.square()).logsumexp(1))
        assert float(log_z[~rough].abs().max()) < 1e-3
        assert 0.4 < float(rough.double().mean()) < 0.6 or modes == 2, "half of them are narrow"
        assert not rough[width[:, 0] > spacing].any()


def test_angles_are_told_by_their_circle() -> None:
    kappa = torch.tensor([0.2, 3.0, 50.0, 4000.0])
    x = torch.stack((torch.tensor([0.0, 3.1, -2.0, 1.0]), kappa), 1)
    model = FunctionalEnergy(lambda f, y: f[:, 1:] * ((y[..., 0] - f[:, :1]).cos() - 1), 1)
    truth = -(math.log(math.tau) + torch.special.i0e(kappa).log())  # at the mode
    bounds = parse_bounds("radians", 1)
    assert bounds is not None
    circle = supported(scaling(), Support.of(bounds, x[:, :1].double()))
    found = held_out_nll(model, held(x, x[:, 0]), circle)()
    assert float(found.nll) == pytest.approx(-float(truth.mean()), abs=1e-3)
