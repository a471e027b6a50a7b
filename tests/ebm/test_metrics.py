"""Figures of merit against values worked out by hand."""

import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from ebm.exceptions import DomainError, ShapeError, UnknownNameError
from ebm.metrics import best_k_mean, grid_kl, mean_absolute_error

GRID = torch.linspace(-3, 3, 2048, dtype=torch.float64)


def test_divergence_of_two_gaussians() -> None:
    wide = torch.linspace(-10, 10, 2048, dtype=torch.float64)
    p = torch.distributions.Normal(0.3, 0.5)
    f = -0.5 * ((wide - 0.1) / 0.8).square() + 5
    expected = math.log(0.8 / 0.5) + (0.25 + 0.04) / (2 * 0.64) - 0.5
    kl = grid_kl(f.expand(3, 4, -1), p.log_prob(wide).expand(4, -1))
    torch.testing.assert_close(kl, torch.full((3,), expected).double(), atol=1e-6, rtol=0)
    each = grid_kl(f.expand(4, -1), p.log_prob(wide).expand(4, -1), reduction="none")
    torch.testing.assert_close(each, torch.full((4,), expected).double(), atol=1e-6, rtol=0)


@given(seed=st.integers(0, 1000), scale=st.floats(0.1, 20), shift=st.floats(-500, 500))
@settings(max_examples=40, deadline=None)
def test_divergence_is_not_negative_and_ignores_constants(seed: int, scale: float, shift: float) -> None:
    noise = torch.randn(2, 5, 64, dtype=torch.float64, generator=torch.Generator().manual_seed(seed))
    f, log_p = scale * noise
    kl = grid_kl(f, log_p)
    assert kl >= -1e-12
    torch.testing.assert_close(grid_kl(f + shift, log_p), kl, atol=1e-9, rtol=1e-9)
    assert grid_kl(log_p, log_p).abs() < 1e-6


def test_released_arithmetic_agrees_until_exponentials_underflow() -> None:
    p = torch.distributions.Normal(0.0, 0.5).log_prob(GRID)[None]
    near = -0.5 * (GRID / 0.6).square()[None]
    torch.testing.assert_close(
        grid_kl(near, p, arithmetic="released"), grid_kl(near, p), atol=1e-6, rtol=1e-5
    )
    far = -0.5 * (GRID / 0.1).square()[None]  # falls to -450: exp underflows in float32
    assert grid_kl(far, p, arithmetic="released") == math.inf
    assert grid_kl(far, p).isfinite()
    assert grid_kl(near + 100, p, arithmetic="released").isnan()
    # A row without any mass counts as uniform, whose divergence is log G minus the entropy of p.
    share = p.exp() + 1e-30
    share = share / share.sum()
    uniform = math.log(2048) + (share * share.log()).sum()
    torch.testing.assert_close(grid_kl(near - 1000, p, arithmetic="released"), uniform, atol=1e-5, rtol=0)


def test_the_floor_makes_empty_parts_harmless() -> None:
    p = torch.where(GRID > -1, -(GRID + 1), -math.inf)[None]
    f = -(GRID + 1).abs()[None]
    assert grid_kl(f, p).isfinite()
    torch.testing.assert_close(grid_kl(f, p), grid_kl(f, p, floor=0.0), atol=1e-9, rtol=0)
    assert grid_kl(p, p, floor=0.0).abs() < 1e-12


def test_absolute_error_by_coordinate() -> None:
    y = torch.tensor([[1.0, 2, 3], [3, 2, 1]])
    prediction = torch.tensor([[2.0, 2, 0], [3, 0, 2]])
    assert mean_absolute_error(prediction, y, per_coordinate=True).tolist() == [0.5, 1, 2]
    assert mean_absolute_error(prediction, y).item() == pytest.approx(3.5 / 3)
    with pytest.raises(ShapeError, match=r"got \(2, 3\) and \(2, 1\)"):
        mean_absolute_error(prediction, y[:, :1])


def test_the_best_runs_are_the_smallest_and_failed_ones_come_last() -> None:
    runs = torch.tensor([[math.nan, 3.0, 1, 2, math.inf, 5, 4], [math.nan] * 4 + [3.0, 2, 1]])
    torch.testing.assert_close(best_k_mean(runs, 3), torch.tensor([2.0, 2.0]))
    best = best_k_mean(runs)
    assert best[0] == 3
    assert best[1].isnan()
    assert best_k_mean(runs[0], 6) == math.inf
    with pytest.raises(ShapeError, match=r"R >= 8\), got \(7,\)"):
        best_k_mean(runs[0], 8)
    with pytest.raises(DomainError, match="k must be an integer"):
        best_k_mean(runs, 0)


def test_other_shapes_and_names_are_refused() -> None:
    with pytest.raises(ShapeError, match=r"f \(\.\.\., X, G\)"):
        grid_kl(torch.zeros(4), torch.zeros(4))
    with pytest.raises(UnknownNameError, match="'released'"):
        grid_kl(torch.zeros(1, 4), torch.zeros(1, 4), arithmetic="release")
    with pytest.raises(UnknownNameError, match="reduction"):
        grid_kl(torch.zeros(1, 4), torch.zeros(1, 4), reduction="sum")
