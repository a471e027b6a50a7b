"""What was wrong with rows of a file that was used all the same: how many of each kind, and where first."""

import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

__all__ = ["Problem", "Problems", "tell_left_out"]


@dataclass(frozen=True)
class Problem:
    """Rows of one kind that were left out: what is wrong with them, how many, and the first of them."""

    kind: str
    count: int
    first: str

    def __str__(self) -> str:
        return f"{self.count} {self.kind}, first: {self.first}"


class Problems:
    """Rows that were left out, by kind, in the order in which the kinds were met."""

    def __init__(self) -> None:
        """None so far."""
        self._found: dict[str, Problem] = {}

    def add(self, kind: str, first: str, count: int = 1) -> None:
        """Count rows.

        Args:
            kind: what is wrong with them, as a plural: ``"boxes without area"``.
            first: where the first of them is, and what it says.
            count: how many.
        """
        known = self._found.get(kind, Problem(kind, 0, first))
        self._found[kind] = Problem(kind, known.count + count, known.first)

    def __iter__(self) -> Iterator[Problem]:
        return iter(self._found.values())

    def __len__(self) -> int:
        """Number of rows of all kinds."""
        return sum(problem.count for problem in self)

    def __str__(self) -> str:
        return "\n".join(map(str, self))


def tell_left_out(faults: Mapping[str, Problems]) -> int:
    """Name on standard error what was left out of files, by their names; returns a command's exit code."""
    for file, problems in faults.items():
        for problem in problems:
            print(f"left out of {file}: {problem}", file=sys.stderr)
    return 1 if any(map(len, faults.values())) else 0
