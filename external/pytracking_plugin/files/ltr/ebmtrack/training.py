"""The end of a training: an error where it failed, and at once on Ctrl-C."""

from __future__ import annotations

import functools
import traceback
from collections.abc import Callable
from typing import Any

from .loading import allow_checkpoints

__all__ = ["end_truly"]

ATTEMPTS = 10  # as PyTracking's own


def end_truly(train: Callable[..., Any]) -> Callable[..., Any]:
    """`train` with its attempts counted here: the last failure is raised, and Ctrl-C and exits are none."""

    @functools.wraps(train)
    def run(self: Any, max_epochs: int, load_latest: bool = False, fail_safe: bool = True) -> Any:
        allow_checkpoints()
        begun = getattr(self, "epoch", 0)
        for attempt in range(1, ATTEMPTS + 1):
            try:
                return train(self, max_epochs, load_latest=load_latest, fail_safe=False)
            except Exception:  # whatever a training may end with: PyTracking tries again, and so does this
                if not fail_safe or attempt == ATTEMPTS:
                    raise
                traceback.print_exc()
                print(f"Attempt {attempt} of {ATTEMPTS} failed; again from the last checkpoint.")
                load_latest = True
                # The epoch that failed is not done; where there is a checkpoint, it says which are.
                self.epoch = begun
        return None

    return run
