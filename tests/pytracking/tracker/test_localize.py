"""Localisation against published vectors."""

from dataclasses import replace

import numpy as np
import pytest

from pytracking.parameter.base import LocalizeParams
from pytracking.tracker.base import Flag
from pytracking.tracker.common.geometry import CropView, ScoreGrid, TargetState
from pytracking.tracker.common.localize import localize

PARAMS = LocalizeParams()
GRID = ScoreGrid.of_filter((18, 18), (4, 4))
VIEW = CropView(center=np.array([200.0, 300.0]), scale=1.0, crop_size=(288, 288))
TARGET = TargetState.from_box(np.array([300 - 28.3, 200 - 28.3, 57.6, 57.6]), (288, 288), 5.0)

Cell = tuple[int, int, float]
VECTORS: list[tuple[list[Cell], tuple[float, float], str]] = [
    ([(9, 9, 0.2)], (0, 0), "not_found"),
    ([(10, 8, 0.9)], (16, -16), "normal"),
    ([(10, 8, 1), (9, 14, 0.85)], (16, -16), "uncertain"),
    ([(9, 9, 1), (17, 17, 0.85)], (0, 0), "hard_negative"),
    ([(17, 17, 1), (9, 10, 0.85)], (0, 16), "hard_negative"),
    ([(17, 17, 1), (1, 1, 0.85)], (128, 128), "uncertain"),
    ([(9, 9, 1), (9, 14, 0.6)], (0, 0), "hard_negative"),
    ([(9, 9, 0.3), (9, 14, 0.2)], (0, 0), "normal"),
    ([(9, 9, 1), (9, 13, 0.9)], (0, 0), "normal"),
    ([(9, 9, 1), (9, 14, 0.9)], (0, 0), "uncertain"),
]


def score_map(cells: list[Cell], size: int = 19) -> np.ndarray:
    scores = np.zeros((1, size, size))
    for row, column, value in cells:
        scores[0, row, column] = value
    return scores


@pytest.mark.parametrize(("cells", "translation", "flag"), VECTORS)
def test_published_vectors(cells: list[Cell], translation: tuple[float, float], flag: str) -> None:
    found = localize(score_map(cells), [VIEW], TARGET, GRID, PARAMS)
    assert found.flag.value == flag
    np.testing.assert_allclose(found.position - TARGET.position, translation, atol=1e-9)
    assert found.score == max(value for _, _, value in cells)


def test_a_crop_at_another_scale_and_place() -> None:
    view = CropView(center=np.array([210.0, 290.0]), scale=2.5, crop_size=(288, 288))
    found = localize(score_map([(11, 6, 0.9)]), [view], TARGET, GRID, PARAMS)
    np.testing.assert_allclose(found.position, [210 + 2 * 16 * 2.5, 290 - 3 * 16 * 2.5])


def test_an_odd_kernel_leaves_the_map_at_feature_size() -> None:
    odd = ScoreGrid.of_filter((18, 18), (3, 3))
    found = localize(score_map([(9, 10, 0.9)], size=18), [VIEW], TARGET, odd, PARAMS)
    np.testing.assert_allclose(found.position - TARGET.position, [0.5 * 16, 1.5 * 16])


def test_the_neighbourhood_is_left_out_when_all_other_scores_are_negative() -> None:
    scores = np.full((1, 19, 19), -5.0)
    scores[0, 9, 9], scores[0, 9, 10] = -1.0, -1.1
    params = replace(PARAMS, target_not_found_threshold=-10.0, distractor_threshold=0.9)
    assert localize(scores, [VIEW], TARGET, GRID, params).flag is Flag.NORMAL


def test_the_best_search_scale_wins() -> None:
    maps = np.concatenate((score_map([(9, 9, 0.5)]), score_map([(9, 10, 0.8)])))
    views = [VIEW, replace(VIEW, scale=1.1)]
    found = localize(maps, views, TARGET, GRID, PARAMS)
    assert found.scale_index == 1
    np.testing.assert_allclose(found.position - TARGET.position, [0, 16 * 1.1])


def test_a_window_damps_the_far_peak_and_may_spare_the_search_for_distractors() -> None:
    scores = score_map([(17, 17, 1.0), (9, 9, 0.9)])
    windowed = replace(PARAMS, window_output=True)
    assert localize(scores, [VIEW], TARGET, GRID, windowed).flag is Flag.NORMAL
    spared = replace(windowed, perform_hn_without_windowing=True)
    found = localize(scores, [VIEW], TARGET, GRID, spared)
    assert found.flag is Flag.HARD_NEGATIVE
    np.testing.assert_allclose(found.position, TARGET.position)


def test_optional_thresholds_in_their_order() -> None:
    scores = score_map([(9, 9, 0.4)])
    uncertain = replace(PARAMS, uncertain_threshold=0.5, hard_sample_threshold=0.6)
    assert localize(scores, [VIEW], TARGET, GRID, uncertain).flag is Flag.UNCERTAIN
    hard = replace(PARAMS, hard_sample_threshold=0.5)
    assert localize(scores, [VIEW], TARGET, GRID, hard).flag is Flag.HARD_NEGATIVE


def test_plain_localisation_takes_the_maximum() -> None:
    params = replace(PARAMS, advanced_localization=False)
    found = localize(score_map([(9, 10, 0.01)]), [VIEW], TARGET, GRID, params)
    assert found.flag is Flag.NORMAL
    np.testing.assert_allclose(found.position - TARGET.position, [0, 16])


def test_a_map_of_nan_is_not_found() -> None:
    found = localize(np.full((1, 19, 19), np.nan), [VIEW], TARGET, GRID, PARAMS)
    assert found.flag is Flag.NOT_FOUND
    np.testing.assert_array_equal(found.position, TARGET.position)
