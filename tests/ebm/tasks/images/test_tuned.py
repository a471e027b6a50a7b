"""Backbones trained with their energies: one step of the papers' recipes, and a killed run that goes on."""

import signal
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

import ebm
from ebm.fitting import checkpoints
from ebm.images import tuning
from ebm.images.augment import Augmentation
from ebm.images.backbones import build_backbone
from ebm.images.encoder import PictureEncoder
from ebm.images.labelled import read_labelled
from ebm.tasks.images.age import TASK as AGE
from ebm.tasks.images.age_command import main
from ebm.tasks.images.pose import TASK as POSE
from ebm.tasks.images.task import Parts, Recipe, Task
from ebm.tasks.images.tuned import fit_backbone, full_recipe, light_recipe, tuned_weights
from tests.ebm.images.drawn import draw
from tests.ebm.tasks.images.test_age import faces


def parts_of(folder: Path, task: Task, count: int = 12) -> Parts:
    """Drawn pictures with targets of the task."""
    table = draw(folder, count)
    place = np.array(table["place"], dtype=float)
    table |= {name: (40 * place + 20 * k).tolist() for k, name in enumerate(task.targets)}
    whole = read_labelled(table, folder, task.targets)
    return Parts(whole.chosen(range(count - 4)), whole.chosen(range(count - 4, count)), whole)


def small(recipe: Recipe) -> Recipe:
    """The same with pictures of 32 px, and one step."""
    return replace(recipe, features=replace(recipe.features, size=32), epochs=1, batch_size=8)


@pytest.mark.parametrize("task", [AGE, POSE], ids=lambda task: task.name)
def test_one_step_of_the_papers_recipe(task: Task, tmp_path: Path) -> None:
    recipe = full_recipe(task)
    assert (recipe.features.backbone, recipe.num_samples, recipe.batch_size) == ("resnet50", 1024, 32)
    assert recipe.features.size == task.words.full_size
    assert recipe.rule.coupled
    fitted, found = fit_backbone(task, small(recipe), parts_of(tmp_path, task), "ml-is", weights="random")
    assert len(found.history.train_loss) == 1
    assert fitted.predict([tmp_path / "000.png"]).shape[0] == 1


def test_a_density_with_its_own_backbone_is_saved_whole(tmp_path: Path) -> None:
    recipe = replace(small(light_recipe(AGE)), hidden=16)
    fitted, _ = fit_backbone(AGE, recipe, parts_of(tmp_path, AGE), "nce+", weights="random")
    fitted.save(tmp_path / "a.ebm")
    loaded = ebm.load_fitted(tmp_path / "a.ebm")
    paths = [str(tmp_path / f"{k:03}.png") for k in range(3)]
    np.testing.assert_allclose(loaded.predict(paths), fitted.predict(paths), rtol=1e-6)
    # Its backbone can be that of further fits.
    assert isinstance(fitted.scaling.x_table, PictureEncoder)
    own = fitted.scaling.x_table.own
    assert own is not None
    weights = tuned_weights(tmp_path / "a.ebm")
    assert weights.keys() == own.keys()
    assert all(torch.equal(weights[name], own[name]) for name in own)


def test_features_of_a_tuned_backbone_make_a_table(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    faces(tmp_path / "f", 60)
    folder, out = str(tmp_path / "f"), str(tmp_path / "o")
    short = ["--size", "32", "--epochs", "1", "--out", out]
    tune = ["--fine-tune", "light", "--weights", "random", "--samples", "4"]
    assert main(["train", folder, *tune, *short]) == 0
    table = ["table", folder, "--no-cache", "--no-ablation", "--seeds", "1", "--energies", "nce", *short]
    assert main([*table, "--weights", f"{out}/age.ebm"]) == 0
    assert "| Direct-L2 |" in capsys.readouterr().out
    frozen = fit_rows_file(tmp_path)
    assert main([*table, "--weights", str(frozen)]) == 2
    assert "holds no backbone" in capsys.readouterr().err


def fit_rows_file(folder: Path) -> Path:
    """A density that holds no backbone."""
    x = np.random.default_rng(0).normal(size=(60, 2))
    ebm.fit(x, x[:, 0], epochs=1, hidden=(4,), progress=False).save(folder / "rows.ebm")
    return folder / "rows.ebm"


def test_a_killed_run_goes_on_to_the_bit(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    parts = parts_of(tmp_path, AGE)
    recipe = replace(small(light_recipe(AGE)), hidden=16, epochs=3, dropout=0.5, batch_size=4)
    whole, _ = fit_backbone(AGE, recipe, parts, "nce+", weights="random", checkpoint=tmp_path / "w.ckpt")
    measured = []

    call = tuning._Measure.__call__

    def stops(self: tuning._Measure) -> object:
        measured.append(1)
        if len(measured) == 2:
            raise MemoryError("killed")
        return call(self)

    options = {"weights": "random", "checkpoint": tmp_path / "k.ckpt"}
    monkeypatch.setattr(checkpoints, "EVERY", 0.0)
    with monkeypatch.context() as patched:
        patched.setattr(tuning._Measure, "__call__", stops)
        with pytest.raises(MemoryError):
            fit_backbone(AGE, recipe, parts, "nce+", **options)  # type: ignore[arg-type]
    again, _ = fit_backbone(AGE, recipe, parts, "nce+", **options)  # type: ignore[arg-type]
    assert again.history.train_loss == whole.history.train_loss
    assert again.history.held_out_nll == whole.history.held_out_nll
    for one, other in zip(again.model.state_dict().values(), whole.model.state_dict().values()):
        assert torch.equal(one, other)


# Trains by the command; with a second argument the process dies, as by kill -9, in the second epoch.
COMMAND = """
import os, signal, sys
from ebm.fitting import checkpoints
from ebm.images import tuning
from ebm.tasks.images.age_command import main

checkpoints.EVERY = 0.0
folder, out, dies = sys.argv[1:]
call, measured = tuning._Measure.__call__, []

def measure(self):
    measured.append(1)
    if dies == "dies" and len(measured) == 2:
        os.kill(os.getpid(), signal.SIGKILL)
    return call(self)

tuning._Measure.__call__ = measure
sys.exit(main(["train", folder, "--fine-tune", "light", "--weights", "random", "--size", "32",
               "--epochs", "3", "--samples", "4", "--out", out]))
"""


def test_a_command_that_was_killed_goes_on_to_the_bit(tmp_path: Path) -> None:
    faces(tmp_path / "f", 60)

    def run(name: str, dies: str = "") -> int:
        call = [sys.executable, "-c", COMMAND, str(tmp_path / "f"), str(tmp_path / name), dies]
        return subprocess.run(call, capture_output=True).returncode

    assert run("killed", "dies") == -signal.SIGKILL
    assert (tmp_path / "killed" / "age.checkpoint").is_file()
    assert not (tmp_path / "killed" / "age.ebm").exists()
    assert run("killed") == run("whole") == 0
    again, whole = (ebm.load_fitted(tmp_path / name / "age.ebm") for name in ("killed", "whole"))
    assert again.history.train_loss == whole.history.train_loss
    assert again.history.held_out_nll == whole.history.held_out_nll
    for one, other in zip(again.model.state_dict().values(), whole.model.state_dict().values()):
        assert torch.equal(one, other)
    encoders = [fitted.scaling.x_table for fitted in (again, whole)]
    assert all(isinstance(encoder, PictureEncoder) and encoder.own for encoder in encoders)
    one, other = (encoder.own for encoder in encoders)  # type: ignore[union-attr]
    assert all(torch.equal(one[name], other[name]) for name in other)  # type: ignore[index,union-attr]


def test_parts_that_are_frozen_stay(tmp_path: Path) -> None:
    recipe = replace(small(light_recipe(AGE)), hidden=16)
    before = build_backbone("efficientnet_lite0", "random")[0].state_dict()
    fitted, _ = fit_backbone(AGE, recipe, parts_of(tmp_path, AGE), "nce+", weights="random")
    assert isinstance(fitted.scaling.x_table, PictureEncoder)
    own = fitted.scaling.x_table.own
    assert own is not None
    moved = {name for name in before if not torch.equal(before[name], own[name])}
    assert moved
    assert not {name for name in moved if name.startswith(recipe.frozen)}


def test_augmentation_scales_and_mirrors() -> None:
    images = torch.zeros(64, 1, 16, 16)
    images[..., :8] = 1.0  # the left half
    seen, mirrored = Augmentation()(images, torch.Generator().manual_seed(0))
    assert seen.shape == images.shape
    assert 0.25 < mirrored.float().mean() < 0.75
    same, _ = Augmentation(flip=0.0, scales=(1.0, 1.0))(images, torch.Generator().manual_seed(0))
    torch.testing.assert_close(same, images)
    half, _ = Augmentation(flip=1.0, scales=(0.5, 0.5))(images, torch.Generator().manual_seed(0))
    assert half[0, 0, 2].tolist() == pytest.approx([0] * 4 + [1] * 4 + [0] * 8, abs=0.51)
    assert half[:, :, 9:].abs().sum() == 0  # what is smaller stands above and left, the rest is 0
