"""Crop geometry against published vectors, and pixel values against a plain float reference."""

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from hypothesis import given, settings
from hypothesis import strategies as st

from ebm.exceptions import DomainError
from pytracking.features.preprocessing import images_to_tensor, sample_patch

IMAGE = np.random.default_rng(0).integers(0, 256, (480, 640, 3), dtype=np.uint8)

# mode, max change, pos, sample, out, corners, centre, scale
VECTORS = [
    ("replicate", None, (200.7, 300.2), 288, 288, (57, 157, 345, 445), (200.5, 300.5), 1.0),
    ("replicate", None, (200.7, 300.2), 289, 288, (56, 156, 345, 445), (200.0, 300.0), 1.00347),
    ("replicate", None, (20.3, 30.9), 288, 288, (-123, -113, 165, 175), (20.5, 30.5), 1.0),
    ("replicate", None, (201, 300), 600, 288, (-98, 1, 502, 601), (201.5, 300.5), 2.08333),
    ("inside_major", 1.5, (200, 300), 500, 352, (-10, 51, 490, 551), (239.5, 300.5), 1.42045),
    ("inside_major", 1.5, (20, 600), 500, 352, (-10, 140, 490, 640), (239.5, 389.5), 1.42045),
    ("inside_major", 1.5, (200, 300), 700, 352, (-80, 0, 560, 640), (239.5, 319.5), 1.81818),
    ("inside_major", 1.5, (200, 300), 1100, 352, (-126, -46, 607, 687), (240.0, 320.0), 2.08239),
    ("inside", None, (20, 600), 700, 352, (0, 160, 480, 640), (239.5, 399.5), 1.36364),
]


@pytest.mark.parametrize(("mode", "bound", "pos", "sample", "out", "corners", "center", "scale"), VECTORS)
def test_published_crop_vectors(
    mode: str,
    bound: float | None,
    pos: tuple[float, float],
    sample: int,
    out: int,
    corners: tuple[int, ...],
    center: tuple[float, float],
    scale: float,
) -> None:
    patch = sample_patch(IMAGE, pos, (sample, sample), (out, out), mode=mode, max_scale_change=bound)
    assert patch.corners == corners
    assert patch.center == center
    assert patch.scale == pytest.approx(scale, abs=1e-5)
    assert patch.image.shape == (out, out, 3)


def test_a_crop_of_its_own_size_is_the_image_itself() -> None:
    patch = sample_patch(IMAGE, (200.7, 300.2), (288, 288), (288, 288))
    np.testing.assert_array_equal(patch.image, IMAGE[57:345, 157:445])


def test_the_border_is_repeated() -> None:
    patch = sample_patch(IMAGE, (20.3, 30.9), (288, 288), (288, 288)).image
    rows, columns = np.clip(np.arange(-123, 165), 0, None), np.clip(np.arange(-113, 175), 0, None)
    np.testing.assert_array_equal(patch, IMAGE[rows][:, columns])


def test_a_crop_that_misses_the_image_is_its_nearest_corner() -> None:
    patch = sample_patch(IMAGE, (-500.0, -500.0), (64, 64), (64, 64))
    np.testing.assert_array_equal(patch.image, np.broadcast_to(IMAGE[0, 0], (64, 64, 3)))


@pytest.mark.parametrize(("size", "out"), [(300, 288), (433, 352), (100, 288), (576, 288)])
def test_the_resize_is_bilinear_with_half_pixel_centers(size: int, out: int) -> None:
    patch = sample_patch(IMAGE, (240.0, 320.0), (size, size), (out, out))
    top, left, bottom, right = (int(c) for c in patch.corners)
    rows, columns = np.arange(top, bottom).clip(0, 479), np.arange(left, right).clip(0, 639)
    crop = torch.from_numpy(IMAGE[rows][:, columns].copy()).permute(2, 0, 1)[None].float()
    exact = F.interpolate(crop, (out, out), mode="bilinear", align_corners=False)[0].permute(1, 2, 0)
    torch.testing.assert_close(torch.from_numpy(patch.image), exact, atol=0.02, rtol=0.0)


@settings(max_examples=60, deadline=None)
@given(
    y=st.floats(900, 1100),
    x=st.floats(900, 1100),
    size=st.integers(200, 1500),
    mode=st.sampled_from(["replicate", "inside", "inside_major"]),
)
def test_reported_corners_are_where_the_pixels_came_from(y: float, x: float, size: int, mode: str) -> None:
    """On a ramp image the mean of a patch is the centre it reports; decimation moves it a little."""
    rows, columns = np.mgrid[0:2000, 0:2000]
    # 8 bits hold no ramp of 2000: high and low byte of the row travel in two channels, the column's in a
    # second image.
    centers = []
    for ramp in (rows, columns):
        image = np.stack((ramp // 8, ramp % 8, ramp * 0), axis=2).astype(np.uint8)
        patch = sample_patch(image, (y, x), (size, size), None, mode=mode)
        full = patch.image.astype(np.float64)
        centers.append((full[..., 0] * 8 + full[..., 1]).mean())
        step = max(int(size / 100 - 0.1), 1)
        small = sample_patch(image, (y, x), (size, size), (100, 100), mode=mode)
        near = np.abs(np.array(small.center) - np.array(patch.center)).max()
        assert near <= step  # decimation and its truncation move a crop by less than one stride
    assert np.allclose(centers, patch.center, atol=1e-6)


@pytest.mark.parametrize("offset", range(3))
def test_decimated_crops_report_their_true_center(offset: int) -> None:
    """A crop read at stride 3 covers pixels o, o+3, ...: its centre follows the position exactly."""
    rows = np.mgrid[0:255, 0:255][0].astype(np.uint8)
    image = np.repeat(rows[:, :, None], 3, axis=2)
    patch = sample_patch(image, (120.0 + offset, 120.0), (186, 186), (60, 60))
    truth = patch.image[..., 0].astype(np.float64).mean()
    assert patch.center[0] == pytest.approx(truth, abs=0.3)
    assert abs(patch.center[0] - (120 + offset)) <= 1.5  # an even number of samples: half a stride beside


def test_unknown_border_mode() -> None:
    with pytest.raises(DomainError, match="inside_major"):
        sample_patch(IMAGE, (1, 1), (10, 10), (10, 10), mode="reflect")


def test_normalisation_is_imagenets_and_channels_last() -> None:
    patch = np.full((4, 5, 3), 128, dtype=np.float32)
    tensor = images_to_tensor([patch, patch], torch.device("cpu"))
    expected = (128 / 255 - torch.tensor([0.485, 0.456, 0.406])) / torch.tensor([0.229, 0.224, 0.225])
    torch.testing.assert_close(tensor, expected.view(1, 3, 1, 1).expand(2, 3, 4, 5))
    assert tensor.is_contiguous(memory_format=torch.channels_last)
