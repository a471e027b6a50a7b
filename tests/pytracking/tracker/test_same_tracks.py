"""Every parameter set twice over real frames, with weights by formula: identical boxes.

A few frames and the small network; ``EBMTRACK_TRACK_FRAMES=60`` takes the first 60 frames of each sequence
and the networks that the sets are made for, which takes minutes.
"""

import os
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch

from ltr.models.bbreg.atom import ATOMnet, atom_resnet18, atom_resnet_small
from pytracking.parameter import find_parameters, parameter_names
from pytracking.parameter.atom_params import ATOMParams
from pytracking.tracker import make_tracker
from tests.formula import fill

FRAMES = int(os.environ.get("EBMTRACK_TRACK_FRAMES", "0"))


def atom_network(name: str) -> ATOMnet:
    """The set's network at full length, else the small one."""
    full = FRAMES > 0 and not name.endswith("_small")
    net = atom_resnet18(backbone_pretrained=False) if full else atom_resnet_small()
    fill(net)
    return net


def read_frames(folder: Path, count: int) -> list[np.ndarray]:
    """The first frames of a sequence, RGB."""
    files = sorted((folder / "img").glob("*.jpg"))[:count]
    return [cv2.cvtColor(cv2.imread(str(file)), cv2.COLOR_BGR2RGB) for file in files]


def tracks(params: ATOMParams, name: str, frames: list[np.ndarray], box: np.ndarray) -> np.ndarray:
    """Box and score of every frame but the first, ``[T, 5]``."""
    tracker = make_tracker("atom", params, network=atom_network(name), device="cpu", seed=7)
    tracker.initialize(frames[0], box)
    results = [tracker.track(frame) for frame in frames[1:]]
    return np.array([[*result.box, result.score] for result in results])


@pytest.mark.parametrize("sequence", ["Crossing", "Deer"])
@pytest.mark.parametrize("name", parameter_names("atom"))
def test_two_runs_give_identical_boxes(name: str, sequence: str, test_data: Path) -> None:
    folder = test_data / "otb" / sequence
    frames = read_frames(folder, FRAMES or 3)
    first_line = (folder / "groundtruth_rect.txt").read_text().split("\n", 1)[0].replace("\t", ",")
    box = np.array([float(number) for number in first_line.split(",")])
    params = find_parameters("atom", name)
    assert isinstance(params, ATOMParams)
    if FRAMES == 0:
        params = replace(params, image_sample_size=128, compressed_dim=16, init_cg_iter=12)
        if params.classifier_strides:  # the small network has no stride of 16
            params = replace(params, classifier_strides=(4, 8))
    torch.manual_seed(1)
    first = tracks(params, name, frames, box)
    torch.manual_seed(2)
    np.testing.assert_array_equal(first, tracks(params, name, frames, box))
    assert np.isfinite(first).all()
    assert (first[:, 2:4] > 0).all()
    moved = np.abs(first[:, :4] - box).max()
    assert moved > 0, "a track that only repeats its first box shows nothing"
