"""Parameters of the DiMP tracker."""

from dataclasses import dataclass, field

from pytracking.parameter.base import Augmentation, CropParams, LocalizeParams, MemoryParams, RefineParams

__all__ = ["DiMPParams"]


@dataclass(frozen=True, kw_only=True)
class DiMPParams(CropParams, LocalizeParams, MemoryParams, RefineParams):
    """All parameters of the DiMP tracker; the defaults are those of the published ``dimp18`` file."""

    augmentation: Augmentation = field(default_factory=Augmentation)
    use_augmentation: bool = True  # learn from altered copies of the first frame
    update_classifier: bool = True  # go on learning after the first frame
    train_skipping: int = 20  # frames between two regular filter updates
    net_opt_iter: int = 10  # optimiser steps on the first frame
    net_opt_update_iter: int = 2  # optimiser steps of a regular update
    net_opt_hn_iter: int = 1  # optimiser steps when a distractor is in view
    net_opt_low_iter: int = 0  # optimiser steps when the best score is low
    low_score_opt_threshold: float | None = None  # classifier score that counts as low; None: never

    def __post_init__(self) -> None:
        super().__post_init__()
        self.require(isinstance(self.augmentation, Augmentation), "augmentation", "an Augmentation")
        self.require_flags("use_augmentation update_classifier")
        self.require_counts("train_skipping", 1)
        self.require_counts("net_opt_iter net_opt_update_iter net_opt_hn_iter net_opt_low_iter", 0)
        if self.low_score_opt_threshold is not None:
            self.require_all("low_score_opt_threshold", float("-inf"))
