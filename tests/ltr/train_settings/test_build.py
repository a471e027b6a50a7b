"""Networks, freezing and optimiser groups of the paper's setting."""

from dataclasses import replace
from pathlib import Path

import pytest
import torch

from ebm.exceptions import InputError
from ltr.admin.loading import BackboneWeights
from ltr.models.backbone.resnet import resnet18, resnet50
from ltr.train_settings.build import build_network, build_optimiser, count_parameters
from ltr.train_settings.recipe import NetworkRecipe, find_recipe
from ltr.train_settings.streams import processing_config

RECIPE = find_recipe("dimp", "dimp_nce_plus")
FROZEN = ("conv1", "bn1", "layer1", "layer2")


@pytest.fixture
def weights(tmp_path: Path) -> Path:
    """A file that looks like torchvision's: the state of a ResNet-50."""
    path = tmp_path / "resnet50.pth"
    torch.save(resnet50().state_dict(), path)
    return path


def test_a_file_of_weights_is_loaded_and_the_early_layers_are_frozen(weights: Path) -> None:
    built = build_network(RECIPE, weights, None)
    assert built.backbone == "imagenet"
    assert str(weights) in built.note
    assert "frozen: conv1, bn1, layer1, layer2" in built.note
    assert "\n" not in built.note
    backbone = built.net.feature_extractor
    state = torch.load(weights, weights_only=True)
    assert torch.equal(backbone.layer2[0].conv1.weight, state["layer2.0.conv1.weight"])
    built.net.train()
    for name, child in backbone.named_children():
        expected = name not in FROZEN
        assert all(p.requires_grad == expected for p in child.parameters())
        assert child.training == expected
    groups = build_optimiser(RECIPE, built.net, built.backbone).param_groups
    assert [(group["name"], group["lr"]) for group in groups] == [
        ("classifier.filter_initializer", 5e-5),
        ("classifier.filter_optimizer", 5e-4),
        ("classifier.feature_extractor", 5e-5),
        ("bb_regressor", 1e-3),
        ("feature_extractor.layer3", 2e-5),
    ]


def test_without_weights_nothing_is_frozen_and_the_whole_backbone_trains(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    answer = BackboneWeights(loaded=False, message="no route to host")
    monkeypatch.setattr("ltr.train_settings.build.load_backbone_weights", lambda net, file: answer)
    built = build_network(RECIPE, None, None)
    assert built.backbone == "scratch"
    for part in ("no route to host", "nothing frozen"):
        assert part in built.note
    count = count_parameters(built.net)
    assert count["trained"] == count["all"] == 43_097_303
    groups = build_optimiser(RECIPE, built.net, built.backbone).param_groups
    assert [group["name"] for group in groups][-1] == "feature_extractor"
    assert groups[-1]["lr"] == RECIPE.optimiser.scratch_backbone_lr
    assert len({id(p) for group in groups for p in group["params"]}) == len(list(built.net.parameters()))


def test_a_resumed_run_freezes_as_its_first_part_did() -> None:
    assert build_network(RECIPE, None, "imagenet").net.feature_extractor.frozen_layers == FROZEN
    assert build_network(RECIPE, None, "scratch").net.feature_extractor.frozen_layers == ()


def test_a_wrong_file_of_weights_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"absent\.pth"):
        build_network(RECIPE, tmp_path / "absent.pth", None)


def test_the_network_carries_its_geometry_and_its_seed_decides_it() -> None:
    recipe = find_recipe("dimp", "dimp_nce_plus_small")
    first, second = build_network(recipe, None, None).net, build_network(recipe, None, None).net
    assert first.info == {
        "image_sample_size": recipe.geometry.crop_size,
        "search_area_scale": recipe.geometry.search_area_scale,
        "crop_type": "inside_major",
        "feature_stride": recipe.geometry.feature_stride,
        "box_scores": "density",
        "input_mean": [0.485, 0.456, 0.406],
        "input_std": [0.229, 0.224, 0.225],
    }
    for a, b in zip(first.parameters(), second.parameters()):
        assert torch.equal(a, b)


def test_the_small_network_is_small() -> None:
    count = count_parameters(build_network(find_recipe("dimp", "dimp_nce_plus_small"), None, None).net)
    assert 500_000 < count["all"] < 1_500_000


def test_the_processing_is_the_recipes() -> None:
    config = processing_config(RECIPE, training=True)
    assert (config.output_sz, config.feature_sz, config.search_area_factor) == (352, 22, 6.0)
    assert (config.center_jitter_train, config.center_jitter_test) == (3.0, 5.5)
    assert (config.scale_jitter_train, config.scale_jitter_test) == (0.25, 0.5)
    assert config.label_sigma == pytest.approx(0.25 / 6)
    assert (config.proposals.method, config.proposals.num_samples) == ("nce_plus", 128)
    assert processing_config(find_recipe("dimp", "dimp_kld_is"), training=True).proposals.method == "gmm"
    assert not processing_config(RECIPE, training=False).training


@pytest.mark.parametrize("frozen", [FROZEN, ()])
def test_atom_is_built_and_freezes_what_the_setting_says(frozen: tuple[str, ...], tmp_path: Path) -> None:
    path = tmp_path / "resnet18.pth"
    torch.save(resnet18().state_dict(), path)
    network = NetworkRecipe(constructor="atom_resnet18", frozen=frozen)
    built = build_network(replace(RECIPE, network=network, classifier=None), path, None)
    assert type(built.net).__name__ == "ATOMnet"
    assert built.net.feature_extractor.frozen_layers == frozen
    assert built.net.constructor.kwds == {"backbone_pretrained": False}
    assert all(p.requires_grad for p in built.net.feature_extractor.layer3.parameters())
