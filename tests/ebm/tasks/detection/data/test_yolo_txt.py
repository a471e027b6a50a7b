"""YOLO's texts: shares by hand, outlines, the layouts of exporters, rows that are none."""

from pathlib import Path

import numpy as np
import pytest

from ebm.exceptions import InputError
from ebm.tasks.detection.data.yolo_txt import read_yolo, write_yolo, yolo_splits
from tests.ebm.tasks.detection.sets import draw, image_of, set_of


def flat(root: Path, rows: str) -> Path:
    draw(root / "images/0007.png", 200, 100)
    (root / "labels").mkdir()
    (root / "labels/0007.txt").write_text(rows)
    (root / "classes.txt").write_text("cat\ndog\n")
    return root


def test_shares_become_pixels(tmp_path: Path) -> None:
    rows = "1 0.5 0.5 0.25 0.5\n\n0 0.1 0.2 0.1 0.2 0.9\n1 0.1 0.1 0.3 0.1 0.3 0.5 0.1 0.5\n"
    found, problems = read_yolo(flat(tmp_path, rows))
    assert len(problems) == 0
    (image,) = found.images
    np.testing.assert_allclose(
        image.boxes, [[75, 25, 125, 75], [10, 10, 30, 30], [20, 10, 60, 50]], atol=1e-4
    )
    assert image.labels.tolist() == [1, 0, 1]
    np.testing.assert_allclose(image.areas, [2500, 400, 1600], rtol=1e-5)  # the last is an outline's
    assert image.image_id == 7
    assert [category.category_id for category in found.categories] == [1, 2]


def test_rows_that_cannot_be_used_are_named(tmp_path: Path) -> None:
    rows = (
        "0 75 25 50 50\n2 .5 .5 .1 .1\nx .5 .5 .1 .1\n0 .5 .5 0 .1\n0 nan .5 .1 .1\n0 .5 .5\n1 .5 .5 .2 .2\n"
    )
    found, problems = read_yolo(flat(tmp_path, rows))
    assert len(found.images[0]) == 1
    assert {problem.kind: problem.count for problem in problems} == {
        "rows that are no class and shares of the picture": 4,
        "objects of unknown categories": 1,
        "boxes without area": 1,
    }
    assert f"{tmp_path / 'labels/0007.txt'}, line 1: '0 75 25 50 50' has numbers outside" in str(problems)


def test_the_layouts_of_exporters(tmp_path: Path) -> None:
    pytest.importorskip("yaml")
    for split in ("train", "valid"):
        draw(tmp_path / split / "images" / f"{split}.jpg", 50, 50)
        (tmp_path / split / "labels").mkdir()
        (tmp_path / split / "labels" / f"{split}.txt").write_text("0 .5 .5 1 1\n")
    config = tmp_path / "data.yaml"
    config.write_text("train: ../train/images\nval: ../valid/images\nnc: 1\nnames: ['cat']\n")
    assert yolo_splits(tmp_path) == ["train", "val"]
    assert read_yolo(tmp_path, "val")[0].images[0].image_id == "valid"
    assert read_yolo(config, "train")[0].images[0].boxes.tolist() == [[0, 0, 50, 50]]
    with pytest.raises(InputError, match="has the splits train, val; name one"):
        read_yolo(tmp_path)
    with pytest.raises(InputError, match="no pictures of the split 'test'"):
        read_yolo(tmp_path, "test")
    (tmp_path / "list.txt").write_text("train/images/train.jpg\n")
    config.write_text("train: list.txt\nnames: {0: cat}\n")
    assert len(read_yolo(config)[0].images[0]) == 1
    for text in ("train: a\n", "names: {1: cat}\n", "names: [\n", "5\n", "a: &a [x]\nnames: [*a]\n"):
        config.write_text(text)
        with pytest.raises(InputError, match="no description of a YOLO data set"):
            read_yolo(config)


def test_a_picture_without_rows_is_background_and_a_broken_one_is_named(tmp_path: Path) -> None:
    flat(tmp_path, "0 .5 .5 .1 .1\n")
    draw(tmp_path / "images/empty.jpg", 20, 20)
    (tmp_path / "images/broken.jpg").write_bytes(b"no picture")
    found, problems = read_yolo(tmp_path)
    assert sorted(len(image) for image in found.images) == [0, 1]
    assert "1 pictures that cannot be read" in str(problems)


def test_what_is_written_is_read(tmp_path: Path) -> None:
    pytest.importorskip("yaml")
    boxes = [[1.25, 2, 77.5, 90], [-5, 0, 20, 30], [5, 5, 9, 9]]
    image = image_of(3, boxes, [1, 0, 0], crowd=[False, False, True], size=(200, 100))
    draw(tmp_path / "images/val/3.jpg", 200, 100)
    assert write_yolo(tmp_path, set_of(image, names=("a: 'b'", 'c "d" \\')), ["3.jpg"], "val") == 1
    found, problems = read_yolo(tmp_path)
    assert len(problems) == 0
    assert found.names == ("a: 'b'", 'c "d" \\')
    np.testing.assert_allclose(found.images[0].boxes, [[1.25, 2, 77.5, 90], [0, 0, 20, 30]], atol=1e-4)
