"""Augmentations of a crop, and that they commute with cropping."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ebm.exceptions import DomainError
from ltr.data.crops import extract_region, transform_box_to_crop
from ltr.data.transforms import EXACT_MIRROR, PUBLISHED_MIRROR, draw_gain, flip_boxes, flip_image, to_grey

BOX = np.array([10, 20, 30, 40], dtype=np.float32)


def noise(height: int, width: int) -> np.ndarray:
    return np.random.default_rng(0).integers(0, 256, (height, width, 3), dtype=np.uint8)


def test_published_flip_of_a_box() -> None:
    np.testing.assert_array_equal(flip_boxes(BOX, 100), [59, 20, 30, 40])
    np.testing.assert_array_equal(flip_boxes(BOX, 100, EXACT_MIRROR), [60, 20, 30, 40])


@given(
    x=st.integers(-50, 150), w=st.integers(1, 80), margin=st.sampled_from([PUBLISHED_MIRROR, EXACT_MIRROR])
)
def test_flipping_twice_changes_nothing(x: int, w: int, margin: float) -> None:
    boxes = np.array([[x, 3, w, 7]], dtype=np.float32)
    np.testing.assert_array_equal(flip_boxes(flip_boxes(boxes, 100, margin), 100, margin), boxes)
    image = noise(4, 6)
    np.testing.assert_array_equal(flip_image(flip_image(image)), image)


@pytest.mark.parametrize("region", [(20, 10, 60, 60), (-15, -5, 90, 90), (70, 30, 48, 48)])
@pytest.mark.parametrize("side", [48, 96, 30])
def test_a_flipped_crop_is_the_crop_of_the_flipped_frame(
    region: tuple[int, int, int, int], side: int
) -> None:
    image, width = noise(80, 120), 120
    x, y, w, h = region
    mirrored = (width - (x + w), y, w, h)
    crop = flip_image(extract_region(image, region, (side, side)))
    other = extract_region(np.ascontiguousarray(flip_image(image)), mirrored, (side, side))
    assert np.abs(crop.astype(int) - other.astype(int)).max() <= 1  # fixed-point weights of the resize
    inside = flip_boxes(transform_box_to_crop(BOX, region, side), side, EXACT_MIRROR)
    expected = transform_box_to_crop(flip_boxes(BOX, width, EXACT_MIRROR), mirrored, side)
    np.testing.assert_allclose(inside, expected, atol=1e-4)


def test_the_published_margin_commutes_only_without_scaling() -> None:
    region, width = (20, 10, 60, 60), 120
    mirrored = (width - 80, 10, 60, 60)
    for side, gap in (
        (60, 0.0),
        (120, 1.0),
    ):  # a pixel of the crop against a pixel of the frame, here two of the crop
        inside = flip_boxes(transform_box_to_crop(BOX, region, side), side)
        expected = transform_box_to_crop(flip_boxes(BOX, width), mirrored, side)
        np.testing.assert_allclose(inside - expected, [gap, 0, 0, 0], atol=1e-4)


def test_only_the_exact_mirror_keeps_a_square_in_its_box() -> None:
    image = np.zeros((40, 100, 3), dtype=np.uint8)
    image[10:20, 30:50] = 255
    columns = np.flatnonzero(flip_image(image)[15, :, 0])
    box = flip_boxes(np.array([30, 10, 20, 10], dtype=np.float32), 100, EXACT_MIRROR)
    assert (columns[0], columns[-1] + 1) == (box[0], box[0] + box[2])


def test_published_grey() -> None:
    image = np.full((2, 3, 3), (10, 100, 200), dtype=np.uint8)
    np.testing.assert_array_equal(to_grey(image), np.full((2, 3, 3), 84))
    np.testing.assert_array_equal(to_grey(flip_image(noise(5, 7))), flip_image(to_grey(noise(5, 7))))


def test_gain_stays_in_its_range_and_fills_it() -> None:
    rng = np.random.default_rng(0)
    gains = np.array([draw_gain(rng, 0.2) for _ in range(2000)])
    assert 0.8 <= gains.min() < 0.81
    assert 1.19 < gains.max() <= 1.2
    assert min(draw_gain(rng, 1.5) for _ in range(200)) >= 0
    assert draw_gain(rng, 0.0) == 1.0
    with pytest.raises(DomainError, match="must not be negative"):
        draw_gain(rng, -0.1)
