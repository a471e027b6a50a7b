"""Values of a parameter, tried on the same sequences: which is best, and by more than chance?"""

from collections.abc import Callable, Hashable, Iterable, Sequence
from dataclasses import dataclass, field
from typing import Generic, TypeVar

import numpy as np
from numpy.typing import NDArray

__all__ = ["Gain", "Study", "Trial", "double_or_halve"]

V = TypeVar("V", bound=Hashable)
Array = NDArray[np.float64]


@dataclass(frozen=True, kw_only=True, eq=False)
class Trial(Generic[V]):
    """A value and what it gave.

    Attributes:
        value: what was tried.
        scores: by the criterion, one for each sequence, ``[N]``; higher is better.
        more: what else is worth printing, by column.
    """

    value: V
    scores: Array
    more: dict[str, float] = field(default_factory=dict)

    @property
    def mean(self) -> float:
        """Mean over the sequences."""
        return float(self.scores.mean())


@dataclass(frozen=True)
class Gain:
    """How much better than another value, over the same sequences."""

    mean: float
    standard_error: float

    @property
    def counts(self) -> bool:
        """Whether it is larger than its standard error."""
        return self.mean > self.standard_error


class Study(Generic[V]):
    """Tries each value once.

    Args:
        evaluate: a value to its trial.
        start: what the parameter set says; what is not better than it does not replace it.
    """

    def __init__(self, evaluate: Callable[[V], Trial[V]], start: V) -> None:
        self._evaluate, self.start = evaluate, start
        self._trials: dict[V, Trial[V]] = {}
        self.score(start)

    def score(self, value: V) -> float:
        """Mean over the sequences; from memory where the value was tried."""
        if value not in self._trials:
            self._trials[value] = self._evaluate(value)
        return self._trials[value].mean

    def try_all(self, values: Iterable[V]) -> None:
        """Try several."""
        for value in values:
            self.score(value)

    @property
    def trials(self) -> Sequence[Trial[V]]:
        """In the order in which they were made; the first is that of `start`."""
        return list(self._trials.values())

    @property
    def best(self) -> Trial[V]:
        """The one with the highest mean, the earliest of equals."""
        return max(self.trials, key=lambda trial: trial.mean)

    @property
    def gain(self) -> Gain:
        """Of the best over `start`; paired, the standard error that of the mean over sequences."""
        difference = self.best.scores - self.trials[0].scores
        count = len(difference)
        error = float(difference.std(ddof=1)) / count**0.5 if count > 1 else float("inf")
        return Gain(float(difference.mean()), error)

    @property
    def chosen(self) -> V:
        """The best value if its gain counts, else `start`."""
        return self.best.value if self.gain.counts else self.start


def double_or_halve(study: Study[V], change: Callable[[V, float], V], *, furthest: int = 4) -> None:
    """Go from the best value so far by factors of two, in the direction that is better, until it is no more.

    Args:
        study: takes the trials.
        change: a value and a factor to another value.
        furthest: so many steps at most.
    """
    value = study.best.value
    for factor in (2.0, 0.5):
        here, other = value, change(value, factor)
        for _ in range(furthest):
            if study.score(other) <= study.score(here):
                break
            here, other = other, change(other, factor)
        if here != value:
            return
