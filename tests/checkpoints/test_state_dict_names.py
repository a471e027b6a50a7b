"""State dicts of the published networks: keys, their order, shapes and types, and the initial numbers."""

import inspect
import json
import math
from pathlib import Path

import pytest
import torch

from ltr.admin.model_constructor import find_constructor
from ltr.models.tracking.dimpnet import dimpnet18, dimpnet50, klcedimpnet18
from ltr.train_settings.recipe import find_recipe

NETWORKS = sorted((Path(__file__).parent / "state_dicts").glob("*.json"))
INF = math.inf
HEAD = {
    "classification_layer": "layer3", "feat_stride": 16, "backbone_pretrained": True, "clf_feat_blocks": 1,
    "clf_feat_norm": True, "init_filter_norm": False, "final_conv": True, "out_feature_dim": 256,
}  # fmt: skip
FIRST = dict(filter_size=1, optim_iter=5, optim_init_step=1.0, optim_init_reg=0.01, **HEAD)
BOXES = {"iou_input_dim": (256, 256), "iou_inter_dim": (256, 256)}
WIDE = {"clf_feat_blocks": 0, "out_feature_dim": 512}
DIMP = dict(
    **FIRST, init_gauss_sigma=1.0, num_dist_bins=5, bin_displacement=1.0, mask_init_factor=4.0, **BOXES,
    score_act="relu", act_param=None, target_mask_act="sigmoid", detach_length=INF, frozen_backbone_layers=(),
)  # fmt: skip
SIMPLE = dict(
    filter_size=1, optim_iter=5, optim_init_reg=0.01, **HEAD, hinge_threshold=0.05, **BOXES,
    activation_leak=0.0, score_act="relu", act_param=None, detach_length=INF, frozen_backbone_layers=(),
)  # fmt: skip
PRDIMP = dict(
    **FIRST, gauss_sigma=1.0, **BOXES, detach_length=INF, alpha_eps=0.0, train_feature_extractor=True,
    init_uni_weight=None, optim_min_reg=1e-3, init_initializer="default", normalize_label=False,
    label_shrink=0, softmax_reg=None, label_threshold=0, final_relu=False, init_pool_square=False,
    frozen_backbone_layers=(),
)  # fmt: skip
PRDIMP50 = {name: value for name, value in {**PRDIMP, **WIDE}.items() if name != "init_pool_square"}
ATOM = dict(**BOXES, backbone_pretrained=True)
L2 = dict(**FIRST, **BOXES, detach_length=INF, hinge_threshold=-999, gauss_sigma=1.0, alpha_eps=0)
SIGNATURES = {
    "dimpnet18": DIMP,
    "dimpnet50": {**DIMP, **WIDE},
    "dimpnet50_simple": {**SIMPLE, **WIDE},
    "L2dimpnet18": L2,
    "klcedimpnet18": PRDIMP,
    "klcedimpnet50": PRDIMP50,
    "atom_resnet18": ATOM,
    "atom_resnet50": ATOM,
}


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
    published = {
        key: torch.full(shape, 3, dtype=getattr(torch, dtype))
        for key, (shape, dtype, _) in expected["state_dict"].items()
    }
    net.load_state_dict(published, strict=True)
    assert all((value == 3).all() for value in net.state_dict().values())


# Settings by the published network that they train; the others differ from these in losses alone.
TRAINED = {
    "atom_resnet18": ("bbreg", "atom"),
    "dimp18": ("dimp", "dimp18"),
    "dimp50": ("dimp", "dimp50"),
    "prdimp18": ("dimp", "prdimp18"),
    "prdimp50": ("dimp", "prdimp50"),
    "super_dimp": ("dimp", "super_dimp"),
    "super_dimp_simple": ("dimp", "super_dimp_simple"),
}


@pytest.mark.parametrize("name", TRAINED)
def test_the_setting_builds_the_published_network(name: str) -> None:
    expected = json.loads((NETWORKS[0].parent / f"{name}.json").read_text(encoding="utf-8"))
    network = find_recipe(*TRAINED[name]).network
    published = dict(expected["kwds"])
    assert published.pop("backbone_pretrained", True) in (True, False)
    assert network.constructor == expected["fun_name"]
    if (frozen := published.pop("frozen_backbone_layers", None)) is not None:
        assert network.frozen == tuple(frozen)
    # What is not passed has the default that `SIGNATURES` freezes.
    defaults = SIGNATURES[expected["fun_name"]]
    full = {**defaults, **published}
    assert {**defaults, **network.kwargs} == {
        k: pytest.approx(v) if isinstance(v, float) else v for k, v in full.items()
    }


def test_every_published_network_is_listed() -> None:
    names = {file.stem for file in NETWORKS}
    atom = {"atom_resnet18", "atom_resnet50"}
    dimp = {"dimp18", "dimp50", "dimpnet18_defaults", "L2dimpnet18_defaults"}
    assert names == atom | dimp | {"prdimp18", "prdimp50", "super_dimp", "super_dimp_simple"}
    listed = {json.loads(file.read_text(encoding="utf-8"))["fun_name"] for file in NETWORKS}
    assert listed == set(SIGNATURES)


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


def test_initial_numbers_of_prdimp() -> None:
    expected = json.loads((NETWORKS[0].parent / "prdimp18.json").read_text(encoding="utf-8"))
    classifier = klcedimpnet18(**expected["kwds"]).classifier
    assert classifier.filter_optimizer.log_step_length.item() == 0.0
    assert classifier.filter_optimizer.filter_reg.item() == pytest.approx(0.05)
    assert classifier.filter_initializer.filter_conv.weight.eq(0.0).all()


@pytest.mark.parametrize("name", SIGNATURES)
def test_positional_order_and_defaults_are_frozen(name: str) -> None:
    module = "ltr.models.bbreg.atom" if name.startswith("atom") else "ltr.models.tracking.dimpnet"
    parameters = inspect.signature(find_constructor(module, name)).parameters
    assert list(parameters) == list(SIGNATURES[name])
    assert {key: p.default for key, p in parameters.items()} == SIGNATURES[name]


def test_a_network_whose_backbone_is_not_trained_freezes_all_of_it() -> None:
    net = klcedimpnet18(train_feature_extractor=False, backbone_pretrained=False).train()
    assert not any(p.requires_grad for p in net.feature_extractor.parameters())
    assert not any(m.training for m in net.feature_extractor.children())


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
