"""Data sets of the comparison: scikit-learn's diabetes, and the papers' two 1-D sets."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType

import numpy as np
import torch
from torch import Tensor

from ebm.exceptions import InputError
from ebm.lookup import lookup

__all__ = ["PROBLEMS", "Problem", "load_problem"]

TEST_SHARE = 0.2
TOY_ROWS = 2000
# Test pairs are drawn apart from all training pairs, whose seeds are small.
TOY_TEST_SEED = 1_000_000


@dataclass(frozen=True, kw_only=True)
class Problem:
    """Rows to fit and rows to test on.

    Attributes:
        name: the data set.
        x_train: ``(N, F)`` float64.
        y_train: ``(N,)``.
        x_test: ``(T, F)``.
        y_test: ``(T,)``.
        true_nll: mean negative log-likelihood of the test rows under the density that they were drawn from,
            nats; None where nobody knows it.
    """

    name: str
    x_train: Tensor
    y_train: Tensor
    x_test: Tensor
    y_test: Tensor
    true_nll: float | None


def load_problem(name: str, seed: int) -> Problem:
    """A data set, split or drawn by `seed`.

    Args:
        name: a key of `PROBLEMS`.
        seed: at least 0.

    Raises:
        UnknownNameError: (a ValueError) for another name.
        InputError: if what the data set comes from is not installed.
    """
    return lookup("problem", name, PROBLEMS)(seed)


def _diabetes(seed: int) -> Problem:
    """442 patients, 10 measurements, disease progression after a year; a random fifth is tested on.

    Source: Efron et al., Annals of Statistics 2004, as scikit-learn ships it.
    """
    try:
        from sklearn.datasets import (  # type: ignore[import-untyped, import-not-found, unused-ignore]
            load_diabetes,
        )
    except ImportError as error:
        raise InputError('diabetes comes with scikit-learn: pip install "ebmtrack[sklearn]".') from error
    x, y = (torch.from_numpy(np.array(part)) for part in load_diabetes(return_X_y=True, scaled=False))
    order = torch.from_numpy(np.random.default_rng(seed).permutation(len(y)))
    train, test = order.split([len(y) - round(TEST_SHARE * len(y)), round(TEST_SHARE * len(y))])
    return Problem(
        name="diabetes", x_train=x[train], y_train=y[train], x_test=x[test], y_test=y[test], true_nll=None
    )


def _toy(data_set: int) -> Callable[[int], Problem]:
    """One of the papers' sets, 2000 pairs to fit and 2000 to test on."""

    def draw(seed: int) -> Problem:
        from ebm.tasks.toy1d.data import log_density, make_dataset

        train = make_dataset(data_set, TOY_ROWS, seed)
        test = make_dataset(data_set, TOY_ROWS, TOY_TEST_SEED + seed)
        return Problem(
            name=f"toy-{data_set}",
            x_train=train.x.double()[:, None],
            y_train=train.y.double(),
            x_test=test.x.double()[:, None],
            y_test=test.y.double(),
            true_nll=-log_density(data_set, test.x, test.y).mean().item(),
        )

    return draw


PROBLEMS: Mapping[str, Callable[[int], Problem]] = MappingProxyType(
    {"diabetes": _diabetes, "toy-1": _toy(1), "toy-2": _toy(2)}
)
