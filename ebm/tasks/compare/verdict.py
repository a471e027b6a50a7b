"""When to pick what, in sentences made from the figures."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from statistics import fmean

from ebm.tasks.compare.ranks import Ranking, group_means, rank_methods
from ebm.tasks.compare.study import Result
from ebm.tasks.compare.tables import TABLES

__all__ = ["kinds_of", "verdict"]

# A method whose mean score is within this share of the best is as good a choice.
CLOSE = 0.02


def kinds_of(results: Sequence[Result]) -> dict[str, list[str]]:
    """The tables of each kind, kinds in the order in which they are met."""
    kinds: dict[str, list[str]] = {}
    for table in dict.fromkeys(result.table for result in results):
        for kind in TABLES[table].kinds:
            kinds.setdefault(kind, []).append(table)
    return kinds


def verdict(results: Sequence[Result]) -> str:
    """When to pick what, in a sentence; then the ranks, each kind of table, and what the methods cost.

    Args:
        results: of at least two methods.
    """
    accuracy = group_means(results, lambda scores: scores.accuracy)
    overall = rank_methods(accuracy)
    if overall is None:
        return "One method has no peers to be compared with."
    density = rank_methods(group_means(results, lambda scores: scores.nll))
    choices = [
        _Choice.of(kind, {table: accuracy[table] for table in tables})
        for kind, tables in kinds_of(results).items()
    ]
    picks: dict[str, list[str]] = {}
    for choice in choices:
        for method in choice.close:
            picks.setdefault(method, []).append(choice.kind)
    first = "; ".join(f"`{method}` for tables with {_listed(kinds, 'or')}" for method, kinds in picks.items())
    lines = [f"- {choice}" for choice in choices]
    ranks = [_order("CRPS (energy score for several targets)", overall)]
    if density is not None:
        ranks.append(_order("NLL, of the methods that have a density", density))
    return "\n\n".join([f"Pick {first}.", "\n".join(lines), *ranks, _cost(results)])


@dataclass(frozen=True)
class _Choice:
    """What to pick for a kind of table: the best by the mean of scores relative to each table's best.

    Attributes:
        kind: of table.
        tables: their names.
        order: that mean and its method, the best first.
    """

    kind: str
    tables: tuple[str, ...]
    order: tuple[tuple[float, str], ...]

    @classmethod
    def of(cls, kind: str, means: Mapping[str, Mapping[str, float]]) -> "_Choice":
        """From scores by table and method."""
        relative: dict[str, list[float]] = {}
        for row in means.values():
            for method, value in row.items():
                relative.setdefault(method, []).append(value / min(row.values()))
        score = {method: fmean(values) for method, values in relative.items() if len(values) == len(means)}
        order = sorted((value, method) for method, value in score.items() if math.isfinite(value))
        return cls(kind, tuple(means), tuple(order))

    @property
    def close(self) -> list[str]:
        """The best method and those as good."""
        return [method for value, method in self.order if value <= self.order[0][0] * (1 + CLOSE)]

    def __str__(self) -> str:
        best = self.order[0][0]
        rest = [f"`{m}` {100 * (v / best - 1):.0f} %" for v, m in self.order if m not in self.close]
        above = f"; above it are {', '.join(rest)}" if rest else ""
        return f"{self.kind} ({', '.join(self.tables)}): {_listed(self.close, code=True)}{above}."


def _order(what: str, ranking: Ranking) -> str:
    tables = f"{ranking.tables} table{'s' if ranking.tables > 1 else ''}"
    parts = [f"`{name}` {rank:.2f}" for name, rank in zip(ranking.methods, ranking.ranks)]
    text = f"Mean ranks by {what}, over {tables}: {', '.join(parts)}"
    best = ranking.methods[0]
    level = [name for name, rank in zip(ranking.methods, ranking.ranks)][1:]
    level = [name for name in level if ranking.rank(name) - ranking.ranks[0] < ranking.critical_difference]
    if not level:
        return f"{text}; `{best}` is ahead of all others by more than the critical difference."
    return (
        f"{text}; closer to the first than the critical difference of {ranking.critical_difference:.2f}: "
        f"{_listed(level, code=True)}."
    )


def _cost(results: Sequence[Result]) -> str:
    """Processor seconds of a fit with its predictions, mean over cells."""
    seconds: dict[str, list[float]] = {}
    for result in results:
        if result.scores is not None:
            seconds.setdefault(result.method, []).append(result.scores.seconds)
    order = sorted((fmean(values), method) for method, values in seconds.items())
    listed = ", ".join(f"`{method}` {value:.1f}" for value, method in order)
    return f"Processor seconds of a fit and its predictions, on average: {listed}."


def _listed(names: Sequence[str], word: str = "and", *, code: bool = False) -> str:
    quoted = [f"`{name}`" if code else name for name in names]
    return quoted[0] if len(quoted) == 1 else f"{', '.join(quoted[:-1])} {word} {quoted[-1]}"
