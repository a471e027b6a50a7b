"""Every parameter set of the DiMP tracker runs, with a small network of its kind."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from ltr.models.tracking.dimpnet import dimpnet_small, dimpnet_small_simple, klcedimpnet_small
from pytracking.parameter import find_parameters, parameter_names
from pytracking.parameter.dimp_params import DiMPParams
from pytracking.tracker import make_tracker
from pytracking.tracker.base import Tracker
from pytracking.tracker.dimp.classifier import DiMPClassifier
from tests.pytracking.tracker.test_contract import BOX, GEOMETRY, run

NETWORKS = {"prdimp": klcedimpnet_small, "simple": dimpnet_small_simple, "dimp": dimpnet_small}


def tracker_of(params: DiMPParams, kind: str) -> Tracker:
    torch.manual_seed(0)
    network = NETWORKS[kind]()
    network.info = dict(GEOMETRY)
    return make_tracker("dimp", params, network=network, device="cpu")


@pytest.mark.parametrize("name", parameter_names("dimp"))
def test_every_set_tracks_alike_twice(name: str) -> None:
    kind = "prdimp" if name.startswith("prdimp") else "simple" if "simple" in name else "dimp"
    params = find_parameters("dimp", name)
    assert isinstance(params, DiMPParams)
    tracker = tracker_of(params, kind)
    adopted = (128, 128) if params.geometry_from_network else params.crop_size
    assert tracker.params.crop_size == adopted
    first, second = run(tracker, 2), run(tracker, 2)
    for a, b in zip(first, second, strict=True):
        assert np.isfinite(a.box).all()
        assert 0 <= a.score <= 1
        np.testing.assert_array_equal(a.box, b.box)


@pytest.mark.parametrize(("name", "kind"), [("super_dimp_simple", "simple"), ("prdimp18", "prdimp")])
def test_every_kind_of_classifier_follows_the_target(name: str, kind: str) -> None:
    """With random features, as the contract's test of DiMP's own."""
    params = find_parameters("dimp", name)
    assert isinstance(params, DiMPParams)
    changes = {"use_iou_net": False, "target_not_found_threshold": 0.0, "distractor_threshold": 9.0}
    results = run(tracker_of(replace(params, **changes), kind), 30)
    truth = np.array([[BOX[0] + 3 * t, BOX[1] + t] for t in range(1, 31)])
    error = np.linalg.norm(np.stack([r.box[:2] for r in results]) - truth, axis=1)
    assert error.max() < 12  # the card moves 95 px


def test_labels_of_a_network_that_is_given_them() -> None:
    """A bell of a quarter of the target's side around its centre, in cells of the score map."""
    torch.manual_seed(0)
    params = find_parameters("dimp", "super_dimp_simple")
    assert isinstance(params, DiMPParams)
    classifier = DiMPClassifier(dimpnet_small_simple(), params)
    features, box = torch.zeros(1, 3, 44, 44), torch.tensor([[170.0, 132.0, 20.0, 40.0]])
    (label,) = classifier.optimiser_options(features, box)["train_label"]
    assert label.shape == (45, 45)
    row, column = 152 / 8, 180 / 8  # a 4 x 4 filter scores the corners between cells of 8 px
    width = 0.25 / 6 * 44
    cells = torch.arange(45.0)
    bell = torch.exp(-((cells[:, None] - row).square() + (cells - column).square()) / (2 * width**2))
    torch.testing.assert_close(label, bell)
