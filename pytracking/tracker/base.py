"""What every tracker promises: two calls, and a result with box, score and state."""

import math
from collections.abc import Callable
from dataclasses import dataclass, field
from enum import Enum
from typing import TYPE_CHECKING, Any, Literal, Protocol

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ebm.exceptions import InputError

if TYPE_CHECKING:
    from pytracking.tracker.common.box_density import BoxDensity

__all__ = ["Flag", "LazyDensity", "State", "Tracked", "Tracker"]

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


class LazyDensity:
    """A density that is computed when it is first read, and kept.

    Args:
        make: computes it; None where there is none.
        refusal: why not, a sentence.
    """

    def __init__(self, make: "Callable[[], BoxDensity] | None", refusal: str = "") -> None:
        self._make, self._refusal = make, refusal
        self._made: BoxDensity | None = None

    def read(self) -> "BoxDensity":
        """The density.

        Raises:
            InputError: if there is none: why.
        """
        if self._made is None:
            if self._make is None:
                raise InputError(self._refusal)
            self._made, self._make = self._make(), None
        return self._made

    def release(self) -> None:
        """Let go of the frame's features, unless the density was read: thousands of results stay small."""
        if self._make is not None:
            self._make = None
            self._refusal = (
                "The density of a frame can be read until the next frame is tracked, since it needs the "
                "frame's features; read result.density first, after which it stays."
            )


NO_ENERGY = LazyDensity(None, "This tracker has no energy over boxes, so that its boxes have no density.")


@dataclass(frozen=True, kw_only=True, eq=False)
class Tracked:
    """Result of one frame.

    Attributes:
        box: float64 ``[4]``, x, y, w, h, px.
        score: in [0, 1], 1 is surest. The classifier's highest score, clamped; its labels peak at 1.
        state: ``"ok"``, ``"uncertain"`` (a look-alike is as likely) or ``"lost"`` (the box repeats the last
            one, unless the confidence only tells, see `StateParams.confidence_acts`). Without a calibrated
            confidence it is the classifier's opinion of its own scores: a box that has drifted to something
            else is ``"ok"`` as long as that scores high.
        flag: the finer flag behind `state`.
        confidence: probability, in [0, 1], that the box overlaps the target's by at least 0.5, as it was
            calibrated for the weights; None where it was not, and states follow from the score alone.
        energy: of the box, as the box branch gives it; minus infinity where no box was refined.
        covariance: float64 ``[4, 4]`` of (x, y, w, h), px^2, of the Gaussian that is curved as the energy is
            at the box; None if not asked for.
    """

    box: NDArray[np.float64]
    score: float
    flag: Flag
    confidence: float | None = None
    energy: float = -math.inf
    covariance: NDArray[np.float64] | None = None
    lazy_density: LazyDensity = field(default=NO_ENERGY, repr=False)

    @property
    def density(self) -> "BoxDensity":
        """The density over boxes in this frame, computed when it is first read.

        Of a lost target it is one around the last box, with a confidence as low as the score.

        Raises:
            InputError: if the tracker has no energy over boxes, or the next frame was tracked meanwhile.
        """
        return self.lazy_density.read()

    @property
    def state(self) -> State:
        """``"ok"``, ``"uncertain"`` or ``"lost"``."""
        return self.flag.state

    def to_supervision(self) -> Any:
        """The box as ``supervision.Detections``, see `pytracking.to_supervision`."""
        from pytracking.interop import to_supervision

        return to_supervision(self)


class Tracker(Protocol):
    """What `load` gives; `notes` are sentences a command should print, e.g. on its weights.

    Here are the calls for one target; `pytracking.tracker.common.several` has them for several.
    """

    notes: tuple[str, ...]

    def initialize(self, image: ArrayLike, box: Any) -> Any:
        """Start on `image`, uint8 RGB ``[H, W, 3]`` or grey ``[H, W]``, at `box` x, y, w, h, px.

        Raises:
            InputError: if the image is no uint8 picture.
            DomainError: if the box is not finite, has no area or lies outside the image.
        """

    def track(self, image: ArrayLike) -> Any:
        """Find the target in the next frame: a `Tracked`.

        Raises:
            InputError: if the image is no uint8 picture or the tracker was not initialised.
        """
