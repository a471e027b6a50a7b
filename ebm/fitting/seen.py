"""What the fit saw of its inputs, and which new ones lie beyond."""

from abc import ABC
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal, get_args

import torch
from torch import Tensor

from ebm.exceptions import ShapeError
from ebm.fitting.data import REACH, Scaling, like_input
from ebm.lookup import unknown_name

__all__ = ["Beyond", "Seen"]

By = Literal["row", "column"]
# Of rounding, in standard deviations.
_SLACK = 1e-9
# Columns that a sentence names.
_NAMED = 6


@dataclass(frozen=True)
class Beyond:
    """Which inputs of N rows lie beyond what the fit saw.

    Attributes:
        names: of the F columns of the table.
        outside: ``(N, F)``: outside the range of the fit, a category that it never saw, or a value missing in
            a column that lacked none.
        clipped: ``(N, F)``: so far outside that the network is given the limit in its place.
    """

    names: tuple[str, ...]
    outside: Tensor
    clipped: Tensor

    def words(self) -> list[str]:
        """How many rows, and in which columns; nothing where there are none."""
        rows, limited = int(self.outside.any(1).sum()), int(self.clipped.any(1).sum())
        found = []
        if rows:
            found.append(
                f"{rows} of {len(self.outside)} rows lie outside the range of inputs that the fit saw "
                f"({self._listed(self.outside)}); no calibration covers them."
            )
        if limited:
            found.append(
                f"{limited} of {len(self.outside)} rows lie so far outside ({self._listed(self.clipped)}) "
                f"that they count as {REACH:g} standard deviations beyond the range, or as the one value "
                "that a column had: further on, densities no longer change."
            )
        return found

    def where(self, row: int) -> str:
        """Names of the columns in which a row lies outside, separated by semicolons."""
        return "; ".join(name for name, out in zip(self.names, self.outside[row].tolist()) if out)

    def _listed(self, flags: Tensor) -> str:
        counts = flags.sum(0)
        order = [place for place in (-counts).argsort(stable=True).tolist() if counts[place]]
        more = f" and {len(order) - _NAMED} more" if len(order) > _NAMED else ""
        return ", ".join(f"{self.names[p]} in {counts[p]}" for p in order[:_NAMED]) + more


class Seen(ABC):
    """The questions about inputs alone; see `ebm.FittedEBM`."""

    scaling: Scaling

    def out_of_range(self, x: Any, *, by: By = "row") -> Any:
        """Whether inputs lie outside the range that the fit saw.

        So does a category that it never saw, and a value missing where none was.
        Densities there are what the network makes of it; no calibration covers them.

        Args:
            x: inputs ``(N, F)``.
            by: "row", in any column; or "column", each of the F columns of the table.

        Returns:
            ``(N,)``, by column ``(N, F)``.

        Raises:
            UnknownNameError: (a ValueError) for another `by`.
            ShapeError: if the rows are not those of the fit, or are no flat rows.
            DomainError: if an entry is NaN or infinite.
        """
        return _shaped(self.beyond(x).outside, by, x)

    def clipped(self, x: Any, *, by: By = "row") -> Any:
        """Whether inputs lie so far outside that the network is given a limit in their place.

        That is ten standard deviations beyond the range of the fit, and at once where a column had one value.

        Args, returns and errors as `out_of_range`.
        """
        return _shaped(self.beyond(x).clipped, by, x)

    def beyond(self, x: Any) -> Beyond:
        """All of `out_of_range` and `clipped`, with names, and ``words()`` for people.

        Raises:
            ShapeError: if the rows are not those of the fit, or are no flat rows.
            DomainError: if an entry is NaN or infinite.
        """
        scaling = self.scaling
        rows = scaling.rows(x, told=False)
        outside, clipped = (_outside(scaling, rows, reach) for reach in (0.0, REACH))
        table = scaling.x_table
        if table is not None:
            widths = [len(column.names) for column in table.columns]
            outside, clipped = (_any_of(flags, widths) for flags in (outside, clipped))
            outside |= torch.from_numpy(table.strange(x))
        names = scaling.x_names or tuple(f"column {place}" for place in range(outside.shape[1]))
        return Beyond(names, outside, clipped)

    def encode(self, x: Any) -> Any:
        """Inputs as the numbers that the network gets before it scales them, ``(N, F)``.

        They are what `base` and a file of ONNX take, and scores by place in the input. `encoded_names` has
        their names. Numbers stay as they are.

        Raises:
            ShapeError: if the rows are not those of the fit.
            DomainError: if an entry is infinite, or missing where the fit did not impute.
            InputError: if columns have other names or are of another kind than in the fit.
        """
        return like_input(self.scaling.rows(x), x)

    @property
    def encoded_names(self) -> tuple[str, ...] | None:
        """Names of the columns of `encode`, for example "city=Rome"; None where inputs had none."""
        table = self.scaling.x_table
        return self.scaling.x_names if table is None else table.names


def _outside(scaling: Scaling, rows: Tensor, reach: float) -> Tensor:
    """Whether raw rows lie more than `reach` deviations outside the range of those of the fit, ``(N, F)``.

    Raises:
        ShapeError: if rows are not flat, or the fit was saved by a release that did not keep the range.
    """
    if scaling.x_low is None or scaling.x_high is None or scaling.x_mean is None or scaling.x_scale is None:
        raise ShapeError("the range of the inputs is known of flat rows, of fits of this release.")
    own = slice(rows.shape[1])  # predictions of a base may follow
    low, high = scaling.x_low[own], scaling.x_high[own]
    z = (rows - scaling.x_mean[own]) / scaling.x_scale[own]
    inwards = torch.where(low < high, REACH - reach, 0.0)  # a constant column has no reach
    return (z < low + inwards - _SLACK) | (z > high - inwards + _SLACK)


def _any_of(flags: Tensor, widths: Sequence[int]) -> Tensor:
    """Flags of the columns of a table, of those of its columns of numbers."""
    return torch.stack([part.any(1) for part in flags.split(list(widths), 1)], 1)


def _shaped(flags: Tensor, by: str, x: Any) -> Any:
    if by not in get_args(By):
        raise unknown_name("way to answer", str(by), get_args(By))
    return like_input(flags.any(1) if by == "row" else flags, x)
