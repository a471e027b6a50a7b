"""Crop geometry against the published numbers, and properties that hold for every box."""

import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ebm.exceptions import DomainError, UnknownNameError
from ltr.data.crops import (
    CropMode,
    crop_region,
    extract_region,
    sample_target,
    sample_target_adaptive,
    target_image_crop,
    transform_box_to_crop,
    transform_image_to_crop,
)

A, B, C = [150, 80, 40, 30], [5, 5, 60, 40], [60, 40, 80, 60]

# Image 120 high and 200 wide, factor 3, output 96: box, mode, limit, region, box in the crop. Published
# anchors.
ADAPTIVE = [
    (A, "replicate", None, (96, 16, 104, 104), [49.8462, 59.0769, 36.9231, 27.6923]),
    (A, "inside", None, (96, 16, 104, 104), [49.8462, 59.0769, 36.9231, 27.6923]),
    (A, "inside", 1.5, (96, 16, 104, 104), [49.8462, 59.0769, 36.9231, 27.6923]),
    (A, "inside_major", None, (96, 16, 104, 104), [49.8462, 59.0769, 36.9231, 27.6923]),
    (A, "inside_major", 1.5, (96, 16, 104, 104), [49.8462, 59.0769, 36.9231, 27.6923]),
    (B, "replicate", None, (0, -13, 147, 147), [3.2653, 11.7551, 39.1837, 26.1224]),
    (B, "inside", None, (0, 0, 119, 119), [4.0336, 4.0336, 48.4034, 32.2689]),
    (B, "inside", 1.5, (0, 0, 119, 119), [4.0336, 4.0336, 48.4034, 32.2689]),
    (B, "inside_major", None, (0, -13, 147, 147), [3.2653, 11.7551, 39.1837, 26.1224]),
    (B, "inside_major", 1.5, (0, -13, 147, 147), [3.2653, 11.7551, 39.1837, 26.1224]),
    (C, "replicate", None, (-4, -44, 208, 208), [29.5385, 38.7692, 36.9231, 27.6923]),
    (C, "inside", None, (40, 0, 120, 120), [16, 32, 64, 48]),
    (C, "inside", 1.5, (31, -9, 138, 138), [20.1739, 34.0870, 55.6522, 41.7391]),
    (C, "inside_major", None, (0, -40, 200, 200), [28.8, 38.4, 38.4, 28.8]),
    (C, "inside_major", 1.5, (0, -40, 200, 200), [28.8, 38.4, 38.4, 28.8]),
]
CENTRED = [
    (A, 0.923077, [29.0385, 33.6538, 36.9231, 27.6923]),
    (B, 0.653061, [27.9082, 34.4388, 39.1837, 26.1224]),
    (C, 0.461538, [29.0385, 33.6538, 36.9231, 27.6923]),
]


def noise(height: int = 120, width: int = 200, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 256, (height, width, 3), dtype=np.uint8)


@pytest.mark.parametrize(("box", "mode", "limit", "region", "inside"), ADAPTIVE)
def test_adaptive_crops_match_the_published_numbers(
    box: list[float], mode: CropMode, limit: float | None, region: tuple[int, ...], inside: list[float]
) -> None:
    crop, found = sample_target_adaptive(noise(), box, 3, 96, mode, limit)
    assert found == region
    assert crop.shape == (96, 96, 3)
    np.testing.assert_allclose(transform_box_to_crop(box, found, 96), inside, rtol=1e-4)
    np.testing.assert_allclose(target_image_crop(noise(), box, box, 3, 96, mode, limit)[1], inside, rtol=1e-4)


@pytest.mark.parametrize(("box", "factor", "inside"), CENTRED)
def test_centred_crops_match_the_published_numbers(
    box: list[float], factor: float, inside: list[float]
) -> None:
    crop, found = sample_target(noise(), box, 3, 96)
    assert crop.shape == (96, 96, 3)
    assert found == pytest.approx(factor, rel=1e-5)
    np.testing.assert_allclose(transform_image_to_crop(box, box, found, 96), inside, rtol=1e-4)


def test_centred_crop_without_scaling_is_the_image_padded() -> None:
    image = noise()
    crop, factor = sample_target(image, [0, 0, 20, 20], 3)
    assert factor == 1.0
    assert crop.shape == (60, 60, 3)
    np.testing.assert_array_equal(crop[20:, 20:], image[:40, :40])
    np.testing.assert_array_equal(crop[:20, :20], np.broadcast_to(image[0, 0], (20, 20, 3)))


def test_right_and_bottom_padding_repeats_the_last_pixel_and_keeps_it() -> None:
    image = noise(10, 10)
    crop = extract_region(image, (6, 7, 8, 6))
    np.testing.assert_array_equal(crop[:3, :4], image[7:, 6:])
    np.testing.assert_array_equal(crop[5, 7], image[9, 9])
    np.testing.assert_array_equal(crop[1, 4:], np.broadcast_to(image[8, 9], (4, 3)))


def test_a_crop_that_needs_no_scaling_is_a_copy_of_the_pixels() -> None:
    image = noise()
    crop = extract_region(image, (30, 20, 50, 40), (50, 40))
    np.testing.assert_array_equal(crop, image[20:60, 30:80])
    assert not np.shares_memory(crop, image)


def test_slicing_before_padding_gives_the_pixels_of_padding_the_whole_image() -> None:
    image = noise()
    whole = cv2.copyMakeBorder(image, 100, 100, 100, 100, cv2.BORDER_REPLICATE)
    for region in ((-30, 10, 90, 80), (150, 90, 77, 77), (-10, -20, 220, 150)):
        x, y, w, h = region
        part = whole[y + 100 : y + 100 + h, x + 100 : x + 100 + w]
        np.testing.assert_array_equal(extract_region(image, region, (64, 64)), cv2.resize(part, (64, 64)))


def test_a_region_outside_the_image_is_an_error() -> None:
    with pytest.raises(DomainError, match=r"\[300, 0, 10, 10\] lies outside the image of 200 x 120"):
        extract_region(noise(), (300, 0, 10, 10))
    with pytest.raises(DomainError, match="outside"):
        sample_target(noise(), [1000, 1000, 10, 10], 2, 32)


@pytest.mark.parametrize(
    "box", [[1, 1, 0, 5], [1, 1, 5, -1], [np.nan, 1, 5, 5], [1, 1, np.inf, 5], [1, 2, 3]]
)
def test_boxes_that_cannot_be_cropped_around(box: list[float]) -> None:
    with pytest.raises(DomainError, match="four finite numbers"):
        sample_target_adaptive(noise(), box, 3, 96)
    with pytest.raises(DomainError, match="four finite numbers"):
        sample_target(noise(), box, 3, 96)


def test_unknown_mode() -> None:
    with pytest.raises(UnknownNameError, match="did you mean 'inside"):
        crop_region((200, 120), A, 3, (96, 96), "insid")  # type: ignore[arg-type]


@st.composite
def cases(draw: st.DrawFn) -> tuple[tuple[int, int], list[float], float, tuple[int, int]]:
    width, height = draw(st.integers(16, 500)), draw(st.integers(16, 500))
    side = st.floats(1, 400, width=32)
    box = [
        draw(st.floats(-100, width, width=32)),
        draw(st.floats(-100, height, width=32)),
        draw(side),
        draw(side),
    ]
    output = draw(st.sampled_from([(96, 96), (64, 128), (352, 352)]))
    return (width, height), box, draw(st.floats(1, 6)), output


@given(
    case=cases(),
    mode=st.sampled_from(["replicate", "inside", "inside_major"]),
    limit=st.none() | st.just(1.5),
)
def test_a_region_covers_as_much_of_the_image_as_it_can(case, mode, limit) -> None:
    (width, height), box, factor, output = case
    x, y, w, h = crop_region((width, height), box, factor, output, mode, limit)
    for start, length, whole in ((x, w, width), (y, h, height)):
        if length <= whole:
            assert 0 <= start <= whole - length
        else:
            assert start <= 0
            assert start + length >= whole
            assert abs(-start - (start + length - whole)) <= 1
    if mode == "inside" and limit is None:
        assert w <= width
        assert h <= height
    if mode == "inside_major" and limit is None:
        assert w <= width or h <= height


@given(case=cases())
def test_the_whole_region_maps_to_the_whole_crop(case) -> None:
    size, box, factor, output = case
    region = crop_region(size, box, factor, output)
    np.testing.assert_allclose(transform_box_to_crop(region, region, output), [0, 0, *output], atol=1e-3)


def test_a_bright_square_stays_in_its_box() -> None:
    """The pixels and the box go through two different computations; they must agree."""
    image = np.zeros((240, 320, 3), dtype=np.uint8)
    box = [100, 60, 60, 40]
    image[60:100, 100:160] = 255
    for mode in ("replicate", "inside", "inside_major"):
        crop, inside = target_image_crop(image, [90, 70, 50, 50], box, 5, 256, mode)
        x0, y0, x1, y1 = inside[0], inside[1], inside[0] + inside[2], inside[1] + inside[3]
        lit = np.argwhere(crop[..., 0] > 127)
        np.testing.assert_allclose(lit.min(axis=0), [y0, x0], atol=1)
        np.testing.assert_allclose(lit.max(axis=0) + 1, [y1, x1], atol=1)
