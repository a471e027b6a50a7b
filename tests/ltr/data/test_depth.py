"""Pictures of more than 8 bits: what becomes black and white, and that a folder does not flicker."""

from pathlib import Path

import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ebm.exceptions import InputError
from ltr.data import depth
from ltr.data.depth import Levels, find_levels, folder_levels, to_eight_bits
from ltr.data.image_loader import open_image, read_image


@pytest.fixture(autouse=True)
def _nothing_known():
    folder_levels.cache_clear()
    depth._once.cache_clear()


def ramp(top: float, dtype: type, bottom: float = 0) -> np.ndarray:
    """Grey, from `bottom` at the left to `top` at the right, ``[48, 64]``."""
    return np.repeat(np.linspace(bottom, top, 64)[None], 48, axis=0).astype(dtype)


@pytest.mark.parametrize("suffix", [".png", ".tif"])
@pytest.mark.parametrize("bits", [8, 10, 12, 14, 16])
def test_the_depth_of_the_camera_is_found(tmp_path: Path, suffix: str, bits: int) -> None:
    file = tmp_path / f"a{suffix}"
    cv2.imwrite(str(file), ramp(2**bits - 1, np.uint16))
    image = read_image(file)
    assert image.dtype == np.uint8
    assert np.abs(image[..., 0].astype(int) - ramp(255, np.float64)).max() <= 1.01
    assert (image == image[..., :1]).all()


@pytest.mark.parametrize(
    "picture",
    [ramp(1, np.float32), ramp(255, np.float64), ramp(9000, np.float32, 7000), ramp(50, np.int16, -50)],
    ids=["0..1", "0..255", "kelvin", "signed"],
)
def test_float_and_signed_tiffs_are_pictures(tmp_path: Path, picture: np.ndarray) -> None:
    cv2.imwrite(str(tmp_path / "a.tif"), picture)
    image = read_image(tmp_path / "a.tif")
    assert image.shape == (48, 64, 3)
    assert np.abs(image[..., 0].astype(int) - ramp(255, np.float64)).max() <= 3


@pytest.mark.parametrize("suffix", [".png", ".tif"])
def test_colours_of_14_bits_are_those_that_were_written(tmp_path: Path, suffix: str) -> None:
    grey = ramp(16383, np.uint16)
    stored = np.stack([grey // 4, grey // 2, grey], axis=-1)  # blue first
    cv2.imwrite(str(tmp_path / f"a{suffix}"), stored)
    image = read_image(tmp_path / f"a{suffix}")
    assert np.abs(image.astype(float) - stored[..., ::-1] * (255 / 16383)).max() <= 0.51


def test_float_colours_keep_their_order(tmp_path: Path) -> None:
    cv2.imwrite(str(tmp_path / "a.tif"), np.full((8, 8, 3), (0, 0.5, 1), dtype=np.float32))  # blue first
    np.testing.assert_allclose(read_image(tmp_path / "a.tif")[0, 0].astype(int), [255, 127.5, 0], atol=0.5)


def test_a_folder_has_one_scale_and_says_it_once(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for number, top in enumerate((4000, 16000, 900)):
        cv2.imwrite(str(tmp_path / f"{number}.png"), np.full((8, 8), top, dtype=np.uint16))
    values = [int(read_image(tmp_path / f"{number}.png")[0, 0, 0]) for number in range(3)]
    assert values == [round(value * 255 / 16383) for value in (4000, 16000, 900)]
    said = capsys.readouterr().err
    assert said.count("more than 8 bits") == 1
    assert "16383 as white" in said


def test_pictures_of_8_bits_are_as_they_are_and_nothing_is_said(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    cv2.imwrite(str(tmp_path / "a.png"), ramp(90, np.uint8))
    np.testing.assert_array_equal(read_image(tmp_path / "a.png")[..., 0], ramp(90, np.uint8))
    assert capsys.readouterr().err == ""
    assert not open_image(tmp_path / "a.png").is_deep


@pytest.mark.parametrize("suffix", [".png", ".bmp", ".webp"])
def test_a_picture_of_8_bits_is_told_by_its_head(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, suffix: str
) -> None:
    cv2.imwrite(str(tmp_path / f"a{suffix}"), ramp(255, np.uint8))
    cv2.imwrite(str(tmp_path / "b.png"), ramp(255, np.uint16))
    cv2.imwrite(str(tmp_path / "c.tif"), ramp(255, np.uint16))
    assert open_image(tmp_path / "b.png").is_deep
    assert open_image(tmp_path / "c.tif").is_deep
    monkeypatch.delattr(cv2, "imdecode")
    assert not open_image(tmp_path / f"a{suffix}").is_deep


def test_a_thermal_camera_is_stretched_and_a_dead_pixel_does_not_count() -> None:
    assert find_levels([ramp(8500, np.uint16, 7000)]) == Levels(7000, 8500)
    dark = np.tile(ramp(1000, np.uint16), (5, 1))
    dark[3, 3] = 65535
    assert find_levels([dark]) == Levels(0, 1023)


@given(st.lists(st.integers(0, 65535), min_size=1, max_size=9))
def test_the_order_of_brightness_is_kept(values: list[int]) -> None:
    picture = np.array(values, dtype=np.uint16)[None, :, None].repeat(3, axis=2)
    eight = to_eight_bits(picture, find_levels([picture]))[0, :, 0].astype(int)
    order = np.argsort(values)
    assert (np.diff(eight[order]) >= 0).all()


def test_what_is_no_number_is_black(tmp_path: Path) -> None:
    picture = ramp(1, np.float32)
    picture[0, 40:44] = (np.nan, np.inf, -np.inf, 0.5)
    cv2.imwrite(str(tmp_path / "a.tif"), picture)
    assert read_image(tmp_path / "a.tif")[0, 40:44, 0].tolist() == [0, 255, 0, 128]
    cv2.imwrite(str(tmp_path / "b.tif"), np.full((8, 8), np.nan, dtype=np.float32))
    assert (read_image(tmp_path / "b.tif") == 0).all()


def test_a_depth_that_cannot_be_read_is_the_reason_given(tmp_path: Path) -> None:
    jpeg = bytearray(cv2.imencode(".jpg", ramp(255, np.uint8))[1].tobytes())
    jpeg[jpeg.index(b"\xff\xc0") + 4] = 12  # says that a sample has 12 bits
    (tmp_path / "a.jpg").write_bytes(jpeg)
    with pytest.raises(InputError, match="JPEG of 12 bits a sample, which no decoder here reads"):
        read_image(tmp_path / "a.jpg")
    tiff = bytearray(cv2.imencode(".tif", ramp(1, np.float32))[1].tobytes())
    at = tiff.index(b"\x02\x01\x03\x00")  # tag 258: bits of a sample
    tiff[at + 8 : at + 10] = (24).to_bytes(2, "little")
    (tmp_path / "a.tif").write_bytes(tiff)
    with pytest.raises(InputError, match="TIFF of floating point of 24 bits"):
        read_image(tmp_path / "a.tif")
