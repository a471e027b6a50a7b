"""Show a tracker at work on a visdom server: frame, status, score map, refinement; pause and step."""

from types import TracebackType
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from pytracking.evaluation.watching import Seen
from pytracking.tracker.common.glimpse import Glimpse
from pytracking.utils.visdom import Visdom

__all__ = ["VisdomWatcher"]


class VisdomWatcher:
    """A `Watcher` that registers what it is shown, at the published trackers' debug levels.

    Level 1 shows the frame with its boxes and the status, 2 the score map, 3 the refinement and the energies
    along it. While a viewer pauses, `see` does not return.

    Args:
        visdom: where it is shown.
    """

    def __init__(self, visdom: Visdom) -> None:
        self.visdom = visdom

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        return None

    def see(self, seen: Seen) -> None:
        """Show a frame."""
        boxes = [each.box for each in seen.found.values()]
        self.visdom.register((seen.image, *boxes), "Tracking", 1, "Tracking")
        for target, tracked in seen.found.items():
            name = "" if target is None else f" {target}"
            status: dict[str, Any] = {
                "frame": seen.number,
                "state": tracked.state,
                "flag": tracked.flag.value,
                "score": tracked.score,
            }
            glimpse = seen.glimpses.get(target)
            if glimpse is not None:
                status |= {"max_score": glimpse.found.score, "samples_in_memory": glimpse.remembered}
            self.visdom.register(status, "info_dict", 1, f"Status{name}")
            if glimpse is not None:
                self._show(name, glimpse, seen.image)
        self.visdom.wait_while_paused()

    def _show(self, name: str, glimpse: Glimpse, image: NDArray[np.uint8]) -> None:
        self.visdom.register(glimpse.scores, "heatmap", 2, f"Score Map{name}")
        if not len(glimpse.path):
            return
        known = glimpse.energies[np.isfinite(glimpse.energies).all(axis=1)]
        if len(known):
            boxes = (image, glimpse.path[0], glimpse.path[-1], known[-1])
            self.visdom.register(boxes, "bbreg", 3, f"Refinement{name}")
            self.visdom.register(known.max(axis=1), "lineplot", 3, f"Highest f{name}")
