"""The files of generated sets: layouts as the real data sets have them, readable by the real readers."""

import json
from pathlib import Path

import cv2
import numpy as np
import pytest

from ltr.dataset.coco import MSCOCOSeq
from ltr.dataset.generated import ensure_generated
from ltr.dataset.generated.plans import adapted_plan, find_plan
from ltr.dataset.got10k import Got10k
from ltr.dataset.lasot import LaSOT
from ltr.dataset.trackingnet import TrackingNet
from tests.ltr.drawn import tiny_sets
from tests.once import made_once

TRAIN_FRAMES, TEST_FRAMES = (find_plan(kind, "tiny").scene.length[0] for kind in ("train", "test"))


@pytest.fixture(scope="module")
def both(tmp_path_factory: pytest.TempPathFactory) -> dict[str, dict[str, Path]]:
    return tiny_sets(made_once(tmp_path_factory, "tiny-workspace", tiny_sets))


@pytest.fixture(scope="module")
def train(both: dict[str, dict[str, Path]]) -> dict[str, Path]:
    return both["train"]


@pytest.fixture(scope="module")
def test_sets(both: dict[str, dict[str, Path]]) -> dict[str, Path]:
    return both["test"]


def _index(root: Path) -> dict:
    return json.loads((root / "generated.json").read_text())


def _boxes(file: Path) -> np.ndarray:
    return np.array([[float(value) for value in line.split(",")] for line in file.read_text().splitlines()])


@pytest.mark.parametrize(("which", "length"), [("train", TRAIN_FRAMES), ("test_sets", TEST_FRAMES)])
def test_lasot(which: str, length: int, request: pytest.FixtureRequest) -> None:
    root = request.getfixturevalue(which)["lasot"]
    for entry in _index(root)["sequences"]:
        folder = root / entry["name"].split("-")[0] / entry["name"]
        assert sorted(p.name for p in (folder / "img").iterdir()) == [
            f"{i:08d}.jpg" for i in range(1, length + 1)
        ]
        boxes = _boxes(folder / "groundtruth.txt")
        absent = np.zeros(length, dtype=bool)
        for flag in ("full_occlusion.txt", "out_of_view.txt"):
            lines = (folder / flag).read_text().splitlines()
            assert len(lines) == 1
            absent |= np.array([bool(int(value)) for value in lines[0].split(",")])
        assert boxes.shape == (length, 4)
        np.testing.assert_array_equal((boxes[:, 2:] > 0).all(axis=1), ~absent)


def test_otb(test_sets: dict[str, Path]) -> None:
    root = test_sets["otb"]
    for entry in _index(root)["sequences"]:
        folder = root / entry["name"]
        assert sorted(p.name for p in (folder / "img").iterdir()) == [
            f"{i:04d}.jpg" for i in range(1, TEST_FRAMES + 1)
        ]
        boxes = _boxes(folder / "groundtruth_rect.txt")
        assert boxes.shape == (TEST_FRAMES, 4)
        assert (boxes[0, 2:] > 4).all()
        image = cv2.imread(str(folder / "img" / "0001.jpg"))
        assert image.shape == (entry["height"], entry["width"], 3)
        assert (boxes[:, :2] + boxes[:, 2:] <= np.array([entry["width"], entry["height"]]) + 0.01).all()


def test_got10k(train: dict[str, Path]) -> None:
    root = train["got10k"]
    names = (root / "list.txt").read_text().split()
    assert names == [entry["name"] for entry in _index(root)["sequences"]]
    for name in names:
        folder = root / name
        cover = [int(line) for line in (folder / "cover.label").read_text().split()]
        absent = [int(line) for line in (folder / "absence.label").read_text().split()]
        assert len(cover) == len(absent) == TRAIN_FRAMES
        assert all(0 <= value <= 8 for value in cover)
        meta = (folder / "meta_info.ini").read_text().splitlines()[5:10]
        assert [line.split(": ")[0] for line in meta] == [
            "object_class",
            "motion_class",
            "major_class",
            "root_class",
            "motion_adverb",
        ]
        assert (folder / "00000001.jpg").is_file()


def test_trackingnet(train: dict[str, Path]) -> None:
    chunk = train["trackingnet"] / "TRAIN_0"
    for entry in _index(train["trackingnet"])["sequences"]:
        frames = sorted(int(p.stem) for p in (chunk / "frames" / entry["name"]).iterdir())
        assert frames == list(range(TRAIN_FRAMES))
        boxes = _boxes(chunk / "anno" / f"{entry['name']}.txt")
        assert boxes.shape == (TRAIN_FRAMES, 4)


def test_coco(train: dict[str, Path]) -> None:
    content = json.loads((train["coco"] / "annotations" / "instances_train2014.json").read_text())
    images = {image["id"]: image for image in content["images"]}
    assert len(images) == 4
    assert content["annotations"]
    assert len({entry["id"] for entry in content["annotations"]}) == len(content["annotations"])
    categories = {category["id"] for category in content["categories"]}
    for entry in content["annotations"]:
        image = images[entry["image_id"]]
        x, y, w, h = entry["bbox"]
        assert x >= 0
        assert y >= 0
        assert x + w <= image["width"]
        assert y + h <= image["height"]
        assert entry["category_id"] in categories
        assert (train["coco"] / "images" / "train2014" / image["file_name"]).is_file()
        ((*outline,),) = entry["segmentation"]
        corners = np.array(outline).reshape(-1, 2)
        np.testing.assert_allclose([*corners.min(0), *np.ptp(corners, axis=0)], entry["bbox"])
        assert (entry["area"], entry["iscrowd"]) == (pytest.approx(w * h), 0)


def test_masks_can_be_drawn_of_the_coco_annotations(train: dict[str, Path]) -> None:
    # Of the reader that PyTracking uses, or its drop-in: without an outline it raises an IndexError.
    coco = pytest.importorskip("faster_coco_eval").COCO(
        str(train["coco"] / "annotations" / "instances_train2014.json")
    )
    for entry in coco.dataset["annotations"]:
        assert coco.annToMask(entry).sum() == pytest.approx(entry["area"], rel=0.1)


def test_the_readers_of_the_real_data_sets_read_them(train: dict[str, Path]) -> None:
    for reader in (LaSOT(train["lasot"]), Got10k(train["got10k"]), TrackingNet(train["trackingnet"])):
        assert len(reader) == 3
        for index in range(len(reader)):
            annotation = reader.annotation(index)
            assert len(annotation.boxes) == TRAIN_FRAMES
            assert annotation.visible[0]
            assert reader.frame_path(index, TRAIN_FRAMES - 1).is_file()
    coco = MSCOCOSeq(train["coco"])
    assert len(coco) > 0
    assert coco.frame_path(0, 0).is_file()


def test_records_hold_what_happened(test_sets: dict[str, Path]) -> None:
    for layout in ("otb", "lasot"):
        for entry in _index(test_sets[layout])["sequences"]:
            folder = test_sets[layout] / (
                entry["name"] if layout == "otb" else f"{entry['category']}/{entry['name']}"
            )
            truth = json.loads((folder / "truth.json").read_text())
            frames = truth["frames"]
            assert all(len(values) == TEST_FRAMES for values in frames.values())
            assert entry["attributes"]["out_of_view"] == any(frames["out_of_view"])
            assert entry["attributes"]["full_occlusion"] == any(frames["full_occlusion"])
            assert entry["absent_frames"] == sum(
                a or b for a, b in zip(frames["out_of_view"], frames["full_occlusion"])
            )
            assert frames["visible_ratio"][0] > 0.8


def test_files_do_not_depend_on_the_number_of_workers(tmp_path: Path) -> None:
    plan = adapted_plan("train", "tiny", videos=3, images=4, length=(3, 3))
    contents = []
    for workers in (1, 2):
        roots = ensure_generated(tmp_path / str(workers), "train", "tiny", workers, False, plan=plan)
        files = [
            (root, file) for root in roots.values() for file in sorted(root.rglob("*")) if file.is_file()
        ]
        contents.append({(root.name, str(file.relative_to(root))): file.read_bytes() for root, file in files})
    assert len(contents[0]) > 20
    assert contents[0] == contents[1]
