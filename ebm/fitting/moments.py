"""Mean and deviation of columns in which a few entries may be gross errors."""

from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

__all__ = ["OUTLYING", "Moments", "moments", "outliers"]

# Robust standard deviations from the median beyond which an entry has no say in mean and deviation: a Laplace
# target gets there once in a billion rows, a wrong unit or a slipped digit at once.
OUTLYING = 20.0
# Fewer rows say too little about which of them is wrong.
FEWEST = 20
# Pairs of quantiles and their distance for a standard Gaussian: the next pair where the one before is empty,
# as in a column that is 0 nine times out of ten.
_QUANTILES = ((0.25, 0.75, 1.34898), (0.05, 0.95, 3.28971), (0.005, 0.995, 5.15166))
# Rows that quantiles are taken of, at most: sorting millions would take longer than fitting.
_MOST_ROWS = 100_000


class Moments(NamedTuple):
    """Of the columns of ``(N, F)``, all ``(F,)`` but the last.

    Attributes:
        mean: of the entries that are no outliers.
        scale: their standard deviation; 1 where a column is constant.
        constant: which columns are.
        low: smallest entry that is no outlier.
        high: largest.
        outlying: which entries are outliers, ``(N, F)``.
    """

    mean: Tensor
    scale: Tensor
    constant: Tensor
    low: Tensor
    high: Tensor
    outlying: Tensor


def moments(values: Tensor, wrong: Tensor | None = None) -> Moments:
    """Moments of columns without the entries that are gross outliers.

    Without outliers these are mean and standard deviation, to the bit.

    Args:
        values: finite, ``(N, F)`` float64, N >= 1; in the unit of the result.
        wrong: which entries are `outliers`, ``(N, F)`` bool, where these rows are a part of those that this
            was asked of; None asks it of these rows. A column in which all are is taken as it is.
    """
    outlying = outliers(values) if wrong is None else wrong & ~wrong.all(0)
    kept = (~outlying).to(values.dtype)
    count = kept.sum(0)
    typical = torch.where(outlying, 0.0, values)
    # In units of the largest entry: squares of very large or small numbers would leave float64.
    unit = typical.abs().amax(0)
    unit = torch.where(unit > 0, unit, 1.0)
    mean = unit * ((typical / unit).sum(0) / count)
    spread = (((typical - mean) / unit * kept).square().sum(0) / count).sqrt()
    # Rounding leaves a tiny spread in a column of equal large numbers.
    constant = (values == values[:1]).all(0) | (spread <= 1e-14)
    return Moments(
        mean,
        torch.where(constant, 1.0, unit * spread),
        constant,
        torch.where(outlying, torch.inf, values).amin(0),
        torch.where(outlying, -torch.inf, values).amax(0),
        outlying,
    )


def outliers(values: Tensor) -> Tensor:
    """Which entries lie more than `OUTLYING` robust standard deviations from their column's median.

    The robust deviation is a distance of two quantiles over that of a standard Gaussian's.

    Args:
        values: finite, ``(N, F)`` float64 on the CPU, in any unit.

    Returns:
        ``(N, F)`` bool; none of fewer than `FEWEST` rows, nor of a column with one value in almost all rows.
    """
    if len(values) < FEWEST:
        return torch.zeros_like(values, dtype=torch.bool)
    some = values[:: -(-len(values) // _MOST_ROWS)]
    median, *ends = _quantiles(some, [0.5, *(share for low, high, _ in _QUANTILES for share in (low, high))])
    spread = torch.zeros_like(median)
    for low, high, (_, _, width) in zip(ends[::2], ends[1::2], _QUANTILES):
        spread = torch.where(spread > 0, spread, (high - low) / width)
    return (spread > 0) & ((values - median).abs() > OUTLYING * spread)


def _quantiles(values: Tensor, shares: list[float]) -> list[Tensor]:
    """The entries of every column ``(N, F)`` below which these shares of it lie, each ``(F,)``."""
    places = [round(share * (len(values) - 1)) for share in shares]
    # A column is not put in order for seven of its entries: that takes several times as long.
    columns = np.partition(values.T.contiguous().numpy(), sorted(set(places)), axis=1)
    return [torch.from_numpy(columns[:, place]) for place in places]
