"""Sets of photos side by side: which objects are kept, and under which names."""

import json
from pathlib import Path

import pytest

from ebm.exceptions import InputError
from ltr.dataset.opening import open_dataset
from ltr.dataset.photos import Photos, texture_folder
from ltr.dataset.tools.layouts import check_dataset
from tests.ltr.layouts import write_image

SIZES = ((40, 30), (40, 15.9), (16, 16), (0, 30))


def write_set(root: Path, split: str = "train") -> Path:
    """Two photos; objects of the sizes above on the first, one on the second, and a crowd."""
    first = 1 if split == "train" else 11
    for number in (1, 2):
        write_image(root / split / f"{first + number - 1}.jpg", number)
    boxes = [(1, (2, 3, *size), 0) for size in SIZES] + [(2, (0, 0, 30, 20), 0), (2, (0, 0, 30, 20), 1)]
    content = {
        "images": [{"id": k, "file_name": f"{first + k - 1}.jpg"} for k in (1, 2)],
        "annotations": [
            {"id": k, "image_id": image, "bbox": list(box), "category_id": 1, "iscrowd": crowd}
            for k, (image, box, crowd) in enumerate(boxes)
        ],
        "categories": [{"id": 1, "name": "cat"}],
    }
    file = root / "annotations" / f"instances_{split}.json"
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(json.dumps(content))
    return root


def test_sets_are_joined_without_small_objects(tmp_path: Path) -> None:
    for name in ("a", "b"):
        write_set(tmp_path / name)
    photos = open_dataset("photos", tmp_path)
    assert isinstance(photos, Photos)
    names = [photos.sequence_name(k) for k in range(len(photos))]
    own = ["1.jpg, object 0", "1.jpg, object 2", "2.jpg, object 4"]
    assert names == [f"{folder}/{name}" for folder in "ab" for name in own]
    assert photos.annotation(4).boxes[0].tolist() == [2, 3, 16, 16]
    assert photos.frame_path(5, 7) == tmp_path / "b" / "train" / "2.jpg"
    assert photos.class_name(3) == "cat"
    assert not photos.is_video
    assert texture_folder(tmp_path) == tmp_path / "a" / "train"
    assert check_dataset(tmp_path, "photos").sequences == 6


def test_one_set_may_be_the_root_and_lacks_no_split(tmp_path: Path) -> None:
    write_set(tmp_path, "val")
    assert len(Photos(tmp_path, "val")) == 3
    assert texture_folder(tmp_path) is None
    with pytest.raises(InputError, match="none for the split 'train'"):
        Photos(tmp_path)
    with pytest.raises(InputError, match="holds no photos with boxes"):
        Photos(tmp_path / "val")
