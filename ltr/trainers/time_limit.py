"""A run's time: how much of it is used, over all parts of a run that was stopped and resumed."""

import re
import time
from collections.abc import Callable

import torch

from ebm.exceptions import InputError
from ltr.trainers.world import World

__all__ = ["TimeLimit", "parse_duration"]

_UNITS = {"": 60.0, "s": 1.0, "m": 60.0, "min": 60.0, "h": 3600.0}


def parse_duration(text: str) -> float:
    """Seconds of a duration such as ``45m``, ``90s``, ``1.5h``; a bare number is minutes.

    Raises:
        InputError: if it is none, or not above 0.
    """
    match = re.fullmatch(r"\s*(\d+(?:\.\d*)?|\.\d+)\s*(s|min|m|h|)\s*", text)
    seconds = float(match[1]) * _UNITS[match[2]] if match else 0.0
    if seconds <= 0:
        raise InputError(f"a duration reads 45m, 90s or 1.5h, got {text!r}.")
    return seconds


class TimeLimit:
    """Counts the wall time of a run while it runs.

    Args:
        seconds: that the run may take; None for no limit.
        clock: seconds from anywhere, never falling.

    Attributes:
        before: seconds used by earlier parts of the run.
        seen: used part of the time, from 0 to 1, when it was last looked at; 0 without a limit.
    """

    def __init__(self, seconds: float | None = None, clock: Callable[[], float] = time.monotonic) -> None:
        self.seconds = seconds
        self.before = self.seen = 0.0
        self._clock = clock
        self._start: float | None = None

    def start(self) -> None:
        """Begin to count."""
        self._start = self._clock()

    @property
    def used(self) -> float:
        """Seconds used so far."""
        return self.before + (0.0 if self._start is None else self._clock() - self._start)

    def look(self, world: World, device: torch.device) -> float:
        """Look at the main process's clock, which decides for all, and return what is `seen`."""
        if self.seconds is not None:
            share = torch.tensor([min(self.used / self.seconds, 1.0)], dtype=torch.float64, device=device)
            world.broadcast([share])
            self.seen = float(share)
        return self.seen

    @property
    def is_up(self) -> bool:
        """Whether no time was left at the last look."""
        return self.seen >= 1

    def left(self, estimate: float) -> float:
        """Seconds that a run will still take: an estimate, or less where its time ends first."""
        return estimate if self.seconds is None else min(estimate, max(self.seconds - self.used, 0.0))
