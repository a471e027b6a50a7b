"""The DiMP actor as the train settings build it, and a batch that can be learned by heart."""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import nn

from ltr.actors.target_classification import ClassificationWeights
from ltr.actors.tracking import KLDiMPActor
from ltr.train_settings.build import build_actor, build_network, build_optimiser
from ltr.train_settings.recipe import find_recipe
from tests.ltr.actors.batches import small_batch


def test_super_dimp_is_built_as_it_was_published() -> None:
    """The network and the losses whose numbers `test_anchors` compares with the reference's."""
    recipe = find_recipe("dimp", "super_dimp")
    folder = Path(__file__).parents[2] / "checkpoints" / "state_dicts"
    described = json.loads((folder / "super_dimp.json").read_text(encoding="utf-8"))
    built = {**recipe.network.kwargs, "frozen_backbone_layers": list(recipe.network.frozen)}
    assert (recipe.network.constructor, {**built, "backbone_pretrained": False}) == (
        described["fun_name"],
        described["kwds"],
    )
    actor = build_actor(recipe, nn.Identity())
    assert isinstance(actor, KLDiMPActor)
    assert (actor.box.loss.method, actor.box.weight) == ("kld_is", 0.01)
    assert actor.classifier.weights == ClassificationWeights(final=100.0, init=100.0, iterates=400.0)
    assert actor.classifier.hinge.threshold == 0.05


@pytest.mark.parametrize("name", ["dimp_nce_plus_small"])
def test_one_batch_is_learned_by_heart(name: str, generator: torch.Generator) -> None:
    recipe = find_recipe("dimp", name)
    built = build_network(recipe, None, None)
    actor = build_actor(recipe, built.net)
    optimizer = build_optimiser(recipe, built.net, built.backbone)
    batch = small_batch(17, generator)
    actor.train()
    seen: list[dict[str, Any]] = []
    for _ in range(25):
        optimizer.zero_grad(set_to_none=True)
        loss, stats = actor(batch)
        loss.backward()
        optimizer.step()
        seen.append({key: value.item() for key, value in stats.items()})
    assert seen[-1]["Loss/bb_ce"] < 0.5 * seen[0]["Loss/bb_ce"]
    assert seen[-1]["Loss/target_clf"] < 0.7 * seen[0]["Loss/target_clf"]
    assert seen[-1]["BBReg/label_rank_acc"] > seen[0]["BBReg/label_rank_acc"]


@pytest.mark.parametrize("channels_last", [False, True])
def test_the_layout_of_memory_does_not_change_the_loss(
    channels_last: bool, generator: torch.Generator
) -> None:
    recipe = find_recipe("dimp", "dimp_nce_plus_small")
    actor = build_actor(recipe, build_network(recipe, None, None).net)
    actor.eval()
    batch = small_batch(9, generator)
    with torch.no_grad():
        actor.channels_last = not channels_last
        other, _ = actor(batch)
        actor.channels_last = channels_last
        loss, _ = actor(batch)
    torch.testing.assert_close(loss, other, rtol=1e-4, atol=1e-5)


def test_bf16_stays_near_single_precision(generator: torch.Generator) -> None:
    recipe = find_recipe("dimp", "dimp_nce_plus_small")
    actor = build_actor(recipe, build_network(recipe, None, None).net)
    actor.eval()
    batch = small_batch(9, generator)
    with torch.no_grad():
        exact, _ = actor(batch)
        actor.precision = "bf16"
        rough, stats = actor(batch)
    assert rough.dtype == torch.float32
    assert rough.item() == pytest.approx(exact.item(), rel=0.1)
    assert all(value.dtype == torch.float32 for value in stats.values())


def test_frozen_layers_stay_as_they_are(generator: torch.Generator, tmp_path: Path) -> None:
    """Weights and batch statistics of frozen layers survive steps in training mode; the rest moves."""
    recipe = find_recipe("dimp", "dimp_nce_plus_small")
    network = replace(recipe.network, pretrained=True, frozen=("conv1", "bn1", "layer1", "layer2"))
    recipe = replace(recipe, network=network)
    built = build_network(recipe, None, "imagenet")
    assert "frozen: conv1, bn1, layer1, layer2" in built.note
    before = {key: value.clone() for key, value in built.net.state_dict().items()}
    actor = build_actor(recipe, built.net)
    optimizer = build_optimiser(recipe, built.net, "scratch")  # hands all of the backbone to Adam
    for _ in range(2):
        actor.train()
        optimizer.zero_grad()
        actor(small_batch(9, generator))[0].backward()
        optimizer.step()
    frozen = tuple(f"feature_extractor.{name}." for name in network.frozen)
    after = built.net.state_dict()
    changed = {key for key, value in after.items() if not torch.equal(value, before[key])}
    assert not [key for key in changed if key.startswith(frozen)]
    for part in ("feature_extractor.layer3.0.conv1.weight", "feature_extractor.layer3.0.bn1.running_mean"):
        assert part in changed
