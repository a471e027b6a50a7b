"""Where else to look for a target that was not found where it was, or that is not believed."""

import numpy as np
from numpy.typing import NDArray

from pytracking.parameter.tracking_params import TrackingParams
from pytracking.tracker.common.geometry import CropView, ScoreGrid, TargetState

__all__ = ["best_place", "places_around"]

Array = NDArray[np.float64]

AT_ONCE = 8  # crops: a ring around the target's own
OUTSIDE = 1 / 3  # of a step, that a centre may lie outside: otherwise no crop would reach the frame's edge


def places_around(
    state: TargetState, frame: tuple[int, int], params: TrackingParams, turn: int = 0
) -> list[TargetState]:
    """The target at the centres of up to eight crops beside its own, in the frame or almost.

    Args:
        state: where the target was last.
        frame: image (H, W), px.
        params: crop size and how far the crops lie apart.
        turn: how often it has been looked for in vain. Every other time the nearest crops are meant, in
            between those beyond, the next of them each time, until the frame was seen.
    """
    apart = params.second_look_step * state.scale * np.asarray(params.crop_size)
    first = np.ceil(-state.position / apart - OUTSIDE).astype(int)
    last = np.floor((np.asarray(frame) - 1 - state.position) / apart + OUTSIDE).astype(int)
    steps = [(y, x) for y in range(first[0], last[0] + 1) for x in range(first[1], last[1] + 1) if y or x]
    steps.sort(key=lambda step: max(map(abs, step)))
    beyond = max(-(-len(steps) // AT_ONCE) - 1, 1)
    part = turn // 2 % beyond + 1 if turn % 2 and len(steps) > AT_ONCE else 0
    chosen = steps[part * AT_ONCE :][:AT_ONCE]
    return [state.moved(state.position + apart * step) for step in chosen]


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
