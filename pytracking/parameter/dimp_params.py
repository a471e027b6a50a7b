"""Parameters of the DiMP tracker."""

from dataclasses import dataclass

from pytracking.parameter.tracking_params import TrackingParams

__all__ = ["DiMPParams"]


@dataclass(frozen=True, kw_only=True)
class DiMPParams(TrackingParams):
    """All parameters of the DiMP tracker; the defaults are those of the published ``dimp18`` file."""

    net_opt_iter: int = 10  # optimiser steps on the first frame
    net_opt_update_iter: int = 2  # optimiser steps of a regular update
    net_opt_hn_iter: int = 1  # optimiser steps when a distractor is in view
    net_opt_low_iter: int = 0  # optimiser steps when the best score is low
    low_score_opt_threshold: float | None = None  # classifier score that counts as low; None: never
    label_width: float = 0.25  # deviation of the labels / target side, for networks that are given labels

    def __post_init__(self) -> None:
        super().__post_init__()
        self.require_all("label_width", 0.0, open_low=True)
        self.require_counts("net_opt_iter net_opt_update_iter net_opt_hn_iter net_opt_low_iter", 0)
        if self.low_score_opt_threshold is not None:
            self.require_all("low_score_opt_threshold", float("-inf"))
