"""Which frames of a video make a training sample."""

from typing import Literal, TypeAlias

import numpy as np
import numpy.typing as npt

__all__ = ["FrameMode", "Ids", "choose_frames"]

FrameMode: TypeAlias = Literal["causal", "interval"]
Ids: TypeAlias = npt.NDArray[np.intp]

_WIDENING = 5  # frames by which the gap grows after a failed draw


def _draw(
    visible: npt.NDArray[np.bool_], start: int, stop: int, count: int, rng: np.random.Generator
) -> Ids | None:
    """`count` visible frames of [start, stop), with replacement; None if there are none."""
    start = max(start, 0)
    ids = np.flatnonzero(visible[start : max(stop, start)]) + start
    if count and not len(ids):
        return None
    return ids[rng.integers(0, len(ids), size=count)] if count else ids[:0]


def choose_frames(
    visible: npt.NDArray[np.bool_],
    counts: tuple[int, int],
    max_gap: int,
    mode: FrameMode,
    rng: np.random.Generator,
) -> tuple[Ids, Ids] | None:
    """Frames of one video for a sample.

    Causal: train frames from the `max_gap` frames before a base frame (which is the first of them), test
    frames from those after it. Interval: all frames from around the base frame. After a failed draw the gap
    grows by 5.

    Args:
        visible: ``[T]`` whether the target is visible.
        counts: number of train and of test frames.
        max_gap: distance from the base frame at first, frames.
        mode: ``"causal"`` or ``"interval"``.
        rng: source of randomness.

    Returns:
        Train and test frames, counted from 0; None if the video has none that fit, whatever the gap.

    Source: samplers of the published DiMP and ATOM training.
    """
    num_train, num_test = counts
    length = len(visible)
    low, high = (num_train - 1, length - num_test) if mode == "causal" else (0, length)
    # Once the gap spans the video only the base frame changes, and a few more of those are enough.
    for attempt in range(length // _WIDENING + 20):
        gap = max_gap + _WIDENING * attempt
        base = _draw(visible, low, high, 1, rng)
        if base is None:
            return None
        at = int(base[0])
        after = (at + 1, at + gap) if mode == "causal" else (at - gap, at + gap)
        extra = _draw(visible, at - gap, at if mode == "causal" else at + gap, num_train - 1, rng)
        test = _draw(visible, *after, num_test, rng)
        if extra is not None and test is not None:
            return np.concatenate((base, extra)), test
    return None
