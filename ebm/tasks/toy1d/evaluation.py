"""KL divergence of a learned density from the true one on the study's grid, and how runs are summed up."""

import math
import statistics
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Literal, get_args

import torch
from torch import Tensor

from ebm.checks import require_count
from ebm.exceptions import DomainError, ShapeError
from ebm.lookup import unknown_name
from ebm.metrics import DENSITY_FLOOR, LEAST_ROW_SUM, best_k_mean
from ebm.tasks.toy1d.data import LIMIT, log_density

__all__ = [
    "ARITHMETICS",
    "EPSILON",
    "GRID_SIZE",
    "Arithmetic",
    "RunSummary",
    "Truth",
    "kl_divergence",
    "kl_divergences",
    "summarise",
    "true_density",
]

GRID_SIZE = 2048
EPSILON = DENSITY_FLOOR
Arithmetic = Literal["stable", "released"]
ARITHMETICS: tuple[Arithmetic, ...] = get_args(Arithmetic)
# f of inputs (X,) and targets (Y,) on their product grid, (X, Y).
ScoreFunction = Callable[[Tensor, Tensor], Tensor]
_ROWS = 64  # rows of the grid that are scored at a time: the network's layers then stay in the cache


@dataclass(frozen=True, kw_only=True)
class Truth:
    """The true conditional density as probabilities of the cells of a grid.

    Attributes:
        data_set: 1 or 2.
        epsilon: what was added to the density before it was normalised.
        x: inputs, ``(G,)`` float64, end points included.
        y: targets, ``(G,)`` float64.
        p: probabilities of the targets given each input, ``(G, G)`` float64, rows sum to 1.
        negative_entropy: sum of p log p of each row, ``(G,)``, nats.
    """

    data_set: int
    epsilon: float
    x: Tensor
    y: Tensor
    p: Tensor
    negative_entropy: Tensor

    def kl_of_uniform(self) -> float:
        """The divergence that a model reaches which has learnt nothing, nats: a yardstick for bad runs."""
        return float(self.negative_entropy.mean()) + math.log(len(self.y))


@lru_cache(maxsize=2)
def true_density(data_set: int, size: int = GRID_SIZE, epsilon: float = EPSILON) -> Truth:
    """The truth on a `size` x `size` grid over [-3, 3] x [-3, 3].

    Args:
        data_set: 1 or 2.
        size: G.
        epsilon: added to the density values, so that no cell is impossible; at least 0.

    Raises:
        DomainError: if an argument is outside its domain.

    Source: the authors' evaluation, spelled out in float64 and in log space.
    """
    require_count("grid size", size, least=2)
    if not (math.isfinite(epsilon) and epsilon >= 0):
        raise DomainError(f"epsilon must be finite and >= 0, got {epsilon!r}.")
    axis = torch.linspace(-LIMIT, LIMIT, size, dtype=torch.float64)
    log_p = log_density(data_set, axis[:, None], axis)
    if epsilon > 0:
        log_p = torch.logaddexp(log_p, torch.tensor(math.log(epsilon), dtype=torch.float64))
    p = log_p.softmax(1)
    return Truth(
        data_set=data_set,
        epsilon=epsilon,
        x=axis,
        y=axis,
        p=p,
        negative_entropy=-torch.special.entr(p).sum(1),
    )


def kl_divergence(score: ScoreFunction, truth: Truth, arithmetic: Arithmetic = "stable") -> float:
    """Mean over the inputs of KL(truth || softmax of the scores over the targets), nats.

    Args:
        score: f of inputs ``(X,)`` and targets ``(Y,)`` on their product grid, ``(X, Y)``; any float type.
        truth: see `true_density`.
        arithmetic: ``"stable"`` normalises in float64 and in log space. ``"released"`` does what the authors'
            evaluation does: exponentials in float32 without a subtracted maximum, a uniform row where the sum
            vanishes, +inf after an underflow and NaN after an overflow.

    Raises:
        UnknownNameError: if there is no such arithmetic.
        ShapeError: if the scores have another shape.
    """
    return kl_divergences(score, truth, (arithmetic,))[arithmetic]


def kl_divergences(
    score: ScoreFunction, truth: Truth, arithmetics: Sequence[Arithmetic] = ARITHMETICS
) -> dict[Arithmetic, float]:
    """`kl_divergence` by several arithmetics, from one pass over the grid."""
    for name in arithmetics:
        if name not in ARITHMETICS:
            raise unknown_name("arithmetic", name, ARITHMETICS)
    totals: dict[Arithmetic, float] = dict.fromkeys(arithmetics, 0.0)
    x, y = truth.x.float(), truth.y.float()
    with torch.no_grad():
        for start in range(0, len(x), _ROWS):
            rows = slice(start, start + _ROWS)
            f = score(x[rows], y)
            if f.shape != truth.p[rows].shape:
                raise ShapeError(
                    f"expected scores of shape {tuple(truth.p[rows].shape)}, got {tuple(f.shape)}."
                )
            for name in arithmetics:
                cross = _CROSS_ENTROPY[name](f, truth.p[rows].to(f.device))
                totals[name] += float(truth.negative_entropy[rows].sum() + cross.sum())
    return {name: total / len(x) for name, total in totals.items()}


def _exact_cross_entropy(f: Tensor, p: Tensor) -> Tensor:
    """Minus the sum of p log softmax(f) over each row; p sums to 1, so one logsumexp a row is enough."""
    f = f.double()
    return f.logsumexp(1) - (p * f).sum(1)


def _released_cross_entropy(f: Tensor, p: Tensor) -> Tensor:
    density = f.float().exp()
    total = density.sum(1, keepdim=True)
    q = torch.where(total <= LEAST_ROW_SUM, 1.0 / f.shape[1], density / total)
    # An impossible target costs nothing, whatever the model says of it; with epsilon > 0 there is none.
    return -torch.where(p > 0, p * q.double().log(), 0.0).sum(1)


_CROSS_ENTROPY: dict[Arithmetic, Callable[[Tensor, Tensor], Tensor]] = {
    "stable": _exact_cross_entropy,
    "released": _released_cross_entropy,
}


@dataclass(frozen=True, kw_only=True)
class RunSummary:
    """What the runs of one method on one data set come to.

    Attributes:
        runs: how many there are.
        best: mean of the `best_of` smallest divergences; NaN or infinite where too few runs are finite.
        best_of: how many were averaged, 5 or all where there are fewer.
        mean: mean of the finite runs, NaN where there is none.
        median: median of all runs, failed ones counted as infinite.
        failures: how many are NaN or infinite.
    """

    runs: int
    best: float
    best_of: int
    mean: float
    median: float
    failures: int


def summarise(divergences: Sequence[float], best_of: int = 5) -> RunSummary:
    """Sum up the divergences of all runs; NaN sorts last, after infinity.

    Args:
        divergences: one for each run, nats.
        best_of: how many of the smallest are averaged; all of them where there are fewer.

    Raises:
        DomainError: if there is no run, or `best_of` is below 1.
    """
    require_count("best_of", best_of)
    require_count("number of runs", len(divergences))
    ranked = sorted(divergences, key=lambda value: (math.isnan(value), value))
    finite = [value for value in ranked if math.isfinite(value)]
    count = min(best_of, len(ranked))
    return RunSummary(
        runs=len(ranked),
        best=float(best_k_mean(torch.tensor(ranked, dtype=torch.float64), count)),
        best_of=count,
        mean=sum(finite) / len(finite) if finite else math.nan,
        median=statistics.median(value if math.isfinite(value) else math.inf for value in ranked),
        failures=len(ranked) - len(finite),
    )
