"""What both demos print as they go."""

import time

__all__ = ["Steps"]


class Steps:
    """Numbers the steps and says how long the run has taken.

    Args:
        count: of all steps.
    """

    def __init__(self, count: int) -> None:
        self._start, self._number, self._count = time.monotonic(), 0, count

    def next(self, text: str) -> None:
        """Say that a step begins."""
        self._number += 1
        print(f"\n[{self._number}/{self._count}] {text} ({self.elapsed()})", flush=True)

    def elapsed(self) -> str:
        """Minutes and seconds so far."""
        seconds = int(time.monotonic() - self._start)
        return f"{seconds // 60}:{seconds % 60:02d}"
