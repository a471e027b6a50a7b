"""The numbers of every epoch: kept in the checkpoint, written beside it as a table."""

import csv
import math
import os
from collections.abc import Mapping
from pathlib import Path

from ebm.exceptions import InputError

__all__ = ["History"]

Rows = list[dict[str, float]]


class History:
    """Rows of numbers by loader name (``"train"``, ``"val"``), one row an epoch it ran in."""

    def __init__(self) -> None:
        self._rows: dict[str, Rows] = {}

    def add(self, loader: str, epoch: int, values: Mapping[str, float]) -> None:
        """Append the numbers of one epoch."""
        self._rows.setdefault(loader, []).append({"epoch": epoch, **values})

    def rows(self, loader: str) -> Rows:
        """Copies of the rows of one loader."""
        return [dict(row) for row in self._rows.get(loader, [])]

    def lowest(self, loader: str, name: str) -> float:
        """Smallest finite value of `name` so far, infinity without any."""
        values = (row[name] for row in self._rows.get(loader, []) if name in row)
        return min(filter(math.isfinite, values), default=math.inf)

    def state_dict(self) -> dict[str, Rows]:
        """All rows as plain data."""
        return {loader: self.rows(loader) for loader in self._rows}

    def load_state_dict(self, state: Mapping[str, Rows] | None) -> None:
        """Go on from `state`; None and unknown layouts of older files give an empty history."""
        self._rows = {}
        for loader, rows in (state or {}).items():
            if isinstance(rows, list):
                self._rows[loader] = [dict(row) for row in rows]

    def write(self, path: Path) -> None:
        """Write ``history.csv``, whole and atomically, so that a resumed run never repeats a row.

        Raises:
            InputError: if it cannot be written: no space, no permission.
        """
        names: dict[str, None] = {"loader": None, "epoch": None}
        for rows in self._rows.values():
            for row in rows:
                names |= dict.fromkeys(row)
        part = path.with_suffix(".tmp")
        try:
            with part.open("w", newline="", encoding="utf-8") as file:
                table = csv.DictWriter(file, list(names))
                table.writeheader()
                for loader, rows in self._rows.items():
                    table.writerows({"loader": loader, **row} for row in rows)
            os.replace(part, path)
        except OSError as error:
            part.unlink(missing_ok=True)
            raise InputError(
                f"{path} cannot be written: {error}. The checkpoint of this epoch is complete and holds the "
                "same numbers; run the command again once there is space."
            ) from error
