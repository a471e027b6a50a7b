"""The benchmark of detection: its plain loop is the same refinement, and every part of it runs."""

import importlib
from typing import Any

import pytest
import torch

from ebm.tasks.detection.branch import rects_of
from ebm.tasks.detection.energy import PyramidEnergy
from ebm.tasks.detection.prediction import ascended
from ebm.tasks.detection.recipes import SETTABLE, BranchRecipe
from ebm.tasks.detection.training import build_branch
from tests.ebm.tasks.detection.small import small_detector


@pytest.fixture
def detection(beside_the_scripts: None) -> Any:
    return importlib.import_module("detection")


def small_recipe(detection: Any) -> BranchRecipe:
    recipe = SETTABLE.set_fields(detection.branch_recipe("nce+", "light"), ["hidden=16"])
    assert isinstance(recipe, BranchRecipe)
    return recipe


def test_the_plain_loop_ends_where_refinement_does(detection: Any) -> None:
    detector, recipe = small_detector(), small_recipe(detection)
    branch = build_branch(recipe, detector, 0).eval()
    with torch.no_grad():
        branch.fc_conf.weight.mul_(1e5)
    picture = torch.rand(3, 64, 96, generator=torch.Generator().manual_seed(0))
    model = PyramidEnergy(branch, detector.features(detector.prepare([picture])))
    found = detection.drawn_boxes(64, 96, 20, 3, torch.Generator().manual_seed(1))
    ends = rects_of(ascended(model, recipe, found).boxes)
    torch.testing.assert_close(detection.plain_ascent(model, recipe, found), ends, atol=1e-2, rtol=0)
    assert float((ends - rects_of(found.boxes)).abs().max()) > 0.1


def test_every_part_is_timed(detection: Any) -> None:
    detector, recipe = small_detector(), small_recipe(detection)
    branch = build_branch(recipe, detector, 0).eval()
    pictures = [torch.rand(3, 64, 96)]
    assert min(detection.time_ascent(branch, recipe, detector, pictures[0], 1)[:2]) > 0
    after, before, count = detection.time_detection(branch, recipe, detector, pictures, 1)
    assert after > before > 0
    assert count > 0
    assert min(detection.time_detection(branch, recipe, detector, pictures, 1, 4)[:2]) > 0
    sides = detection.STEPS["a step of DSM / by autograd"]
    assert min(detection.time_training(detector, pictures, "light", sides, 1)) > 0


def test_sides_take_turns_and_the_first_turn_does_not_count(detection: Any) -> None:
    calls: list[tuple[str, int]] = []
    medians = detection.in_turns([lambda k: calls.append(("a", k)), lambda k: calls.append(("b", k))], 2)
    assert calls == [(side, turn) for turn in range(3) for side in "ab"]
    assert len(medians) == 2
