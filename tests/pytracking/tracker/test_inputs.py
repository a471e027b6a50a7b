"""Frames and first boxes that cannot be used are refused with the values and the remedy."""

import numpy as np
import pytest

from ebm.exceptions import DomainError, EBMError, InputError
from pytracking.tracker.common.inputs import check_box, check_image

IMAGE = np.zeros((48, 64, 3), dtype=np.uint8)


def test_grey_images_are_expanded() -> None:
    grey = np.arange(12, dtype=np.uint8).reshape(3, 4)
    for image in (grey, grey[:, :, None]):
        np.testing.assert_array_equal(check_image(image), np.stack([grey] * 3, axis=2))


def test_a_colour_image_is_not_copied() -> None:
    assert check_image(IMAGE) is IMAGE


@pytest.mark.parametrize(
    ("image", "message"),
    [
        (np.zeros((4, 4, 3)), r"float64.*\(image \* 255\)"),
        (np.full((4, 4, 3), 200.0), r"image\.round\(\)"),
        (np.full((4, 4, 3), np.nan), "48 of its values NaN"),
        (np.zeros((4, 4, 3), dtype=np.int32), "int32"),
        (np.zeros((4, 4, 4), dtype=np.uint8), "alpha"),
        (np.zeros((3, 40, 40), dtype=np.uint8), "transpose"),
        (np.zeros((2, 3, 4, 3), dtype=np.uint8), r"\(2, 3, 4, 3\)"),
        (np.zeros((0, 4, 3), dtype=np.uint8), "2 x 2"),
        (None, "uint8"),
    ],
)
def test_unusable_images(image: object, message: str) -> None:
    with pytest.raises(InputError, match=message):
        check_image(image)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    "box", [(1, 2, 3, 4), np.array([[1.0, 2, 3, 4]]), [-3, -3, 10, 10], (60, 40, 100, 100)]
)
def test_usable_boxes(box: object) -> None:
    assert check_box(box, IMAGE).dtype == np.float64  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("box", "message"),
    [
        ((1, 2, 0, 4), "no area.*w = 0"),
        ((1, 2, 3, -4), "no area.*h = -4"),
        ((1, np.nan, 3, 4), "not finite"),
        ((64, 2, 3, 4), "outside the image of 64 x 48 px"),
        ((1, -10, 3, 10), "outside"),
        ((1, 2, 3), "got 3"),
        ("abcd", "four numbers"),
    ],
)
def test_unusable_boxes(box: object, message: str) -> None:
    with pytest.raises(DomainError, match=message) as caught:
        check_box(box, IMAGE)  # type: ignore[arg-type]
    assert isinstance(caught.value, EBMError)
