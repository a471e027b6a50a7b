"""Pictures are seen as a person sees them, whatever way the camera was held and whoever decodes."""

from pathlib import Path

import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ebm.exceptions import InputError
from ltr.data.decoders import DECODERS, Decoder, choose_decoder
from ltr.data.image_loader import open_image, read_image
from ltr.data.jpeg import as_shown, jpeg_header, tiff_tag

ORIENTATIONS = range(1, 9)


def exif(orientation: int, order: str = "little") -> bytes:
    """An EXIF block that says nothing but how the picture is to be turned."""

    def number(value: int, size: int) -> bytes:
        return value.to_bytes(size, order)  # type: ignore[arg-type]

    start = b"II" if order == "little" else b"MM"
    entry = number(0x0112, 2) + number(3, 2) + number(1, 4) + number(orientation, 2) + b"\0\0"
    return b"Exif\0\0" + start + number(42, 2) + number(8, 4) + number(1, 2) + entry + number(0, 4)


def with_orientation(jpeg: bytes, orientation: int, order: str = "little") -> bytes:
    block = exif(orientation, order)
    return jpeg[:2] + b"\xff\xe1" + (len(block) + 2).to_bytes(2, "big") + block + jpeg[2:]


def upright() -> np.ndarray:
    """A picture of 96 x 64 px whose four corners differ, RGB."""
    picture = np.zeros((64, 96, 3), dtype=np.uint8)
    picture[:32, :48], picture[:32, 48:], picture[32:, :48] = (220, 30, 30), (30, 220, 30), (30, 30, 220)
    return picture


def stored(orientation: int) -> np.ndarray:
    """`upright` as a camera held that way stores it: the inverse of `as_shown`, by its definition."""
    picture = upright()
    inverse = {
        1: picture,
        2: picture[:, ::-1],
        3: np.rot90(picture, 2),
        4: picture[::-1],
        5: picture.transpose(1, 0, 2),
        6: np.rot90(picture, 1),  # shown after a quarter turn clockwise
        7: np.rot90(picture, 2).transpose(1, 0, 2),
        8: np.rot90(picture, -1),
    }[orientation]
    return np.ascontiguousarray(inverse)


def turned_jpeg(orientation: int, order: str = "little") -> bytes:
    quality = [cv2.IMWRITE_JPEG_QUALITY, 95]
    data = cv2.imencode(".jpg", stored(orientation)[..., ::-1], quality)[1].tobytes()
    return with_orientation(data, orientation, order)


def usable(name: str) -> Decoder:
    try:
        return choose_decoder(name)
    except InputError as error:
        pytest.skip(str(error))


@pytest.mark.parametrize("orientation", ORIENTATIONS)
def test_turning_is_what_the_standard_says(orientation: int) -> None:
    np.testing.assert_array_equal(as_shown(stored(orientation), orientation), upright())


@pytest.mark.parametrize("name", DECODERS)
@pytest.mark.parametrize("order", ["little", "big"])
def test_every_decoder_shows_the_same_upright_picture(name: str, order: str, tmp_path: Path) -> None:
    decoder, file = usable(name), tmp_path / "a.jpg"
    for orientation in ORIENTATIONS:
        file.write_bytes(turned_jpeg(orientation, order))
        image = open_image(file, decoder=decoder)
        assert image.size == (96, 64)
        assert np.abs(image.pixels().astype(int) - upright()).mean() < 4, orientation
        assert image.pixels().flags.c_contiguous
        for reduce in (2, 4):
            small = image.pixels(reduce)
            assert small.shape == (64 // reduce, 96 // reduce, 3)
            assert np.abs(small.astype(int) - upright()[::reduce, ::reduce]).mean() < 8, orientation
        memory = np.empty((32, 48, 3), dtype=np.uint8)
        image.decode_into(memory, 2)
        np.testing.assert_array_equal(memory, image.pixels(2))


@pytest.mark.parametrize("kind", [".png", ".webp", ".tif"])
def test_other_kinds_follow_the_same_rule(kind: str, tmp_path: Path) -> None:
    image_module = pytest.importorskip("PIL.Image")
    if kind == ".webp" and cv2.__version__.startswith("4."):
        pytest.skip("OpenCV 4 does not read the orientation of WebP")
    for orientation in ORIENTATIONS:
        block = image_module.Exif()
        block[0x0112] = orientation
        lossless = {"lossless": True} if kind == ".webp" else {}
        picture = image_module.fromarray(stored(orientation))
        picture.save(tmp_path / f"a{kind}", exif=block, **lossless)
        np.testing.assert_array_equal(read_image(tmp_path / f"a{kind}"), upright(), str(orientation))


def test_a_float_tiff_is_turned_too(tmp_path: Path) -> None:
    image_module = pytest.importorskip("PIL.Image")
    block = image_module.Exif()
    block[0x0112] = 6
    picture = image_module.fromarray(stored(6)[..., 0].astype(np.float32))
    picture.save(tmp_path / "a.tif", exif=block)
    np.testing.assert_array_equal(read_image(tmp_path / "a.tif")[..., 0], upright()[..., 0])


@given(st.binary(max_size=80), st.sampled_from([b"II*\0", b"MM\0*"]))
def test_damaged_exif_never_fails(rest: bytes, start: bytes) -> None:
    assert tiff_tag(start + rest, 0x0112) is None or isinstance(tiff_tag(start + rest, 0x0112), int)
    jpeg_header(b"\xff\xd8\xff\xe1" + (len(rest) + 12).to_bytes(2, "big") + b"Exif\0\0" + start + rest)


def test_an_orientation_that_does_not_exist_is_none() -> None:
    header = jpeg_header(turned_jpeg(1).replace(exif(1), exif(9)))
    assert header is not None
    assert header.orientation == 1
    assert header.shown == (96, 64)
