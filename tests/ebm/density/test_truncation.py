"""A grid that ends before the density does says so; one that ends where the targets do does not."""

import math
import warnings

import pytest
import torch
from torch import Tensor

from ebm.density import GridDensity
from ebm.exceptions import TruncationWarning


def normal(y: Tensor) -> Tensor:
    return -0.5 * y.square().sum(-1)


@pytest.mark.parametrize("points", [7, 300, 5001])
def test_half_of_a_gaussian_is_missed_however_fine_the_grid(points: int) -> None:
    with pytest.warns(TruncationWarning, match=r"1 of 1 densities.*100\.0% of the mode's density"):
        GridDensity(normal, torch.linspace(0, 6, points), batch_size=1)


@pytest.mark.parametrize(("end", "told"), [(2.9, True), (3.2, False)])
def test_the_limit_is_a_hundredth_of_the_mode(end: float, told: bool) -> None:
    assert (math.exp(-0.5 * end**2) > 0.01) is told
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        GridDensity(normal, torch.linspace(-6, end, 700), batch_size=2)
    assert bool(caught) is told


@pytest.mark.parametrize("face", range(6))
def test_every_face_of_a_box_is_looked_at(face: int) -> None:
    ends = [[-5.0, 5.0] for _ in range(3)]
    ends[face // 2][face % 2] *= 0.2
    axes = [torch.linspace(low, high, 41) for low, high in ends]
    with pytest.warns(TruncationWarning, match="60.7%"):  # exp(-1/2)
        GridDensity(normal, axes, batch_size=1)


def exponential(y: Tensor) -> Tensor:
    return torch.where(y[..., 0] >= 0, -y[..., 0], -math.inf)


def log_only_inside(y: Tensor) -> Tensor:
    return y[..., 0].log() * 2 - y[..., 0]  # NaN below 0


@pytest.mark.parametrize("score", [exponential, log_only_inside])
def test_a_border_of_the_targets_is_no_end_of_the_grid(score: object) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        GridDensity(score, torch.linspace(0, 40, 2001), batch_size=1)  # type: ignore[arg-type]


def test_a_border_on_one_side_does_not_hide_the_end_on_the_other() -> None:
    with pytest.warns(TruncationWarning, match="36.8%"):  # exp(-1)
        GridDensity(exponential, torch.linspace(0, 1, 101), batch_size=1)


def test_bounded_targets_have_no_density_outside_and_need_no_wider_grid() -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        density = GridDensity(lambda y: 0 * y[..., 0], torch.linspace(2, 4, 201), batch_size=2, bounded=True)
    inside, edge, outside = (density.log_prob(torch.full((2, 1), at)) for at in (3.0, 4.0, 4.01))
    torch.testing.assert_close(inside, torch.full((2,), -math.log(2.0)))
    torch.testing.assert_close(edge, inside)
    assert outside.tolist() == [-math.inf, -math.inf]
    assert density.highest_density_rank(torch.full((2, 1), 5.0)).tolist() == [1, 1]


def test_bounded_targets_are_only_asked_for_inside() -> None:
    density = GridDensity(log_only_inside, torch.linspace(0, 60, 6001).double(), batch_size=1, bounded=True)
    y = torch.tensor([[[-1.0], [3.0], [70.0]]]).double()
    left, middle, right = density.log_prob(y)[0].tolist()
    assert left == right == -math.inf
    assert middle == pytest.approx(math.log(9 * math.exp(-3) / 2), abs=1e-4)  # a gamma density, shape 3
