"""Those who watch a tracker at work: what they are shown of every frame."""

from collections.abc import Iterable, Mapping
from contextlib import AbstractContextManager, ExitStack
from dataclasses import dataclass
from types import TracebackType
from typing import TYPE_CHECKING, Protocol, Self

import numpy as np
from numpy.typing import NDArray

from pytracking.tracker.base import Tracked
from pytracking.tracker.common.several import SeveralTargets, TargetId

if TYPE_CHECKING:
    from pytracking.tracker.common.glimpse import Glimpse

__all__ = ["Seen", "Together", "Watcher", "look"]


@dataclass(frozen=True, kw_only=True, eq=False)
class Seen:
    """A frame and what a tracker made of it.

    Attributes:
        number: counted from 0.
        image: the frame, uint8 RGB ``[H, W, 3]``.
        found: what the tracker says of each target; the id of one target without id is None.
        glimpses: what it saw of each; None on the frame that a target began in.
    """

    number: int
    image: NDArray[np.uint8]
    found: Mapping[TargetId, Tracked]
    glimpses: "Mapping[TargetId, Glimpse | None]"


class Watcher(AbstractContextManager["Watcher"], Protocol):
    """Shown every frame of one sequence or video; closed at its end, whatever ends it."""

    def see(self, seen: Seen) -> None:
        """Take in a frame."""


class Together:
    """Several watchers as one."""

    def __init__(self, watchers: Iterable[Watcher]) -> None:
        self._watchers = tuple(watchers)
        self._stack = ExitStack()

    def __enter__(self) -> Self:
        for watcher in self._watchers:
            self._stack.enter_context(watcher)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stack.__exit__(kind, error, trace)

    def see(self, seen: Seen) -> None:
        """Show all of them a frame."""
        for watcher in self._watchers:
            watcher.see(seen)


def look(
    watcher: Watcher,
    number: int,
    image: NDArray[np.uint8],
    tracker: SeveralTargets,
    answer: "Tracked | Mapping[TargetId, Tracked]",
) -> None:
    """Show a watcher the frame that a watched tracker has just answered.

    Args:
        watcher: who is shown it.
        number: of the frame, counted from 0.
        image: uint8 RGB ``[H, W, 3]``.
        tracker: which has answered.
        answer: of `initialize` or `track`.
    """
    if isinstance(answer, Mapping):
        glimpses = {target: each.glimpse for target, each in tracker.targets.items()}
        watcher.see(Seen(number=number, image=image, found=answer, glimpses=glimpses))
    else:
        watcher.see(Seen(number=number, image=image, found={None: answer}, glimpses={None: tracker.glimpse}))
