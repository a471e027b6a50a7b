"""From score maps to the target's position, and whether to believe it."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from pytracking.libs.dcf import hann2d, max2d
from pytracking.parameter.base import LocalizeParams
from pytracking.tracker.base import Flag
from pytracking.tracker.common.geometry import CropView, ScoreGrid, TargetState

__all__ = ["Localization", "localize"]

Array = NDArray[np.float64]


@dataclass(frozen=True, kw_only=True, eq=False)
class Localization:
    """Where the classifier sees the target.

    Attributes:
        position: target centre (y, x), image px.
        flag: how sure it is.
        scale_index: which search scale won.
        score: highest score of the maps, in the classifier's unit.
        presence: how sure the classifier is that the target is there, in [0, 1]: the score, of which labels
            peak at 1; where scores are probabilities of cells, that of the block around the peak.
    """

    position: Array
    flag: Flag
    scale_index: int
    score: float
    presence: float


@dataclass(frozen=True, kw_only=True, eq=False)
class _Peak:
    """A maximum, its displacement from the map's centre (cells) and its position (image px)."""

    value: float
    scale_index: int
    index: Array
    displacement: Array
    position: Array


def localize(
    scores: NDArray[np.floating],
    views: Sequence[CropView],
    previous: TargetState,
    grid: ScoreGrid,
    params: LocalizeParams,
) -> Localization:
    """Position of the highest score, and the flag that a second peak puts on it.

    Args:
        scores: ``[S, h, w]``, one map per search scale.
        views: the S crops the maps belong to.
        previous: the target in the last frame; distractors are judged by their distance to it.
        grid: how the maps lie over the crops.
        params: thresholds.

    Source: the published DiMP trackers. Three repairs: the block around the first peak is left out of the
        search for the second one whatever the scores' sign, a window acts whenever it is asked for (see
        `pytracking.parameter.compat` for both), and a NaN map is not found.
    """
    maps = np.asarray(scores, dtype=np.float64)
    plain = maps
    if params.window_output and not _is_idle(params):
        window = _window((maps.shape[1], maps.shape[2]), grid)
        maps = maps * (1 - params.window_weight + params.window_weight * window)
        plain = plain if params.perform_hn_without_windowing else maps
    first = _peak(maps, views, grid)
    flag = Flag.NORMAL
    position = first.position
    if not np.isfinite(first.value):
        flag, position = Flag.NOT_FOUND, previous.position
    elif params.advanced_localization:
        flag, position = _judge(first, plain, views, previous, grid, params)
    return Localization(
        position=position,
        flag=flag,
        scale_index=first.scale_index,
        score=float(scores.max()),
        presence=_presence(first, scores, views, previous, grid, params),
    )


def _presence(
    first: _Peak,
    scores: NDArray[np.floating],
    views: Sequence[CropView],
    previous: TargetState,
    grid: ScoreGrid,
    params: LocalizeParams,
) -> float:
    """See `Localization`."""
    value = float(scores.max())
    if params.score_preprocess == "softmax":
        plain = np.asarray(scores[first.scale_index], dtype=np.float64)
        view = views[first.scale_index]
        block = params.target_neighborhood_scale * previous.size / (grid.cell(view.crop_size) * view.scale)
        value = float(plain.sum() - _masked(plain, first.index, block, 0.0).sum())
    return min(max(0.0, value), 1.0)  # in this order a NaN becomes 0


def _is_idle(params: LocalizeParams) -> bool:
    """Whether a window that is asked for does nothing, as in the published trackers."""
    acts = params.perform_hn_without_windowing and params.advanced_localization
    return not acts and params.reproduces("idle_window")


def _peak(maps: Array, views: Sequence[CropView], grid: ScoreGrid) -> _Peak:
    """The highest cell of all maps."""
    value, (scale_index, row, column) = max2d(maps)
    index = np.array([row, column], dtype=np.float64)
    displacement = index - grid.center
    view = views[scale_index]
    return _Peak(
        value=value,
        scale_index=scale_index,
        index=index,
        displacement=displacement,
        position=view.center + displacement * grid.cell(view.crop_size) * view.scale,
    )


def _window(shape: tuple[int, int], grid: ScoreGrid) -> Array:
    """Hann window ``[h, w]`` with its peak over the crop's centre."""
    if tuple((n - 1) / 2 for n in shape) == grid.center:
        return hann2d(shape)
    return np.roll(hann2d(shape, centered=False), [int(c) for c in grid.center], axis=(0, 1))


def _judge(
    first: _Peak,
    maps: Array,
    views: Sequence[CropView],
    previous: TargetState,
    grid: ScoreGrid,
    params: LocalizeParams,
) -> tuple[Flag, Array]:
    """Flag and position: is there a second peak, and is it nearer to where the target was?"""
    for threshold, flag in (
        (params.target_not_found_threshold, Flag.NOT_FOUND),
        (params.uncertain_threshold, Flag.UNCERTAIN),
        (params.hard_sample_threshold, Flag.HARD_NEGATIVE),
    ):
        if first.value < threshold:
            return flag, first.position
    view = views[first.scale_index]
    cell = grid.cell(view.crop_size) * view.scale
    block = params.target_neighborhood_scale * previous.size / cell
    fill = 0.0 if params.reproduces("zero_mask") else -np.inf
    others = _masked(maps[first.scale_index], first.index, block, fill)
    second = _peak(others[None], [view], grid)
    if second.value > params.distractor_threshold * first.value:
        last = (previous.position - view.center) / cell
        far = params.displacement_scale * float(np.sqrt(maps[0].size)) / 2
        first_is_near = float(np.linalg.norm(first.displacement - last)) < far
        second_is_near = float(np.linalg.norm(second.displacement - last)) < far
        if first_is_near == second_is_near:
            return Flag.UNCERTAIN, first.position
        return Flag.HARD_NEGATIVE, first.position if first_is_near else second.position
    distinct = params.hard_negative_threshold * first.value
    if second.value > distinct and second.value > params.target_not_found_threshold:
        return Flag.HARD_NEGATIVE, first.position
    return Flag.NORMAL, first.position


def _masked(scores: Array, index: Array, block: Array, fill: float) -> Array:
    """A copy of the map ``[h, w]`` with `fill` in the block of `block` (h, w) cells around `index`."""
    spans = []
    for axis in (0, 1):
        start = max(round(float(index[axis] - block[axis] / 2)), 0)
        spans.append(slice(start, max(round(float(index[axis] + block[axis] / 2 + 1)), start)))
    masked = scores.copy()
    masked[spans[0], spans[1]] = fill
    return masked
