"""What a picture shows, as numbers: columns of equal length, and rows of tables of any kind."""

import csv
import io
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from ebm.exceptions import DomainError, ShapeError
from ebm.files import expanded, write_atomic
from ebm.fitting.tables import as_tensor

if TYPE_CHECKING:
    from ebm.fitting import FittedEBM

__all__ = ["Curves", "labels_of", "require_target", "rows_of", "target_name"]


@dataclass(frozen=True)
class Curves:
    """The numbers of a picture; nothing is drawn that is not here.

    Attributes:
        columns: name -> values, all of one length; NaN where there is nothing.
        labels: what the axes are called and the like, in words.
    """

    columns: Mapping[str, NDArray[np.float64]]
    labels: Mapping[str, str]

    def __getitem__(self, name: str) -> NDArray[np.float64]:
        return self.columns[name]

    def csv_text(self) -> str:
        """CSV with a line of names; nine digits, and an empty field where there is nothing."""
        out = io.StringIO()
        writer = csv.writer(out, lineterminator="\n")
        writer.writerow(self.columns)
        for row in zip(*self.columns.values(), strict=True):
            writer.writerow("" if np.isnan(value) else f"{value:.9g}" for value in row)
        return out.getvalue()

    def save(self, path: str | Path | None) -> None:
        """Write `csv_text` to a file, whole or not at all; None writes nothing.

        Raises:
            InputError: if the file cannot be written.
        """
        if path is not None:
            write_atomic(expanded(path), self.csv_text())


def rows_of(table: Any, index: Sequence[int] | NDArray[Any]) -> Any:
    """Some rows of a table, of the kind that the table is.

    Args:
        table: of pandas, polars, NumPy, torch or a list.
        index: of the rows.
    """
    places = [int(i) for i in index]
    if hasattr(table, "iloc"):
        return table.iloc[places]
    return [table[i] for i in places] if isinstance(table, list | tuple) else table[places]


def labels_of(y: Any, count: int, target: int) -> NDArray[np.float64] | None:
    """One target's labels ``(N,)``; None where there are none.

    Raises:
        ShapeError: if there are not `count`.
        InputError: if one is no number.
    """
    if y is None:
        return None
    values = as_tensor("y", y)
    if values.ndim not in (1, 2) or len(values) != count:
        raise ShapeError(f"expected one label per row of x, {count}; got y of shape {tuple(values.shape)}.")
    return values.reshape(count, -1)[:, target].double().cpu().numpy()


def require_target(fitted: "FittedEBM", target: int) -> int:
    """`target` itself if it is the number of one of the targets.

    Raises:
        DomainError: (a ValueError) if there is no such target.
    """
    if isinstance(target, bool) or target not in range(fitted.target_dim):
        raise DomainError(f"target must be one of 0 to {fitted.target_dim - 1}, got {target!r}.")
    return int(target)


def target_name(fitted: "FittedEBM", target: int) -> str:
    """What a target is called: by its column, else y, or y0, y1 ..."""
    names = fitted.scaling.y_names
    if names is not None and len(names) == fitted.target_dim:
        return names[target]
    return "y" if fitted.target_dim == 1 else f"y{target}"
