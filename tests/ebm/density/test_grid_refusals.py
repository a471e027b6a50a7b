"""What a density on a grid refuses: grids, scores and questions, each with the reason."""

import math

import pytest
import torch

from ebm.density import GridDensity
from ebm.exceptions import DomainError, NumericalError, ShapeError
from tests.ebm.density.scores import GRID, gaussian


@pytest.mark.parametrize(
    ("grid", "error", "message"),
    [
        (torch.tensor([0.0, 1.0, 1.0]), DomainError, "dimension 0 must increase"),
        (torch.tensor([0.0, math.nan]), DomainError, r"grid dimension 0\[0, 1\] is nan"),
        (torch.zeros(1), ShapeError, "G >= 2"),
        (torch.arange(6.0).reshape(2, 3), ShapeError, r"got \(2, 3\)"),
        ([torch.arange(3.0)] * 4, DomainError, "use ImportanceDensity"),
        ([torch.arange(3.0), torch.arange(3.0).double()], TypeError, "one dtype and device"),
        ([0.0, 1.0], TypeError, "must be a tensor"),
    ],
)
def test_impossible_grids_are_refused(grid: object, error: type, message: str) -> None:
    with pytest.raises(error, match=message):
        GridDensity(gaussian, grid, batch_size=3)


def test_impossible_scores_are_refused() -> None:
    broken = lambda y: torch.where(y[..., 0] > 11.9, math.nan, gaussian(y))  # noqa: E731
    with pytest.raises(NumericalError, match=r"item 0 at y = \[11\.9.*is nan; finite scores: -"):
        GridDensity(broken, GRID, batch_size=3)
    with pytest.raises(NumericalError, match="is inf"):
        GridDensity(lambda y: 1 / (y[..., 0] * 0), GRID.abs().sort().values.unique(), batch_size=3)
    with pytest.raises(NumericalError, match="item 0 is -inf: no density"):
        GridDensity(lambda y: torch.full_like(y[..., 0], -math.inf), GRID, batch_size=1)
    with pytest.raises(ShapeError, match=r"\(B, M\) = \(3, (\d+)\), got \(3, \1, 1\)"):
        GridDensity(lambda y: y, GRID, batch_size=3)


def test_impossible_questions_are_refused() -> None:
    density = GridDensity(gaussian, GRID, batch_size=3)
    for level in (0.0, 1.0, -0.1, math.nan):
        with pytest.raises(ValueError, match=r"level must lie in \(0, 1\)"):
            density.credible_interval(level)
        with pytest.raises(ValueError, match=r"level must lie in \(0, 1\)"):
            density.credible_set(level)
    with pytest.raises(ValueError, match="n must be an integer >= 1"):
        density.sample(0)
    with pytest.raises(DomainError, match="dim must be one of 0 to 0, got 1"):
        density.quantile(0.5, dim=1)
    with pytest.raises(DomainError, match=r"probabilities must lie in \[0, 1\]"):
        density.quantile(1.2)
    with pytest.raises(ShapeError, match=r"\(B=3, M, D=1\)"):
        density.log_prob(torch.zeros(2, 1))
    with pytest.raises(DomainError, match=r"y\[1, 0\] is nan"):
        density.log_prob(torch.tensor([[0.0], [math.nan], [0.0]]))
    with pytest.raises(ShapeError, match="expected t of shape"):
        density.cdf(torch.zeros(2))
    with pytest.raises(DomainError, match="different coordinates"):
        density.marginal([])
    with pytest.raises(ValueError, match="batch_size"):
        GridDensity(gaussian, GRID, batch_size=-1)
    with pytest.raises(ShapeError, match="log_masses of shape"):
        GridDensity.from_log_masses(GRID, torch.zeros(1, 3))
