"""Ids of COCO-like files: as text, zero, twice."""

import json
import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from ebm.annotations.ids import plain_id
from ebm.exceptions import InputError
from ltr.dataset import MSCOCOSeq
from ltr.dataset.own_tables import open_json
from tests.ltr.layouts import write_coco

Content = dict[str, list[dict[str, Any]]]


@pytest.mark.parametrize(
    ("value", "meant"),
    [("7", 7), (" 12", 12), ("-1", -1), (7.0, 7), (7, 7), ("a7", "a7"), (7.5, 7.5), (None, None)],
)
def test_plain_ids(value: object, meant: object) -> None:
    assert plain_id(value) == meant


def changed(root: Path, change: Callable[[Content], None]) -> MSCOCOSeq:
    write_coco(root)
    file = root / "annotations/instances_train2017.json"
    content = json.loads(file.read_text())
    change(content)
    file.write_text(json.dumps(content))
    return MSCOCOSeq(root)


def as_text(content: Content) -> None:
    for entry in content["images"]:
        entry["id"] = str(entry["id"])
    for entry in content["annotations"]:
        entry |= {"iscrowd": str(entry.get("iscrowd", 0)), "id": str(entry["id"])}


def from_zero(content: Content) -> None:
    first = min(entry["id"] for entry in content["images"])
    for entry in content["images"]:
        entry["id"] -= first
    for number, entry in enumerate(content["annotations"]):
        entry |= {"image_id": entry["image_id"] - first, "id": number}


@pytest.mark.parametrize("change", [lambda content: None, as_text, from_zero])
def test_ids_as_text_and_from_zero_are_ids(tmp_path: Path, change: Callable[[Content], None]) -> None:
    dataset = changed(tmp_path, change)
    assert len(dataset) == 9
    assert dataset.dropped == {"crowd": 1, "without area": 1}


def second_image(content: Content) -> None:
    content["images"].append(content["images"][0] | {"file_name": "other.jpg"})


def second_annotation(content: Content) -> None:
    content["annotations"][1] |= {key: content["annotations"][0][key] for key in ("id", "image_id")}


def second_category(content: Content) -> None:
    content["categories"] = [{"id": 1, "name": "cat"}, {"id": "1", "name": "dog"}]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (second_image, "two of its images have the id 10: 000000000000.jpg and other.jpg"),
        (second_annotation, "1 ids of annotations are given twice, first 100 in 000000000000.jpg"),
        (second_category, "two of its categories have the id 1: cat and dog"),
        (lambda c: c["annotations"][1].update(id="abc"), "the id 'abc'; expected a whole number"),
        (lambda c: c["annotations"][1].update(id=1 << 70), "whole number of 63 bits"),
        (lambda c: c["images"][0].update(file_name="\ud800"), "is no COCO instances file"),
        (lambda c: c["annotations"][1].update(bbox=[1, 2, 3]), r"annotation 101 has the bbox \[1, 2, 3\]"),
        (lambda c: c["annotations"][1].update(iscrowd=[1]), r"annotation 101 has the iscrowd '\[1\]'"),
        (
            lambda c: c["annotations"][1].update(iscrowd=math.inf),
            r"annotation 101 has the iscrowd 'inf', not 0 or 1",
        ),
        (lambda c: c["annotations"][1].update(image_id=99), "annotation 101 is of image 99"),
    ],
)
def test_what_is_given_twice_or_leads_nowhere_is_named(
    tmp_path: Path, change: Callable[[Content], None], message: str
) -> None:
    with pytest.raises(InputError, match=message) as caught:
        changed(tmp_path, change)
    assert "instances_train2017.json" in str(caught.value)


@pytest.mark.parametrize("height", [0, -3, float("nan"), float("inf"), 1e39])
def test_boxes_without_a_height_are_left_out_and_counted(tmp_path: Path, height: float) -> None:
    dataset = changed(tmp_path, lambda content: content["annotations"][0]["bbox"].__setitem__(3, height))
    assert len(dataset) == 8
    assert dataset.dropped["without area"] == 2


def test_own_tables_have_the_same_ids(tmp_path: Path) -> None:
    (tmp_path / "v").mkdir()
    for number in range(2):
        (tmp_path / f"v/{number}.jpg").touch()
    images: list[dict[str, Any]] = [
        {"id": str(number), "file_name": f"v/{number}.jpg", "video_id": 0} for number in range(2)
    ]
    boxes: list[dict[str, Any]] = [
        {"id": n, "image_id": float(n), "track_id": 0, "bbox": [1, 2, 3, 4]} for n in range(2)
    ]
    content = {"images": images, "annotations": boxes, "videos": [{"id": "0", "name": "v"}]}
    file = tmp_path / "a.json"
    file.write_text(json.dumps(content))
    assert len(open_json(file).annotation(0)) == 2
    for box in boxes:
        box["track_id"] = None  # as some programs write it for the only object
    file.write_text(json.dumps(content))
    assert open_json(file).names == ["v"]
    images.append({"id": 1.0, "file_name": "v/0.jpg", "video_id": 0})
    file.write_text(json.dumps(content))
    with pytest.raises(InputError, match=r"a\.json: two of its images have the id 1"):
        open_json(file)


@pytest.mark.parametrize("bbox", [[10, 10, 5], ["a", "b", "c", "d"], None, 7, [1, 2, 3, 4, 5]])
def test_a_bbox_of_other_than_four_numbers_is_named(tmp_path: Path, bbox: Any) -> None:
    content = {
        "images": [{"id": 1, "file_name": "a.jpg"}],
        "annotations": [{"id": "seven", "image_id": 1, "bbox": bbox}],
    }
    (tmp_path / "a.json").write_text(json.dumps(content))
    with pytest.raises(InputError, match=r"annotation seven has the bbox .* must be four numbers x, y, w, h"):
        open_json(tmp_path / "a.json")
