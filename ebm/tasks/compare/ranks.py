"""Ranks of methods over tables, and which differences are more than chance.

Source: Demsar, JMLR 2006: Friedman's test, then Nemenyi's critical difference; Benavoli et al., JMLR 2016:
pairs by Wilcoxon's signed ranks with Holm's correction, which no third method changes.
"""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations
from statistics import fmean

import numpy as np
from numpy.typing import NDArray

from ebm.tasks.compare.answers import Scores
from ebm.tasks.compare.study import Result

__all__ = ["Measure", "Ranking", "group_means", "rank_methods", "wilcoxon_holm"]

Measure = Callable[[Scores], float | None]
LEVEL = 0.05


@dataclass(frozen=True, kw_only=True)
class Ranking:
    """Methods in the order of their mean rank; 1 is the best.

    Attributes:
        methods: M of them, the best first.
        ranks: their mean ranks, ``(M,)``.
        tables: over how many tables.
        friedman: probability of ranks as unlike as these if all methods were alike; 1 for fewer than three
            methods or two tables.
        critical_difference: mean ranks closer than this do not differ at 5 % (Nemenyi).
        pairs: probability that a pair does not differ (Wilcoxon, Holm), by the two names as in `methods`.
    """

    methods: tuple[str, ...]
    ranks: tuple[float, ...]
    tables: int
    friedman: float
    critical_difference: float
    pairs: Mapping[tuple[str, str], float]

    def rank(self, method: str) -> float:
        """Mean rank of a method."""
        return self.ranks[self.methods.index(method)]

    def alike(self) -> list[tuple[int, int]]:
        """First and last position of each widest run of methods within the critical difference."""
        runs: list[tuple[int, int]] = []
        for first, rank in enumerate(self.ranks):
            last = max(i for i, other in enumerate(self.ranks) if other - rank < self.critical_difference)
            if last > first and not any(start <= first and last <= end for start, end in runs):
                runs.append((first, last))
        return runs


def group_means(results: Sequence[Result], measure: Measure) -> dict[str, dict[str, float]]:
    """Mean of a measure over the splits, by table and method; infinite where a split failed.

    Methods that lack the measure are left out. Lower is taken to be better.
    """
    found: dict[str, dict[str, list[float]]] = {}
    for result in results:
        value = math.inf if result.scores is None else measure(result.scores)
        if value is not None:
            found.setdefault(result.table, {}).setdefault(result.method, []).append(value)
    return {table: {method: fmean(values) for method, values in row.items()} for table, row in found.items()}


def rank_methods(means: Mapping[str, Mapping[str, float]]) -> Ranking | None:
    """Rank methods over the tables that all of them have.

    Args:
        means: by table and method, lower is better; equal ones share a rank, infinite ones the last.

    Returns:
        The ranking; None for fewer than two methods, or without a table.
    """
    from scipy.stats import friedmanchisquare, rankdata

    scored = {name for row in means.values() for name, value in row.items() if math.isfinite(value)}
    methods = [name for name in dict.fromkeys(n for row in means.values() for n in row) if name in scored]
    rows = [[row[name] for name in methods] for row in means.values() if all(n in row for n in methods)]
    if len(methods) < 2 or not rows:
        return None
    values = np.array(rows)
    ranks = np.array([rankdata(row) for row in values]).mean(0)
    order = np.argsort(ranks, kind="stable")
    names = tuple(methods[i] for i in order)
    several = len(methods) > 2 and len(values) > 1
    chance = float(friedmanchisquare(*_finite(values).T).pvalue) if several else 1.0
    return Ranking(
        methods=names,
        ranks=tuple(float(ranks[i]) for i in order),
        tables=len(values),
        friedman=chance if math.isfinite(chance) else 1.0,
        critical_difference=critical_difference(len(methods), len(values)),
        pairs=wilcoxon_holm(names, values[:, order]),
    )


def critical_difference(methods: int, tables: int) -> float:
    """Nemenyi's at 5 %: q / sqrt(2) * sqrt(k (k + 1) / 6 N) with the studentised range q."""
    from scipy.stats import studentized_range

    q = float(studentized_range.ppf(1 - LEVEL, methods, math.inf))
    return q / math.sqrt(2) * math.sqrt(methods * (methods + 1) / (6 * tables))


def wilcoxon_holm(methods: Sequence[str], values: NDArray[np.float64]) -> dict[tuple[str, str], float]:
    """Probability that each pair of methods does not differ, corrected for the number of pairs.

    Args:
        methods: M names.
        values: ``(tables, M)``, lower is better.
    """
    from scipy.stats import wilcoxon

    finite = _finite(values)
    raw = {}
    for i, j in combinations(range(len(methods)), 2):
        apart = finite[:, i] - finite[:, j]
        raw[methods[i], methods[j]] = float(wilcoxon(apart).pvalue) if np.any(apart) else 1.0
    corrected: dict[tuple[str, str], float] = {}
    highest = 0.0
    for done, (pair, chance) in enumerate(sorted(raw.items(), key=lambda item: item[1])):
        highest = max(highest, min(1.0, chance * (len(raw) - done)))
        corrected[pair] = highest
    return corrected


def _finite(values: NDArray[np.float64]) -> NDArray[np.float64]:
    """A failure as twice the worst that did not fail, so that differences can be taken."""
    worst = np.where(np.isfinite(values), values, -np.inf).max(1, keepdims=True)
    return np.where(np.isfinite(values), values, worst + np.abs(worst) + 1)
