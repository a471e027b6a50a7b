"""Number patterns that need no framework's random generator, and summaries to compare with printed ones."""

import math
from collections.abc import Callable, Sequence

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from tests import formula


def _pattern(shape: Sequence[int], a: float, b: float = 0.0) -> Tensor:
    n = np.arange(math.prod(shape), dtype=np.float64)
    return torch.from_numpy(np.sin(a * n + b).astype(np.float32)).reshape(tuple(shape))


def _check(value: Tensor, expected: Sequence[float], rel: float = 1e-4) -> None:
    flat = value.detach().double().flatten()
    got = (flat.sum(), flat.abs().sum(), flat[0], flat[-1])
    for actual, wanted in zip(got, expected, strict=False):
        # A sum that cancels is only as exact as the terms; a printed number only as its last digit.
        slack = rel * float(got[1]) / 100 if wanted == expected[0] else 0.0
        assert float(actual) == pytest.approx(wanted, rel=rel, abs=max(2e-6, slack))


@pytest.fixture(scope="session")
def pattern() -> Callable[..., Tensor]:
    """``pattern(shape, a, b=0)``: element n is sin(a n + b)."""
    return _pattern


@pytest.fixture(scope="session")
def noise() -> Callable[[int, Sequence[int]], Tensor]:
    """``noise(i, shape)``: standard normal numbers of stream i."""
    return formula.noise


@pytest.fixture(scope="session")
def fill() -> Callable[[nn.Module], None]:
    """``fill(net)``: weights by position in the state dict, the filter optimiser's left as constructed."""
    return formula.fill


@pytest.fixture(scope="session")
def check_summary() -> Callable[..., None]:
    """``check_summary(tensor, (sum, sum of absolutes[, first, last]), rel)``."""
    return _check
