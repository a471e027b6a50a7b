"""Pascal VOC's XML: pixels by hand, splits, labels, files that are none."""

from pathlib import Path

import numpy as np
import pytest

from ebm.exceptions import InputError
from ebm.tasks.detection.data.voc_xml import VOC_NAMES, read_voc, write_voc
from tests.ebm.tasks.detection.sets import draw, image_of, set_of

OBJECT = """<object><name>{name}</name><difficult>{difficult}</difficult><bndbox><xmax>{box[2]}</xmax>
<xmin>{box[0]}</xmin><ymin>{box[1]}</ymin><ymax>{box[3]}</ymax></bndbox>
<part><name>head</name><bndbox><xmin>1</xmin><ymin>1</ymin><xmax>2</xmax><ymax>2</ymax></bndbox></part></object>"""


def write_xml(root: Path, stem: str, *objects: str, size: str = "60 40", filename: str = "") -> None:
    width, height = size.split()
    text = (
        f"<annotation><filename>{filename or stem + '.jpg'}</filename><size><width>{width}</width>"
        f"<height>{height}</height></size>{''.join(objects)}</annotation>"
    )
    (root / "Annotations").mkdir(parents=True, exist_ok=True)
    (root / "Annotations" / f"{stem}.xml").write_text(text)
    draw(root / "JPEGImages" / f"{stem}.jpg", 60, 40)


def thing(name: str, *box: object, difficult: int = 0) -> str:
    return OBJECT.format(name=name, box=box, difficult=difficult)


def test_pixels_count_from_one_and_the_last_one_belongs_to_the_box(tmp_path: Path) -> None:
    write_xml(tmp_path, "000012", thing("dog", 1, 1, 60, 40), thing("cat", 11, 6, 11, 6, difficult=1))
    found, problems = read_voc(tmp_path)
    assert len(problems) == 0
    (image,) = found.images
    np.testing.assert_array_equal(image.boxes, [[0, 0, 60, 40], [10, 5, 11, 6]])
    assert image.crowd.tolist() == [False, True]
    assert image.image_id == 12
    assert image.path == tmp_path / "JPEGImages/000012.jpg"
    assert found.names == VOC_NAMES
    assert [found.names[label] for label in image.labels] == ["dog", "cat"]


def test_labels_are_those_of_all_splits(tmp_path: Path) -> None:
    write_xml(tmp_path, "a", thing("zebra", 1, 1, 9, 9))
    write_xml(tmp_path, "b", thing("ant", 1, 1, 9, 9), thing("zebra", 1, 1, 9, 9))
    lists = tmp_path / "ImageSets/Main"
    lists.mkdir(parents=True)
    (lists / "train.txt").write_text("a\n")
    (lists / "val.txt").write_text("b  1\nmissing\n")
    train, _ = read_voc(tmp_path, "train")
    val, problems = read_voc(tmp_path, "val")
    assert train.names == val.names == ("ant", "zebra")
    assert (train.images[0].image_id, val.images[0].image_id) == ("a", "b")
    assert "1 pictures of the split without annotation, first: missing" in str(problems)
    with pytest.raises(InputError, match=r"test\.txt is missing; there is train, val"):
        read_voc(tmp_path, "test")
    (tmp_path / "classes.txt").write_text("zebra\nbee\n")
    listed, problems = read_voc(tmp_path, "val")
    assert listed.names == ("zebra", "bee")
    assert "1 objects of unknown categories" in str(problems)


def test_bad_files_and_rows_are_named_and_the_rest_is_read(tmp_path: Path) -> None:
    write_xml(tmp_path, "a", thing("dog", "nan", 1, 9, 9), thing("dog", 9, 9, 2, 2), thing("dog", 1, 1, 9, 9))
    write_xml(tmp_path, "b", thing("dog", "x", 1, 9, 9))
    (tmp_path / "Annotations/c.xml").write_text("<annotation><object>")
    laughs = "".join(f'<!ENTITY l{k} "{f"&l{k - 1};" * 10}">' for k in range(1, 12))
    bomb = f'<!DOCTYPE a [<!ENTITY l0 "ha">{laughs}]><annotation><filename>&l11;</filename></annotation>'
    (tmp_path / "Annotations/d.xml").write_text(bomb)
    found, problems = read_voc(tmp_path)
    assert [len(image) for image in found.images] == [1]
    assert {problem.kind: problem.count for problem in problems} == {
        "files that are no annotation of VOC": 3,
        "boxes that are not finite": 1,
        "boxes without area": 1,
    }
    assert str(tmp_path / "Annotations/b.xml") in str(problems)
    for name in "ab":
        (tmp_path / f"Annotations/{name}.xml").unlink()
    with pytest.raises(InputError, match="no XML file of VOC that can be read"):
        read_voc(tmp_path)


def test_a_size_that_is_not_said_and_a_path_of_another_machine(tmp_path: Path) -> None:
    write_xml(tmp_path, "a", thing("dog", 1, 1, 9, 9), size="0 0", filename="C:\\data\\a.jpg")
    image = read_voc(tmp_path)[0].images[0]
    assert (image.width, image.height, image.path) == (60, 40, tmp_path / "JPEGImages/a.jpg")
    (tmp_path / "JPEGImages/a.jpg").unlink()
    found, problems = read_voc(tmp_path)
    assert len(found) == 0
    assert "1 pictures of unknown size" in str(problems)


def test_what_is_written_is_read(tmp_path: Path) -> None:
    crowd = image_of(5, [[0, 0.25, 10.5, 20], [3, 4, 50, 39.999]], [1, 0], crowd=[True, False], size=(60, 40))
    write_voc(tmp_path, set_of(crowd, names=("<cat>", "dog & co")), ["5.jpg"], "train")
    found, problems = read_voc(tmp_path, "train")
    assert len(problems) == 0
    assert found.names == ("<cat>", "dog & co")
    np.testing.assert_allclose(found.images[0].boxes, crowd.boxes, atol=1e-3)
    assert found.images[0].labels.tolist() == [1, 0]
    assert found.images[0].crowd.tolist() == [True, False]
