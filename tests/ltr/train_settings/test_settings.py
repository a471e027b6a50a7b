"""Every published setting says what its table says, under the name that users and issues know."""

from dataclasses import replace

import pytest

from ltr.train_settings.build import build_network
from ltr.train_settings.compare import flatten
from ltr.train_settings.recipe import find_recipe
from ltr.train_settings.settable import set_fields
from ltr.train_settings.streams import processing_config
from tests.ltr.train_settings.published import OWN, PUBLISHED

LOSSES = ("kld_is", "nce", "nce_plus")


@pytest.mark.parametrize(("module", "name"), PUBLISHED, ids=[name for _, name in PUBLISHED])
def test_a_setting_is_what_its_table_says_field_by_field(module: str, name: str) -> None:
    leaves = flatten(find_recipe(module, name).plain())
    found = {key: value for key, value in leaves.items() if key not in OWN}
    expected = PUBLISHED[module, name]
    assert found == {k: pytest.approx(v) if isinstance(v, float) else v for k, v in expected.items()}


def test_a_run_starts_from_imagenet_in_single_precision_and_keeps_what_is_frozen() -> None:
    for module, name in PUBLISHED:
        recipe = find_recipe(module, name)
        assert recipe.network.pretrained
        assert recipe.network.frozen_statistics
        assert recipe.precision == "fp32"
        assert recipe.ema is None


def test_every_loss_of_the_second_paper_has_its_resnet_18() -> None:
    for loss in LOSSES:
        deep, shallow = find_recipe("dimp", f"dimp_{loss}"), find_recipe("dimp", f"dimp18_{loss}")
        assert deep.box == shallow.box
        assert shallow.network.constructor == "dimpnet18"
        assert replace(shallow, name=deep.name, network=deep.network) == deep


def test_dimp_kld_is_and_super_dimp_are_one_recipe() -> None:
    super_dimp, kld_is = find_recipe("dimp", "super_dimp"), find_recipe("dimp", "dimp_kld_is")
    assert replace(kld_is, name="super_dimp") == super_dimp


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
    kinds = {name: processing_config(find_recipe(m, name), training=True).labels for m, name in PUBLISHED}
    assert {kind: {n for n, k in kinds.items() if k == kind} for kind in ("none", "density")} == {
        "none": {name for name in kinds if name.startswith("atom")},
        "density": {"prdimp18", "prdimp50"},
    }


LIGHT = {
    "bbreg": ("atom_nce_plus_lite", "atom_kld_is_lite", "atom_lite"),
    "dimp": ("dimp_nce_plus_lite", "dimp_kld_is_lite", "dimp_lite"),
}


@pytest.mark.parametrize("module", LIGHT)
def test_the_light_settings_differ_in_their_box_loss_alone(module: str) -> None:
    first, *others = (find_recipe(module, name) for name in LIGHT[module])
    for other in others:
        assert replace(other, name=first.name, box=first.box) == first
        assert other.box.method in ("kld_is", "overlap")
    assert (first.box.method, first.box.beta) == ("nce_plus", 0.1)
    assert first.box.sigmas == find_recipe("dimp", "dimp_nce_plus").box.sigmas


@pytest.mark.parametrize("module", LIGHT)
def test_the_light_settings_train_no_backbone_and_no_video_that_is_held_out(module: str) -> None:
    recipe = find_recipe(module, LIGHT[module][0])
    net = build_network(recipe, resumed="imagenet").net.train()
    assert not any(p.requires_grad for p in net.feature_extractor.parameters())
    assert not any(part.training for part in net.feature_extractor.modules() if not list(part.children()))
    assert net.info["image_sample_size"] == 256
    held = set(recipe.validation.data.only)
    assert len(held) == 14
    for share in recipe.datasets:
        assert share.name != "videos" or held <= set(share.without)
