"""The divergence on the grid against closed forms, and the summary of runs."""

import math
from typing import Literal

import pytest
import torch
from torch import Tensor

from ebm.exceptions import DomainError, ShapeError, UnknownNameError
from ebm.metrics import grid_kl
from ebm.tasks.toy1d.data import log_density
from ebm.tasks.toy1d.evaluation import kl_divergence, summarise, true_density


def gaussian(std_factor: float, shift: float = 0.0):
    """Scores of a Gaussian around the truth of data set 2, wider by a factor and moved by `shift` stds."""

    def score(x: Tensor, y: Tensor) -> Tensor:
        std = 0.15 * x.double().sigmoid()[:, None]
        return -0.5 * ((y - x.double().sin()[:, None] - shift * std) / (std_factor * std)).square()

    return score


@pytest.mark.parametrize("data_set", [1, 2])
@pytest.mark.parametrize("constant", [0.0, 300.0])
def test_the_truth_itself_has_no_divergence(data_set: int, constant: float) -> None:
    truth = true_density(data_set, 512)

    def score(x: Tensor, y: Tensor) -> Tensor:
        floor = torch.tensor(1e-30).double().log()
        return (
            torch.logaddexp(log_density(data_set, truth.x[rows(truth.x, x)][:, None], truth.y), floor)
            + constant
        )

    assert kl_divergence(score, truth) == pytest.approx(0.0, abs=1e-10)


def rows(axis: Tensor, x: Tensor) -> Tensor:
    """Indices of float32 grid points on the exact axis: x = 0 decides between the branches."""
    return torch.searchsorted(axis.float(), x)


@pytest.mark.parametrize(("factor", "shift"), [(1.0, 0.5), (2.0, 0.0), (3.0, 1.0)])
def test_the_divergence_of_gaussians_is_the_closed_form(factor: float, shift: float) -> None:
    expected = math.log(factor) + (1 + shift**2) / (2 * factor**2) - 0.5
    assert kl_divergence(gaussian(factor, shift), true_density(2)) == pytest.approx(expected, abs=2e-3)


def test_a_model_that_learnt_nothing_reaches_the_uniform_divergence() -> None:
    truth = true_density(1, 256)
    flat = kl_divergence(lambda x, y: torch.zeros(len(x), len(y)), truth)
    assert flat == pytest.approx(truth.kl_of_uniform(), abs=1e-12)
    assert kl_divergence(lambda x, y: torch.zeros(len(x), len(y)), truth, "released") == pytest.approx(
        flat, abs=1e-6
    )


def test_the_released_arithmetic_agrees_where_it_can_and_fails_where_the_authors_does() -> None:
    truth = true_density(2, 256)

    def tame(x: Tensor, y: Tensor) -> Tensor:
        return -2 * (y - x[:, None].sin()).square()

    assert kl_divergence(tame, truth, "released") == pytest.approx(kl_divergence(tame, truth), rel=1e-6)
    underflow = kl_divergence(lambda x, y: 20 * tame(x, y), truth, "released")
    overflow = kl_divergence(lambda x, y: tame(x, y) + 100, truth, "released")
    assert underflow == math.inf
    assert math.isnan(overflow)
    vanished = kl_divergence(lambda x, y: tame(x, y) - 1000, truth, "released")
    assert vanished == pytest.approx(truth.kl_of_uniform(), abs=1e-6)
    assert math.isfinite(kl_divergence(lambda x, y: 20 * tame(x, y) + 100, truth))


def test_epsilon_decides_what_impossible_targets_cost() -> None:
    def sharp(x: Tensor, y: Tensor) -> Tensor:
        return 400 * gaussian(1.0)(x, y)

    costs = [kl_divergence(sharp, true_density(2, 256, epsilon)) for epsilon in (0.0, 1e-30, 1e-3)]
    assert costs[0] == pytest.approx(costs[1], rel=1e-6)
    assert costs[2] > costs[1] + 1
    assert math.isfinite(
        kl_divergence(lambda x, y: -(y - x[:, None]).square(), true_density(1, 64, 0.0), "released")
    )


def test_not_a_number_stays_one_and_shapes_are_checked() -> None:
    truth = true_density(1, 128)
    assert math.isnan(kl_divergence(lambda x, y: torch.full((len(x), len(y)), math.nan), truth))
    with pytest.raises(ShapeError, match=r"expected scores of shape \(64, 128\), got \(128, 64\)"):
        kl_divergence(lambda x, y: torch.zeros(len(y), len(x)), truth)
    with pytest.raises(UnknownNameError, match="did you mean 'released'"):
        kl_divergence(lambda x, y: torch.zeros(len(x), len(y)), truth, "release")
    with pytest.raises(DomainError, match="epsilon"):
        true_density(1, 64, -1.0)


def test_a_summary_ranks_not_a_number_last_and_counts_failures() -> None:
    values = [0.3, math.nan, 0.1, math.inf, 0.2, 0.4, 0.5]
    summary = summarise(values)
    assert summary.best == pytest.approx(0.3)
    assert summary.mean == pytest.approx(0.3)
    assert summary.median == pytest.approx(0.4)
    assert (summary.runs, summary.failures, summary.best_of) == (7, 2, 5)
    assert summarise([math.nan, 0.1, math.inf], best_of=2).best == math.inf
    assert math.isnan(summarise([math.nan, math.inf]).best)
    assert math.isnan(summarise([math.nan]).mean)
    assert summarise([math.nan, math.inf, 0.1]).median == math.inf


def test_few_runs_are_all_averaged_and_none_is_an_error() -> None:
    summary = summarise([0.1, 0.3])
    assert (summary.best, summary.best_of) == (pytest.approx(0.2), 2)
    with pytest.raises(DomainError, match="number of runs"):
        summarise([])


@pytest.mark.parametrize("arithmetic", ["stable", "released"])
def test_it_is_the_librarys_divergence_computed_in_parts(arithmetic: Literal["stable", "released"]) -> None:
    truth = true_density(1, 200)
    f = torch.randn(200, 200, generator=torch.Generator().manual_seed(0)) * 5

    def score(x: Tensor, y: Tensor) -> Tensor:
        return f[rows(truth.x, x)]

    log_p = log_density(1, truth.x[:, None], truth.y)
    expected = float(grid_kl(f, log_p, arithmetic=arithmetic))
    assert kl_divergence(score, truth, arithmetic) == pytest.approx(expected, rel=1e-9)
