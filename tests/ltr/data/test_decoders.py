"""JPEG decoders: the same pixels from each, the same files accepted, errors that name what is missing."""

import sys
from pathlib import Path

import cv2
import numpy as np
import pytest

from ebm.exceptions import DomainError, InputError, UnknownNameError
from ltr.data import decoders
from ltr.data.decoders import (
    DECODERS,
    OPENCV,
    Decoder,
    DecodingError,
    choose_decoder,
    strict_fault,
)
from ltr.data.image_loader import open_image, read_image
from ltr.data.jpeg import JpegHeader, jpeg_header
from tests.ltr.layouts import write_image


@pytest.fixture(autouse=True)
def _nothing_loaded():
    decoders._load.cache_clear()
    yield
    decoders._load.cache_clear()


def usable(name: str) -> Decoder:
    try:
        return choose_decoder(name)
    except InputError as error:
        pytest.skip(str(error))


def jpeg(size: tuple[int, int] = (97, 63), grey: bool = False, *flags: int) -> bytes:
    rng = np.random.default_rng(1)
    picture = cv2.resize(rng.integers(0, 256, (9, 9, 3), dtype=np.uint8), size, interpolation=cv2.INTER_CUBIC)
    picture = cv2.cvtColor(picture, cv2.COLOR_BGR2GRAY) if grey else picture
    return cv2.imencode(".jpg", picture, list(flags))[1].tobytes()


@pytest.mark.parametrize("name", DECODERS)
@pytest.mark.parametrize(
    "data",
    [jpeg(), jpeg(grey=True), jpeg((64, 48), False, cv2.IMWRITE_JPEG_PROGRESSIVE, 1)],
    ids=["odd", "grey", "progressive"],
)
def test_pixels_do_not_depend_on_the_decoder(name: str, data: bytes) -> None:
    image, reference = usable(name).decode(data), OPENCV.decode(data)
    assert image.dtype == np.uint8
    assert image.shape == reference.shape
    assert image.flags.c_contiguous
    assert np.abs(image.astype(int) - reference).max() <= 1
    assert (image == reference).mean() > 0.99


@pytest.mark.parametrize("name", DECODERS)
def test_real_photographs(name: str, test_data: Path) -> None:
    decoder = usable(name)
    for file in sorted((test_data / "coco/tiny_coco/images/val2017").iterdir())[:3]:
        np.testing.assert_array_equal(read_image(file, decoder=decoder), read_image(file))


@pytest.mark.parametrize("name", DECODERS)
@pytest.mark.parametrize("reduce", [2, 4, 8])
def test_reduced_pictures_are_the_small_picture(name: str, reduce: int) -> None:
    data, decoder = jpeg(), usable(name)
    small = decoder.decode(data, reduce)
    assert small.shape == (-(-63 // reduce), -(-97 // reduce), 3)
    np.testing.assert_array_equal(small, OPENCV.decode(data, reduce))
    full = OPENCV.decode(data)[: 63 // reduce * reduce, : 97 // reduce * reduce].astype(float)
    means = full.reshape(63 // reduce, reduce, 97 // reduce, reduce, 3).mean(axis=(1, 3))
    assert np.abs(small[: 63 // reduce, : 97 // reduce] - means).mean() < 6
    with pytest.raises(DomainError, match="not 1/3"):
        decoder.decode(data, 3)


@pytest.mark.parametrize("name", DECODERS)
@pytest.mark.parametrize("reduce", [1, 2, 4, 8])
def test_a_picture_can_be_decoded_into_memory_that_is_there(name: str, reduce: int) -> None:
    decoder = usable(name)
    for data in (jpeg(), jpeg(grey=True), jpeg((64, 48), False, cv2.IMWRITE_JPEG_PROGRESSIVE, 1)):
        reference = decoder.decode(data, reduce)
        memory = np.full((3, *reference.shape), 9, dtype=np.uint8)
        decoder.decode_into(memory[1], data, reduce)
        np.testing.assert_array_equal(memory[1], reference)
        assert (memory[[0, 2]] == 9).all()
        for wrong in (memory[1, :-1], memory[:2].reshape(2 * len(reference), -1, 3)):
            with pytest.raises(DecodingError, match="its header says otherwise"):
                decoder.decode_into(wrong, data, reduce)
    with pytest.raises(DecodingError):
        decoder.decode_into(memory[1], b"\xff\xd8 rubbish \xff\xd9", reduce)


@pytest.mark.parametrize("name", DECODERS)
def test_what_is_accepted_does_not_depend_on_the_decoder(name: str) -> None:
    decoder, good = usable(name), jpeg((200, 160))
    stray = good[:-2] + b"\0" * 5 + good[-2:]
    np.testing.assert_array_equal(decoder.decode(stray), OPENCV.decode(stray))
    with pytest.raises(DecodingError):
        decoder.decode(b"\xff\xd8 rubbish \xff\xd9")


@pytest.mark.parametrize("name", DECODERS)
def test_other_formats_go_through_opencv(name: str, tmp_path: Path) -> None:
    write_image(tmp_path / "a.png")
    np.testing.assert_array_equal(
        read_image(tmp_path / "a.png", decoder=usable(name)), read_image(tmp_path / "a.png")
    )


def test_the_header_tells_the_size_before_anything_is_decoded(tmp_path: Path) -> None:
    assert jpeg_header(jpeg()) == JpegHeader(97, 63, channels=3, bits=8, orientation=1)
    assert jpeg_header(jpeg(grey=True)) == JpegHeader(97, 63, channels=1, bits=8, orientation=1)
    assert jpeg_header(b"\xff\xd8\xff\xd9") is None
    assert jpeg_header(b"") is None
    write_image(tmp_path / "a.jpg", size=(50, 40))
    image = open_image(tmp_path / "a.jpg")
    assert image.size == (50, 40)
    assert not image._pixels
    write_image(tmp_path / "a.png", size=(50, 40))
    assert open_image(tmp_path / "a.png").size == (50, 40)


@pytest.mark.parametrize("name", ["simplejpeg", "jpeg4py"])
def test_a_missing_library_is_named_with_what_to_install(monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    monkeypatch.setitem(sys.modules, name, None)
    with pytest.raises(InputError, match=rf"decoder '{name}' cannot be used here .*pip install"):
        choose_decoder(name)
    assert choose_decoder("auto").name in set(DECODERS) - {name}


def test_auto_takes_the_fastest_that_works(monkeypatch: pytest.MonkeyPatch) -> None:
    usable("simplejpeg")
    assert choose_decoder().name == "simplejpeg"
    for name in ("simplejpeg", "torchvision.io", "jpeg4py"):
        monkeypatch.setitem(sys.modules, name, None)
    decoders._load.cache_clear()
    assert choose_decoder().name == "opencv"
    with pytest.raises(UnknownNameError, match="did you mean 'opencv'"):
        choose_decoder("open-cv")


def test_a_missing_file_a_corrupt_file_and_a_missing_decoder_are_three_errors(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "bad.jpg").write_bytes(b"\xff\xd8 rubbish \xff\xd9")
    monkeypatch.setitem(sys.modules, "simplejpeg", None)
    messages = []
    for read in (
        lambda: read_image(tmp_path / "none.jpg"),
        lambda: read_image(tmp_path / "bad.jpg"),
        lambda: choose_decoder("simplejpeg"),
    ):
        with pytest.raises(InputError) as caught:
            read()
        messages.append(str(caught.value))
    assert ["missing" in messages[0], "is corrupt" in messages[1], "simplejpeg" in messages[2]] == [True] * 3
    assert "is corrupt" not in messages[0] + messages[2]


def test_damage_that_decoders_repair_is_found_strictly() -> None:
    usable("simplejpeg")
    good = jpeg((200, 160))
    damaged = good[: len(good) // 2] + good[-2:]
    assert OPENCV.decode(damaged).shape == (160, 200, 3)  # the reason for looking strictly
    assert "premature end" in strict_fault(damaged)
    assert strict_fault(good) == ""


@pytest.mark.parametrize("name", DECODERS)
def test_a_size_that_the_bytes_cannot_hold_sets_nothing_aside(name: str) -> None:
    data = bytearray(jpeg())
    at = data.index(b"\xff\xc0")
    data[at + 5 : at + 9] = (28_000).to_bytes(2, "big") * 2
    with pytest.raises(DecodingError, match="its header states 28000 x 28000 px, far more than"):
        usable(name).decode(bytes(data))


def test_the_emptiest_pictures_are_still_decoded() -> None:
    flags = [cv2.IMWRITE_JPEG_PROGRESSIVE, 1, cv2.IMWRITE_JPEG_OPTIMIZE, 1, cv2.IMWRITE_JPEG_QUALITY, 1]
    for channels in (1, 3):
        _, data = cv2.imencode(".jpg", np.zeros((2048, 2048, channels), np.uint8), flags)
        assert OPENCV.decode(data.tobytes()).shape == (2048, 2048, 3)
