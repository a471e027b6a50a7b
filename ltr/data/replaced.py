"""Draws that gave no sample: another one takes their place, and a run names and counts them."""

import logging
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from ebm.exceptions import InputError

__all__ = ["REPLACED", "STRICT", "Replaced", "ReplacedDraws", "Tolerance", "describe_replaced"]

REPLACED = "replaced"  # field of a sample: a tuple of `Replaced`; of a batch: one such tuple a sample
_SHOWN = 5  # names in a message

_log = logging.getLogger(__name__)


class Replaced(NamedTuple):
    """A draw that gave no sample."""

    sequence: str  # data set and sequence
    problem: str
    unreadable: bool  # an image is missing or corrupt; otherwise its boxes are the reason


@dataclass(frozen=True, kw_only=True)
class Tolerance:
    """What a run puts up with in its data; each is named and counted.

    Attributes:
        skip_broken: leave out sequences whose annotations are broken.
        unreadable: draws that may find an image missing or corrupt, in the whole of a process.
    """

    skip_broken: bool = False
    unreadable: int = 0


STRICT = Tolerance()


@dataclass
class ReplacedDraws:
    """Counts the draws of a run that gave no sample, and names each sequence once.

    Attributes:
        limit: how many of them may be for images that cannot be read.
        counts: draws by sequence.
        unreadable: those for images.
    """

    limit: int = 0
    counts: Counter[str] = field(default_factory=Counter)
    unreadable: int = 0

    def watch(self, batches: Iterable[Mapping[str, Any]]) -> Iterator[Mapping[str, Any]]:
        """The batches, without the field that says what was replaced.

        Raises:
            InputError: if more images could not be read than may be.
        """
        for batch in batches:
            for sample in batch[REPLACED]:
                for draw in sample:
                    self.add(draw)
            yield {name: value for name, value in batch.items() if name != REPLACED}

    def add(self, draw: Replaced) -> None:
        """Count a draw; the first of each sequence is reported.

        Raises:
            InputError: if it is one too many.
        """
        self.counts[draw.sequence] += 1
        self.unreadable += draw.unreadable
        if self.counts[draw.sequence] == 1:
            _log.warning("another sequence drawn instead of %s: %s", draw.sequence, draw.problem)
        if self.unreadable > self.limit:
            raise InputError(
                f"{self.unreadable} draws found an image that cannot be read; --unreadable allows "
                f"{self.limit}. The last: {draw.problem} {describe_replaced(self.counts)}"
            )


def describe_replaced(counts: Mapping[str, int]) -> str:
    """One line about draws by sequence: how many, and the sequences met most often; empty if none."""
    if not counts:
        return ""
    most = Counter(counts).most_common()
    shown = ", ".join(f"{name} ({times})" for name, times in most[:_SHOWN])
    more = f" and {len(most) - _SHOWN} more" if len(most) > _SHOWN else ""
    return f"{sum(counts.values())} draws of {len(most)} sequences gave no sample: {shown}{more}."
