"""MS-COCO as sequences of one frame: on tiny folders, on real annotations, on damaged files."""

import json
import shutil
from pathlib import Path

import numpy as np
import pytest

from ebm.exceptions import InputError
from ltr.data.image_loader import read_image
from ltr.dataset import MSCOCOSeq
from ltr.dataset.base import VideoDataset
from tests.ltr.layouts import write_coco


def test_coco_drops_crowds_and_boxes_without_area(tmp_path: Path) -> None:
    dataset = MSCOCOSeq(write_coco(tmp_path))
    assert isinstance(dataset, VideoDataset)
    assert not dataset.is_video
    assert len(dataset) == 9
    assert dataset.dropped == {"crowd": 1, "without area": 1}
    assert dataset.sequence_name(1) == "000000000000.jpg, object 101"
    annotation = dataset.annotation(1)
    np.testing.assert_array_equal(annotation.boxes, [[40, 10, 20.5, 30]])
    assert annotation.visible.tolist() == [True]
    assert read_image(dataset.frame_path(8, 17)).shape == (64, 96, 3)


def test_coco_versions_and_folders(tmp_path: Path) -> None:
    write_coco(tmp_path, "2017")
    assert MSCOCOSeq(tmp_path).version == "2017"
    write_coco(tmp_path, "2014")
    assert MSCOCOSeq(tmp_path).version == "2014"
    assert MSCOCOSeq(tmp_path, version="2017").version == "2017"
    with pytest.raises(InputError, match="no annotations/instances_val2014.json; there is none for"):
        MSCOCOSeq(tmp_path, "val")
    with pytest.raises(InputError, match="there is instances_train2014.json, instances_train2017.json"):
        MSCOCOSeq(tmp_path, version="2015")
    (tmp_path / "images" / "train2017").rename(tmp_path / "train2017")
    assert MSCOCOSeq(tmp_path, version="2017").frame_path(0, 0).is_file()
    (tmp_path / "train2017" / "000000000001.jpg").unlink()
    with pytest.raises(InputError, match="1 of 3 images are missing in .*e.g. 000000000001.jpg"):
        MSCOCOSeq(tmp_path, version="2017")
    shutil.rmtree(tmp_path / "train2017")
    with pytest.raises(InputError, match="no images at"):
        MSCOCOSeq(tmp_path, version="2017")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ('{"images": [\n', r"line \d: not valid JSON"),
        ("[]", "no COCO instances file"),
        (
            '{"images": [], "annotations": [{"id": 1, "image_id": 9, "bbox": [1, 2, 3, 4]}]}',
            "annotation 1 is of image 9, which is not among its images",
        ),
        ('{"images": [], "annotations": []}', "no object to track"),
    ],
)
def test_coco_with_a_damaged_file(tmp_path: Path, text: str, message: str) -> None:
    write_coco(tmp_path)
    (tmp_path / "annotations" / "instances_train2017.json").write_text(text)
    with pytest.raises(InputError, match=message):
        MSCOCOSeq(tmp_path)


@pytest.mark.parametrize(("split", "images"), [("train", 32), ("val", 6)])
def test_coco_on_real_data(test_data: Path, split: str, images: int) -> None:
    root = test_data / "coco" / "tiny_coco"
    dataset = MSCOCOSeq(root, split)
    content = json.loads((root / "annotations" / f"instances_{split}2017.json").read_text())
    assert len(content["images"]) == images
    assert len(dataset) + sum(dataset.dropped.values()) == len(content["annotations"])
    assert dataset.dropped["crowd"] == sum(entry["iscrowd"] for entry in content["annotations"])
    for index in range(0, len(dataset), 11):
        height, width, _ = read_image(dataset.frame_path(index, 0)).shape
        x, y, w, h = dataset.annotation(index).boxes[0]
        assert -1 <= x < x + w <= width + 1
        assert -1 <= y < y + h <= height + 1
