"""Which sets have parts that are named."""

import shutil
from pathlib import Path

import pytest

from ebm.tasks.detection.data.converting import convert_set
from ebm.tasks.detection.data.opening import has_splits
from tests.ebm.tasks.detection.sets import write_set


def test_parts_of_every_form(tmp_path: Path) -> None:
    pytest.importorskip("yaml")
    file = write_set(tmp_path / "coco")
    assert has_splits(tmp_path / "coco")
    assert not has_splits(file)
    for form in ("voc", "yolo"):
        convert_set(file, tmp_path / form, form)
        assert has_splits(tmp_path / form)
    assert has_splits(tmp_path / "yolo" / "data.yaml")
    shutil.rmtree(tmp_path / "voc" / "ImageSets")  # as programs for drawing boxes leave it
    assert not has_splits(tmp_path / "voc")
    shutil.copy(file, tmp_path / "coco" / "annotations.json")
    shutil.rmtree(tmp_path / "coco" / "annotations")
    assert not has_splits(tmp_path / "coco")
