"""COCO's json as a detection set: real files, what is left out, what is refused."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from ebm.exceptions import InputError
from ebm.tasks.detection.data.coco_json import read_coco, write_coco
from tests.ebm.tasks.detection.sets import content_of, write_set


def test_boxes_labels_crowds_and_areas_are_read(tmp_path: Path) -> None:
    found, problems = read_coco(write_set(tmp_path))
    assert len(problems) == 0
    first, second = found.images
    assert (first.image_id, first.path, first.width, first.height) == (7, tmp_path / "train/a.jpg", 60, 40)
    np.testing.assert_array_equal(first.boxes, [[5, 6, 15, 18], [0, 0, 60, 40]])
    assert first.labels.tolist() == [1, 0]
    assert first.crowd.tolist() == [False, True]
    assert first.areas.tolist() == [99.5, 7.0]
    assert second.areas.tolist() == [510.0]
    assert found.names == ("cat", "dog")
    assert found.label_of == {10: 0, 20: 1}


def test_training_leaves_out_crowds_and_cuts_at_the_border(tmp_path: Path) -> None:
    found = read_coco(write_set(tmp_path))[0].for_training()
    np.testing.assert_array_equal(found.images[0].boxes, [[5, 6, 15, 18]])
    np.testing.assert_array_equal(found.images[1].boxes, [[20, 10, 30, 30]])
    crowds = [{"id": 1, "image_id": 7, "category_id": 10, "bbox": [0, 0, 9, 9], "iscrowd": 1}]
    assert len(read_coco(write_set(tmp_path / "c", annotations=crowds))[0].for_training()) == 0


@pytest.mark.parametrize(
    ("change", "kind"),
    [
        ({"bbox": [float("nan"), 0, 5, 5]}, "boxes that are not finite"),
        ({"bbox": [1, 1, 1e400, 5]}, "boxes that are not finite"),
        ({"bbox": [1, 1, 0, 5]}, "boxes without area"),
        ({"bbox": [9, 9, -5, 5]}, "boxes without area"),
        ({"bbox": [70, 1, 5, 5]}, "boxes outside their picture"),
        ({"category_id": 11}, "objects of unknown categories"),
    ],
)
def test_rows_that_cannot_be_used_are_left_out_and_named(
    tmp_path: Path, change: dict[str, Any], kind: str
) -> None:
    rows = content_of()["annotations"]
    rows[0] = {**rows[0], **change}
    found, problems = read_coco(write_set(tmp_path, annotations=rows))
    assert [problem.kind for problem in problems] == [kind]
    assert "1 " in str(problems)
    assert "first: annotation 1 of image 7" in str(problems)
    assert [len(image) for image in found.images] == [1, 1]


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        (
            {"annotations": [{"id": 1, "image_id": 9, "category_id": 10, "bbox": [0, 0, 1, 1]}]},
            "is of image 9",
        ),
        (
            {"annotations": [{"id": 1, "image_id": 7, "category_id": 10, "bbox": [0, 1]}]},
            "must be four numbers",
        ),
        ({"annotations": [{"id": 1, "image_id": 7, "bbox": [0, 0, 1, 1]}]}, "KeyError: 'category_id'"),
        ({"categories": [{"id": 1, "name": "a"}, {"id": 1, "name": "b"}]}, "have the id 1"),
        ({"images": [{"id": 7, "file_name": "a.jpg", "width": 0, "height": 4}]}, "width and height 0 and 4"),
        ({"images": [{"id": 7, "file_name": "a.jpg", "width": "x", "height": 4}]}, "a whole number must be"),
        ({"images": [{"id": 7.5, "file_name": "a.jpg"}]}, "has the id '7.5'"),
        ({"images": [{"id": 7, "file_name": "a.jpg", "width": 10**400, "height": 4}]}, "width and height"),
        ({"images": [{"id": 7, "file_name": "a.jpg"}, {"id": 8, "file_name": "\0"}]}, "is missing"),
        ({"images": [{"id": 7, "file_name": "nowhere.jpg"}]}, r"nowhere\.jpg, is in none of"),
        ({"images": [], "annotations": []}, "has no images"),
        ({"categories": [{"id": 10, "name": None}]}, "category 10 has the name None"),
        ({"images": 5}, "is no JSON file in the manner of COCO"),
    ],
)
def test_files_that_are_none_are_refused(tmp_path: Path, changes: dict[str, Any], message: str) -> None:
    changes.setdefault("annotations", [])
    with pytest.raises(InputError, match=message) as caught:
        read_coco(write_set(tmp_path, **changes))
    assert str(tmp_path / "annotations/instances_train.json") in str(caught.value)


def test_sizes_that_are_not_said_are_read_from_the_pictures(tmp_path: Path) -> None:
    images = [{"id": 7, "file_name": "a.jpg"}, {"id": "8", "file_name": "b.jpg"}]
    found, _ = read_coco(write_set(tmp_path, images=images))
    assert [(image.width, image.height) for image in found.images] == [(60, 40), (30, 50)]
    assert found.images[1].image_id == 8


def test_scores_need_no_pictures(tmp_path: Path) -> None:
    file = tmp_path / "instances_val.json"
    file.write_text(json.dumps(content_of()))
    assert len(read_coco(file, require_pictures=False)[0]) == 2
    with pytest.raises(InputError, match="no folder of pictures"):
        read_coco(file, tmp_path / "nowhere")


def test_what_is_written_is_read(tmp_path: Path) -> None:
    found, _ = read_coco(write_set(tmp_path))
    write_coco(tmp_path / "annotations/instances_train.json", found, ["a.jpg", "b.jpg"])
    again, problems = read_coco(tmp_path / "annotations/instances_train.json")
    assert len(problems) == 0
    for one, other in zip(found.images, again.images, strict=True):
        np.testing.assert_array_equal(one.boxes, other.boxes)
        np.testing.assert_array_equal(one.areas, other.areas)
        np.testing.assert_array_equal(one.crowd, other.crowd)
        assert (one.image_id, one.path) == (other.image_id, other.path)


@pytest.mark.parametrize(
    ("file", "counts"),
    [
        ("coco/tiny_coco/annotations/instances_train2017.json", (32, 288, 4, 30, 284)),
        ("train/photos/coco_mix/annotations/instances_val.json", (150, 1207, 8, 150, 1199)),
        ("train/photos/voc2007_5cls/annotations/instances_val.json", (400, 980, 0, 399, 980)),
    ],
)
def test_real_files(test_data: Path, file: str, counts: tuple[int, ...]) -> None:
    """Pictures, objects, crowds; pictures and objects to train on, as counted in the files themselves."""
    found, problems = read_coco(test_data / file)
    assert len(problems) == 0
    crowds = sum(int(image.crowd.sum()) for image in found.images)
    learnt = found.for_training()
    objects = [sum(map(len, one.images)) for one in (found, learnt)]
    assert (len(found), objects[0], crowds, len(learnt), objects[1]) == counts
    assert all(image.path.is_file() for image in found.images)
