"""Parameters of the trackers that learn a classifier online and refine boxes with an energy."""

from dataclasses import dataclass, field

from pytracking.parameter.base import Augmentation, CropParams, LocalizeParams, MemoryParams, RefineParams
from pytracking.parameter.state_params import StateParams

__all__ = ["TrackingParams"]


@dataclass(frozen=True, kw_only=True)
class TrackingParams(CropParams, LocalizeParams, MemoryParams, RefineParams, StateParams):
    """What DiMP and ATOM have in common. Source: published DiMP parameter files."""

    augmentation: Augmentation = field(default_factory=Augmentation)
    use_augmentation: bool = True  # learn from altered copies of the first frame
    update_classifier: bool = True  # go on learning after the first frame
    train_skipping: int = 20  # frames between two regular filter updates
    calibration_from_network: bool = (
        True  # thresholds and step lengths that were measured for the weights override the set's
    )

    def __post_init__(self) -> None:
        super().__post_init__()
        self.require(isinstance(self.augmentation, Augmentation), "augmentation", "an Augmentation")
        self.require_flags("use_augmentation update_classifier calibration_from_network")
        self.require_counts("train_skipping", 1)
