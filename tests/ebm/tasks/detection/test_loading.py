"""Files of detectors and branches."""

from pathlib import Path

import pytest
import torch

from ebm.exceptions import InputError
from ebm.tasks.detection.loading import (
    fresh,
    load_detector,
    load_trained,
    recipe_from,
    save_light,
    save_trained,
)
from ebm.tasks.detection.recipes import RECIPES, SETTABLE, BranchRecipe, find_recipe
from tests.ebm.tasks.detection.small import NAMES, SMALL, small_detector, small_set


@pytest.mark.parametrize("schedule", ["paper", "light"])
@pytest.mark.parametrize("name", RECIPES)
def test_a_recipe_comes_back_from_plain_values(name: str, schedule: str) -> None:
    recipe = find_recipe(name, schedule)
    assert recipe_from(recipe.plain()) == recipe
    changed = SETTABLE.set_fields(recipe, ["flip=0.25", "prediction.score=energy", "rate=0.5"])
    assert recipe_from(changed.plain()) == changed
    assert changed.fingerprint() != recipe.fingerprint()


def test_the_papers_numbers() -> None:
    nce, net, gaussian = (find_recipe(name) for name in ("nce+", "iou-net*", "gaussian"))
    optimisation = nce.optimisation
    assert (nce.batch_size, nce.flip, optimisation.iterations) == (16, 0.5, 60_000)
    assert (optimisation.drops, optimisation.warmup, optimisation.momentum) == ((40_000, 50_000), 500, 0.9)
    rates = [recipe.optimisation.rate for recipe in (nce, net, gaussian)]
    assert rates == [1e-3, 1e-2, 5e-3]
    assert isinstance(nce, BranchRecipe)
    assert (nce.hidden, nce.bins, nce.method.num_samples) == (1024, 7, 127)
    assert (nce.prediction.iou_threshold, nce.prediction.max_detections) == (0.5, 100)


def test_a_detector_and_its_branch_come_back(tmp_path: Path) -> None:
    detector, data = small_detector(), small_set(tmp_path)
    save_light(tmp_path / "d.pt", detector.model, SMALL, NAMES)
    again = load_detector(str(tmp_path / "d.pt"))
    assert again.columns == ("", *NAMES)
    assert again.rule == detector.rule
    for name, value in detector.model.state_dict().items():
        assert torch.equal(value, again.model.state_dict()[name]), name
    for method in ("nce+", "mixture-2"):
        recipe = find_recipe(method, "light")
        net = fresh(recipe, detector, 0)
        save_trained(tmp_path / "b.pt", net, recipe, detector, data)
        saved = load_trained(tmp_path / "b.pt")
        assert saved.recipe == recipe
        assert [own.category_id for own in saved.categories] == [10, 20]
        assert not saved.net.training
        saved.require_detector(again, "b.pt")
        for name, value in net.state_dict().items():
            assert torch.equal(value, saved.net.state_dict()[name])
    with pytest.raises(InputError, match="another detector"):
        saved.require_detector(small_detector(seed=1), "b.pt")


def test_files_that_are_something_else_are_refused(tmp_path: Path) -> None:
    detector, data = small_detector(), small_set(tmp_path)
    save_light(tmp_path / "d.pt", detector.model, SMALL, NAMES)
    recipe = find_recipe("nce+", "light")
    save_trained(tmp_path / "b.pt", fresh(recipe, detector, 0), recipe, detector, data)
    with pytest.raises(InputError, match="no file of 'ebmtrack detect train': it is 'ebmtrack.detector'"):
        load_trained(tmp_path / "d.pt")
    with pytest.raises(InputError, match="no file of 'ebmtrack detect train-detector'"):
        load_detector(str(tmp_path / "b.pt"))
    with pytest.raises(InputError, match="No file"):
        load_detector(str(tmp_path / "absent.pt"))
    content = bytearray((tmp_path / "b.pt").read_bytes())
    content[len(content) // 2] ^= 1
    (tmp_path / "b.pt").write_bytes(bytes(content))
    with pytest.raises(InputError):
        load_trained(tmp_path / "b.pt")
    torch.save({"state_dict": {}}, tmp_path / "other.pt")
    with pytest.raises(InputError, match="another torch file"):
        load_trained(tmp_path / "other.pt")
