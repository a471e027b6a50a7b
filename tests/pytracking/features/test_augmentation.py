"""First-frame transforms: where the content goes, and what is done to it."""

import numpy as np
import pytest
import torch
import torch.nn.functional as F

from pytracking.features.augmentation import (
    Transform,
    blur,
    crop_around_center,
    dropout_channels,
    flip_horizontal,
    rescale,
    rotate,
)


def dot(size: int, row: int, column: int) -> np.ndarray:
    image = np.zeros((size, size, 3), dtype=np.float32)
    image[row, column] = 255
    return image


def peak(image: np.ndarray) -> tuple[int, int]:
    row, column = np.unravel_index(int(image[..., 0].argmax()), image.shape[:2])
    return int(row), int(column)


@pytest.mark.parametrize("shift", [(0, 0), (5, -3), (-7, 2)])
def test_content_moves_by_the_shift(shift: tuple[int, int]) -> None:
    cut = Transform(kind="translation", shift=shift)(dot(64, 32, 32), (32, 32))
    assert cut.shape == (32, 32, 3)
    assert peak(cut) == (16 + shift[0], 16 + shift[1])


def test_cutting_past_the_border_repeats_it() -> None:
    image = np.random.default_rng(0).random((9, 9, 3), dtype=np.float32)
    grown = crop_around_center(image, (13, 13))
    np.testing.assert_array_equal(grown, np.pad(image, ((2, 2), (2, 2), (0, 0)), mode="edge"))


def test_flip_mirrors_columns() -> None:
    assert peak(flip_horizontal(dot(11, 2, 3))) == (2, 7)


def test_rotation_keeps_the_center_and_turns_the_rest() -> None:
    assert peak(rotate(45.0)(dot(41, 20, 20))) == (20, 20)
    turned = rotate(90.0)(dot(41, 20, 30))  # (x, y) = (10, 0) from the centre goes to (0, -10)
    assert peak(turned) == (10, 20)


def test_blur_is_the_zero_padded_gaussian() -> None:
    image = np.random.default_rng(1).random((24, 20, 3), dtype=np.float32)
    weights = {}
    for sigma in (3.0, 1.0):
        offsets = torch.arange(-int(np.ceil(2 * sigma)), int(np.ceil(2 * sigma)) + 1, dtype=torch.float64)
        kernel = torch.exp(-(offsets**2) / (2 * sigma**2))
        weights[sigma] = kernel / kernel.sum()
    full = torch.outer(weights[3.0], weights[1.0])[None, None].expand(3, 1, -1, -1)
    exact = F.conv2d(torch.from_numpy(image).double().permute(2, 0, 1)[None], full, padding=(6, 2), groups=3)
    got = torch.from_numpy(blur((3.0, 1.0))(image)).double().permute(2, 0, 1)[None]
    assert float((got - exact).abs().max()) <= 1e-5


@pytest.mark.parametrize(("side", "factor"), [(64, 0.7), (64, 1.3), (65, 1.3)])
def test_rescaling_keeps_the_parity(side: int, factor: float) -> None:
    scaled = rescale(factor)(np.zeros((side, side, 3), dtype=np.float32))
    assert scaled.shape[0] == scaled.shape[1]
    assert scaled.shape[0] % 2 == side % 2
    assert abs(scaled.shape[0] - side / factor) <= 1.5


def test_dropout_zeroes_whole_channels_and_keeps_the_mean(generator: torch.Generator) -> None:
    features = torch.ones(1, 4000, 2, 2)
    dropped = dropout_channels(features, 3, 0.2, generator)
    assert dropped.shape == (3, 4000, 2, 2)
    assert set(dropped.unique().tolist()) == {0.0, 1.25}
    assert bool((dropped.amax((2, 3)) == dropped.amin((2, 3))).all())
    torch.testing.assert_close(dropped.mean(), torch.tensor(1.0), atol=0.03, rtol=0.0)
    assert not torch.equal(dropped[0], dropped[1])
