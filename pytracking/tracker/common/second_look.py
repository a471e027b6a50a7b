"""Where else to look for a target that was not found where it was, or that is not believed."""

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from pytracking.parameter.tracking_params import TrackingParams
from pytracking.tracker.common.geometry import CropView, ScoreGrid, TargetState

__all__ = ["best_place", "places_around"]

Array = NDArray[np.float64]


def places_around(
    state: TargetState, frame: tuple[int, int], params: TrackingParams
) -> Iterator[TargetState]:
    """The target at the centres of the eight crops around its own, those whose centre lies in the frame.

    Args:
        state: where the target was last.
        frame: image (H, W), px.
        params: crop size and how far the crops lie apart.
    """
    apart = params.second_look_step * state.scale * np.asarray(params.crop_size)
    for down in (-1, 0, 1):
        for right in (-1, 0, 1):
            place = state.position + apart * (down, right)
            if (down or right) and (place >= 0).all() and (place < frame).all():
                yield state.moved(place)


def best_place(scores: NDArray[np.floating], views: list[CropView], grid: ScoreGrid) -> Array | None:
    """Where the classifier scores highest in several crops, (y, x), image px; None without a finite score.

    Args:
        scores: ``[N, h, w]``, a map of each crop.
        views: where the crops lie.
        grid: how the maps lie over them.
    """
    finite = np.where(np.isfinite(scores), scores, -np.inf)
    crop, row, column = np.unravel_index(int(finite.argmax()), finite.shape)
    if not np.isfinite(finite[crop, row, column]):
        return None
    view = views[int(crop)]
    place: Array = (
        view.center + (np.array([row, column]) - grid.center) * grid.cell(view.crop_size) * view.scale
    )
    return place
