"""A fit of several targets whose sets are too small says so."""

import warnings

import pytest
import torch
from torch import Tensor

from ebm.exceptions import CoverageWarning
from ebm.fitting.config import FitConfig
from ebm.fitting.data import measure
from ebm.fitting.fitted import FittedEBM
from ebm.fitting.honesty import warn_overconfident
from ebm.fitting.loop import History
from ebm.fitting.network import AnchoredEBM
from ebm.fitting.rows import Rows


class StandardNormal(AnchoredEBM):
    """Gaussian scores around 0, of a given width, whatever x."""

    def __init__(self, dim: int, sigma: float) -> None:
        super().__init__(torch.nn.Linear(1, 1), torch.nn.Identity(), dim, 2.0)
        self.sigma = sigma

    def score(self, features: Tensor, y: Tensor) -> Tensor:
        return -0.5 * (y / self.sigma).square().sum(-1)


def fitted(dim: int, sigma: float, count: int = 200) -> tuple[FittedEBM, Rows]:
    """A density and rows that follow it where `sigma` is 1."""
    x = torch.zeros(count, 1).double()
    y = 5 + 3 * torch.randn(count, dim, generator=torch.Generator().manual_seed(0)).double()
    history = History(train_loss=(), held_out_nll=(), best_epoch=0, seconds=0.0)
    own = FittedEBM(StandardNormal(dim, sigma), measure(x, y, flat=False), FitConfig(), {}, history)
    return own, Rows(x, y, torch.ones(count).double())


@pytest.mark.parametrize("dim", [2, 4])
def test_sets_that_hold_too_few_rows_are_told(dim: int) -> None:
    with pytest.warns(CoverageWarning, match=rf"of {dim} targets .* of 90% hold \d\d% of 200 held-out"):
        warn_overconfident(*fitted(dim, sigma=0.6))


@pytest.mark.parametrize(
    ("dim", "sigma", "count"), [(2, 1.0, 200), (4, 1.0, 200), (4, 0.6, 20), (1, 0.6, 200)]
)
def test_nothing_is_said_of_what_is_right_or_cannot_be_known(dim: int, sigma: float, count: int) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        warn_overconfident(*fitted(dim, sigma, count))
