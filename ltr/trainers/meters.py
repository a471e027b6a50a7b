"""Weighted running means of the statistics of an epoch, and where its time went."""

import time
from collections.abc import Mapping

__all__ = ["Meters", "Stopwatch"]


class Meters:
    """Weighted means by name; its state is plain data, so that an interrupted epoch goes on exactly."""

    def __init__(self) -> None:
        self._sums: dict[str, list[float]] = {}

    def update(self, values: Mapping[str, float], weight: float) -> None:
        """Add one observation of every name in `values` with `weight` (samples)."""
        for name, value in values.items():
            total = self._sums.setdefault(name, [0.0, 0.0])
            total[0] += value * weight
            total[1] += weight

    def means(self) -> dict[str, float]:
        """Mean of every name seen so far, in order of first appearance."""
        return {name: total / weight for name, (total, weight) in self._sums.items() if weight > 0}

    def state_dict(self) -> dict[str, list[float]]:
        """The sums and weights as plain lists."""
        return {name: list(total) for name, total in self._sums.items()}

    def load_state_dict(self, state: Mapping[str, list[float]]) -> None:
        """Go on from `state`, replacing what is there."""
        self._sums = {name: [float(total[0]), float(total[1])] for name, total in state.items()}


class Stopwatch:
    """Splits wall time into waiting for data and everything else.

    Attributes:
        waited: seconds spent waiting for data.
        samples: samples processed.
    """

    def __init__(self) -> None:
        self._start = self._mark = time.perf_counter()
        self.waited = 0.0
        self.samples = 0

    def before_data(self) -> None:
        """Call right before asking for a batch."""
        self._mark = time.perf_counter()

    def after_data(self, samples: int) -> None:
        """Call when the batch of `samples` samples has come."""
        self.waited += time.perf_counter() - self._mark
        self.samples += samples

    @property
    def seconds(self) -> float:
        """Wall time since the start."""
        return time.perf_counter() - self._start

    @property
    def samples_per_second(self) -> float:
        """Samples per second of wall time; 0 before the first one."""
        return self.samples / self.seconds if self.samples else 0.0

    @property
    def waiting_share(self) -> float:
        """Share of the wall time spent waiting for data, in [0, 1]."""
        return self.waited / self.seconds if self.seconds > 0 else 0.0

    def timing(self) -> dict[str, float]:
        """Speed and waiting as history columns."""
        return {
            "seconds": self.seconds,
            "samples_per_second": self.samples_per_second,
            "data_wait": self.waiting_share,
        }
