"""The settings of the paper, and finding them by name."""

import json
from dataclasses import replace

import pytest

from ebm.exceptions import DomainError, UnknownNameError
from ltr.train_settings.compare import comparable, flat_differences
from ltr.train_settings.recipe import BoxRecipe, TrainRecipe, find_recipe, recipe_names

ALL = [(module, name) for module, names in recipe_names().items() for name in names]


def test_dimp_nce_plus_is_the_papers() -> None:
    recipe = find_recipe("dimp", "dimp_nce_plus")
    assert (recipe.batch_size, recipe.samples_per_epoch, recipe.schedule.epochs) == (20, 40_000, 50)
    assert {share.name: share.weight for share in recipe.datasets} == {
        "lasot": 1.0,
        "got10k": 1.0,
        "trackingnet": 1.0,
        "coco": 1.0,
    }
    assert recipe.network.frozen == ("conv1", "bn1", "layer1", "layer2")
    assert (recipe.augmentation.flip_sample, recipe.augmentation.flip_frame) == (0.5, 0.5)
    box = recipe.box
    assert (box.method, box.num_samples, box.sigmas) == ("nce_plus", 128, ((0.05, 0.05), (0.5, 0.5)))
    assert (box.beta, box.beta_mode, box.weight) == (0.1, "std", 0.01)
    weights = recipe.classifier.weights
    assert (weights.final, weights.init, weights.iterates) == (100.0, 100.0, 400.0)
    rates = {group.path: group.lr for group in recipe.optimiser.groups}
    assert rates == {
        "classifier.filter_initializer": 5e-5,
        "classifier.filter_optimizer": 5e-4,
        "classifier.feature_extractor": 5e-5,
        "bb_regressor": 1e-3,
        "feature_extractor.layer3": 2e-5,
    }
    assert (recipe.schedule.kind, recipe.schedule.step_epochs, recipe.schedule.gamma) == ("step", 15, 0.2)
    geometry = recipe.geometry
    assert (geometry.crop_size, geometry.feature_size, geometry.search_area_scale) == (352, 22, 6.0)
    assert recipe.network.kwargs["init_gauss_sigma"] == pytest.approx(0.25 / 6 * 22)


def test_a_variant_differs_in_its_experiment_alone() -> None:
    parent, child = find_recipe("dimp", "dimp_kld_is"), find_recipe("dimp", "dimp_nce_plus")
    assert flat_differences(parent.plain(), child.plain()) == {
        "name": ("dimp_kld_is", "dimp_nce_plus"),
        "box.method": ("kld_is", "nce_plus"),
        "box.label_sigma.0": (0.05, None),
        "box.label_sigma.1": (0.05, None),
        "box.beta": (None, 0.1),
    }


@pytest.mark.parametrize(("module", "name"), ALL, ids=[name for _, name in ALL])
def test_every_setting_knows_its_own_name_and_is_plain_data(module: str, name: str) -> None:
    recipe = find_recipe(module, name)
    assert isinstance(recipe, TrainRecipe)
    assert (recipe.module, recipe.name) == (module, name)
    assert json.loads(json.dumps(recipe.plain())) == recipe.plain()


@pytest.mark.parametrize(("module", "name"), ALL, ids=[name for _, name in ALL])
def test_no_setting_needs_a_remark(module: str, name: str) -> None:
    assert find_recipe(module, name).remarks() == []


def test_a_label_that_the_filter_does_not_expect_is_remarked() -> None:
    recipe = find_recipe("dimp", "prdimp18")
    wide = replace(recipe, geometry=replace(recipe.geometry, search_area_scale=4.0))
    (remark,) = wide.remarks()
    assert "network.kwargs.gauss_sigma is 0.9 cells" in remark
    assert "are 1.125 wide" in remark  # a quarter of a fourth of 18 cells


def test_unknown_names_bring_the_nearest() -> None:
    with pytest.raises(UnknownNameError, match="'dimp_nce_plus'"):
        find_recipe("dimp", "dimp_nceplus")
    with pytest.raises(UnknownNameError, match="'dimp'"):
        find_recipe("dmip", "dimp_nce_plus")


def test_the_fingerprint_ignores_the_length_of_a_step_schedule_only() -> None:
    recipe = find_recipe("dimp", "dimp_nce_plus")
    longer = replace(recipe, schedule=replace(recipe.schedule, epochs=60))
    assert longer.fingerprint() == recipe.fingerprint()
    cosine = replace(recipe, schedule=replace(recipe.schedule, kind="cosine"))
    longer = replace(cosine, schedule=replace(cosine.schedule, epochs=60))
    assert longer.fingerprint() != cosine.fingerprint() != recipe.fingerprint()
    assert replace(recipe, batch_size=19).fingerprint() != recipe.fingerprint()
    assert (
        replace(recipe, validation=replace(recipe.validation, every=1)).fingerprint() == recipe.fingerprint()
    )


def test_the_number_of_groups_is_part_of_the_experiment_and_none_is_what_older_checkpoints_had() -> None:
    recipe = find_recipe("dimp", "dimp_nce_plus")
    older = {key: value for key, value in recipe.plain().items() if key != "groups"}
    assert comparable(older) == comparable(recipe.plain())
    assert replace(recipe, groups=4).fingerprint() != recipe.fingerprint()
    assert {find_recipe(m, n).groups for m, names in recipe_names().items() for n in names} == {4, None}
    with pytest.raises(DomainError, match="groups=none or sync_batch_norm=false"):
        replace(recipe, groups=4, sync_batch_norm=True)


def test_still_norms_are_another_experiment_and_false_is_what_older_checkpoints_had() -> None:
    recipe = find_recipe("bbreg", "atom_nce_plus_lite")
    network = {key: value for key, value in recipe.plain()["network"].items() if key != "still_norms"}
    assert comparable(recipe.plain() | {"network": network}) == comparable(recipe.plain())
    still = replace(recipe, network=replace(recipe.network, still_norms=True))
    assert still.fingerprint() != recipe.fingerprint()
    with pytest.raises(DomainError, match=r"network\.frozen_statistics=false"):
        replace(recipe.network, still_norms=True, frozen_statistics=False)
    with pytest.raises(DomainError, match="set one of them to false"):
        replace(still, sync_batch_norm=True)


def test_a_box_loss_has_what_it_uses_and_nothing_else() -> None:
    nce, kld = BoxRecipe.from_preset("tracking/dimp-nce"), BoxRecipe.from_preset("tracking/dimp-kld-is")
    with pytest.raises(DomainError, match="beta belongs to nce_plus"):
        replace(nce, beta=0.1)
    with pytest.raises(DomainError, match="label_sigma belongs to kld_is"):
        replace(kld, label_sigma=None)
    with pytest.raises(UnknownNameError, match="tracking/dimp-nce"):
        BoxRecipe.from_preset("tracking/dimp-nce++")


@pytest.mark.parametrize("wrong", [{"batch_size": 1}, {"samples_per_epoch": 19}, {"precision": "fp8"}])
def test_values_out_of_range_are_refused(wrong: dict) -> None:
    with pytest.raises(DomainError):
        replace(find_recipe("dimp", "dimp_nce_plus"), **wrong)
