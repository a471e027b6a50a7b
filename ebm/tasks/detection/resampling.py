"""How far scores would move with other pictures: the bootstrap, paired for results on one set."""

import warnings
from collections.abc import Iterable, Mapping

import numpy as np
from numpy.typing import NDArray

from ebm.bars import terminal_bar
from ebm.checks import require_count
from ebm.exceptions import InputError
from ebm.tasks.detection.data.records import DetectionSet, ImageId
from ebm.tasks.detection.matching import Matched, matched_categories
from ebm.tasks.detection.results_file import Detections
from ebm.tasks.detection.scoring import column_values, require_scorable

__all__ = ["interval", "resampled_scores"]

Found = Mapping[ImageId, Detections]
LEVEL = 0.95


def resampled_scores(
    named: Mapping[str, Found],
    truth: DetectionSet,
    draws: int = 1000,
    seed: int = 0,
    *,
    progress: bool = False,
) -> dict[str, NDArray[np.float64]]:
    """Scores on sets of as many pictures, drawn with replacement; the same sets for all results.

    Pictures are matched once; what is drawn is which of them count, and how often.

    Args:
        named: detections by the name of their results.
        truth: the set.
        draws: number of sets.
        seed: of them.
        progress: show bars of categories, where the output is a terminal.

    Returns:
        By name ``[draws, 7]``, in the order of `COLUMNS`, in [0, 1]; NaN where no object counts.

    Raises:
        InputError: as `score_detections`, or if the set has one picture alone.
        DomainError: (a ValueError) if there are no draws.
        MissingPackageError: if faster-coco-eval is not installed.

    Source: Efron and Tibshirani, An Introduction to the Bootstrap, 1993, chapter 13.
    """
    require_count("draws", draws)
    scored = [np.count_nonzero(require_scorable(found, truth)) for found in named.values()]
    count = len(truth)
    if count < 2:
        raise InputError(
            "the set has one picture, and so has every set drawn from it: nothing can be said of others "
            "(leave --resample out)."
        )
    rng = np.random.default_rng(seed)
    times = np.stack([np.bincount(rng.integers(0, count, count), minlength=count) for _ in range(draws)])
    drawn = {}
    for (name, found), total in zip(named.items(), scored):
        categories: Iterable[tuple[int, Matched]] = matched_categories(found, truth, again=True)
        if progress:
            categories = terminal_bar(categories, total=total, desc=name, unit="category")
        drawn[name] = _scores(categories, times)
    return drawn


def _scores(categories: Iterable[tuple[int, Matched]], times: NDArray[np.int64]) -> NDArray[np.float64]:
    each = [[list(column_values(own.drawn(row)).values()) for row in times] for _, own in categories]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)  # a mean of nothing is NaN, as it should be
        return np.asarray(np.nanmean(np.array(each), axis=0))


def interval(values: NDArray[np.float64]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """The ends between which 95 % of the draws lie, of values ``[draws, ...]``; NaN where there are none."""
    tail = 50 * (1 - LEVEL)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)
        low, high = np.nanpercentile(values, [tail, 100 - tail], axis=0)
    return low, high
