"""A training is carried out once, and its file is taken for no other."""

from dataclasses import replace
from pathlib import Path

import pytest
import torch

from ebm.integrity.json_files import write_sealed_json
from ebm.tasks.detection.data.records import DetectionSet
from ebm.tasks.detection.detectors import FasterRCNNDetector
from ebm.tasks.detection.loading import load_trained, save_trained
from ebm.tasks.detection.parts import Parts
from ebm.tasks.detection.recipes import Recipe, find_recipe
from ebm.tasks.detection.trainings import Trainings


@pytest.fixture
def recipe() -> Recipe:
    found = find_recipe("gaussian", "light")
    return replace(found, batch_size=2, optimisation=replace(found.optimisation, iterations=1))


@pytest.fixture
def said() -> list[str]:
    return []


@pytest.fixture
def trainings(tmp_path: Path, detector: FasterRCNNDetector, data: DetectionSet, said: list[str]) -> Trainings:
    return Trainings(
        detector=detector,
        parts=Parts(data, data, data),
        folder=tmp_path,
        results=tmp_path / "results.json",
        memory=None,
        workers=0,
        say=said.append,
    )


def file_of(trainings: Trainings, recipe: Recipe) -> Path:
    return trainings.folder / f"gaussian-{recipe.fingerprint()}-0.pt"


def test_it_is_carried_out_once(trainings: Trainings, recipe: Recipe, said: list[str]) -> None:
    first, cost = trainings.trained(recipe, 0)
    checkpoint = file_of(trainings, recipe).with_suffix(".checkpoint")
    assert not checkpoint.exists()
    checkpoint.touch()  # as a kill leaves it between two files
    again, known = trainings.trained(recipe, 0)
    assert said == ["training gaussian, seed 0, rate 0.005"]
    assert known == cost
    assert set(cost) == {"seconds_per_iteration", "loss"}
    for name, value in first.net.state_dict().items():
        assert torch.equal(value, again.net.state_dict()[name])
    assert not checkpoint.exists()


def test_other_ways_to_make_detections_share_a_training(
    trainings: Trainings, recipe: Recipe, said: list[str]
) -> None:
    first, _ = trainings.trained(recipe, 0)
    other = replace(recipe, prediction=replace(recipe.prediction, iou_threshold=0.3))
    again, _ = trainings.trained(other, 0)
    assert (first.recipe, again.recipe) == (recipe, other)
    assert len(said) == 1
    trainings.trained(replace(recipe, flip=0.0), 0)
    assert len(said) == 2


def test_a_file_of_other_pictures_or_a_damaged_one_is_not_taken(
    trainings: Trainings, recipe: Recipe, data: DetectionSet, said: list[str]
) -> None:
    trainings.trained(recipe, 0)
    fewer = replace(trainings, parts=replace(trainings.parts, train=data.chosen([0, 1])))
    fewer.trained(recipe, 0)
    assert len(said) == 2
    file = file_of(trainings, recipe)
    file.write_bytes(file.read_bytes()[:-40])
    fewer.trained(recipe, 0)
    assert "It is trained anew." in said[2]
    assert len(said) == 4
    assert load_trained(file).made["pictures"] == fewer.parts.digest("train")


@pytest.mark.parametrize("train", ["own", "own and others", "others", "none"])
def test_a_file_of_an_earlier_release_is_taken_by_its_record(
    trainings: Trainings, recipe: Recipe, data: DetectionSet, said: list[str], train: str
) -> None:
    saved, _ = trainings.trained(recipe, 0)
    save_trained(file_of(trainings, recipe), saved.net, recipe, trainings.detector, data)
    cell = {"method": "gaussian", "seed": 0, "recipe": recipe.fingerprint(), "features": "batch"}
    cell["detector"] = saved.detector
    known = {"own": trainings.parts.digest("train"), "others": "0123456789abcdef"}
    results = [
        {"cell": cell | {"pictures": {"train": known[name]}}, "seconds_per_iteration": 0.5, "loss": 7.0}
        for name in train.split(" and ")
        if name in known
    ]
    write_sealed_json(trainings.results, {"format": 1, "results": results})
    _, cost = trainings.trained(recipe, 0)
    assert (cost["loss"] == 7.0) == (len(said) == 1) == (train == "own")
