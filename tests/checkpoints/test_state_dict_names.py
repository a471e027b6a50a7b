"""State dicts of the published networks: keys, their order, shapes and types, and the initial numbers."""

import inspect
import json
import math
from pathlib import Path

import pytest
import torch

from ltr.admin.model_constructor import find_constructor
from ltr.models.tracking.dimpnet import dimpnet18, dimpnet50

NETWORKS = sorted((Path(__file__).parent / "state_dicts").glob("*.json"))
ORDER = [
    "filter_size",
    "optim_iter",
    "optim_init_step",
    "optim_init_reg",
    "classification_layer",
    "feat_stride",
    "backbone_pretrained",
    "clf_feat_blocks",
    "clf_feat_norm",
    "init_filter_norm",
    "final_conv",
    "out_feature_dim",
    "init_gauss_sigma",
    "num_dist_bins",
    "bin_displacement",
    "mask_init_factor",
    "iou_input_dim",
    "iou_inter_dim",
    "score_act",
    "act_param",
    "target_mask_act",
    "detach_length",
    "frozen_backbone_layers",
]
DEFAULTS = (
    [1, 5, 1.0, 0.01, "layer3", 16, True, 1, True, False, True, 256, 1.0, 5, 1.0, 4.0]
    + [(256, 256), (256, 256), "relu", None, "sigmoid", math.inf, ()]
)  # fmt: skip


@pytest.mark.parametrize("file", NETWORKS, ids=lambda f: f.stem)
def test_keys_order_shapes_and_types(file: Path) -> None:
    expected = json.loads(file.read_text(encoding="utf-8"))
    constructor = find_constructor(expected["fun_module"], expected["fun_name"])
    net = constructor(**{**expected["kwds"], "backbone_pretrained": False})
    state, parameters = net.state_dict(), dict(net.named_parameters())
    assert type(net).__name__ == expected["net_type"]
    assert list(state) == list(expected["state_dict"])
    for key, (shape, dtype, kind) in expected["state_dict"].items():
        assert list(state[key].shape) == shape, key
        assert state[key].dtype == getattr(torch, dtype), key
        assert (key in parameters) == (kind == "parameter"), key
    assert sum(p.numel() for p in parameters.values()) == expected["num_parameters"]


def test_every_network_of_the_family_is_listed() -> None:
    names = {file.stem for file in NETWORKS}
    assert {"dimp18", "dimp50", "dimpnet18_defaults", "super_dimp"} <= names


def test_initial_numbers_of_super_dimp() -> None:
    expected = json.loads((NETWORKS[0].parent / "super_dimp.json").read_text(encoding="utf-8"))
    optimizer = dimpnet50(**{**expected["kwds"], "backbone_pretrained": False}).classifier.filter_optimizer
    values = {name: p.detach().flatten() for name, p in optimizer.named_parameters()}
    rows = {
        "log_step_length": [-0.1053605],
        "filter_reg": [0.1],
        "label_map_predictor.weight": [1.0, 0.9940673, 0.9764794],
        "target_mask_predictor.0.weight": [2.8920827, 2.8687124, 2.8404181],
        "spatial_weight_predictor.weight": [1.0, 1.0, 1.0],
    }
    for name, wanted in rows.items():
        torch.testing.assert_close(values[name][: len(wanted)], torch.tensor(wanted), rtol=1e-6, atol=1e-7)
    assert values["label_map_predictor.weight"][-1] == 0.0
    assert values["target_mask_predictor.0.weight"][-1] == pytest.approx(-3.0)
    assert values["spatial_weight_predictor.weight"].eq(1.0).all()


def test_positional_order_and_defaults_are_frozen() -> None:
    for function, changed in ((dimpnet18, {}), (dimpnet50, {"clf_feat_blocks": 0, "out_feature_dim": 512})):
        parameters = inspect.signature(function).parameters
        assert list(parameters) == ORDER
        wanted = {**dict(zip(ORDER, DEFAULTS, strict=True)), **changed}
        assert {name: p.default for name, p in parameters.items()} == wanted


def test_arguments_are_recorded_exactly_as_passed() -> None:
    net = dimpnet18(4, 2, backbone_pretrained=False)
    assert net.constructor.args == (4, 2)
    assert net.constructor.kwds == {"backbone_pretrained": False}
    assert (net.constructor.fun_module, net.constructor.fun_name) == (
        "ltr.models.tracking.dimpnet",
        "dimpnet18",
    )
    again = net.constructor.get({"optim_iter": 3})
    assert again.classifier.filter_size == 4
    assert again.classifier.filter_optimizer.num_iter == 3
