"""Where in the input do sets hold least? The slab between two parallel planes with the lowest coverage.

Source: Cauchois, Gupta and Duchi, JMLR 2021, "Knowing what you know", section 4 (worst-slab coverage).
"""

import math
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from ebm.checks import require_count
from ebm.exceptions import DomainError, ShapeError
from ebm.fitting.data import as_inputs
from ebm.numbers import number_tensor, require_number

__all__ = ["Held", "Slab", "hits_of", "input_rows", "share_error", "worst_feature_slab", "worst_slab"]

# Numbers in a block of projected rows.
MOST_NUMBERS = 2**22
# Rounds in which the lowest mean is found; a handful is usual, and each is at least as low as the one before.
MOST_ROUNDS = 50
LEAST_ROWS = 8


@dataclass(frozen=True)
class Held:
    """How many labels of some rows lie in their sets.

    Attributes:
        hits: labels inside.
        count: rows.
    """

    hits: int
    count: int

    @property
    def coverage(self) -> float:
        """Share inside; NaN for no rows."""
        return self.hits / self.count if self.count else math.nan

    @property
    def standard_error(self) -> float:
        """Standard error of the share, with one more hit and miss, so that it is never 0; NaN for no rows."""
        return share_error((self.hits + 1) / (self.count + 2), self.count)


def share_error(share: float, count: int) -> float:
    """Standard error of a share of `count` independent rows; NaN for no rows."""
    return math.sqrt(share * (1 - share) / count) if count else math.nan


@dataclass(frozen=True)
class Slab:
    """Rows whose projection lies between two ends.

    Attributes:
        direction: weight of every feature, in one over its unit, ``(F,)`` float64.
        low: lower end of ``x @ direction``; -inf where no row that chose lies below.
        high: upper end; inf where no row that chose lies above.
        chosen: of the rows that chose the slab as the worst: biased downwards.
        held: of the other rows: an honest estimate.
    """

    direction: Tensor
    low: float
    high: float
    chosen: Held
    held: Held

    def contains(self, x: Any) -> Tensor:
        """Which rows ``(N, F)`` lie in the slab, ``(N,)`` bool.

        Raises:
            ShapeError: if rows have another number of features.
        """
        rows = input_rows(x)
        if rows.shape[1] != len(self.direction):
            raise ShapeError(f"expected x of shape (N, F={len(self.direction)}), got {tuple(rows.shape)}.")
        return _between(_projected(rows, self.direction[None])[0], self.low, self.high)


def worst_slab(x: Any, inside: Any, *, least: float = 0.1, directions: int = 1000, seed: int = 0) -> Slab:
    """The slab that holds at least a share of the rows and covers least, over random directions.

    A random half of the rows chooses direction and ends, the other half tells the coverage there.

    Args:
        x: inputs ``(N, F)``, N >= 8; features are compared in their standard deviations.
        inside: whether the set of each row holds its label, ``(N,)``.
        least: share of the choosing half that a slab must hold, in (0, 1].
        directions: how many are tried, all features by themselves besides.
        seed: of the halves and the directions.

    Raises:
        ShapeError: if the shapes do not fit, or rows are too few.
        DomainError: (a ValueError) if an entry is outside its domain.
    """
    rows, hits = input_rows(x), hits_of(inside)
    count = require_count("directions", directions)
    generator = torch.Generator().manual_seed(seed)
    drawn = torch.randn(count, rows.shape[1], dtype=torch.float64, generator=generator)
    unit = drawn / torch.linalg.vector_norm(drawn, dim=-1, keepdim=True)
    scale = rows.std(0)
    weights = torch.where(scale > 0, 1 / torch.where(scale > 0, scale, 1), 0)
    return _worst(rows, hits, torch.cat((_axes(rows), unit * weights)), least, generator)


def worst_feature_slab(x: Any, inside: Any, *, least: float = 0.1, seed: int = 0) -> Slab:
    """The worst slab among intervals of single features, which have words; arguments as in `worst_slab`.

    An end beyond which fewer rows lie than a slab must hold is open: those few make no place of their own.
    """
    rows, hits = input_rows(x), hits_of(inside)
    return _worst(rows, hits, _axes(rows), least, torch.Generator().manual_seed(seed), opened=True)


def input_rows(x: Any) -> Tensor:
    """Inputs ``(N, F)`` float64 on the CPU, checked.

    Raises:
        ShapeError: if they have another shape.
        DomainError: (a ValueError) if an entry is NaN or infinite.
        InputError: if a column is no number.
    """
    rows = as_inputs(x, least=0)
    if rows.ndim != 2:
        raise ShapeError(f"expected x of shape (N, F), got {tuple(rows.shape)}.")
    return rows


def hits_of(inside: Any) -> Tensor:
    """Truth values as 0 and 1, ``(N,)`` float64 on the CPU.

    Raises:
        ShapeError: for another shape.
        DomainError: (a ValueError) for anything but 0, 1, False and True.
    """
    hits = number_tensor("inside", inside, torch.float64).cpu()
    if hits.ndim != 1:
        raise ShapeError(f"expected inside of shape (N,), got {tuple(hits.shape)}.")
    if not bool(((hits == 0) | (hits == 1)).all()):
        raise DomainError("inside must hold truth values: whether the set of each row holds its label.")
    return hits


def _worst(
    rows: Tensor,
    hits: Tensor,
    directions: Tensor,
    least: float,
    generator: torch.Generator,
    *,
    opened: bool = False,
) -> Slab:
    count = len(rows)
    if len(hits) != count or count < LEAST_ROWS:
        needed = f"x (N, F) and inside (N,) with N >= {LEAST_ROWS}"
        raise ShapeError(f"expected {needed}, got {count} and {len(hits)} rows.")
    share = require_number("least", least)
    if not 0 < share <= 1:
        raise DomainError(f"least must lie in (0, 1], got {share!r}.")
    order = torch.randperm(count, generator=generator)
    choosing, other = order[: count // 2], order[count // 2 :]
    chosen_rows, chosen_hits = rows[choosing], hits[choosing]
    fewest = max(1, math.ceil(share * len(choosing)))
    low, high, direction = _lowest_slab(chosen_rows, chosen_hits, directions, fewest)
    if opened:
        along = _projected(chosen_rows, direction[None])[0]
        low = -math.inf if int((along < low).sum()) < fewest else low
        high = math.inf if int((along > high).sum()) < fewest else high
    held = [
        _held(_between(_projected(rows[part], direction[None])[0], low, high), hits[part])
        for part in (choosing, other)
    ]
    return Slab(direction, low, high, *held)


def _lowest_slab(rows: Tensor, hits: Tensor, directions: Tensor, fewest: int) -> tuple[float, float, Tensor]:
    """Ends and direction ``(F,)`` of the slab of at least `fewest` rows that covers least."""
    best = (math.inf, -math.inf, math.inf, directions[0])
    for block in directions.split(max(1, MOST_NUMBERS // len(rows))):
        found = _lowest_runs(_projected(rows, block), hits, fewest)
        place = int(found[0].argmin())
        mean, low, high = (values[place].item() for values in found)
        if mean < best[0]:
            best = (mean, low, high, block[place])
    return best[1:]


def _lowest_runs(values: Tensor, hits: Tensor, fewest: int) -> tuple[Tensor, Tensor, Tensor]:
    """The run of at least `fewest` neighbours with the lowest mean, along every direction.

    A guess of the mean is replaced by that of the run whose sum falls furthest below it, until none does:
    Dinkelbach's method, linear in the rows.

    Args:
        values: projections ``(V, n)``.
        hits: ``(n,)``.
        fewest: from 1 to n.

    Returns:
        Means, and the ends of the runs; infinite where a run ends with the rows; all ``(V,)``.
    """
    ordered, order = values.sort(-1)
    count = hits.shape[0]
    sums = torch.nn.functional.pad(hits[order].cumsum(-1), (1, 0))
    # Rows with equal projections stay together: a run may only begin and end where the value changes.
    border = torch.nn.functional.pad(ordered.diff(dim=-1) > 0, (1, 1), value=True)
    steps = torch.arange(count + 1, dtype=values.dtype)
    first = torch.zeros(len(values), 1, dtype=torch.long)
    last = torch.full_like(first, count)
    for _ in range(MOST_ROUNDS):
        mean = (sums.gather(1, last) - sums.gather(1, first)) / (last - first)
        above = sums - mean * steps
        highest, where = torch.where(border, above, -math.inf).cummax(-1)
        fall = above[:, fewest:] - highest[:, : count + 1 - fewest]
        deepest, end = torch.where(border[:, fewest:], fall, math.inf).min(-1, keepdim=True)
        lower = deepest < -1e-9
        if not bool(lower.any()):
            break
        first = torch.where(lower, where.gather(1, end), first)
        last = torch.where(lower, end + fewest, last)
    mean = (sums.gather(1, last) - sums.gather(1, first)) / (last - first)
    low = torch.where(first > 0, ordered.gather(1, first.clamp(max=count - 1)), -math.inf)
    high = torch.where(last < count, ordered.gather(1, last - 1), math.inf)
    return mean[:, 0], low[:, 0], high[:, 0]


def _projected(rows: Tensor, directions: Tensor) -> Tensor:
    """``(n, F), (V, F) -> (V, n)``; summed up in one order, so that an end is met exactly again."""
    total = torch.zeros(len(directions), len(rows), dtype=torch.float64)
    for column, weight in zip(rows.T, directions.T):
        total += weight[:, None] * column
    return total


def _between(values: Tensor, low: float, high: float) -> Tensor:
    return (values >= low) & (values <= high)


def _axes(rows: Tensor) -> Tensor:
    return torch.eye(rows.shape[1], dtype=torch.float64)


def _held(within: Tensor, hits: Tensor) -> Held:
    return Held(int(hits[within].sum()), int(within.sum()))
