"""Each difference from the published trackers changes what it says, and nothing else."""

import math
from dataclasses import replace

import numpy as np
import pytest
import torch

from ebm.exceptions import UnknownNameError
from pytracking import run_tracker, run_video
from pytracking.evaluation.spec import make_spec
from pytracking.parameter import find_parameters
from pytracking.parameter.base import Augmentation, CropParams, LocalizeParams
from pytracking.parameter.compat import DIFFERENCES
from pytracking.tracker.base import Flag
from pytracking.tracker.common.cropper import Cropper
from pytracking.tracker.common.geometry import ScoreGrid, TargetState
from pytracking.tracker.common.init_samples import FirstFrame, first_frame_samples
from pytracking.tracker.common.localize import Localization, localize
from tests.pytracking.tracker.test_contract import build, dimp_params, run
from tests.pytracking.tracker.test_refiner import FEATURES, RELATIVE, VIEW, refine, refiner, target

IMAGE = np.random.default_rng(0).integers(0, 256, (480, 640, 3), dtype=np.uint8)
STATE = TargetState.from_box(np.array([300.3, 200.6, 60.0, 60.0]), (288, 288), 5.0)
LARGE = TargetState.from_box(np.array([221.3, 140.6, 190.0, 201.0]), (288, 288), 5.0)


def but(name: str) -> tuple[str, ...]:
    """All rows but one."""
    return tuple(row for row in DIFFERENCES if row != name)


def refined(compat: tuple[str, ...], state: TargetState, **changes: object) -> TargetState:
    params = replace(RELATIVE, box_refinement_iter=0, num_init_random_boxes=0, compat=compat, **changes)
    generator = torch.Generator().manual_seed(0)
    first = target(0, 0, 50, 50)
    return refine(refiner(params, first), state, generator)


def test_drift_moves_a_box_that_refinement_leaves_alone() -> None:
    state = target(110, 100, 70, 40)
    np.testing.assert_allclose(refined(but("half_pixel_drift"), state).box, state.box, atol=1e-4)
    moved = refined(("half_pixel_drift",), state)
    np.testing.assert_allclose(moved.position - state.position, 0.5 * VIEW.scale, atol=1e-4)
    np.testing.assert_allclose(moved.size, state.size, rtol=1e-6)


def test_size_has_no_limit() -> None:
    small, large = target(110, 100, 1.2, 1.3), target(10, 10, 400, 280)
    np.testing.assert_allclose(refined(but("unlimited_size"), small).size, [4, 4])
    np.testing.assert_allclose(refined(but("unlimited_size"), large).size, [480, 640])
    np.testing.assert_allclose(refined(("unlimited_size",), small).size, [2.6, 2.4], rtol=1e-6)
    np.testing.assert_allclose(refined(("unlimited_size",), large).size, [560, 800], rtol=1e-6)


def test_a_rejected_refinement_goes_back_to_the_last_good_one() -> None:
    generator = torch.Generator().manual_seed(0)
    for compat, stale in ((("stale_position",), True), (but("stale_position"), False)):
        params = replace(RELATIVE, num_init_random_boxes=0, compat=compat)
        made = refiner(params, target(0, 0, 50, 50))
        now = target(180, 160, 70, 40)
        np.testing.assert_array_equal(made.at_end_of_frame(now).box, now.box)
        good = refine(made, target(110, 100, 70, 40), generator)
        np.testing.assert_array_equal(made.at_end_of_frame(good).box, good.box)
        thin = target(180, 160, 70, 4)
        kept = refine(made, thin, generator)
        np.testing.assert_array_equal(kept.box, thin.box)
        wanted = good.position if stale else thin.position
        np.testing.assert_array_equal(made.at_end_of_frame(kept).position, wanted)
        np.testing.assert_array_equal(made.at_end_of_frame(kept).size, thin.size)
        made.set_reference(FEATURES, np.zeros((1, 4)), 1, now)
        np.testing.assert_array_equal(made.at_end_of_frame(now).box, now.box)


def first_frame(compat: tuple[str, ...], state: TargetState) -> FirstFrame:
    params = CropParams(compat=compat)
    return first_frame_samples(IMAGE, state, params, Augmentation(), torch.Generator().manual_seed(0))


def test_first_boxes_as_if_the_crop_lay_at_the_rounded_position() -> None:
    right, published = first_frame(but("rounded_first_boxes"), STATE), first_frame(tuple(DIFFERENCES), STATE)
    for a, b in zip(right.images, published.images, strict=True):
        np.testing.assert_array_equal(a, b)
    offset = (STATE.position - np.round(STATE.position)) / STATE.scale
    size = STATE.size / STATE.scale
    corner = offset + (288 - 1) / 2 - (size - 1) / 2
    np.testing.assert_allclose(published.boxes[0], [corner[1], corner[0], size[1], size[0]])
    difference = published.boxes - right.boxes
    np.testing.assert_allclose(difference, np.tile(difference[0], (len(difference), 1)), atol=1e-12)
    assert 0.1 < np.abs(difference).max() < 1  # half a pixel of an even crop


def test_corners_of_decimated_crops_forget_where_the_reading_starts() -> None:
    for state, stride in ((STATE, 1), (LARGE, 3)):
        (right,) = Cropper(CropParams(compat=but("decimation_offset"))).around(state, IMAGE).views
        crops = Cropper(CropParams(compat=("decimation_offset",))).around(state, IMAGE)
        (published,) = crops.views
        assert published.scale == right.scale
        start = np.floor(state.position) % stride
        np.testing.assert_allclose(right.center - published.center, start - (stride - 1) / 2)
        plain = Cropper(CropParams()).around(state, IMAGE).images[0]
        np.testing.assert_array_equal(crops.images[0], plain)


def found(scores: np.ndarray, compat: tuple[str, ...], **changes: object) -> Localization:
    params = LocalizeParams(compat=compat, **changes)
    (view,) = Cropper(CropParams()).around(STATE, IMAGE).views
    return localize(scores[None], [view], STATE, ScoreGrid.of_filter((18, 18), (4, 4)), params)


def test_the_second_peak_may_lie_within_the_first_where_all_others_are_negative() -> None:
    scores = np.full((19, 19), -1.0)
    scores[9, 9] = -0.1
    low = {"target_not_found_threshold": -5.0}
    assert found(scores, but("zero_mask"), **low).flag is Flag.NORMAL
    assert found(scores, ("zero_mask",), **low).flag is not Flag.NORMAL  # 0 is more than any share of -0.1
    scores = np.zeros((19, 19))
    scores[9, 9], scores[9, 14] = 1.0, 0.6
    for compat in ((), ("zero_mask",)):
        assert found(scores, compat).flag is Flag.HARD_NEGATIVE


def test_a_window_acts_only_beside_the_other_switch() -> None:
    scores = np.zeros((19, 19))
    scores[9, 9], scores[1, 1] = 0.5, 0.6
    window = {"window_output": True, "distractor_threshold": 9.0}
    center, corner = (
        found(scores, (), **window).position,
        found(scores, (), distractor_threshold=9.0).position,
    )
    assert np.abs(center - corner).min() > 50
    np.testing.assert_array_equal(found(scores, but("idle_window"), **window).position, center)
    np.testing.assert_array_equal(found(scores, ("idle_window",), **window).position, corner)
    both = window | {"perform_hn_without_windowing": True}
    np.testing.assert_array_equal(found(scores, ("idle_window",), **both).position, center)
    plain = both | {"advanced_localization": False}
    np.testing.assert_array_equal(found(scores, ("idle_window",), **plain).position, corner)
    np.testing.assert_array_equal(found(scores, (), **plain).position, center)


def test_true_is_all_rows_and_a_wrong_one_is_refused() -> None:
    params = dimp_params(compat=True)
    assert all(params.reproduces(name) for name in DIFFERENCES)
    assert not any(dimp_params().reproduces(name) for name in DIFFERENCES)
    assert [n for n in DIFFERENCES if dimp_params(compat=("zero_mask",)).reproduces(n)] == ["zero_mask"]
    with pytest.raises(UnknownNameError, match="'zero_mask'"):
        dimp_params(compat=("zero_msk",))
    with pytest.raises(UnknownNameError, match="'zero_mask'"):
        params.reproduces("zero_msk")


def test_the_tracker_runs_with_all_of_them() -> None:
    right, published = run(build("dimp")), run(build("dimp", params=dimp_params(compat=True)))
    again = run(build("dimp", params=dimp_params(compat=True)))
    for a, b, c in zip(right, published, again, strict=True):
        np.testing.assert_array_equal(b.box, c.box)
        assert np.abs(a.box - b.box).max() > 0.01
        assert math.isfinite(b.box.sum())


def test_one_switch_from_the_command_line_down() -> None:
    plain, published = (make_spec("first_box", "default", compat=flag) for flag in (False, True))
    assert published.params.compat is True
    assert published.hash != plain.hash  # results of the two are never mixed
    for parser, rest in (
        (run_tracker.build_parser(), []),
        (run_video.build_parser(), ["v.mp4", "--box=1,2,3,4"]),
    ):
        assert parser.parse_args(["dimp", "dimp18", *rest, "--compat"]).compat is True
        assert parser.parse_args(["dimp", "dimp18", *rest]).compat is False
    assert find_parameters("dimp", "dimp18", compat=True) == replace(
        find_parameters("dimp", "dimp18"), compat=True
    )
