"""Crops of encoded images: the pixels of the plain way, whatever lies in the memory that is used again."""

from pathlib import Path

import numpy as np
import pytest

from ebm.exceptions import DomainError, InputError
from ltr.data.canvas import crop_encoded
from ltr.data.crops import extract_region
from ltr.data.decoders import DECODERS, Decoder, choose_decoder
from ltr.data.image_loader import open_image
from ltr.data.scratch import borrow
from tests.ltr.layouts import write_image

REGIONS = {
    "inside": (20, 10, 60, 40),
    "above and below": (20, -15, 60, 94),
    "left and right": (-30, 5, 200, 50),
    "larger than the image": (-20, -11, 150, 90),
    "in a corner": (80, 50, 30, 30),
    "far larger": (-300, -300, 700, 700),
    "its own size": (-4, -4, 48, 48),
}


def usable(name: str) -> Decoder:
    try:
        return choose_decoder(name)
    except InputError as error:
        pytest.skip(str(error))


@pytest.mark.parametrize("name", DECODERS)
@pytest.mark.parametrize("reduce", [1, 2])
@pytest.mark.parametrize("region", REGIONS.values(), ids=REGIONS)
def test_the_pixels_are_those_of_the_plain_way(
    name: str, reduce: int, region: tuple[int, int, int, int], tmp_path: Path
) -> None:
    decoder, file = usable(name), tmp_path / "a.jpg"
    write_image(file, 3, size=(192, 129) if reduce == 2 else (96, 64))
    borrow("frame", (300, 200, 3))[...] = 77
    plain = extract_region(open_image(file, decoder=decoder).pixels(reduce), region, (48, 48))
    np.testing.assert_array_equal(
        crop_encoded(open_image(file, decoder=decoder), region, (48, 48), reduce), plain
    )
    out = np.zeros((2, 48, 48, 3), dtype=np.uint8)
    crop_encoded(open_image(file, decoder=decoder), region, (48, 48), reduce, out[1])
    np.testing.assert_array_equal(out[1], plain)
    assert not out[0].any()


def test_a_crop_does_not_change_with_the_next_image(tmp_path: Path) -> None:
    for seed in (1, 2):
        write_image(tmp_path / f"{seed}.jpg", seed)
    crops = [
        crop_encoded(
            open_image(tmp_path / f"{seed}.jpg", decoder=choose_decoder()), (0, -8, 80, 80), (80, 80)
        )
        for seed in (1, 2, 1)
    ]
    np.testing.assert_array_equal(crops[0], crops[2])
    assert (crops[0] != crops[1]).any()


def test_kept_pixels_are_decoded_once(tmp_path: Path) -> None:
    write_image(tmp_path / "a.jpg")
    image = open_image(tmp_path / "a.jpg", decoder=choose_decoder())
    image.keep = True
    first = crop_encoded(image, (0, -8, 80, 80), (40, 40))
    image.data = b""  # nothing can be decoded any more
    np.testing.assert_array_equal(crop_encoded(image, (0, -8, 80, 80), (40, 40)), first)


def test_what_cannot_be_cut_is_an_error_that_says_why(tmp_path: Path) -> None:
    write_image(tmp_path / "a.jpg")
    with pytest.raises(DomainError, match=r"crop \[0, 70, 9, 9\] lies outside the image of 96 x 64 px"):
        crop_encoded(open_image(tmp_path / "a.jpg", decoder=choose_decoder()), (0, 70, 9, 9), (9, 9))
    data = (tmp_path / "a.jpg").read_bytes()
    (tmp_path / "b.jpg").write_bytes(data[: data.index(b"\xff\xda")] + data[-2:])  # headers, no pixels
    image = open_image(tmp_path / "b.jpg", sequence="cat-1", frame=4, decoder=choose_decoder())
    with pytest.raises(InputError, match=r"b\.jpg \(sequence cat-1, frame 4\): the image is corrupt"):
        crop_encoded(image, (0, 0, 9, 9), (9, 9))


def test_memory_is_borrowed_again() -> None:
    first = borrow("a", (4, 5, 3))
    assert np.shares_memory(first, borrow("a", (2, 3, 3)))
    assert not np.shares_memory(first, borrow("b", (4, 5, 3)))
    assert borrow("a", (40, 5, 3)).shape == (40, 5, 3)
