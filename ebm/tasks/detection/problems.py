"""What was wrong with rows of a file that was used all the same: how many of each kind, and where first."""

import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

__all__ = ["Problem", "Problems", "tell_left_out"]


@dataclass(frozen=True)
class Problem:
    """Rows of one kind: what is wrong with them, how many, the first of them, and whether they were used."""

    kind: str
    count: int
    first: str
    used: bool = False

    def __str__(self) -> str:
        return f"{self.count} {self.kind}, first: {self.first}"


class Problems:
    """Rows that something is wrong with, by kind, in the order in which the kinds were met."""

    def __init__(self) -> None:
        """None so far."""
        self._found: dict[str, Problem] = {}

    def add(self, kind: str, first: str, count: int = 1, *, used: bool = False) -> None:
        """Count rows.

        Args:
            kind: what is wrong with them, as a plural: ``"boxes without area"``.
            first: where the first of them is, and what it says.
            count: how many.
            used: they were used as they are, not left out.
        """
        known = self._found.get(kind, Problem(kind, 0, first, used))
        self._found[kind] = Problem(kind, known.count + count, known.first, known.used)

    def __iter__(self) -> Iterator[Problem]:
        return iter(self._found.values())

    def __len__(self) -> int:
        """Number of rows of all kinds that were left out."""
        return sum(problem.count for problem in self if not problem.used)

    def __str__(self) -> str:
        return "\n".join(map(str, self))


def tell_left_out(faults: Mapping[str, Problems]) -> int:
    """Name on standard error what is wrong with rows of files, by their names.

    Returns:
        A command's exit code: 1 where rows were left out, else 0.
    """
    for file, problems in faults.items():
        for problem in problems:
            print(f"{'kept of' if problem.used else 'left out of'} {file}: {problem}", file=sys.stderr)
    return 1 if any(map(len, faults.values())) else 0
