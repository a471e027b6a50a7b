"""Trainings of branches and of the light detector: the same to the bit, whatever happens to them."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from ebm.exceptions import InputError
from ebm.fitting import checkpoints
from ebm.tasks.detection.data.records import DetectionSet
from ebm.tasks.detection.detector_training import DetectorRecipe, train_detector
from ebm.tasks.detection.detectors import FasterRCNNDetector
from ebm.tasks.detection.light import build_light
from ebm.tasks.detection.loading import fresh
from ebm.tasks.detection.methods import train_method
from ebm.tasks.detection.recipes import SETTABLE, Recipe, find_recipe
from ebm.tasks.detection.training import TrainingOptions
from ebm.training.iterations import Optimisation
from tests.ebm.tasks.detection.small import NAMES, SMALL


def recipe_of(method: str, *changes: str) -> Recipe:
    few = ["optimisation.iterations=6", "optimisation.drops=(4,)", "optimisation.warmup=2", "batch_size=2"]
    return SETTABLE.set_fields(find_recipe(method, "light"), [*few, *changes])


class Killed(Exception):
    """A process that ends at once."""


def kill_at(iteration: int) -> Callable[[int, int, object, float], None]:
    def tell(done: int, total: int, means: object, left: float) -> None:
        if done == iteration:
            raise Killed

    return tell


def weights(net: torch.nn.Module) -> dict[str, torch.Tensor]:
    return {name: value.clone() for name, value in net.state_dict().items()}


@pytest.mark.parametrize("method", ["nce+", "iou-net", "ml-mcmc-1", "cvae"])
def test_a_killed_training_goes_on_to_the_same_bits(
    method: str,
    data: DetectionSet,
    detector: FasterRCNNDetector,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    few = () if method == "cvae" else ("method.num_samples=8", "hidden=8")
    recipe = recipe_of(method, *few)
    whole = fresh(recipe, detector, 0)
    train_method(whole, recipe, detector, data, TrainingOptions())
    monkeypatch.setattr(checkpoints, "EVERY", 0.0)
    file = tmp_path / "a.checkpoint"
    net = fresh(recipe, detector, 0)
    with pytest.raises(Killed):
        train_method(net, recipe, detector, data, TrainingOptions(checkpoint=file, tell=kill_at(4)))
    net = fresh(recipe, detector, 0)
    trained = train_method(net, recipe, detector, data, TrainingOptions(checkpoint=file))
    assert trained.iterations == 6
    assert [row["iteration"] for row in trained.history] == [1, 2, 3, 4, 5, 6]
    for name, value in weights(whole).items():
        assert torch.equal(value, net.state_dict()[name]), name


def test_the_light_detector_goes_on_to_the_same_bits(
    data: DetectionSet, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    optimisation = Optimisation(rate=0.01, iterations=4, warmup=2, clip_norm=10.0)
    recipe = DetectorRecipe(network=SMALL, optimisation=optimisation, batch_size=2)

    def model() -> torch.nn.Module:
        torch.manual_seed(0)
        built: torch.nn.Module = build_light(SMALL, NAMES, "random")[0]
        return built

    whole, net = model(), model()
    train_detector(whole, recipe, data)
    monkeypatch.setattr(checkpoints, "EVERY", 0.0)
    file = tmp_path / "a.checkpoint"
    with pytest.raises(Killed):
        train_detector(net, recipe, data, checkpoint=file, tell=kill_at(3))
    net = model()
    train_detector(net, recipe, data, checkpoint=file)
    for name, value in weights(whole).items():
        assert torch.equal(value, net.state_dict()[name]), name


def test_the_backbone_of_the_light_detector_stays_unless_asked_for(data: DetectionSet) -> None:
    optimisation = Optimisation(rate=0.01, iterations=1)
    for trained in ((), ("blocks.6",)):
        network = replace(SMALL, trained=trained)
        recipe = DetectorRecipe(network=network, optimisation=optimisation, batch_size=2)
        torch.manual_seed(0)
        model, _ = build_light(network, NAMES, "random")
        before = weights(model)
        train_detector(model, recipe, data)
        moved = {name for name, value in model.state_dict().items() if not torch.equal(value, before[name])}
        backbone = {name for name in moved if name.startswith("backbone.body.")}
        assert {name.split(".")[3] for name in backbone} == ({"6"} if trained else set())
        assert any(name.startswith("backbone.fpn.") for name in moved)


def test_reading_processes_change_nothing(data: DetectionSet, detector: FasterRCNNDetector) -> None:
    recipe = recipe_of("nce+", "method.num_samples=8", "optimisation.iterations=3")
    nets = []
    for workers in (0, 2):
        net = fresh(recipe, detector, 0)
        train_method(net, recipe, detector, data, TrainingOptions(workers=workers))
        nets.append(net)
    assert torch.equal(nets[0].fc6.weight, nets[1].fc6.weight)


def test_a_checkpoint_of_another_training_is_refused(
    data: DetectionSet, detector: FasterRCNNDetector, tmp_path: Path
) -> None:
    recipe = recipe_of("nce+", "method.num_samples=8", "optimisation.iterations=1")
    file = tmp_path / "a.checkpoint"
    train_method(fresh(recipe, detector, 0), recipe, detector, data, TrainingOptions(checkpoint=file))
    with pytest.raises(InputError, match="another call of ebmtrack detect train: seed is 0 there and 1"):
        train_method(
            fresh(recipe, detector, 0), recipe, detector, data, TrainingOptions(checkpoint=file, seed=1)
        )


def test_a_training_tells_how_many_samples_the_label_outranks(
    data: DetectionSet, detector: FasterRCNNDetector
) -> None:
    recipe = recipe_of("nce+", "hidden=8", "method.num_samples=16", "optimisation.iterations=1")
    trained = train_method(fresh(recipe, detector, 0), recipe, detector, data, TrainingOptions())
    (row,) = trained.history
    assert "label_rank_acc" not in row
    assert 0 <= row["label_auc"] < 0.2  # a fresh branch is flat, and noise densest at the label
