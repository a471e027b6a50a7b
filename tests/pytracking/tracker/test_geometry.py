"""Coordinate maps and their inverses."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pytracking.tracker.common.geometry import CropView, TargetState, clamp_position

coordinate = st.floats(-2000, 2000)
side = st.floats(0.5, 1500)
scale = st.floats(0.05, 20)


@given(x=coordinate, y=coordinate, w=side, h=side)
def test_a_state_gives_its_box_back(x: float, y: float, w: float, h: float) -> None:
    state = TargetState.from_box(np.array([x, y, w, h]), (288, 288), 5.0)
    np.testing.assert_allclose(state.box, [x, y, w, h], atol=1e-9)
    np.testing.assert_allclose(state.base_size * state.scale, [h, w], rtol=1e-12)


def test_the_crop_covers_the_search_area() -> None:
    state = TargetState.from_box(np.array([10.0, 20.0, 40.0, 90.0]), (352, 352), 6.0)
    assert state.scale * 352 == pytest.approx(6 * 60)
    np.testing.assert_allclose(state.position, [20 + 44.5, 10 + 19.5])


@given(x=coordinate, y=coordinate, w=side, h=side, cy=coordinate, cx=coordinate, s=scale)
def test_into_a_crop_and_back(x: float, y: float, w: float, h: float, cy: float, cx: float, s: float) -> None:
    state = TargetState.from_box(np.array([x, y, w, h]), (288, 256), 5.0)
    view = CropView(center=np.array([cy, cx]), scale=s, crop_size=(288, 256))
    inside = view.box_of(state)
    position, size = view.locate(inside)
    np.testing.assert_allclose(position, state.position, atol=1e-6)
    np.testing.assert_allclose(size, state.size, rtol=1e-9)
    np.testing.assert_allclose(view.image_boxes(inside[None])[0], state.box, atol=1e-6)


@given(s=scale)
def test_the_published_inverse_drifts_by_half_a_crop_pixel(s: float) -> None:
    state = TargetState.from_box(np.array([100.0, 80.0, 40.0, 30.0]), (288, 288), 5.0)
    view = CropView(center=np.array([90.0, 120.0]), scale=s, crop_size=(288, 288))
    position, _ = view.locate(view.box_of(state), half_pixel_drift=True)
    np.testing.assert_allclose(position - state.position, [0.5 * s, 0.5 * s], atol=1e-9)


def test_corner_coordinates_are_continuous() -> None:
    """A crop at scale s that starts at pixel (t, l) maps x to (x - l) / s, as in training."""
    scale, top, left = 2.0, 10, 20
    view = CropView(
        center=np.array([top + (2 * 288 - 1) / 2, left + (2 * 288 - 1) / 2]),
        scale=scale,
        crop_size=(288, 288),
    )
    state = TargetState.from_box(np.array([120.0, 70.0, 50.0, 30.0]), (288, 288), 5.0)
    np.testing.assert_allclose(view.box_of(state), [50, 30, 25, 15])


def test_a_fifth_of_the_target_stays_inside() -> None:
    size = np.array([100.0, 50.0])
    np.testing.assert_allclose(clamp_position(np.array([-99.0, 999.0]), size, (480, 640)), [-30, 655])
    np.testing.assert_allclose(clamp_position(np.array([-99.0, 999.0]), size, (480, 640), 0.5), [0, 640])


def test_scale_follows_the_area_only_if_asked_to() -> None:
    state = TargetState.from_box(np.array([0.0, 0.0, 40.0, 40.0]), (288, 288), 5.0)
    grown = state.resized(np.array([80.0, 80.0]))
    assert grown.scale == pytest.approx(2 * state.scale)
    assert state.resized(np.array([80.0, 80.0]), update_scale=False).scale == state.scale
