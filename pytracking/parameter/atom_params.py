"""Parameters of the ATOM tracker."""

from dataclasses import dataclass, field
from typing import Literal

from pytracking.parameter.base import Augmentation
from pytracking.parameter.tracking_params import TrackingParams

__all__ = ["ATOMParams"]


def _augmentation() -> Augmentation:
    """30 samples: 1 + 4 + 1 + 5 + 12 + 7."""
    return Augmentation(
        relative_shift=((0.6, 0.6), (-0.6, 0.6), (0.6, -0.6), (-0.6, -0.6)),
        blur=((2.0, 0.2), (0.2, 2.0), (3.0, 1.0), (1.0, 3.0), (2.0, 2.0)),
        rotate=(5.0, -5.0, 10.0, -10.0, 20.0, -20.0, 30.0, -30.0, 45.0, -45.0, -60.0, 60.0),
        dropout=(7, 0.2),
    )


@dataclass(frozen=True, kw_only=True)
class ATOMParams(TrackingParams):
    """All parameters of the ATOM tracker; the defaults are those of the published ``default`` file."""

    augmentation: Augmentation = field(default_factory=_augmentation)
    sample_memory_size: int = 250
    train_skipping: int = 10
    box_refinement_on_decrease: Literal["keep", "undo"] = "undo"
    filter_size: tuple[int, int] = (4, 4)  # (h, w) of the classifier's filter, cells
    compressed_dim: int | None = 64  # channels the features are projected to; None: not projected
    classifier_strides: tuple[
        int, ...
    ] = ()  # layers of the classifier, the finest first; (): the box branch's coarser
    classifier_weights: tuple[float, ...] = ()  # of those layers, each normalised in every cell
    filter_reg: float = 0.1  # weight of the filter's squares in the objective
    projection_reg: float = 1e-4  # weight of the projection's squares
    output_sigma_factor: float = 0.25  # standard deviation of the labels / target side
    response_floor: float | None = 0.05  # scores below 0 are bent towards minus this one; None: not bent
    init_gn_iter: int = 6  # Gauss-Newton steps on the first frame
    init_cg_iter: int = 60  # conjugate-gradient steps on the first frame, shared out to the former
    cg_iter: int = 5  # conjugate-gradient steps of a regular filter update
    hard_negative_cg_iter: int = 5  # conjugate-gradient steps when a distractor is in view

    def __post_init__(self) -> None:
        super().__post_init__()
        self.require(
            self.score_preprocess == "none", "score_preprocess", "none: ATOM's scores are used as is"
        )
        size = self.filter_size
        good = isinstance(size, tuple) and len(size) == 2 and all(isinstance(n, int) and n >= 1 for n in size)
        self.require(good, "filter_size", "two whole numbers of at least 1")
        self.require_counts("init_gn_iter", 1)
        if self.compressed_dim is not None:
            self.require_counts("compressed_dim", 1)
        strides, weights = self.classifier_strides, self.classifier_weights
        good = all(isinstance(n, int) and n >= 1 for n in strides)
        self.require(good, "classifier_strides", "whole numbers of at least 1")
        good = len(weights) == len(strides) and all(w > 0 for w in weights)
        self.require(good, "classifier_weights", "a positive number for each of classifier_strides")
        self.require_counts("init_cg_iter cg_iter hard_negative_cg_iter", 0)
        self.require_all("filter_reg projection_reg output_sigma_factor", 0.0, open_low=True)
        if self.response_floor is not None:
            self.require_all("response_floor", 0.0, open_low=True)
