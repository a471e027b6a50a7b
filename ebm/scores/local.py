"""Coverage by place in the input: by bins of every feature, in the worst slab, and a verdict in words."""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from ebm.checks import require_count
from ebm.density.base import require_level
from ebm.exceptions import DomainError, ShapeError
from ebm.fitting.tables import names_of
from ebm.numbers import number_tensor
from ebm.scores.slabs import Held, Slab, hits_of, input_rows, share_error, worst_feature_slab, worst_slab
from ebm.scores.tables import Table, share

__all__ = ["Bin", "LocalCoverage", "inside_interval", "local_coverage"]

# Standard errors that a difference must exceed to be called one.
CLEAR = 2.0


@dataclass(frozen=True)
class Bin:
    """Rows whose feature lies between two values.

    Attributes:
        feature: its name.
        low: least value of the bin, included.
        high: greatest value, included.
        held: labels in their sets there.
    """

    feature: str
    low: float
    high: float
    held: Held


@dataclass(frozen=True)
class LocalCoverage:
    """Coverage of sets of one level: of all rows, by feature, and where it is worst.

    Attributes:
        level: promised, in (0, 1).
        names: of the features.
        whole: of all rows.
        bins: of every feature in turn, from its lowest values up.
        worst_feature: interval of a single feature.
        worst: slab along any direction.
    """

    level: float
    names: tuple[str, ...]
    whole: Held
    bins: tuple[Bin, ...]
    worst_feature: Slab
    worst: Slab

    def verdict(self) -> str:
        """Whether the sets hold what they promise, and where they hold least, in one sentence.

        A difference counts from two standard errors on. The worst place was chosen on one half of the rows,
        its coverage is that of the other half.
        """
        whole = self.whole
        error = share_error(self.level, whole.count)
        gap = whole.coverage - self.level
        word = "as promised" if abs(gap) <= CLEAR * error else "too narrow" if gap < 0 else "too wide"
        return (
            f"{100 * self.level:g} % intervals hold {share(whole.coverage, whole.standard_error)} of "
            f"{whole.count} rows: {word}; {self._place()}."
        )

    def table(self) -> Table:
        """A row per bin."""
        rows = [
            (b.feature, _short(b.low), _short(b.high), str(b.held.count), _figure(b.held)) for b in self.bins
        ]
        return Table(("feature", "from", "to", "rows", "coverage"), tuple(rows), self.verdict())

    def __str__(self) -> str:
        return str(self.table())

    def _place(self) -> str:
        held, slab = self.worst_feature.held, self.worst_feature
        if self.whole.coverage - held.coverage > CLEAR * share_error(self.whole.coverage, held.count):
            return f"worst where {_in_words(slab, self.names)}: {_figure(held)} of {held.count} rows"
        return "no interval of a single feature holds clearly fewer"


def local_coverage(
    x: Any,
    inside: Any,
    level: float,
    *,
    bins: int = 4,
    names: Sequence[str] | None = None,
    least: float = 0.1,
    directions: int = 1000,
    seed: int = 0,
) -> LocalCoverage:
    """Do sets hold what they promise everywhere, or only on average?

    Args:
        x: inputs ``(N, F)``, an array, tensor or data frame, N >= 8.
        inside: whether the set of each row holds its label, ``(N,)``; see `inside_interval`.
        level: that the sets promise, in (0, 1).
        bins: bins of about as many rows each per feature; a feature of fewer values has one for each.
        names: of the features; None takes those of the data frame, or x0, x1 ...
        least: share of the rows that a slab must hold, in (0, 1].
        directions: random directions of the worst slab.
        seed: of the halves that choose and judge the worst slabs, and of the directions.

    Raises:
        ShapeError: if the shapes do not fit, or rows are too few.
        DomainError: (a ValueError) if a value is outside its domain.
        InputError: if a column of `x` is no number.

    Source: Cauchois, Gupta and Duchi, JMLR 2021, for the worst slab.
    """
    rows, hits = input_rows(x), hits_of(inside)
    require_level(level)
    known = tuple(map(str, names)) if names is not None else names_of(x)
    known = tuple(f"x{d}" for d in range(rows.shape[1])) if known is None else known
    if len(known) != rows.shape[1]:
        raise ShapeError(f"expected F={rows.shape[1]} names of features, got {len(known)}.")
    worst = worst_slab(rows, hits, least=least, directions=directions, seed=seed)
    count = require_count("bins", bins)
    return LocalCoverage(
        level=level,
        names=known,
        whole=Held(int(hits.sum()), len(hits)),
        bins=tuple(b for d, name in enumerate(known) for b in _bins(name, rows[:, d], hits, count)),
        worst_feature=worst_feature_slab(rows, hits, least=least, seed=seed),
        worst=worst,
    )


def inside_interval(low: Any, high: Any, y: Any) -> Tensor:
    """Whether each interval, ends included, holds its label, ``(N,)`` bool.

    Args:
        low: lower ends ``(N,)``.
        high: upper ends ``(N,)``.
        y: labels ``(N,)``.

    Raises:
        ShapeError: if the shapes differ.
        DomainError: (a ValueError) if an entry is NaN.
    """
    ends = [number_tensor(n, v, torch.float64).cpu() for n, v in (("low", low), ("high", high), ("y", y))]
    if ends[2].ndim != 1 or any(end.shape != ends[2].shape for end in ends):
        got = ", ".join(str(tuple(end.shape)) for end in ends)
        raise ShapeError(f"expected low, high and y of shape (N,), got {got}.")
    if any(bool(end.isnan().any()) for end in ends):
        raise DomainError("low, high and y must not be NaN.")
    return (ends[0] <= ends[2]) & (ends[2] <= ends[1])


def _bins(name: str, column: Tensor, hits: Tensor, count: int) -> Iterator[Bin]:
    """Bins of one feature; equal values are never parted."""
    values = column.unique()
    if len(values) <= count:
        cuts = values
    else:
        # Every cut is the least value of its bin.
        steps = torch.arange(count, dtype=torch.float64) / count
        cuts = column.sort().values[(steps * len(column)).long()].unique()
    index = torch.searchsorted(cuts, column.contiguous(), right=True) - 1
    for b in range(len(cuts)):
        within = index == b
        part = column[within]
        yield Bin(
            name, part.min().item(), part.max().item(), Held(int(hits[within].sum()), int(within.sum()))
        )


def _in_words(slab: Slab, names: Sequence[str]) -> str:
    """An interval of a single feature in words."""
    name = f"'{names[int(slab.direction.argmax())]}'"
    if slab.low == -math.inf and slab.high == math.inf:
        return f"{name} is anything"
    if slab.low == -math.inf:
        return f"{name} <= {_short(slab.high)}"
    if slab.high == math.inf:
        return f"{name} >= {_short(slab.low)}"
    return f"{_short(slab.low)} <= {name} <= {_short(slab.high)}"


def _short(value: float) -> str:
    return f"{value + 0.0:.4g}"  # -0 is 0


def _figure(held: Held) -> str:
    return share(held.coverage, held.standard_error)
