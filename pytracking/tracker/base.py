"""What every tracker promises: two calls, and a result with box, score and state."""

from dataclasses import dataclass
from enum import Enum
from typing import Literal, Protocol

import numpy as np
from numpy.typing import ArrayLike, NDArray

__all__ = ["Flag", "State", "Tracked", "Tracker"]

State = Literal["ok", "uncertain", "lost"]


class Flag(Enum):
    """What localisation thinks of a frame."""

    NORMAL = "normal"
    HARD_NEGATIVE = "hard_negative"  # found, with a distractor in view
    UNCERTAIN = "uncertain"  # found, but it may be a distractor
    NOT_FOUND = "not_found"

    @property
    def may_train(self) -> bool:
        """Whether the frame is sure enough to be learnt from."""
        return self in (Flag.NORMAL, Flag.HARD_NEGATIVE)

    @property
    def state(self) -> State:
        """The flag in the user's words."""
        if self is Flag.NOT_FOUND:
            return "lost"
        return "uncertain" if self is Flag.UNCERTAIN else "ok"


@dataclass(frozen=True, kw_only=True, eq=False)
class Tracked:
    """Result of one frame.

    Attributes:
        box: float64 ``[4]``, x, y, w, h, px.
        score: in [0, 1], 1 is surest. The classifier's highest score, clamped; its labels peak at 1.
        state: ``"ok"``, ``"uncertain"`` (a look-alike is as likely) or ``"lost"`` (the box repeats the last
            one). The classifier's opinion of its own scores: a box that has drifted to something else is
            ``"ok"`` as long as that scores high.
        flag: the finer flag behind `state`.
        covariance: float64 ``[4, 4]`` of (x, y, w, h), px^2, under the energy's density; None if not asked
            for.
    """

    box: NDArray[np.float64]
    score: float
    flag: Flag
    covariance: NDArray[np.float64] | None = None

    @property
    def state(self) -> State:
        """``"ok"``, ``"uncertain"`` or ``"lost"``."""
        return self.flag.state


class Tracker(Protocol):
    """A single-target tracker; `notes` are sentences a command should print, e.g. on its weights."""

    notes: tuple[str, ...]

    def initialize(self, image: ArrayLike, box: ArrayLike) -> None:
        """Start on `image`, uint8 RGB ``[H, W, 3]`` or grey ``[H, W]``, at `box` x, y, w, h, px.

        Raises:
            InputError: if the image is no uint8 picture.
            DomainError: if the box is not finite, has no area or lies outside the image.
        """

    def track(self, image: ArrayLike) -> Tracked:
        """Find the target in the next frame.

        Raises:
            InputError: if the image is no uint8 picture or the tracker was not initialised.
        """
