"""Results as supervision's detections; with the package where it is installed."""

import sys

import numpy as np
import pytest

from ebm.exceptions import MissingPackageError
from pytracking import to_supervision
from pytracking.tracker.base import Flag, Tracked

FOUND = Tracked(box=np.array([10.0, 20.5, 30, 40]), score=0.75, flag=Flag.NORMAL)
LOST = Tracked(box=np.array([1.0, 2, 3, 4]), score=0.1, flag=Flag.NOT_FOUND)


def test_without_the_package_it_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "supervision", None)
    with pytest.raises(MissingPackageError, match="pip install supervision"):
        FOUND.to_supervision()


def test_one_target() -> None:
    pytest.importorskip("supervision")
    detections = FOUND.to_supervision()
    np.testing.assert_allclose(detections.xyxy, [[10, 20.5, 40, 60.5]])
    np.testing.assert_allclose(detections.confidence, [0.75])
    assert detections.tracker_id is None
    assert detections.data["state"].tolist() == ["ok"]


def test_several_targets_and_their_ids() -> None:
    pytest.importorskip("supervision")
    detections = to_supervision({3: FOUND, 7: LOST})
    assert detections.tracker_id.tolist() == [3, 7]
    kept = detections[detections.data["state"] != "lost"]
    assert kept.tracker_id.tolist() == [3]
    named = to_supervision({"car": FOUND, 7: LOST})
    assert named.tracker_id is None
    assert named.data["id"].tolist() == ["car", "7"]
    assert len(to_supervision({})) == 0


def test_its_annotator_draws_them() -> None:
    supervision = pytest.importorskip("supervision")
    image = np.zeros((80, 80, 3), dtype=np.uint8)
    drawn = supervision.BoxAnnotator().annotate(image.copy(), to_supervision({1: FOUND}))
    assert drawn[20:62, 10:41].any()
    assert not drawn[:15].any()
