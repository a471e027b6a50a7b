"""What the mean of the best few of many runs is worth: how it falls with their number, how far it varies."""

import math
from collections.abc import Sequence

import numpy as np

from ebm.checks import require_count
from ebm.exceptions import DomainError

__all__ = ["expected_best", "standard_error"]

_RESAMPLES = 2000


def _ranked(divergences: Sequence[float]) -> list[float]:
    """Ascending; what is not a number is as bad as infinity."""
    return sorted(math.inf if math.isnan(value) else value for value in divergences)


def expected_best(divergences: Sequence[float], of: int, best: int = 5) -> float:
    """The mean of the best few that `of` of these runs give on average, over all choices of them.

    Args:
        divergences: one for each run.
        of: how many runs are made.
        best: how many of the smallest are averaged; all where `of` is less.

    Returns: the exact mean over all subsets, infinite where some of them average an infinite divergence.

    Raises:
        DomainError: if there are fewer than `of` runs, or a count is below 1.
    """
    require_count("of", of)
    require_count("best", best)
    runs, kept = len(divergences), min(best, of)
    if of > runs:
        raise DomainError(f"{runs} runs cannot tell what {of} would give; ask for {runs} or fewer.")
    subsets, total = math.comb(runs, of), 0.0
    for rank, value in enumerate(_ranked(divergences)):
        # subsets that hold this run and fewer than `kept` of the better ones
        ways = sum(math.comb(rank, j) * math.comb(runs - 1 - rank, of - 1 - j) for j in range(kept))
        if ways:
            total += value * (ways / subsets)
    return total / kept


def standard_error(divergences: Sequence[float], best: int = 5) -> float:
    """How far the mean of the best few of as many runs varies with the initialisations: by the bootstrap.

    Returns: nats; NaN for a single run or where resampled means are not finite.
    """
    require_count("number of runs", len(divergences))
    if len(divergences) < 2:
        return math.nan
    values = np.array(_ranked(divergences))
    chosen = np.random.default_rng(0).integers(len(values), size=(_RESAMPLES, len(values)))
    means = np.sort(values[chosen], 1)[:, :best].mean(1)
    return float(means.std()) if np.isfinite(means).all() else math.nan
