"""Scores of answers against closed forms, whatever the unit of the target."""

import math
from dataclasses import replace

import numpy as np
import pytest
import torch
from scipy.stats import norm

from ebm.baselines.densities import ParametricDensity
from ebm.baselines.location_scale import DiagonalGaussian
from ebm.crps import crps_from_gaussian
from ebm.tasks.compare.answers import LEVELS, Answers, answer_by_density, in_units, measure
from ebm.tasks.compare.tables import Split


def a_split(y_test: np.ndarray, unit: float = 1.0, step: float | None = None) -> Split:
    dim = y_test.shape[1]
    train = np.concatenate([np.full((5, dim), -1.0), np.full((5, dim), 1.0)]) * unit  # deviation 1
    x = np.zeros((len(y_test), 1))
    return Split(
        table="by hand",
        x_train=np.zeros((10, 1)),
        y_train=train,
        x_test=x,
        y_test=y_test * unit,
        step=step,
        true_nll=None,
    )


def gaussian_answers(mean: np.ndarray, unit: float = 1.0) -> Answers:
    return Answers(
        log_prob=norm.logpdf(np.zeros(len(mean)), mean[:, 0], 1) - math.log(unit),
        quantiles=(mean[..., None] + norm.ppf(LEVELS)) * unit,
        draws=None,
    )


def test_scores_of_a_gaussian_are_those_of_the_closed_form() -> None:
    mean = np.linspace(-2, 2, 9)[:, None]
    scores = measure(gaussian_answers(mean), a_split(np.zeros((9, 1))), 2.0, 3.0)
    exact = crps_from_gaussian(torch.tensor(mean[:, 0]), torch.ones(9), torch.zeros(9)).mean().item()
    assert scores.crps == pytest.approx(exact, rel=0.01)
    assert scores.nll == pytest.approx(-norm.logpdf(mean).mean())
    assert scores.width_90 == pytest.approx(2 * norm.ppf(0.95))
    assert scores.coverage_90 == pytest.approx(7 / 9)  # |mean| of 2 is beyond 1.645
    outside = 2 * (2 - norm.ppf(0.95)) / 9
    assert scores.winkler_90 == pytest.approx(2 * norm.ppf(0.95) + 20 * outside)
    assert (scores.seconds, scores.energy, scores.accuracy) == (5.0, None, scores.crps)


def test_scores_do_not_depend_on_the_unit_of_the_target() -> None:
    mean = np.linspace(-1, 1, 7)[:, None]
    small = measure(gaussian_answers(mean), a_split(np.zeros((7, 1))), 1, 1)
    large = measure(gaussian_answers(mean, 1000.0), a_split(np.zeros((7, 1)), 1000.0), 1, 1)
    for name in ("nll", "crps", "coverage_90", "width_90", "winkler_90"):
        assert getattr(large, name) == pytest.approx(getattr(small, name))


def test_crossed_quantiles_are_set_in_order_and_infinite_ones_score_infinity() -> None:
    answers, split = gaussian_answers(np.zeros((3, 1))), a_split(np.zeros((3, 1)))
    crossed = replace(answers, quantiles=answers.quantiles[..., ::-1])
    assert measure(crossed, split, 1, 1) == measure(answers, split, 1, 1)
    endless = answers.quantiles.copy()
    endless[0, 0, -1] = math.inf
    assert measure(replace(answers, quantiles=endless), split, 1, 1).crps == math.inf


def test_the_energy_score_is_a_distance_for_a_point_and_matches_draws_of_the_truth() -> None:
    y = np.array([[3.0, 4.0]])
    quantiles = np.zeros((1, 2, len(LEVELS)))
    point = Answers(log_prob=None, quantiles=quantiles, draws=np.zeros((1, 200, 2)))
    scores = measure(point, a_split(y), 1, 1)
    assert scores.energy == pytest.approx(5.0)
    assert scores.nll is None
    # E|X - y| = 2 E|X - X'| / 2 for y drawn like X: half the mean distance of two draws, sqrt(pi) in 2D.
    rng = np.random.default_rng(0)
    y = rng.standard_normal((2000, 2))
    draws = rng.standard_normal((2000, 200, 2))
    honest = Answers(log_prob=None, quantiles=np.zeros((2000, 2, len(LEVELS))), draws=draws)
    assert measure(honest, a_split(y), 1, 1).energy == pytest.approx(math.sqrt(math.pi) / 2, abs=0.03)


def density_of(mean: float, dim: int) -> ParametricDensity:
    def density(x: np.ndarray) -> ParametricDensity:
        shape = (len(x), dim)
        return DiagonalGaussian(
            torch.full(shape, mean, dtype=torch.float64), torch.zeros(shape, dtype=torch.float64)
        )

    return density  # type: ignore[return-value]


def test_a_density_is_asked_for_all_rows_in_their_order() -> None:
    y = np.linspace(-1, 1, 600)[:, None]
    answers = answer_by_density(density_of(0.5, 1), a_split(y), 0)
    assert answers.log_prob == pytest.approx(norm.logpdf(y[:, 0], 0.5))
    assert answers.quantiles[0, 0] == pytest.approx(0.5 + norm.ppf(LEVELS), abs=1e-6)
    assert answers.draws is None
    several = answer_by_density(density_of(0.5, 3), a_split(np.zeros((300, 3))), 0)
    assert several.draws is not None
    assert several.draws.mean((0, 1)) == pytest.approx([0.5] * 3, abs=0.02)
    assert several.quantiles.shape == (300, 3, len(LEVELS))


def test_a_count_is_scored_by_the_mass_of_its_cell() -> None:
    split = a_split(np.array([[0.0], [2.0], [500.0]]), unit=2.0, step=1.0)
    answers = answer_by_density(density_of(0.0, 1), split, 0)
    mass = [norm.cdf(0.5) - norm.cdf(-0.5), norm.cdf(4.5) - norm.cdf(3.5), 1e-12]
    assert answers.log_prob == pytest.approx(np.log(mass))
    assert in_units(1.5, split) == 1.5
    assert in_units(1.5, replace(split, step=None)) == pytest.approx(1.5 - math.log(2))
