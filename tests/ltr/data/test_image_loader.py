"""Images that can be read, and the different reasons why others cannot."""

from pathlib import Path

import cv2
import numpy as np
import pytest

from ebm.exceptions import InputError
from ltr.data.image_loader import encode_png, read_image
from tests.ltr.layouts import write_image


@pytest.mark.parametrize("suffix", [".jpg", ".png", ".bmp"])
def test_rgb_whatever_the_format(tmp_path: Path, suffix: str) -> None:
    file = tmp_path / f"red{suffix}"
    cv2.imwrite(str(file), np.full((8, 12, 3), (0, 0, 255), dtype=np.uint8))  # OpenCV writes blue first
    image = read_image(file)
    assert image.shape == (8, 12, 3)
    assert image.dtype == np.uint8
    np.testing.assert_allclose(image[4, 4], [255, 0, 0], atol=2)


def test_grey_images_get_three_channels(tmp_path: Path) -> None:
    cv2.imwrite(str(tmp_path / "grey.png"), np.arange(48, dtype=np.uint8).reshape(6, 8))
    image = read_image(tmp_path / "grey.png")
    np.testing.assert_array_equal(image, np.arange(48).reshape(6, 8, 1).repeat(3, axis=2))


def test_missing_file_names_sequence_and_frame(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"7\.jpg \(sequence cat-1, frame 6\): the image is missing"):
        read_image(tmp_path / "7.jpg", sequence="cat-1", frame=6)


@pytest.mark.parametrize("suffix", [".jpg", ".png"])
@pytest.mark.parametrize("share", [0.3, 0.7, 0.99])
def test_truncated_images_are_noticed(tmp_path: Path, suffix: str, share: float) -> None:
    file = tmp_path / f"whole{suffix}"
    write_image(file, size=(200, 160))
    data = file.read_bytes()
    read_image(file)
    file.write_bytes(data[: int(share * len(data))])
    with pytest.raises(InputError, match=r"\(sequence s, frame 0\): the image is (truncated|corrupt)"):
        read_image(file, sequence="s", frame=0)


def test_opencv_alone_would_not_notice(tmp_path: Path) -> None:
    file = tmp_path / "cut.jpg"
    write_image(file, size=(200, 160))
    file.write_bytes(file.read_bytes()[:-600])
    assert cv2.imread(str(file)) is not None  # the reason for looking at the end marker ourselves
    with pytest.raises(InputError, match="truncated"):
        read_image(file)


def test_bytes_after_the_end_marker_do_no_harm(tmp_path: Path) -> None:
    file = tmp_path / "padded.jpg"
    write_image(file)
    whole = read_image(file)
    file.write_bytes(file.read_bytes() + b"\0" * 5000)
    np.testing.assert_array_equal(read_image(file), whole)


def test_a_thumbnails_end_marker_does_not_hide_a_truncation(tmp_path: Path) -> None:
    inner, outer = tmp_path / "inner.jpg", tmp_path / "outer.jpg"
    write_image(inner, size=(16, 16))
    write_image(outer, seed=1, size=(200, 160))
    thumbnail, data = inner.read_bytes(), outer.read_bytes()
    comment = b"\xff\xfe" + (len(thumbnail) + 2).to_bytes(2, "big") + thumbnail
    outer.write_bytes(data[:2] + comment + data[2:])
    read_image(outer)
    outer.write_bytes((data[:2] + comment + data[2:])[:-600])
    with pytest.raises(InputError, match="truncated"):
        read_image(outer)
    outer.write_bytes(data[:2] + comment)  # ends with the thumbnail's marker
    with pytest.raises(InputError, match="corrupt"):
        read_image(outer)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "the file is empty"),
        (b"<html>Quota exceeded</html>", "no decoder for this kind of file .*<html>"),
        (b"\xff\xd8 rubbish \xff\xd9", "corrupt: it cannot be decoded"),
        (b"\x89PNG\r\n\x1a\n rubbish IEND", "corrupt: it cannot be decoded"),
    ],
)
def test_what_is_no_image(tmp_path: Path, content: bytes, message: str) -> None:
    file = tmp_path / "broken.jpg"
    file.write_bytes(content)
    with pytest.raises(InputError, match=message):
        read_image(file)


def test_a_folder_is_no_image(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="cannot be read"):
        read_image(tmp_path)


def test_a_part_of_a_png_that_states_gigabytes(tmp_path: Path) -> None:
    """OpenCV makes room for all of it before it reads."""
    data = bytearray(encode_png(np.zeros((8, 8, 3), np.uint8)))
    at = data.index(b"IDAT") - 4
    data[at : at + 4] = (0x40000654).to_bytes(4, "big")
    (tmp_path / "a.png").write_bytes(data)
    with pytest.raises(InputError, match="corrupt"):
        read_image(tmp_path / "a.png")
