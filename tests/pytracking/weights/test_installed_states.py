"""The installed weights on real frames whose target is away for a while: their states mean something."""

from pathlib import Path

import cv2
import numpy as np
import pytest
import torch

from ebm.boxes import box_iou
from pytracking.parameter import find_parameters
from pytracking.tracker import make_tracker
from pytracking.tracker.base import Tracked
from pytracking.weights.verifying import verify_shipped

NAME = "atom_nce_plus_lite"
FRAMES, AWAY = 40, range(24, 30)


@pytest.fixture(scope="module")
def crossing(test_data: Path) -> tuple[list[np.ndarray], np.ndarray]:
    """First frames of a real sequence and their boxes; the target is out of sight for a few."""
    folder = test_data / "otb/Crossing"
    files = sorted((folder / "img").glob("*.jpg"))[:FRAMES]
    frames = [cv2.cvtColor(cv2.imread(str(file)), cv2.COLOR_BGR2RGB) for file in files]
    text = (folder / "groundtruth_rect.txt").read_text().replace("\t", ",").split()
    return frames, np.array([[float(v) for v in line.split(",")] for line in text[:FRAMES]])


@pytest.fixture(scope="module")
def track(crossing: tuple[list[np.ndarray], np.ndarray]) -> list[Tracked]:
    _, network = verify_shipped(NAME)
    tracker = make_tracker("atom", find_parameters("atom", "nce_plus_lite"), network=network, device="cpu")
    frames, boxes = crossing
    tracker.initialize(frames[0], boxes[0])
    elsewhere = np.ascontiguousarray(frames[0][:, ::-1] // 2 + 60)[:100].repeat(3, axis=0)[: len(frames[0])]
    return [tracker.track(elsewhere if k in AWAY else frames[k]) for k in range(1, FRAMES)]


def test_a_real_track_is_as_good_as_it_was(
    track: list[Tracked], crossing: tuple[list[np.ndarray], np.ndarray]
) -> None:
    found = np.array([t.box for t, k in zip(track, range(1, FRAMES)) if k not in AWAY])
    truth = np.array([crossing[1][k] for k in range(1, FRAMES) if k not in AWAY])
    overlap = box_iou(torch.from_numpy(found), torch.from_numpy(truth)).numpy()
    assert 0.65 < overlap.mean() < 0.95
    assert (overlap >= 0.5).mean() > 0.9


def test_what_is_right_is_ok_and_what_is_gone_is_lost(track: list[Tracked]) -> None:
    states = {k: t.state for t, k in zip(track, range(1, FRAMES))}
    sure = {k: t.confidence or 0.0 for t, k in zip(track, range(1, FRAMES))}
    before = [state for k, state in states.items() if k < AWAY.start]
    assert before.count("ok") >= 0.8 * len(before)
    assert [states[k] for k in AWAY].count("lost") >= 5
    # It is found again, and believed again only little by little: the filter has met the other frames.
    assert sure[FRAMES - 1] > 5 * max(sure[k] for k in AWAY)
