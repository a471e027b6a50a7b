"""How the checker goes through a data set of each layout."""

import json
import threading
import time
from pathlib import Path

import cv2
import numpy as np
import pytest

from ltr.dataset.tools import layouts
from ltr.dataset.tools.layouts import check_dataset
from tests.ltr.layouts import write_coco


@pytest.mark.parametrize("deep", [False, True])
def test_work_that_waits_is_done_by_several_threads_and_told_in_order(deep: bool) -> None:
    workers = set()

    def one(index: int) -> layouts.Checked:
        time.sleep(0.01 if index % 3 else 0.03)
        workers.add(threading.get_ident())
        return [], index

    assert [count for _, count in layouts._worked(one, 30, deep)] == list(range(30))
    assert len(workers) > 1
    assert list(layouts._worked(one, 0, deep)) == []


def test_links_that_lead_back_are_named(tmp_path: Path) -> None:
    one = tmp_path / "one"
    one.mkdir()
    for number in range(3):
        cv2.imwrite(str(one / f"{number}.jpg"), np.zeros((30, 40, 3), dtype=np.uint8))
    (one / "groundtruth.txt").write_text("1,1,5,5\n" * 3)
    (tmp_path / "again").symlink_to(one)
    (tmp_path / "around").symlink_to(tmp_path)
    report = check_dataset(tmp_path)
    left = {finding.sequence: finding.detail for finding in report.findings if finding.kind == "left out"}
    assert left == dict.fromkeys(("again", "around"), "a link to what is there already")
    assert not report.faults


@pytest.mark.parametrize(("box", "outside"), [([10, 10, 5, 5], False), ([1000, 1000, 5, 5], True)])
def test_a_listed_box_outside_its_image(tmp_path: Path, box: list[int], outside: bool) -> None:
    cv2.imwrite(str(tmp_path / "a.jpg"), np.zeros((30, 40, 3), dtype=np.uint8))
    content = {
        "images": [{"id": 0, "file_name": "a.jpg"}],
        "annotations": [{"id": 0, "image_id": 0, "bbox": box}],
    }
    (tmp_path / "annotations.json").write_text(json.dumps(content))
    kinds = [finding.kind for finding in check_dataset(tmp_path / "annotations.json").faults]
    assert kinds == ["box outside image"] * outside


def test_the_size_of_an_image_is_read_once_for_all_objects_in_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    read: list[Path] = []
    size = layouts.image_size
    monkeypatch.setattr(layouts, "image_size", lambda path: read.append(path) or size(path))
    report = check_dataset(write_coco(tmp_path), "coco")
    assert 0 < len(read) == len(set(read)) < report.sequences
