"""The DiMP actor on real networks: the reference's numbers, and a batch that can be learned by heart."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from ltr.data.labels import gaussian_label_function
from ltr.train_settings.build import build_actor, build_network, build_optimiser
from ltr.train_settings.recipe import find_recipe


def rs(index: int, shape: tuple[int, ...]) -> Tensor:
    """Numbers of the reference's anchors: a legacy generator, the same in every NumPy."""
    return torch.from_numpy(np.random.RandomState(1000 + index).standard_normal(shape).astype(np.float32))


def anchor_weights(net: nn.Module) -> None:
    """Fill a network with the anchors' weights."""
    for index, (key, value) in enumerate(net.state_dict().items()):
        if "num_batches_tracked" in key or "filter_optimizer" in key:
            continue
        noise = rs(index, tuple(value.shape))
        if "running_mean" in key:
            value.copy_(0.1 * noise)
        elif "running_var" in key:
            value.copy_(1 + 0.25 * noise.square())
        elif value.ndim >= 2:
            value.copy_((2 / (value.numel() / value.shape[0])) ** 0.5 * noise)
        elif key.endswith("weight"):
            value.copy_(1 + 0.1 * noise)
        else:
            value.copy_(0.05 * noise)


def anchor_batch() -> dict[str, Tensor]:
    """The anchors' boxes, labels and densities; images stand apart, since they are normalised already."""
    train = torch.tensor(
        [
            [[100, 90, 80, 60], [120, 100, 60, 70]],
            [[96, 94, 84, 58], [126, 98, 58, 74]],
            [[110, 84, 78, 62], [118, 108, 64, 68]],
        ],
        dtype=torch.float32,
    )
    test = train + torch.tensor([6.0, -4.0, 2.0, -2.0])
    shifts = torch.tensor([[0.0, 0, 0, 0], [-20, 10, 20, -10], [10.5, -19.75, -16, 30]])
    label = gaussian_label_function(test.flatten(0, 1), 0.05, 4, 18, 288).reshape(3, 2, 19, 19)
    return {
        "train_anno": train,
        "test_anno": test,
        "test_label": label,
        "test_proposals": test[:, :, None] + shifts,
        "proposal_log_q": rs(5, (3, 2, 3)),
        "gt_log_density": rs(6, (3, 2, 3)),
    }


@pytest.mark.slow
def test_super_dimp_gives_the_references_losses(monkeypatch: pytest.MonkeyPatch) -> None:
    recipe = find_recipe("dimp", "dimp_kld_is")
    net = build_network(recipe, None, "imagenet").net
    anchor_weights(net)
    actor = build_actor(recipe, net)
    actor.eval()
    images = iter([rs(1, (3, 2, 3, 288, 288)), rs(2, (3, 2, 3, 288, 288))])
    monkeypatch.setattr("ltr.actors.tracking.normalise_images", lambda *args: next(images))
    names = ("train_images", "train_gain", "test_images", "test_gain")
    with torch.no_grad():
        loss, stats = actor(anchor_batch() | dict.fromkeys(names))
    expected = {
        "Loss/total": 23.432163,
        "Loss/bb_ce": 1905.380,
        "Loss/loss_bb_ce": 19.053804,
        "Loss/target_clf": 0.674141,
        "Loss/test_init_clf": 0.929752,
        "Loss/test_iter_clf": 2.774466,
    }
    assert {name: stats[name].item() for name in expected} == pytest.approx(expected, rel=1e-3)
    assert loss.item() == pytest.approx(23.432163, rel=1e-3)


def small_batch(boxes: int, generator: torch.Generator) -> dict[str, Tensor]:
    """Two sequences of a bright square that moves over noise; random candidate boxes around it."""
    anno = torch.tensor([[[40.0, 44, 40, 36], [50, 40, 32, 40]], [[44.0, 40, 40, 36], [48, 46, 32, 40]]])

    def images(shift: float) -> tuple[Tensor, Tensor]:
        moved = anno + torch.tensor([shift, -shift, 0.0, 0.0])
        pixels = torch.randint(0, 100, (2, 2, 3, 128, 128), generator=generator, dtype=torch.uint8)
        for i in range(2):
            for s in range(2):
                x, y, w, h = (int(v) for v in moved[i, s])
                pixels[i, s, :, y : y + h, x : x + w] += 120
        return pixels, moved

    train_images, train_anno = images(0.0)
    test_images, test_anno = images(6.0)
    noise = torch.randn(2, 2, boxes, 4, generator=generator) * 0.2
    noise[:, :, 0] = 0
    size = test_anno[:, :, None, 2:]
    scaled = size * noise[..., 2:].exp()
    centre = test_anno[:, :, None, :2] + size / 2 + noise[..., :2] * size
    return {
        "train_images": train_images,
        "train_gain": torch.ones(2, 2),
        "train_anno": train_anno,
        "test_images": test_images,
        "test_gain": torch.ones(2, 2),
        "test_anno": test_anno,
        "test_label": gaussian_label_function(test_anno.flatten(0, 1), 0.0625, 4, 16, 128).unflatten(
            0, (2, 2)
        ),
        "test_proposals": torch.cat((centre - scaled / 2, scaled), dim=-1),
        "proposal_log_q": torch.distributions.Normal(0.0, 0.2).log_prob(noise).sum(-1),
        "gt_log_density": torch.distributions.Normal(0.0, 0.1).log_prob(noise).sum(-1),
    }


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
    from dataclasses import replace

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
