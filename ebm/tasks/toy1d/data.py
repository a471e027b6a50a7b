"""The two data sets of the 1D study: samples, and the exact conditional densities they are drawn from."""

import math
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from ebm.checks import require_count
from ebm.exceptions import DomainError
from ebm.tasks.toy1d.methods import DATA_SETS

__all__ = ["LIMIT", "ToyData", "log_density", "make_dataset"]

LIMIT = 3.0  # x and the grids of x and y span [-LIMIT, LIMIT]
_LIKELY = 0.8  # share of the points of data set 1, x < 0, that lie on sin(x); the rest lies on -sin(x)
_BRANCH_STD = 0.075
_LOG_NORMAL_STD = 0.25
_WIDEST_STD = 0.15
_HALF_LOG_2PI = 0.5 * math.log(2 * math.pi)


@dataclass(frozen=True, kw_only=True)
class ToyData:
    """Training pairs of one data set.

    Attributes:
        data_set: 1 or 2.
        seed: what the pairs were drawn with.
        x: inputs, ``(N,)`` float32.
        y: targets, ``(N,)`` float32.
    """

    data_set: int
    seed: int
    x: Tensor
    y: Tensor


def make_dataset(data_set: int, n: int = 2000, seed: int = 0) -> ToyData:
    """Draw training pairs; the same arguments give the same pairs on every machine.

    Args:
        data_set: 1 (two branches for x < 0, shifted log-normal for x >= 0) or 2 (a sine whose noise grows).
        n: N, number of pairs.
        seed: at least 0. The authors' own draw was not seeded and cannot be repeated.

    Raises:
        DomainError: if an argument is outside its domain.

    Source: Gustafsson et al., BMVC 2020, appendix B; the shift by -1 stands in the released code alone.
    """
    _require_data_set(data_set)
    require_count("n", n)
    require_count("seed", seed, least=0)
    generator = np.random.Generator(np.random.PCG64(seed))
    x = generator.uniform(-LIMIT, LIMIT, n)
    noise = generator.standard_normal(n)
    likely = generator.random(n) < _LIKELY
    if data_set == 1:
        branch = np.where(likely, 1.0, -1.0) * np.sin(x) + _BRANCH_STD * noise
        y = np.where(x < 0, branch, np.exp(_LOG_NORMAL_STD * noise) - 1.0)
    else:
        y = np.sin(x) + _WIDEST_STD / (1 + np.exp(-x)) * noise
    return ToyData(data_set=data_set, seed=seed, x=torch.tensor(x).float(), y=torch.tensor(y).float())


def log_density(data_set: int, x: Tensor, y: Tensor) -> Tensor:
    """Exact log p(y|x) in nats, float64; -inf outside the support.

    Args:
        data_set: 1 or 2.
        x: inputs, any shape that broadcasts with that of `y`, e.g. ``(X, 1)``.
        y: targets, e.g. ``(Y,)``.

    Returns:
        The broadcast shape, e.g. ``(X, Y)``.

    Raises:
        DomainError: if the data set is neither 1 nor 2.
    """
    _require_data_set(data_set)
    x, y = x.double(), y.double()
    if data_set == 2:
        return _gaussian_log_density(y, x.sin(), _WIDEST_STD * x.sigmoid())
    std = torch.tensor(_BRANCH_STD, dtype=torch.float64)
    branches = torch.logaddexp(
        math.log(_LIKELY) + _gaussian_log_density(y, x.sin(), std),
        math.log(1 - _LIKELY) + _gaussian_log_density(y, -x.sin(), std),
    )
    inside = y > -1
    log_y = torch.where(inside, y + 1, 1.0).log()
    std = torch.tensor(_LOG_NORMAL_STD, dtype=torch.float64)
    shifted = (_gaussian_log_density(log_y, torch.zeros_like(log_y), std) - log_y).masked_fill(
        ~inside, -math.inf
    )
    return torch.where(x < 0, branches, shifted)


def _gaussian_log_density(y: Tensor, mean: Tensor, std: Tensor) -> Tensor:
    """Log-density of a Gaussian."""
    return -0.5 * ((y - mean) / std).square() - std.log() - _HALF_LOG_2PI


def _require_data_set(data_set: int) -> None:
    if data_set not in DATA_SETS:
        raise DomainError(f"data_set must be 1 or 2, got {data_set!r}.")
