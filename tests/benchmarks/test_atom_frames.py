"""The benchmark of ATOM: its plain variant computes what ours does."""

import importlib
from typing import Any

import numpy as np
import pytest
import torch

from pytracking.tracker.common.conversation import ClassifierTracker


@pytest.fixture
def atom(beside_the_scripts: None) -> Any:
    return importlib.import_module("atom")


def frames(count: int) -> list[np.ndarray]:
    """A card that moves 2 px a frame over a grainy background."""
    background = np.random.default_rng(0).integers(60, 140, (120, 160, 3), dtype=np.uint8)
    images = []
    for time in range(count):
        image = background.copy()
        image[40:70, 50 + 2 * time : 74 + 2 * time] = (220, 60, 40)
        images.append(image)
    return images


def test_both_variants_learn_the_same_filter_and_end_on_the_same_boxes(atom: Any) -> None:
    ours, plain = (atom.build(variant, "small") for variant in (False, True))
    images = frames(3)
    for tracker in (ours, plain):
        tracker.initialize(images[0], (50, 40, 24, 30))
    for image in images[1:]:
        boxes = [tracker.track(image).box for tracker in (ours, plain)]
        np.testing.assert_allclose(boxes[0], boxes[1], atol=0.5)
    a, b = (tracker.classifier._filter for tracker in (ours, plain))
    assert torch.linalg.norm(a - b) < 0.1 * torch.linalg.norm(a)


def test_a_filled_memory_has_every_slot_in_use(atom: Any) -> None:
    tracker: ClassifierTracker = atom.build(False, "small")
    tracker.initialize(frames(1)[0], (50, 40, 24, 30))
    atom.fill(tracker)
    assert tracker.classifier.memory is not None
    assert len(tracker.classifier.memory.features) == 250


def test_a_row_ends_with_the_ratio(atom: Any, capsys: pytest.CaptureFixture[str]) -> None:
    atom.show("first", np.array([0.05, 0.2]))
    assert capsys.readouterr().out.split() == ["first", "50.0", "200.0", "0.25"]
