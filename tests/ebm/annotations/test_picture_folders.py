"""Where the pictures of a file of annotations are looked for."""

from pathlib import Path

import pytest

from ebm.annotations.picture_folders import find_pictures
from ebm.exceptions import InputError


@pytest.mark.parametrize(
    ("file", "picture"),
    [
        ("a.json", "1.jpg"),
        ("a.json", "images/1.jpg"),
        ("annotations/a.json", "images/1.jpg"),
        ("annotations/a.json", "1.jpg"),
        ("annotations/instances_train.json", "train/1.jpg"),
        ("annotations/instances_train2017.json", "images/train2017/1.jpg"),
        ("annotations/person_keypoints_val2017.json", "images/person_keypoints_val2017/1.jpg"),
        ("instances_val.json", "val/1.jpg"),
    ],
)
def test_the_usual_places_are_found(tmp_path: Path, file: str, picture: str) -> None:
    place = tmp_path / "set" / picture
    place.parent.mkdir(parents=True)
    place.touch()
    # The first picture of the file is not there; the second says where they lie.
    assert find_pictures(tmp_path / "set" / file, ["0.jpg", "1.jpg"]) == place.parent


def test_names_with_a_folder_count_from_above_it(tmp_path: Path) -> None:
    (tmp_path / "train").mkdir()
    (tmp_path / "train/1.jpg").touch()
    assert find_pictures(tmp_path / "annotations/instances_train.json", ["train/1.jpg"]) == tmp_path


@pytest.mark.parametrize("name", ["1.jpg", "x" * 5000, "a\0b"])
def test_pictures_that_are_nowhere_are_named(tmp_path: Path, name: str) -> None:
    with pytest.raises(InputError, match="none of .*images/train"):
        find_pictures(tmp_path / "annotations/instances_train.json", [name])
