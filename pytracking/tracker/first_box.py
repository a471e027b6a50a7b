"""The tracker that repeats its first box: the floor every other tracker is measured against."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Self

import numpy as np
from numpy.typing import NDArray

from pytracking.tracker.base import Flag, Tracked
from pytracking.tracker.common.several import SeveralTargets

if TYPE_CHECKING:
    from pytracking.features.preprocessing import Image

__all__ = ["FirstBox"]


class FirstBox(SeveralTargets):
    """Answers every frame with the first box, score 1 and state ok."""

    def __init__(self) -> None:
        super().__init__()
        self._box: NDArray[np.float64] = np.zeros(4)

    def twin(self, seed: int | None = None) -> Self:
        """Another one; it draws nothing."""
        return type(self)()

    def begin(self, frame: "Image", box: NDArray[np.float64]) -> None:
        """Remember `box` x, y, w, h ``[4]``, px."""
        self._box = box.copy()

    def move(self, box: NDArray[np.float64]) -> None:
        """Remember another box."""
        self._box = box.copy()

    def release(self) -> None:
        """There is nothing to let go of."""

    def advance(self, targets: Sequence[Self], frames: "Sequence[Image]") -> list[Tracked]:
        """The first boxes again."""
        return [Tracked(box=target._box.copy(), score=1.0, flag=Flag.NORMAL) for target in targets]
