"""Every published setting says what its table says, and makes a few steps with a small network."""

import math
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch

from ebm.exceptions import DomainError, UnknownNameError
from ltr.actors.bbreg import AtomActor, AtomBBKLActor
from ltr.actors.tracking import DiMPActor, DiMPSimpleActor, KLDiMPActor
from ltr.data.loader import collate_frames
from ltr.dataset.generated import ensure_generated
from ltr.train_settings.build import build_actor, build_network, build_optimiser
from ltr.train_settings.compare import flatten
from ltr.train_settings.data_source import choose_data, open_data
from ltr.train_settings.recipe import NetworkRecipe, TrainRecipe, find_recipe
from ltr.train_settings.settable import set_fields
from ltr.train_settings.streams import build_sampler, processing_config

COMMON = {
    "schedule.kind": "step",
    "schedule.epochs": 50,
    "schedule.step_epochs": 15,
    "schedule.gamma": 0.2,
    "validation.every": 5,
    "optimiser.weight_decay": 0.0,
    "optimiser.clip_norm": None,
    "augmentation.grayscale": 0.05,
    "augmentation.brightness": 0.2,
}
PERTURBED = {
    "box.method": "overlap",
    "box.min_iou": 0.1,
    **{f"box.spread.{k}": value for k, value in enumerate((0.01, 0.05, 0.1, 0.2, 0.3))},
}
MIXTURE = {
    "box.num_samples": 128,
    "box.sigmas.0.0": 0.05,
    "box.sigmas.0.1": 0.05,
    "box.sigmas.1.0": 0.5,
    "box.sigmas.1.1": 0.5,
}
KLD_IS = MIXTURE | {"box.method": "kld_is", "box.label_sigma.0": 0.05, "box.label_sigma.1": 0.05}
HINGE = {
    "classifier.loss": "hinge",
    "classifier.threshold": 0.05,
    "classifier.weights.final": 100.0,
    "classifier.weights.init": 100.0,
    "classifier.weights.iterates": 400.0,
}
DENSITY = {
    "classifier.loss": "density",
    "classifier.weights.final": 0.25,
    "classifier.weights.init": 0.25,
    "classifier.weights.iterates": 1.0,
}
CROPS_288 = {
    "geometry.crop_size": 288,
    "geometry.search_area_scale": 5.0,
    "geometry.max_scale_change": None,
    "augmentation.flip_sample": 0.0,
    "augmentation.flip_frame": 0.0,
    "jitter.test_centre": 4.5,
    "jitter.test_scale": 0.5,
}
ATOM = (
    COMMON
    | CROPS_288
    | {
        "network.constructor": "atom_resnet18",
        "geometry.crop_type": "centred",
        "jitter.train_centre": 0.0,
        "jitter.train_scale": 0.0,
        "sampling.order": "interval",
        "sampling.train_frames": 1,
        "sampling.test_frames": 1,
        "batch_size": 64,
        "samples_per_epoch": 64_000,
        "validation.samples": 32_000,
        "optimiser.groups.0.path": "bb_regressor",
        "optimiser.groups.0.lr": 1e-3,
        "classifier": None,
        "box.weight": 1.0,
    }
)
DIMP = COMMON | {
    "geometry.filter_size": 4,
    "jitter.train_centre": 3.0,
    "jitter.train_scale": 0.25,
    "sampling.order": "causal",
    "sampling.train_frames": 3,
    "sampling.test_frames": 3,
    "network.kwargs.filter_size": 4,
    "network.kwargs.optim_iter": 5,
    "network.kwargs.clf_feat_norm": True,
    "network.kwargs.final_conv": True,
}
QUARTER = {"datasets.0.name": "lasot", "datasets.0.weight": 0.25}
FIRST = (
    DIMP
    | CROPS_288
    | QUARTER
    | {
        "geometry.crop_type": "replicate",
        "samples_per_epoch": 26_000,
        "validation.samples": 5_000,
        "network.pretrained": True,
    }
)
SUPER = (
    DIMP
    | HINGE
    | KLD_IS
    | {
        "datasets.0.weight": 1.0,
        "geometry.crop_size": 352,
        "geometry.search_area_scale": 6.0,
        "geometry.crop_type": "inside_major",
        "geometry.max_scale_change": 1.5,
        "augmentation.flip_sample": 0.5,
        "augmentation.flip_frame": 0.5,
        "jitter.test_centre": 5.5,
        "sampling.max_gap": 200,
        "batch_size": 20,
        "samples_per_epoch": 40_000,
        "validation.samples": 10_000,
        "box.weight": 0.01,
        **{f"network.frozen.{k}": part for k, part in enumerate(("conv1", "bn1", "layer1", "layer2"))},
    }
)
STEEPEST = {
    f"network.kwargs.{key}": value
    for key, value in {
        "optim_init_step": 0.9,
        "optim_init_reg": 0.1,
        "num_dist_bins": 100,
        "bin_displacement": 0.1,
        "mask_init_factor": 3.0,
        "target_mask_act": "sigmoid",
        "score_act": "relu",
    }.items()
}
NEWTON = {
    f"network.kwargs.{key}": value
    for key, value in {
        "optim_init_step": 1.0,
        "optim_init_reg": 0.05,
        "optim_min_reg": 0.05,
        "alpha_eps": 0.05,
        "normalize_label": True,
        "init_initializer": "zero",
        "gauss_sigma": 0.9,
    }.items()
}
WIDE = {"network.kwargs.clf_feat_blocks": 0, "network.kwargs.out_feature_dim": 512}
DIMP_LOSSES = {"box.weight": 1.0, "box.num_samples": 8, "sampling.max_gap": 30} | PERTURBED | HINGE
PRDIMP_LOSSES = {"box.weight": 0.0025, "sampling.max_gap": 200} | KLD_IS | DENSITY

SIGMA = "network.kwargs.init_gauss_sigma"
TABLE: dict[tuple[str, str], dict[str, Any]] = {
    ("bbreg", "atom"): ATOM | PERTURBED | {"box.num_samples": 16, "sampling.max_gap": 50},
    ("bbreg", "atom_gmm_sampl"): ATOM | MIXTURE | {"box.method": "overlap", "sampling.max_gap": 200},
    ("bbreg", "atom_prob_ml"): ATOM | MIXTURE | {"box.method": "ml_is", "sampling.max_gap": 200},
    ("bbreg", "atom_nce_plus"): ATOM | MIXTURE | {"box.method": "nce_plus", "box.beta": 0.1},
    ("bbreg", "atom_kld_is"): ATOM | KLD_IS,
    ("dimp", "dimp18"): FIRST
    | DIMP_LOSSES
    | STEEPEST
    | {"network.constructor": "dimpnet18", "batch_size": 26, SIGMA: 0.9},
    ("dimp", "dimp50"): FIRST
    | DIMP_LOSSES
    | STEEPEST
    | WIDE
    | {"network.constructor": "dimpnet50", "batch_size": 10, SIGMA: 0.9},
    ("dimp", "prdimp18"): FIRST
    | PRDIMP_LOSSES
    | NEWTON
    | {"network.constructor": "klcedimpnet18", "batch_size": 26},
    ("dimp", "prdimp50"): FIRST
    | PRDIMP_LOSSES
    | NEWTON
    | WIDE
    | {"network.constructor": "klcedimpnet50", "batch_size": 10},
    ("dimp", "super_dimp"): SUPER
    | STEEPEST
    | WIDE
    | {"network.constructor": "dimpnet50", SIGMA: 0.25 / 6 * 22},
    ("dimp", "super_dimp_simple"): SUPER
    | WIDE
    | {
        "network.constructor": "dimpnet50_simple",
        "network.kwargs.optim_init_reg": 0.1,
        "network.kwargs.score_act": "relu",
        "network.kwargs.hinge_threshold": 0.05,
        "network.kwargs.activation_leak": 0.1,
    },
    ("dimp", "dimp18_kld_is"): SUPER | {"network.constructor": "dimpnet18", SIGMA: 0.25 / 6 * 22},
    ("dimp", "dimp18_nce"): SUPER
    | MIXTURE
    | {"network.constructor": "dimpnet18", "box.method": "nce", "box.label_sigma": None},
    ("dimp", "dimp18_nce_plus"): SUPER
    | {"network.constructor": "dimpnet18", "box.method": "nce_plus", "box.beta": 0.1},
}
for key in (("dimp", "dimp18_nce"), ("dimp", "dimp18_nce_plus")):
    for part in ("box.label_sigma.0", "box.label_sigma.1"):
        TABLE[key].pop(part)

SPLIT = ("classifier.filter_initializer", "classifier.filter_optimizer", "classifier.feature_extractor")
SPLIT_RATES = tuple(zip(SPLIT, (5e-5, 5e-4, 5e-5)))
RATES = {
    "dimp18": (*SPLIT_RATES, ("bb_regressor", 1e-3), ("feature_extractor", 2e-4)),
    "dimp50": (*SPLIT_RATES, ("bb_regressor", 2e-4), ("feature_extractor", 2e-5)),
    "prdimp18": (("classifier", 1e-3), ("bb_regressor", 1e-3), ("feature_extractor", 2e-4)),
    "prdimp50": (("classifier", 1e-3), ("bb_regressor", 1e-3), ("feature_extractor", 2e-5)),
    "super_dimp_simple": (*SPLIT_RATES, ("bb_regressor", 1e-3), ("feature_extractor.layer3", 2e-5)),
}
ACTORS = {
    "atom": AtomActor,
    "atom_gmm_sampl": AtomActor,
    "atom_prob_ml": AtomBBKLActor,
    "atom_nce_plus": AtomBBKLActor,
    "atom_kld_is": AtomBBKLActor,
    "dimp18": DiMPActor,
    "dimp50": DiMPActor,
    "super_dimp_simple": DiMPSimpleActor,
}


@pytest.mark.parametrize(("module", "name"), TABLE, ids=[name for _, name in TABLE])
def test_a_setting_is_what_its_table_says(module: str, name: str) -> None:
    leaves = flatten(find_recipe(module, name).plain())
    expected = TABLE[module, name]
    found = {key: leaves.get(key) for key in expected}
    assert found == {k: pytest.approx(v) if isinstance(v, float) else v for k, v in expected.items()}


@pytest.mark.parametrize("name", RATES)
def test_parameter_groups_stand_in_the_published_order(name: str) -> None:
    groups = find_recipe("dimp", name).optimiser.groups
    assert tuple((group.path, group.lr) for group in groups) == RATES[name]


def test_the_simple_network_is_given_its_published_arguments_and_no_others() -> None:
    kwargs = find_recipe("dimp", "super_dimp_simple").network.kwargs
    assert set(kwargs) == {
        key.rpartition(".")[2] for key in TABLE["dimp", "super_dimp_simple"] if "kwargs" in key
    }


def shrunk(recipe: TrainRecipe) -> TrainRecipe:
    """The setting with the small network of its kind, small crops and few boxes."""
    constructor = recipe.network.constructor
    stride, kwargs = 8, {}
    if constructor.startswith("atom"):
        small = "atom_resnet_small"
    elif constructor.endswith("_simple"):
        small = "dimpnet_small_simple"
    else:
        small = "klcedimpnet_small" if constructor.startswith("kl") else "dimpnet_small"
        kwargs = {key: value for key, value in recipe.network.kwargs.items() if key.endswith("gauss_sigma")}
    return replace(
        recipe,
        network=NetworkRecipe(constructor=small, kwargs=kwargs, pretrained=False),
        geometry=replace(recipe.geometry, crop_size=96, feature_stride=stride),
        sampling=replace(recipe.sampling, max_gap=20),
        box=replace(recipe.box, num_samples=8),
        batch_size=2,
        samples_per_epoch=4,
    )


@pytest.mark.parametrize(("module", "name"), TABLE, ids=[name for _, name in TABLE])
def test_two_steps_with_the_small_network(
    module: str, name: str, generated_tiny: Path, nothing_configured: None
) -> None:
    recipe = shrunk(find_recipe(module, name))
    roots = ensure_generated(generated_tiny.parent, "train", "tiny", workers=1, progress=False)
    data = open_data(choose_data(recipe, ["generated"], "tiny"), lambda: roots)
    sampler = build_sampler(recipe, data.train, data.weights, training=True)
    built = build_network(recipe)
    actor = build_actor(recipe, built.net).train()
    assert type(actor) is ACTORS.get(name, KLDiMPActor)
    optimiser = build_optimiser(recipe, built.net, built.backbone)
    before = [p.detach().clone() for p in built.net.bb_regressor.parameters()]
    for step in range(2):
        loss, stats = actor(collate_frames([sampler[2 * step], sampler[2 * step + 1]]))
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        assert math.isfinite(loss.item())
        assert all(value.isfinite().all() for value in stats.values())
    after = list(built.net.bb_regressor.parameters())
    assert not any(torch.equal(a, b) for a, b in zip(before, after) if a.ndim > 1)


@pytest.mark.parametrize(
    ("name", "constructor", "words"),
    [
        ("dimp18", "klcedimpnet_small", "DensityRecipe"),
        ("prdimp18", "dimpnet_small", "HingeRecipe"),
        ("dimp18", "atom_resnet_small", "no classifier"),
        ("dimp18", "dimpnet_small_simple", "not with overlaps"),
    ],
)
def test_losses_that_do_not_fit_the_network_are_refused(name: str, constructor: str, words: str) -> None:
    recipe = find_recipe("dimp", name)
    wrong = replace(recipe, network=NetworkRecipe(constructor=constructor, pretrained=False))
    with pytest.raises(DomainError, match=words):
        build_network(wrong)


def test_an_argument_that_the_network_lacks_is_named() -> None:
    recipe = find_recipe("dimp", "dimp_nce_plus_small")
    wrong = replace(recipe, network=replace(recipe.network, kwargs={"init_gaus_sigma": 1.0}))
    with pytest.raises(UnknownNameError, match="'init_gauss_sigma'"):
        build_network(wrong)


def test_frozen_batch_statistics_can_be_left_to_the_batch() -> None:
    recipe = find_recipe("bbreg", "atom")
    for setting, moving in ((recipe, False), (set_fields(recipe, ["network.frozen_statistics=false"]), True)):
        net = build_network(setting, resumed="imagenet").net.train()
        assert net.feature_extractor.bn1.training == moving
        assert not any(p.requires_grad for p in net.feature_extractor.parameters())


def test_the_trackers_know_atoms_crops_by_their_own_name() -> None:
    recipe = replace(find_recipe("bbreg", "atom_small"))
    assert build_network(recipe).net.info["crop_type"] == "replicate"


def test_label_maps_are_those_that_the_classifier_needs() -> None:
    kinds = {name: processing_config(find_recipe(m, name), training=True).labels for m, name in TABLE}
    assert {kind: {n for n, k in kinds.items() if k == kind} for kind in ("none", "density")} == {
        "none": {name for name in kinds if name.startswith("atom")},
        "density": {"prdimp18", "prdimp50"},
    }
