"""What a tracker learns online: the part in which ATOM and DiMP differ, as the conversation sees it."""

from collections.abc import Callable
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from pytracking.libs.arrays import Array
from pytracking.tracker.base import Flag
from pytracking.tracker.common.geometry import ScoreGrid
from pytracking.tracker.common.memory import SampleMemory

__all__ = ["Classifier", "MakeClassifier"]


class Classifier(Protocol):
    """Learns on the first frame where in a crop the target is, and goes on learning; what trackers differ in.

    Attributes:
        memory: samples of past frames; None before the first frame or where nothing is learnt after it.
    """

    memory: SampleMemory | None

    def features(self, backbone: dict[str, Array]) -> Array:
        """What it reads, ``[N, C, h, w]``, of backbone maps."""

    def grid(self, features: Array) -> ScoreGrid:
        """How the score maps of features lie over their crops."""

    def learn(self, features: Array, boxes: NDArray[np.float64], generator: Any) -> None:
        """Learn from the first frame.

        Args:
            features: ``[N, C, h, w]``, the unaltered sample first.
            boxes: x, y, w, h ``[N, 4]``, crop px.
            generator: of everything that is drawn.
        """

    def score(self, features: Array) -> NDArray[np.float32]:
        """Score maps ``[N, h, w]`` of search features."""

    def update(
        self, features: Array, box: NDArray[np.float64], flag: Flag, frame_number: int, score: float
    ) -> None:
        """Learn from a frame, if it is sure enough, and from all that is remembered, when that is due.

        Args:
            features: ``[1, C, h, w]`` of the winning search scale.
            box: the refined target in that crop, x, y, w, h ``[4]``, crop px.
            flag: what localisation thinks of the frame.
            frame_number: 1 on the first frame.
            score: highest score of the frame.
        """


MakeClassifier = Callable[[Any, Any], Classifier]
"""A classifier from a network and the parameters in force."""
