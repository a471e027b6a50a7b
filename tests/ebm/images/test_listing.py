"""Which names of a folder are data, and in which order."""

from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ebm.images.listing import image_names, natural_key
from ltr.dataset.generated.photos import find_photos
from ltr.dataset.generated.workspace import generated_folder
from ltr.dataset.imagenet_vid import parse_video
from ltr.dataset.lasot import LaSOT
from ltr.dataset.listed import list_images
from ltr.dataset.subfolders import subfolders
from pytracking.evaluation.data import numbered_images
from pytracking.evaluation.video_io import open_video
from tests.ltr.layouts import write_image

STRANGERS = ("._0001.jpg", ".DS_Store", ".hidden.png", "Thumbs.db", "desktop.ini", "Icon\r")


def write_strangers(folder: Path) -> None:
    for name in STRANGERS:
        (folder / name).write_bytes(b"")
    (folder / "__MACOSX").mkdir()
    (folder / "__MACOSX" / "0002.jpg").write_bytes(b"\0\5\x16\7")
    (folder / "0009.jpg").mkdir()  # a folder, whatever it is called


@pytest.fixture
def frames(tmp_path: Path) -> Path:
    for name in ("Frame_10.JPG", "frame_2.jpg", "frame_1.Png", "FRAME_3.jpeg"):
        write_image(tmp_path / name)
    write_strangers(tmp_path)
    return tmp_path


LISTINGS: dict[str, Callable[[Path], list[str]]] = {
    "training": list_images,
    "rule": image_names,
    "video": lambda folder: [path.name for path in open_video(folder).paths],  # type: ignore[attr-defined]
    "benchmarks": lambda folder: [path.name for path in numbered_images(folder).values()],
}


@pytest.mark.parametrize("listing", LISTINGS.values(), ids=LISTINGS)
def test_every_listing_has_the_images_in_natural_order(
    listing: Callable[[Path], list[str]], frames: Path
) -> None:
    assert listing(frames) == ["frame_1.Png", "frame_2.jpg", "FRAME_3.jpeg", "Frame_10.JPG"]


def test_textures_are_those_of_a_person(frames: Path, tmp_path: Path) -> None:
    assert len(find_photos(frames)) == 4
    before = generated_folder(tmp_path, "train", "tiny", frames)
    (frames / ".cache").mkdir()
    (frames / ".cache" / "Thumbs.db").write_bytes(b"more")
    assert generated_folder(tmp_path, "train", "tiny", frames) == before


def test_folders_leave_strangers_out(frames: Path) -> None:
    (frames / "walk").mkdir()
    (frames / ".git").mkdir()
    (frames / "loop").symlink_to("loop")
    (frames / "loop.jpg").symlink_to("loop.jpg")
    assert "loop.jpg" in image_names(frames)  # which is told when it is read
    assert subfolders(frames) == ["0009.jpg", "walk"]


def test_annotations_of_a_mac_are_no_annotations(tmp_path: Path) -> None:
    (tmp_path / "._000000.xml").write_bytes(b"\0\5\x16\7")
    assert parse_video(tmp_path, "video") == []


@given(st.lists(st.text(min_size=1, max_size=8), max_size=8))
def test_any_names_can_be_sorted(names: list[str]) -> None:
    """Also digits of other scripts and raised ones, which are no numbers to `int` or not the same ones."""
    assert sorted(sorted(names, key=natural_key)) == sorted(names)


def test_numbers_count_and_capitals_do_not() -> None:
    names = ["b1", "A10", "a9", "B²", "a٣", "A9"]
    assert sorted(names, key=natural_key) == ["A9", "a9", "A10", "a٣", "b1", "B²"]


def test_shards_and_readers_see_no_strangers(tmp_path: Path) -> None:
    folder = tmp_path / "cat" / "cat-1"
    (folder / "img").mkdir(parents=True)
    for number in range(1, 4):
        write_image(folder / "img" / f"{number:08d}.jpg")
    (folder / "groundtruth.txt").write_text("1,1,9,9\n" * 3)
    write_strangers(tmp_path)
    write_strangers(tmp_path / "cat")
    write_strangers(folder / "img")
    dataset = LaSOT(tmp_path, ["cat-1"])
    assert len(dataset.annotation(0)) == 3
    assert cv2.imread(str(dataset.frame_path(0, 0))) is not None
    assert np.isfinite(dataset.annotation(0).boxes).all()
