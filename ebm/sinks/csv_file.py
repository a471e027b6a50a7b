"""A sink that writes a table of comma-separated values."""

import csv
import io
from collections.abc import Mapping
from pathlib import Path

from ebm.exceptions import InputError
from ebm.files import write_atomic

__all__ = ["CSVSink"]

_FIRST = ("loader", "epoch")


class CSVSink:
    """A row per epoch and loader, columns ``loader``, ``epoch`` and the numbers; what a row lacks is empty.

    A run that begins does not write into a file that is there. One that goes on, with a later epoch, keeps
    its rows, and replaces those from that epoch on, which it repeats.

    Args:
        path: the file; its folder is made.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._columns = list(_FIRST)
        self._rows: list[dict[str, str]] = []
        self._begun = False

    def write(self, loader: str, epoch: int, values: Mapping[str, float]) -> None:
        """Add a row.

        Raises:
            InputError: if the file cannot be written, or is there already and not of this run.
        """
        whole = not self._begun and self._path.exists()
        if whole:
            self._read(epoch)
        row = {"loader": loader, "epoch": str(epoch)} | {k: f"{v:.9g}" for k, v in values.items()}
        new = [name for name in row if name not in self._columns]
        self._columns += new
        self._rows.append(row)
        if whole or new or not self._begun:
            write_atomic(self._path, self._text(self._rows, header=True))
        else:
            self._append(row)
        self._begun = True

    def close(self) -> None:
        """Every row is in the file already."""

    def _read(self, epoch: int) -> None:
        """Rows of earlier epochs of this run."""
        if epoch == 1:
            raise InputError(f"{self._path} is there already; name another file, or move it away")
        with self._path.open(encoding="utf-8", newline="") as file:
            reader = csv.DictReader(file)
            if tuple(reader.fieldnames or ())[:2] != _FIRST:
                raise InputError(f"{self._path} is no log of this kind; name another file")
            self._columns = list(reader.fieldnames or ())
            self._rows = [row for row in reader if row["epoch"].isdigit() and int(row["epoch"]) < epoch]

    def _append(self, row: Mapping[str, str]) -> None:
        try:
            with self._path.open("a", encoding="utf-8", newline="") as file:
                file.write(self._text([row], header=False))
        except OSError as error:
            raise InputError(f"{self._path} cannot be written: {error.strerror or error}") from error

    def _text(self, rows: list[dict[str, str]] | list[Mapping[str, str]], *, header: bool) -> str:
        out = io.StringIO()
        writer = csv.DictWriter(out, self._columns, lineterminator="\n")
        if header:
            writer.writeheader()
        writer.writerows(rows)
        return out.getvalue()
