"""Scores of quantiles, intervals, distribution functions and samples against closed forms."""

import math

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from ebm.crps import crps_from_cells, crps_from_gaussian, crps_from_samples
from ebm.exceptions import DomainError, ShapeError
from ebm.scores import (
    energy_score_from_samples,
    pinball_from_quantiles,
    threshold_crps_from_cells,
    threshold_crps_from_samples,
    winkler_from_ends,
)

NORMAL = torch.distributions.Normal(torch.zeros((), dtype=torch.float64), torch.ones((), dtype=torch.float64))
POINTS = torch.linspace(-8, 8, 2001, dtype=torch.float64)
Y = torch.tensor([-2.0, 0.0, 0.7, 3.0], dtype=torch.float64)
EDGES, BELOW = POINTS.expand(4, -1), NORMAL.cdf(POINTS).expand(4, -1)
NUMBERS = st.floats(-50, 50, allow_nan=False)


def between(low: float, high: float) -> Tensor:
    """Threshold-weighted CRPS of N(0, 1) at `Y`, by the midpoint rule on 400,000 points."""
    z = low + (torch.arange(400_000, dtype=torch.float64) + 0.5) * (high - low) / 400_000
    gaps = (NORMAL.cdf(z) - (Y[:, None] <= z).double()).square()
    return gaps.mean(-1) * (high - low)


def test_pinball_by_hand_and_in_the_mean_half_the_crps() -> None:
    by_hand = pinball_from_quantiles([[1.0, 3.0]], [0.1, 0.9], [2.0])
    assert by_hand[0].tolist() == pytest.approx([0.1, 0.1])
    levels = (torch.arange(20_000, dtype=torch.float64) + 0.5) / 20_000
    loss = pinball_from_quantiles(NORMAL.icdf(levels).expand(4, -1), levels, Y)
    expected = crps_from_gaussian(torch.zeros(4), torch.ones(4), Y)
    torch.testing.assert_close(2 * loss.mean(-1), expected, atol=2e-4, rtol=0)


def test_winkler_by_hand_and_lowest_for_the_true_quantiles() -> None:
    score = winkler_from_ends([0.0, 0.0, 0.0], [2.0, 2.0, 2.0], np.array([1.0, 3.0, -0.5]), 0.8)
    assert score.tolist() == pytest.approx([2.0, 2.0 + 10.0, 2.0 + 5.0])
    y = NORMAL.icdf((torch.arange(4000, dtype=torch.float64) + 0.5) / 4000)
    right = NORMAL.icdf(torch.tensor(0.95, dtype=torch.float64)).item()

    def mean_of(low: float, high: float) -> float:
        return winkler_from_ends(y * 0 + low, y * 0 + high, y, 0.9).mean().item()

    # Of N(0, 1) with ends +-q the score is 4 phi(q) / (1 - level) there.
    assert mean_of(-right, right) == pytest.approx(
        4 * NORMAL.log_prob(torch.tensor(right)).exp().item() / 0.1, rel=1e-3
    )
    for low, high in ((-right - 0.2, right), (-right, right - 0.2), (-right - 0.1, right + 0.1), (-1.0, 1.0)):
        assert mean_of(low, high) > mean_of(-right, right)


@pytest.mark.parametrize(("low", "high"), [(-1.0, 1.0), (0.5, 6.0), (-6.0, -1.0), (0.33, 0.34), (2.0, 8.0)])
def test_threshold_crps_of_a_gaussian(low: float, high: float) -> None:
    expected = between(low, high)
    torch.testing.assert_close(
        threshold_crps_from_cells(EDGES, BELOW, Y, low, high), expected, atol=2e-5, rtol=0
    )
    samples = NORMAL.icdf((torch.arange(4000, dtype=torch.float64) + 0.5) / 4000).expand(4, -1)
    torch.testing.assert_close(
        threshold_crps_from_samples(samples, Y, low, high), expected, atol=2e-4, rtol=0
    )


def test_thresholds_beyond_everything_and_beside_all_cells() -> None:
    edges, below = torch.tensor([[0.0, 1.0]]), torch.tensor([[0.0, 1.0]])
    for y in (-3.0, 0.4, 5.0):
        whole = crps_from_cells(edges.double(), below.double(), torch.tensor([y]).double())
        torch.testing.assert_close(threshold_crps_from_cells(edges, below, [y]), whole)
        torch.testing.assert_close(threshold_crps_from_cells(edges, below, [y], -9, 9), whole)
    # Right of all cells F is 1: what counts is how far the label lies beyond the threshold.
    assert threshold_crps_from_cells(edges, below, [5.0], low=2.0).item() == pytest.approx(3.0)
    assert threshold_crps_from_cells(edges, below, [5.0], 2.0, 4.0).item() == pytest.approx(2.0)
    assert threshold_crps_from_cells(edges, below, [-5.0], high=-2.0).item() == pytest.approx(3.0)
    assert threshold_crps_from_cells(edges, below, [0.5], low=2.0).item() == 0.0


def test_a_jump_counts_on_either_side_of_a_threshold() -> None:
    edges = torch.tensor([[0.0, 1.0, 1.0, 2.0]])
    below = torch.tensor([[0.0, 0.2, 0.8, 1.0]])
    parts = [threshold_crps_from_cells(edges, below, [1.5], a, b) for a, b in ((-1, 1), (1, 3))]
    torch.testing.assert_close(sum(parts), threshold_crps_from_cells(edges, below, [1.5]))
    assert parts[0].item() == pytest.approx(0.04 / 3)  # the integral of (z / 5)^2 over [0, 1]


@settings(max_examples=60, deadline=None)
@given(st.lists(NUMBERS, min_size=1, max_size=8), NUMBERS, NUMBERS)
def test_parts_between_thresholds_add_up_to_the_crps(samples: list[float], y: float, cut: float) -> None:
    x, label = torch.tensor([samples], dtype=torch.float64), torch.tensor([y], dtype=torch.float64)
    left, right = (
        threshold_crps_from_samples(x, label, *ends) for ends in ((-math.inf, cut), (cut, math.inf))
    )
    torch.testing.assert_close(left + right, crps_from_samples(x, label), atol=1e-9, rtol=1e-9)
    assert min(left.item(), right.item()) > -1e-9
    cells = torch.tensor([sorted(samples) + [max(samples) + 1]], dtype=torch.float64)
    below = torch.linspace(0, 1, cells.shape[1], dtype=torch.float64)[None]
    parts = [threshold_crps_from_cells(cells, below, label, *e) for e in ((-math.inf, cut), (cut, math.inf))]
    torch.testing.assert_close(sum(parts), crps_from_cells(cells, below, label), atol=1e-9, rtol=1e-9)


@settings(max_examples=60, deadline=None)
@given(st.lists(NUMBERS, min_size=2, max_size=8), NUMBERS, st.integers(0, 2**31))
def test_the_energy_score_of_one_coordinate_is_the_crps(samples: list[float], y: float, seed: int) -> None:
    x, label = torch.tensor([samples], dtype=torch.float64), torch.tensor([y], dtype=torch.float64)
    weights = torch.rand(1, len(samples), dtype=torch.float64, generator=torch.Generator().manual_seed(seed))
    weights = weights / weights.sum()
    found = energy_score_from_samples(x[..., None], label[:, None], weights)
    torch.testing.assert_close(found, crps_from_samples(x, label, weights), atol=1e-9, rtol=1e-9)


@settings(max_examples=60, deadline=None)
@given(
    st.lists(NUMBERS, min_size=2, max_size=6),
    NUMBERS,
    st.floats(0.1, 10),
    NUMBERS,
)
def test_scores_move_and_stretch_with_the_unit(
    values: list[float], y: float, unit: float, shift: float
) -> None:
    x, label = torch.tensor([sorted(values)], dtype=torch.float64), torch.tensor([y], dtype=torch.float64)
    levels = torch.linspace(0.1, 0.9, len(values), dtype=torch.float64)

    def scores(x: Tensor, label: Tensor, cut: float) -> Tensor:
        both = torch.stack((x, -x), -1)
        return torch.cat(
            (
                pinball_from_quantiles(x, levels, label)[0],
                winkler_from_ends(x[:, 0], x[:, -1], label, 0.8),
                threshold_crps_from_samples(x, label, low=cut),
                energy_score_from_samples(both, torch.stack((label, -label), -1)),
            )
        )

    found = scores(unit * x + shift, unit * label + shift, shift)
    torch.testing.assert_close(found, unit * scores(x, label, 0.0), atol=1e-8, rtol=1e-8)
    assert bool((found > -1e-8).all())


@pytest.mark.parametrize("radius", [0.0, 1.0, 2.5])
def test_energy_score_of_a_gaussian_in_three_dimensions(radius: float) -> None:
    draws = torch.randn(1, 3000, 3, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    y = torch.tensor([[0.0, radius, 0.0]], dtype=torch.float64)
    # E|X - y| of N(0, I) in three dimensions, and E|X - X'| = sqrt(2) E|X|.
    away = 4 / math.sqrt(2 * math.pi)
    if radius:
        normal = math.sqrt(2 / math.pi) * math.exp(-(radius**2) / 2)
        away = normal + (radius + 1 / radius) * math.erf(radius / math.sqrt(2))
    expected = away - math.sqrt(2) * 4 / math.sqrt(2 * math.pi) / 2
    found = energy_score_from_samples(draws, y, fair=True).item()
    assert found == pytest.approx(expected, abs=0.04)


def test_energy_score_in_blocks_is_that_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    draw = torch.Generator().manual_seed(0)
    x, y = torch.randn(5, 37, 2, generator=draw), torch.randn(5, 2, generator=draw)
    whole = energy_score_from_samples(x, y)
    monkeypatch.setattr("ebm.scores.arrays.MOST_DISTANCES", 100)
    torch.testing.assert_close(energy_score_from_samples(x, y), whole)
    monkeypatch.setattr("ebm.scores.arrays.MOST_DISTANCES", 3000)
    torch.testing.assert_close(energy_score_from_samples(x, y), whole)


def test_the_fair_energy_score_has_no_bias_from_few_draws() -> None:
    draws = torch.randn(4000, 2, 1, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    y = torch.zeros(4000, 1, dtype=torch.float64)
    truth = crps_from_gaussian(torch.zeros(()), torch.ones(()), torch.zeros(())).item()
    fair, plain = (energy_score_from_samples(draws, y, fair=f).mean().item() for f in (True, False))
    assert fair == pytest.approx(truth, abs=0.03)
    assert plain == pytest.approx(truth + 1 / math.sqrt(math.pi) / 2, abs=0.03)  # a quarter of E|X - X'| more


def test_misuse_is_told() -> None:
    with pytest.raises(ShapeError, match="levels"):
        pinball_from_quantiles([[1.0, 2.0]], [0.5], [1.0])
    with pytest.raises(DomainError, match=r"levels must lie in \[0, 1\]"):
        pinball_from_quantiles([[1.0]], [1.5], [1.0])
    with pytest.raises(DomainError, match=r"quantiles\[0, 0\] is nan"):
        pinball_from_quantiles([[math.nan]], [0.5], [1.0])
    with pytest.raises(DomainError, match=r"low\[1\] = 2 and high\[1\] = 1"):
        winkler_from_ends([0, 2], [1, 1], [0, 0], 0.9)
    with pytest.raises(DomainError, match=r"low\[0\] = nan"):
        winkler_from_ends([math.nan], [1], [0], 0.9)
    assert winkler_from_ends([-math.inf], [1], [2], 0.9).item() == math.inf
    with pytest.raises(DomainError, match="level"):
        winkler_from_ends([0], [1], [0], 90)
    with pytest.raises(ShapeError, match="low, high and y"):
        winkler_from_ends([0], [1], [[0]], 0.9)
    with pytest.raises(DomainError, match="low must be below high"):
        threshold_crps_from_samples([[1.0]], [1.0], 2, 2)
    with pytest.raises(ShapeError, match="edges and below"):
        threshold_crps_from_cells([1.0], [1.0], [1.0])
    with pytest.raises(ShapeError, match="samples"):
        energy_score_from_samples(torch.zeros(2, 3), torch.zeros(2, 1))
    with pytest.raises(ShapeError, match="weights"):
        energy_score_from_samples(torch.zeros(2, 3, 1), torch.zeros(2, 1), torch.ones(2, 1))
    with pytest.raises(DomainError, match="add up to 1"):
        energy_score_from_samples(torch.zeros(2, 3, 1), torch.zeros(2, 1), torch.ones(2, 3))
    with pytest.raises(DomainError, match="two samples"):
        energy_score_from_samples(torch.zeros(2, 1, 1), torch.zeros(2, 1), fair=True)
