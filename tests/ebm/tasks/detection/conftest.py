"""What the commands of detection are tried on."""

from pathlib import Path

import pytest

from ebm.tasks.detection.command import main
from ebm.tasks.detection.data.coco_json import write_coco
from ebm.tasks.detection.data.records import DetectionSet
from ebm.tasks.detection.detectors import FasterRCNNDetector
from ebm.tasks.detection.loading import save_light
from tests.ebm.tasks.detection.small import FEW, NAMES, SMALL, small_detector, small_set


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A data set of both splits, and a detector."""
    root = tmp_path_factory.mktemp("detect")
    for split in ("train", "val"):
        found = small_set(root / "data" / split, count=6)
        file = root / "data" / "annotations" / f"instances_{split}.json"
        file.parent.mkdir(exist_ok=True)
        write_coco(file, found, [image.path.name for image in found.images])
    save_light(root / "detector.pt", small_detector().model, SMALL, NAMES)
    return root


@pytest.fixture(scope="module")
def branch(place: Path) -> Path:
    sizes = ["--set", "hidden=16", "--set", "method.num_samples=8", "--set", "batch_size=2"]
    given = ["nce+", str(place / "data"), "--detector", str(place / "detector.pt"), "--out", str(place)]
    assert main(["train", *given, *sizes, *FEW]) == 0
    return place / "nce+.pt"


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> DetectionSet:
    """Four pictures of noise."""
    return small_set(tmp_path_factory.mktemp("pictures"))


@pytest.fixture(scope="module")
def detector() -> FasterRCNNDetector:
    """Random weights."""
    return small_detector()
