"""From COCO to VOC and YOLO and back: what a form can hold comes back."""

from pathlib import Path

import numpy as np
import pytest

from ebm.exceptions import InputError
from ebm.tasks.detection.data.converting import convert_set
from ebm.tasks.detection.data.opening import open_detection_set
from tests.ebm.tasks.detection.sets import draw, write_set


@pytest.mark.parametrize("form", ["voc", "yolo"])
@pytest.mark.parametrize("real", [False, True])
def test_there_and_back(tmp_path: Path, form: str, real: bool, request: pytest.FixtureRequest) -> None:
    pytest.importorskip("yaml")
    file = write_set(tmp_path / "own")
    if real:
        file = request.getfixturevalue("test_data") / "coco/tiny_coco/annotations/instances_val2017.json"
    before, _ = open_detection_set(file)
    told = str(convert_set(file, tmp_path / form, form))
    assert f"{len(before)} pictures" in told
    assert ("crowds" in told) == (form == "yolo")
    convert_set(tmp_path / form, tmp_path / "coco", copy=True)
    after, problems = open_detection_set(tmp_path / "coco")
    assert len(problems) == 0
    assert after.names == before.names
    by_name = {image.path.name: image for image in after.images}  # folders are listed by name
    assert len(by_name) == len(before)
    for one in before.images:
        other = by_name[one.path.name]
        kept = one.chosen(~one.crowd) if form == "yolo" else one
        bound = [one.width, one.height] * 2 if form == "yolo" else [np.inf] * 4
        np.testing.assert_allclose(other.boxes, np.minimum(kept.boxes, bound), atol=2e-3)
        np.testing.assert_array_equal(other.labels, kept.labels)
        np.testing.assert_array_equal(other.crowd, kept.crowd)
        assert other.path.read_bytes() == one.path.read_bytes()
        assert not other.path.is_symlink()


def test_ids_of_pictures_come_back_where_they_are_the_names(tmp_path: Path, test_data: Path) -> None:
    file = test_data / "coco/tiny_coco/annotations/instances_val2017.json"
    convert_set(file, tmp_path / "voc", "voc")
    ids = [
        [image.image_id for image in open_detection_set(place)[0].images]
        for place in (file, tmp_path / "voc")
    ]
    assert sorted(ids[0]) == sorted(ids[1])


def test_nothing_is_written_where_something_is_wrong(tmp_path: Path) -> None:
    file = write_set(tmp_path / "own")
    out = tmp_path / "out"
    with pytest.raises(InputError, match="say which form"):
        convert_set(file, out)
    with pytest.raises(InputError, match="no name of a split"):
        convert_set(file, out, "voc", "../x")
    with pytest.raises(InputError, match="is no set of pictures"):
        convert_set(tmp_path / "own/train", out)
    with pytest.raises(InputError, match="lies in the data set"):
        convert_set(write_voc_from(file, tmp_path), tmp_path / "voc/out", "coco")
    with pytest.raises(InputError, match="lies in the folder of pictures"):
        convert_set(file, tmp_path / "own/train/out", "voc")
    (tmp_path / "own/train/b.jpg").write_text("a secret, no picture")
    with pytest.raises(InputError, match=r"b\.jpg is no picture that can be read"):
        convert_set(file, out, "voc", copy=True)
    (tmp_path / "own/train/b.jpg").unlink()
    with pytest.raises(InputError, match=r"1 of 2 pictures are missing, first .*b\.jpg"):
        convert_set(file, out, "voc")
    assert not out.exists()
    out.mkdir()
    with pytest.raises(InputError, match="is there already"):
        convert_set(file, out, "voc")
    assert not any(path.name.startswith(".") for path in tmp_path.iterdir())


def write_voc_from(file: Path, tmp_path: Path) -> Path:
    convert_set(file, tmp_path / "voc", "voc")
    return tmp_path / "voc"


def test_pictures_of_one_name_in_two_folders_get_different_ones(tmp_path: Path) -> None:
    for folder in ("x", "y"):
        draw(tmp_path / "train" / folder / "a.jpg", 60, 40)
    images = [
        {"id": 7, "file_name": "x/a.jpg", "width": 60, "height": 40},
        {"id": 8, "file_name": "y/a.jpg", "width": 60, "height": 40},
    ]
    file = write_set(tmp_path, images=images)
    convert_set(file, tmp_path / "voc", "voc")
    assert sorted(path.name for path in (tmp_path / "voc/Annotations").iterdir()) == ["x_a.xml", "y_a.xml"]
