"""The study on real labels: losses differ in their box recipe alone; kept features train the same branch."""

import importlib
from pathlib import Path
from typing import Any

import pytest
import torch

from ltr.actors.network_actor import NetworkActor
from ltr.train_settings.build import build_actor, build_network
from ltr.train_settings.compare import flat_differences
from ltr.train_settings.recipe import find_recipe

SMALL = find_recipe("bbreg", "atom_nce_plus_small")
SAMPLES = 5


@pytest.fixture
def real(beside_the_scripts: None) -> Any:
    return importlib.import_module("box_study.real")


@pytest.fixture
def training(beside_the_scripts: None) -> Any:
    return importlib.import_module("box_study.cached_training")


def sample(index: int) -> dict[str, Any]:
    """A reference and two test frames of noise, with a box in each."""
    generator = torch.Generator().manual_seed(index)

    def part(frames: int, name: str) -> dict[str, Any]:
        shift = torch.rand(frames, 4, generator=generator) * 8
        return {
            f"{name}_images": torch.randint(0, 255, (frames, 3, 128, 128), generator=generator).to(
                torch.uint8
            ),
            f"{name}_gain": torch.ones(frames),
            f"{name}_anno": torch.tensor([40.0, 44.0, 40.0, 36.0]) + shift,
        }

    return {**part(1, "train"), **part(2, "test"), "dataset": "noise", "sequence": str(index), "replaced": ()}


@pytest.fixture
def actor() -> NetworkActor:
    actor = build_actor(SMALL, build_network(SMALL).net)
    actor.eval()
    return actor


@pytest.fixture
def frames(training: Any, actor: NetworkActor, tmp_path: Path) -> Any:
    """Kept features of a few samples."""
    lines: list[str] = []
    cached = importlib.import_module("box_study.cached")
    frames = cached.cache_frames(actor, sample, SAMPLES, tmp_path / "kept", lines.append)
    assert lines == [f"kept: features of 0 of {SAMPLES} samples"]

    def none(index: int) -> Any:
        raise AssertionError("nothing is computed again")

    assert len(cached.cache_frames(actor, none, SAMPLES, tmp_path / "kept", lines.append)) == SAMPLES
    return frames


def test_losses_and_seeds_differ_in_nothing_else(real: Any) -> None:
    runs = list(real.real_runs(["iou", "ml-is", "kld-is", "nce", "nce+"], [0, 1]))
    recipes = [real.real_recipe(run).plain() for run in runs]
    setting = find_recipe("bbreg", "atom_nce_plus_lite").plain()
    for run, recipe in zip(runs, recipes):
        changed = {key.partition(".")[0] for key in flat_differences(setting, recipe)}
        assert changed <= {"name", "seed", "box"}
        assert recipe["box"]["num_samples"] == setting["box"]["num_samples"]
        assert recipe["seed"] == run.seed
    assert recipes[4]["box"] == setting["box"]


def test_kept_features_are_the_networks_to_half_precision(frames: Any, actor: NetworkActor) -> None:
    batch = frames.batch([3, 1])
    plain = [sample(index) for index in (3, 1)]
    images = {
        key: torch.stack([one[key] for one in plain], dim=1)
        for key in ("test_images", "test_gain", "test_anno")
    }
    assert torch.equal(batch["test_anno"], images["test_anno"])
    net: Any = actor.net
    with torch.no_grad():
        expected = net.get_backbone_bbreg_feat(actor.features(images, "test"))
    for kept, level in zip(batch["test"], expected):
        assert kept.shape == level.shape
        assert torch.allclose(kept, level, rtol=1e-3, atol=1e-3)


def test_a_training_on_them_is_repeated_to_the_bit(training: Any, frames: Any) -> None:
    recipe = find_recipe("bbreg", "atom_nce_plus_small")
    (first, loss), (second, again) = (training.train_branch(recipe, frames, 12) for _ in range(2))
    assert loss == again
    states = first.state_dict(), second.state_dict()
    assert all(torch.equal(states[0][key], states[1][key]) for key in states[0])
    start = build_network(recipe).net.state_dict()
    moved = {key.partition(".")[0] for key in start if not torch.equal(start[key], states[0][key])}
    assert moved == {"bb_regressor"}


def test_starts_are_the_same_for_every_network_and_a_step_of_nothing_moves_none(
    training: Any, frames: Any, actor: NetworkActor
) -> None:
    before, after = training.refined_overlaps(actor.net, frames, range(SAMPLES), 3, [1e-12])
    assert before.shape == (SAMPLES * 2 * 3,)
    assert torch.allclose(before, after, atol=1e-4)
    other, _ = training.refined_overlaps(build_network(SMALL).net.eval(), frames, range(SAMPLES), 3, [0.1])
    assert torch.equal(before, other)


def test_differences_are_taken_within_a_seed(real: Any) -> None:
    def row(loss: str, seed: int, photos: float) -> Any:
        numbers = dict.fromkeys(real.RealRow.__dataclass_fields__, 0.5)
        return real.RealRow(**numbers | {"loss": loss, "seed": seed, "photos": photos})

    rows = [row("nce+", 0, 0.61), row("nce+", 1, 0.73), row("nce", 0, 0.60), row("nce", 1, 0.70)]
    lines = real.real_table(rows, markdown=True).splitlines()
    assert lines[2].startswith("| NCE | 65.00 ± 7.07 | +2.00 ± 1.00 | 50.00 ± 0.00 | +0.00 ± 0.00 |")
    assert lines[3].startswith("| NCE+ | 67.00 ± 8.49 | - |")
