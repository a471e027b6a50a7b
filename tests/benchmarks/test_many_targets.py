"""The benchmark of several targets: what it compares is the same, and its boxes lie in the frame."""

import importlib
import time
from typing import Any

import numpy as np
import pytest


@pytest.fixture
def many_targets(beside_the_scripts: None) -> Any:
    return importlib.import_module("many_targets")


def test_the_batch_and_the_loop_end_on_the_same_boxes(many_targets: Any) -> None:
    frames = list(np.random.default_rng(0).integers(0, 256, (3, 120, 160, 3), dtype=np.uint8))
    box = np.array([50.0, 40, 24, 30])
    times, difference, first = many_targets.measure(frames, box, "small", 3, time.thread_time)
    assert times.shape == (2, 3)
    assert (times > 0).all()
    assert first > 0
    assert difference < 1e-3


def test_every_target_begins_inside_the_frame(many_targets: Any) -> None:
    boxes = many_targets.places(np.array([50.0, 40, 24, 30]), np.zeros((120, 160, 3), np.uint8), 4)
    assert list(boxes) == [0, 1, 2, 3]
    for box in boxes.values():
        assert (box[:2] >= 0).all()
        assert (box[:2] + box[2:] <= (160, 120)).all()
