"""What keeps a box from drifting in size, and what is made of a frame's evidence."""

from dataclasses import dataclass

from pytracking.parameter.base import Params

__all__ = ["StateParams"]


@dataclass(frozen=True, kw_only=True)
class StateParams(Params):
    """Limits of a box's size, and the calibrated confidence that decides ``ok``, ``uncertain`` or ``lost``.

    The confidence is the logistic function of ``bias + a * presence + b * energy``: how sure the classifier
    is, and what the box branch gives to the box. Fitted on videos that trained nothing, it is the probability
    that the box overlaps the target's by at least 0.5. An energy that was trained by NCE is a log-density of
    its own accord, whose height tells frames apart.
    """

    size_step: float | None = None  # a refined side changes by this factor at most in a frame; None: any
    size_range: float | None = None  # a refined area is within this factor of the first box's; None: any
    size_trust: float = 0.75  # presence from which the area may leave that range
    confidence_weights: tuple[float, float, float] | None = None  # bias, a, b; None: states by score alone
    uncertain_confidence: float = 0.5  # confidence below which a frame is uncertain
    lost_confidence: float = 0.1  # confidence below which it is lost
    confidence_acts: bool = (
        True  # what it doubts is not learnt from, and what it calls lost keeps the last box; or it only tells
    )
    second_look_below: float = 0.0  # confidence below which the crops around are looked at, too; 0: never
    second_look_step: float = 0.75  # from the centre of one of these crops to that of the next / its side

    def __post_init__(self) -> None:
        super().__post_init__()
        for name in ("size_step", "size_range"):
            if getattr(self, name) is not None:
                self.require_all(name, 1.0, open_low=True)
        self.require_all("size_trust", 0.0)
        self.require_all("uncertain_confidence lost_confidence second_look_below", 0.0, 1.0)
        self.require_flags("confidence_acts")
        self.require_all("second_look_step", 0.0, open_low=True)
        weights = self.confidence_weights
        good = weights is None or (
            isinstance(weights, tuple)
            and len(weights) == 3
            and all(isinstance(w, float | int) for w in weights)
        )
        self.require(good, "confidence_weights", "three numbers (bias, of presence, of energy), or None")
        ordered = self.lost_confidence <= self.uncertain_confidence
        self.require(ordered, "lost_confidence", "at most uncertain_confidence")
