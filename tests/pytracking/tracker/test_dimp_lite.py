"""The light DiMP: a learned filter on several layers, in the tracker as any other."""

import numpy as np
import torch

from ltr.models.tracking.dimpnet import dimpnet_lite
from pytracking.parameter import find_parameters
from pytracking.tracker import make_tracker
from tests.pytracking.tracker.test_contract import BOX, frame


def test_the_light_set_tracks_with_its_network() -> None:
    torch.manual_seed(0)
    narrow = {"iou_input_dim": (8, 8), "iou_inter_dim": (8, 8), "iou_hidden_dim": (8, 8)}
    net = dimpnet_lite(backbone_pretrained=False, out_feature_dim=16, **narrow)
    net.info = {"image_sample_size": 128, "search_area_scale": 4.5}
    params = find_parameters("dimp", "nce_plus_lite")
    tracker = make_tracker("dimp", params, network=net, device="cpu")
    tracker.initialize(frame(0), BOX)
    assert tracker.classifier.memory.features.shape[1:] == (16, 16, 16)  # stride 8 of 128 px
    results = [tracker.track(frame(t)) for t in (1, 2)]
    assert all(np.isfinite(r.box).all() for r in results)
