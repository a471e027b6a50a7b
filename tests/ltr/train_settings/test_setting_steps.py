"""Every published setting makes a few steps with the small network of its kind; misfits are refused."""

import math
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from ebm.exceptions import DomainError, UnknownNameError
from ltr.data.loader import collate_frames
from ltr.dataset.generated import ensure_generated
from ltr.train_settings.build import BuiltNetwork, build_actor, build_network, build_optimiser
from ltr.train_settings.data_source import choose_data, open_data
from ltr.train_settings.losses import RecipeActor
from ltr.train_settings.recipe import NetworkRecipe, TrainRecipe, find_recipe
from ltr.train_settings.settable import set_fields
from ltr.train_settings.streams import build_sampler
from tests.ltr.train_settings.published import ACTORS, PUBLISHED


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


@pytest.mark.parametrize(("module", "name"), PUBLISHED, ids=[name for _, name in PUBLISHED])
def test_two_steps_with_the_small_network(
    module: str, name: str, generated_tiny: Path, nothing_configured: None
) -> None:
    recipe = shrunk(find_recipe(module, name))
    built = build_network(recipe)
    actor = build_actor(recipe, built.net)
    assert type(actor).__name__ == ACTORS.get(name, "KLDiMPActor")
    before = [p.detach().clone() for p in built.net.bb_regressor.parameters()]
    two_steps(recipe, built, actor, generated_tiny.parent)
    after = list(built.net.bb_regressor.parameters())
    assert not any(torch.equal(a, b) for a, b in zip(before, after) if a.ndim > 1)


@pytest.mark.parametrize("name", ["atom_nce_plus", "dimp_nce_plus"])
def test_still_norms_train_all_weights_and_move_no_statistics(
    name: str, generated_tiny: Path, nothing_configured: None
) -> None:
    plain = shrunk(find_recipe(name.split("_")[0].replace("atom", "bbreg"), name))
    for still in (False, True):
        recipe = set_fields(plain, [f"network.still_norms={still}"])
        built = build_network(recipe)
        assert ("all batch norms keep their statistics: mean 0" in built.note) == still
        actor = build_actor(recipe, built.net)
        begun = {key: value.clone() for key, value in built.net.state_dict().items()}
        two_steps(recipe, built, actor, generated_tiny.parent)
        moved = {key for key, value in built.net.state_dict().items() if not torch.equal(value, begun[key])}
        statistics = {key for key in begun if key.endswith(("running_mean", "running_var"))}
        assert len(statistics) > 20
        assert moved & statistics == (set() if still else statistics)
        # What a norm scales by is a weight, which trains all the same.
        assert {"bb_regressor.conv3_1r.0.weight", "bb_regressor.conv3_1r.1.weight"} <= moved
        assert not any(part.training for part in actor.eval().net.modules())


def two_steps(recipe: TrainRecipe, built: BuiltNetwork, actor: RecipeActor, workspace: Path) -> None:
    """Two steps of two samples of the drawn videos."""
    roots = ensure_generated(workspace, "train", "tiny", workers=1, progress=False)
    data = open_data(choose_data(recipe, ["generated"], "tiny"), lambda: roots)
    sampler = build_sampler(recipe, data.train, data.weights, training=True)
    actor.train()
    optimiser = build_optimiser(recipe, built.net, built.backbone)
    for step in range(2):
        loss, stats = actor(collate_frames([sampler[2 * step], sampler[2 * step + 1]]))
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        assert math.isfinite(loss.item())
        assert all(value.isfinite().all() for value in stats.values())


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


def test_a_layer_to_freeze_that_the_backbone_lacks_is_named() -> None:
    recipe = find_recipe("dimp", "dimp_nce_plus_small")
    wrong = replace(recipe, network=replace(recipe.network, frozen=("layer9",)))
    with pytest.raises(UnknownNameError, match="'layer1'"):
        build_network(wrong)
