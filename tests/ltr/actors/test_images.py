"""Normalisation against a calculation by hand."""

import pytest
import torch

from ebm.exceptions import ShapeError
from ltr.actors.images import normalise_images


@pytest.mark.parametrize("channels_last", [False, True])
def test_a_pixel_by_hand(channels_last: bool) -> None:
    images = torch.full((2, 1, 3, 2, 4), 100, dtype=torch.uint8)
    gain = torch.tensor([[1.0], [1.5]])
    out = normalise_images(images, gain, channels_last)
    assert out.shape == images.shape
    red = [(100 / 255 - 0.485) / 0.229, (150 / 255 - 0.485) / 0.229]
    blue = (100 / 255 - 0.406) / 0.225
    torch.testing.assert_close(out[:, 0, 0, 0, 0], torch.tensor(red))
    torch.testing.assert_close(out[0, 0, 2], torch.full((2, 4), blue))
    assert out.flatten(0, 1).is_contiguous(
        memory_format=torch.channels_last if channels_last else torch.contiguous_format
    )


def test_a_gain_clips_at_white() -> None:
    images = torch.full((1, 1, 3, 1, 1), 250, dtype=torch.uint8)
    out = normalise_images(images, torch.full((1, 1), 2.0))
    torch.testing.assert_close(
        out.flatten(), (1 - torch.tensor([0.485, 0.456, 0.406])) / torch.tensor([0.229, 0.224, 0.225])
    )


def test_the_batch_is_left_as_it_is() -> None:
    images = torch.full((1, 1, 3, 1, 1), 7, dtype=torch.uint8)
    normalise_images(images, torch.ones(1, 1))
    assert images.flatten().tolist() == [7, 7, 7]


@pytest.mark.parametrize(
    ("images", "gain"), [((2, 3, 4, 4), (2,)), ((2, 1, 1, 4, 4), (2, 1)), ((2, 1, 3, 4, 4), (1, 2))]
)
def test_wrong_shapes_are_refused(images: tuple[int, ...], gain: tuple[int, ...]) -> None:
    with pytest.raises(ShapeError, match="expected images"):
        normalise_images(torch.zeros(images, dtype=torch.uint8), torch.zeros(gain))
