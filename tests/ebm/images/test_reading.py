"""Files of every kind as RGB pixels, or errors that say which file and what to do."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from ebm.exceptions import InputError
from ebm.images.reading import picture_size, read_picture, read_whole

RAMP = np.linspace(0, 255, 40 * 60).reshape(40, 60).astype(np.uint8)


def test_a_picture_becomes_a_square(tmp_path: Path) -> None:
    Image.fromarray(np.full((40, 60, 3), (200, 10, 90), dtype=np.uint8)).save(tmp_path / "a.png")
    picture = read_picture(tmp_path / "a.png", 32)
    assert picture.pixels.shape == (32, 32, 3)
    assert picture.pixels[7, 9].tolist() == [200, 10, 90]
    assert picture.converted == ""


@pytest.mark.parametrize("mode", ["L", "CMYK", "RGBA", "P", "1"])
def test_other_modes_are_converted_and_told(tmp_path: Path, mode: str) -> None:
    suffix = "tif" if mode == "CMYK" else "png"
    Image.fromarray(RAMP).convert("RGB").convert(mode).save(tmp_path / f"a.{suffix}")
    picture = read_picture(tmp_path / f"a.{suffix}", 32)
    assert picture.converted == f"{mode} to RGB"
    assert picture.pixels[-1].mean() > 200 > 60 > picture.pixels[0].mean()


def test_sixteen_bits_become_their_upper_eight(tmp_path: Path) -> None:
    deep = (RAMP.astype(np.uint16) * 257).astype(np.uint16)
    Image.fromarray(deep).save(tmp_path / "a.png")
    Image.fromarray(RAMP).save(tmp_path / "b.png")
    picture = read_picture(tmp_path / "a.png", 32)
    assert picture.converted == "16 bits to 8"
    np.testing.assert_array_equal(picture.pixels, read_picture(tmp_path / "b.png", 32).pixels)
    Image.fromarray((RAMP // 2).astype(np.uint16)).save(tmp_path / "dark.png")
    with pytest.raises(InputError, match=r"dark\.png has more than 8 bits.*Convert it to 8 bits"):
        read_picture(tmp_path / "dark.png", 32)


def test_a_picture_is_turned_as_its_exif_entry_says(tmp_path: Path) -> None:
    pixels = np.zeros((40, 40, 3), dtype=np.uint8)
    pixels[:20] = 255
    exif = Image.Exif()
    exif[0x0112] = 6  # shown turned by a quarter, clockwise
    Image.fromarray(pixels).save(tmp_path / "a.png", exif=exif)
    picture = read_picture(tmp_path / "a.png", 32)
    assert picture.pixels[:, -1].mean() == 255 > 0 == picture.pixels[:, 0].mean()
    assert picture.converted == "turned as its EXIF entry says"


def test_files_that_are_no_pictures_say_why(tmp_path: Path) -> None:
    Image.fromarray(np.random.default_rng(0).integers(0, 255, (64, 64, 3)).astype(np.uint8)).save(
        tmp_path / "a.jpg"
    )
    whole = (tmp_path / "a.jpg").read_bytes()
    (tmp_path / "cut.jpg").write_bytes(whole[: len(whole) // 2])
    (tmp_path / "empty.jpg").write_bytes(b"")
    (tmp_path / "page.jpg").write_bytes(b"<html>not found</html>")
    for name, why in {
        "cut.jpg": r"is truncated.*Extract or download it again",
        "empty.jpg": "is empty. Extract or download it again",
        "page.jpg": r"no picture that can be read.*Convert it",
        "none.jpg": "is missing. .* or drop its row",
        ".": "is a folder",
    }.items():
        with pytest.raises(InputError, match=why):
            read_picture(tmp_path / name, 32)


def test_a_whole_picture_keeps_its_size_and_is_turned_unless_its_annotation_is_of_the_stored_one(
    tmp_path: Path,
) -> None:
    pixels = np.zeros((40, 60, 3), dtype=np.uint8)
    pixels[:20] = 255
    exif = Image.Exif()
    exif[0x0112] = 6
    Image.fromarray(pixels).save(tmp_path / "a.png", exif=exif)
    assert picture_size(tmp_path / "a.png") == (40, 60)
    upright = read_whole(tmp_path / "a.png")
    assert upright.pixels.shape == (60, 40, 3)
    assert upright.pixels[:, -1].mean() == 255 > 0 == upright.pixels[:, 0].mean()
    np.testing.assert_array_equal(read_whole(tmp_path / "a.png", (40, 60)).pixels, upright.pixels)
    np.testing.assert_array_equal(read_whole(tmp_path / "a.png", (60, 40)).pixels, pixels)
    with pytest.raises(InputError, match="is 60 x 40 px, its annotation is of 30 x 20"):
        read_whole(tmp_path / "a.png", (30, 20))


def test_a_large_jpeg_may_be_decoded_at_a_fraction(tmp_path: Path) -> None:
    Image.fromarray(np.tile(RAMP, (8, 8))).save(tmp_path / "a.jpg")  # 320 x 480
    assert read_whole(tmp_path / "a.jpg", (480, 320), least=(100, 100)).pixels.shape == (160, 240, 3)
    assert read_whole(tmp_path / "a.jpg", (480, 320), least=(400, 300)).pixels.shape == (320, 480, 3)


def test_sizes_of_files_that_are_no_pictures_are_refused(tmp_path: Path) -> None:
    (tmp_path / "a.jpg").write_bytes(b"no picture")
    for name, problem in (("a.jpg", "no picture that can be read"), ("b.jpg", "is missing")):
        with pytest.raises(InputError, match=problem):
            picture_size(tmp_path / name)
